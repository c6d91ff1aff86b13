//! Who may call: AccessPolicies with Secrets and ServiceAccounts of a real cluster, and what status says of them.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use dragoman_simulator::Simulator;
use dragoman_system::{Kubectl, eventually, root};
use futures::StreamExt;
use serde_json::{Value, json};

use super::{backend, base_url, call, client, route, simulator};

const ALICE: &str = "alice-0123456789abcdef";
const BOB: &str = "bob-0123456789abcdef";
const GUARDED: &str = "  accessPolicyRefs: [{name: callers}]\n";
/// How soon a new key lets its user in, and an old one no longer does.
const AT_ONCE: Duration = Duration::from_secs(1);

fn policy(spec: &str) -> String {
    format!(
        "apiVersion: dragoman.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {{name: callers}}\nspec:\n{spec}"
    )
}

fn by_name() -> String {
    policy("  authentication: {bearerTokens: {secretRefs: [{name: keys}]}}\n")
}

fn by_label() -> String {
    policy("  authentication: {bearerTokens: {secretSelector: {matchLabels: {llm: keys}}}}\n")
}

fn secret(name: &str, users: &[(&str, &str)]) -> String {
    let mut manifest = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, labels: {{llm: keys}}}}\nstringData:\n"
    );
    for (user, tokens) in users {
        let _ = writeln!(manifest, "  {user}: {}", json!(tokens));
    }
    manifest
}

/// The status of a call with this token.
async fn status(base_url: &str, token: Option<&str>) -> Result<u16, String> {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let bearer = bearer.as_deref().map(|bearer| ("authorization", bearer));
    let reply = call(base_url, "echo", bearer.as_slice()).await?;
    Ok(reply.status().as_u16())
}

async fn answers(base_url: &str, token: Option<&str>, expected: u16) {
    eventually(
        &format!("a call with {token:?} gets {expected}"),
        || async {
            match status(base_url, token).await? {
                status if status == expected => Ok(()),
                status => Err(status.to_string()),
            }
        },
    )
    .await;
}

/// A namespace with a route that is guarded by this policy.
async fn guarded(name: &str, manifests: &[String]) -> (Kubectl, Simulator, String) {
    guarded_by(name, manifests, |_| {}).await
}

/// The same, with what `more` makes beside it.
async fn guarded_by(
    name: &str,
    manifests: &[String],
    more: impl FnOnce(&Kubectl),
) -> (Kubectl, Simulator, String) {
    let kubectl = Kubectl::in_new_namespace(name);
    more(&kubectl);
    let upstream = simulator(Simulator::builder()).await;
    for manifest in manifests {
        kubectl.apply(manifest);
    }
    kubectl.apply(&backend("one", &upstream, ""));
    kubectl.apply(&route("one", GUARDED));
    kubectl.condition("llmroute", "chat", "Ready", "True").await;
    let url = base_url(&kubectl);
    (kubectl, upstream, url)
}

#[tokio::test]
async fn a_key_of_a_secret_lets_its_user_in_and_status_says_who_may_call() {
    let manifests = [secret("keys", &[("alice", ALICE)]), by_name()];
    let (kubectl, upstream, url) = guarded("keys", &manifests).await;
    answers(&url, Some(ALICE), 200).await;
    answers(&url, Some(BOB), 401).await;
    answers(&url, None, 401).await;
    // The key opened our door, and is shown to nobody behind it.
    let seen = upstream.wait_until(|requests| !requests.is_empty()).await;
    assert!(
        seen.iter()
            .all(|request| request.header("authorization").is_none())
    );
    let route = kubectl.get("llmroute", "chat").unwrap();
    assert_eq!(route["status"]["access"], "Restricted");
    // Both are there for a moment, so that nobody is locked out while keys change.
    kubectl.apply(&secret("keys", &[("alice", &format!("{ALICE}\n{BOB}"))]));
    answers(&url, Some(BOB), 200).await;
    answers(&url, Some(ALICE), 200).await;
    kubectl.apply(&secret("keys", &[("alice", BOB)]));
    let revoked = Instant::now();
    answers(&url, Some(ALICE), 401).await;
    assert!(revoked.elapsed() < AT_ONCE, "{:?}", revoked.elapsed());
}

#[tokio::test]
async fn a_new_secret_with_the_label_admits_its_user_within_a_second() {
    let (kubectl, _upstream, url) = guarded("labelled", &[by_label()]).await;
    answers(&url, Some(ALICE), 401).await;
    kubectl.apply(&secret("alice", &[("alice", ALICE)]));
    let added = Instant::now();
    answers(&url, Some(ALICE), 200).await;
    assert!(added.elapsed() < AT_ONCE, "{:?}", added.elapsed());
    kubectl.run(&["delete", "secret", "alice"]);
    let revoked = Instant::now();
    answers(&url, Some(ALICE), 401).await;
    assert!(revoked.elapsed() < AT_ONCE, "{:?}", revoked.elapsed());
}

#[tokio::test]
async fn a_service_account_shows_a_token_for_this_audience_and_no_other() {
    let accounts = policy(concat!(
        "  authentication: {serviceAccounts: {audience: llm.example.com}}\n",
        "  rules:\n",
        "  - name: this-account\n",
        "    when: user.name == 'system:serviceaccount:accounts:default'\n",
        "    action: Allow\n",
        "  - {name: no-other, action: Deny}\n",
    ));
    let (kubectl, _upstream, url) = guarded("accounts", &[accounts]).await;
    let token = |account: &str, audience: &str| {
        let made = kubectl.run(&["create", "token", account, "--audience", audience]);
        made.trim().to_owned()
    };
    answers(&url, Some(&token("default", "llm.example.com")), 200).await;
    answers(&url, Some(&token("default", "other.example.com")), 401).await;
    let api_server = "https://kubernetes.default.svc.cluster.local";
    answers(&url, Some(&token("default", api_server)), 401).await;
    kubectl.run(&["create", "serviceaccount", "stranger"]);
    answers(&url, Some(&token("stranger", "llm.example.com")), 403).await;
    kubectl.apply(&policy(&format!(
        "  authentication: {{serviceAccounts: {{audience: {api_server}}}}}\n"
    )));
    let refused = kubectl
        .condition("accesspolicy", "callers", "Accepted", "False")
        .await;
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("the API server's"), "{message}");
}

#[tokio::test]
async fn limits_that_each_proxy_counts_for_itself_are_told_with_the_cure() {
    let limited = policy("  limits: [{per: Address, requests: 100000, window: 1m}]\n");
    let (kubectl, _upstream, url) = guarded("limited", &[limited]).await;
    answers(&url, None, 200).await;
    let shared = kubectl
        .condition("accesspolicy", "callers", "LimitsShared", "False")
        .await;
    assert_eq!(shared["reason"], "LocalToEachProxy");
    let message = shared["message"].as_str().unwrap();
    assert!(message.contains("spec.sharedState.redis"), "{message}");
    kubectl
        .condition("accesspolicy", "callers", "Ready", "True")
        .await;
    let route = kubectl.get("llmroute", "chat").unwrap();
    assert_eq!(route["status"]["access"], "Open");
}

#[tokio::test]
async fn a_policy_that_is_gone_closes_its_route_and_says_so() {
    let manifests = [secret("keys", &[("alice", ALICE)]), by_name()];
    let (kubectl, _upstream, url) = guarded("gone", &manifests).await;
    answers(&url, Some(ALICE), 200).await;
    kubectl.run(&["delete", "accesspolicy", "callers"]);
    answers(&url, Some(ALICE), 503).await;
    let unresolved = kubectl
        .condition("llmroute", "chat", "ResolvedRefs", "False")
        .await;
    assert_eq!(unresolved["reason"], "RefNotFound");
}

/// The longest silence of a stream that is asked for with this token.
async fn longest_gap(url: String) -> Duration {
    let body = json!({"model": "tokens-200+token-20ms", "stream": true, "messages": [{"role": "user", "content": "x"}]});
    let request = client()
        .post(format!("{url}/chat/completions"))
        .bearer_auth(ALICE);
    let reply = request.json(&body).send().await.unwrap();
    assert_eq!(reply.status(), 200);
    let mut chunks = reply.bytes_stream();
    let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
    while let Some(chunk) = chunks.next().await {
        chunk.unwrap();
        longest = longest.max(last.elapsed());
        last = Instant::now();
    }
    longest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_keys_are_reloaded_while_a_stream_runs_on() {
    let folder = tempfile::tempdir().unwrap();
    // Larger than what `kubectl apply` can note of it.
    let keys = |generation: u32| {
        let crowd = (0..10_000).map(|at| format!("crowd-{generation}-{at:016}\n"));
        let manifest = secret(
            "keys",
            &[("alice", ALICE), ("crowd", &crowd.collect::<String>())],
        );
        let path = folder.path().join("keys.yaml");
        std::fs::write(&path, manifest).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (kubectl, _upstream, url) = guarded_by("crowd", &[by_name()], |kubectl| {
        kubectl.run(&["create", "-f", &keys(0)]);
    })
    .await;
    answers(&url, Some("crowd-0-0000000000000042"), 200).await;
    let stream = tokio::spawn(longest_gap(url.clone()));
    for generation in 1..=3 {
        kubectl.run(&["replace", "-f", &keys(generation)]);
        let token = format!("crowd-{generation}-0000000000000042");
        answers(&url, Some(&token), 200).await;
    }
    let longest = stream.await.unwrap();
    assert!(
        longest < Duration::from_millis(500),
        "the stream stood still for {longest:?}"
    );
    let status: Value = kubectl.get("accesspolicy", "callers").unwrap();
    assert!(!status["status"].to_string().contains("crowd-"), "{status}");
}

#[tokio::test]
async fn the_examples_are_served() {
    let kubectl = Kubectl::in_new_namespace("examples");
    for file in ["1-keys", "2-rules", "3-route"] {
        let path = root().join(format!("examples/access/{file}.yaml"));
        let manifest = std::fs::read_to_string(path).unwrap();
        kubectl.apply(&manifest.replace("namespace: team-a", "namespace: examples"));
    }
    for policy in ["callers", "analysts"] {
        kubectl
            .condition("accesspolicy", policy, "Ready", "True")
            .await;
    }
    kubectl.condition("llmroute", "chat", "Ready", "True").await;
    let route = kubectl.get("llmroute", "chat").unwrap();
    assert_eq!(route["status"]["access"], "Restricted");
    answers(&base_url(&kubectl), None, 401).await;
}
