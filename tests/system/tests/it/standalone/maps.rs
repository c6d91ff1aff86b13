//! What is said of a ModelMap that does not fit: by `check`, and to callers (features A12, E3).

use std::fs;
use std::process::Command;

use dragoman_system::programs;

use super::manifests::{MAPPED, backend, mapped, names, object, posts, route, simulator};
use super::proxy::{Proxy, answer, chat};

/// The lines that `check` prints of a manifest that has faults.
fn faults(manifest: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("main.yaml"), manifest).unwrap();
    let output = Command::new(programs().join("dragoman-proxy"))
        .args(["check", "--config", folder.path().to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Asserts that there is one line for each of `wanted`, which it holds all words of.
fn tells(manifest: &str, wanted: &[&[&str]]) {
    let lines = faults(manifest);
    assert_eq!(lines.len(), wanted.len(), "{lines:#?}");
    for words in wanted {
        let told = lines
            .iter()
            .any(|line| words.iter().all(|word| line.contains(word)));
        assert!(told, "{words:?}: {lines:#?}");
    }
}

#[test]
fn every_fault_of_a_map_and_of_a_backend_is_told_at_once() {
    let manifest = backend(
        "main",
        "http://127.0.0.1:9/v1",
        "timeouts: {connect: 48h, idle: 48h}\ncredential: {secretRef: {name: nowhere, key: key}}",
    ) + &names(
        "rules:\n- match: {regex: \"a(.)\"}\n  when: nobody\n  target: {model: $2}\n- match: {exact: b}\n  target: {model: x}\n  overrides: {model: y}",
    ) + &route(MAPPED);
    tells(
        &manifest,
        &[
            &["LLMBackend default/main", "spec.timeouts.connect", "24h"],
            &["LLMBackend default/main", "spec.timeouts.idle", "24h"],
            &[
                "LLMBackend default/main",
                "spec.credential.secretRef",
                "nowhere",
            ],
            &["ModelMap default/names", "spec.rules[0].when", "nobody"],
            &["ModelMap default/names", "spec.rules[0].target.model", "$$"],
            &[
                "ModelMap default/names",
                "spec.rules[1].overrides.model",
                "the client's",
            ],
        ],
    );
}

#[test]
fn more_faults_than_a_condition_has_room_for_are_all_told() {
    let rule = |n: usize| format!("- match: {{exact: m{n}}}\n  when: nobody{n}\n");
    let rules: String = (0..30).map(rule).collect();
    let manifest = backend("main", "http://127.0.0.1:9/v1", "")
        + &names(&format!("rules:\n{rules}"))
        + &route(MAPPED);
    let told = faults(&manifest);
    assert_eq!(told.len(), 30, "{told:#?}");
    for n in 0..30 {
        let field = format!("spec.rules[{n}].when");
        assert!(told.iter().any(|line| line.contains(&field)), "{field}");
    }
}

#[test]
fn a_rule_that_leads_to_a_backend_that_the_route_lacks_is_a_fault_with_its_cure() {
    let manifest = backend("main", "http://127.0.0.1:9/v1", "")
        + &names("rules:\n- match: {exact: gpt-4}\n  target: {backend: spare}")
        + &route(MAPPED);
    tells(
        &manifest,
        &[&[
            "LLMRoute default/chat",
            "spec.modelMapRef",
            "rules[0].target of ModelMap default/names",
            "gpt-4",
            "\"spare\"",
            "name one of main there",
        ]],
    );
}

#[test]
fn a_hostname_that_an_older_route_has_is_a_fault_even_beside_one_that_is_free() {
    let named = |name: &str, year: u16| {
        route(
            "hostnames: [llm.example.com, NAME.example.com]"
                .replace("NAME", name)
                .as_str(),
        )
        .replace(
            "{name: chat}",
            &format!("{{name: {name}, creationTimestamp: \"{year}-01-01T00:00:00Z\"}}"),
        )
    };
    let manifest =
        backend("main", "http://127.0.0.1:9/v1", "") + &named("old", 2025) + &named("young", 2026);
    tells(
        &manifest,
        &[&[
            "LLMRoute default/young",
            "spec.hostnames[0]",
            "llm.example.com",
            "default/old",
        ]],
    );
}

#[tokio::test]
async fn a_condition_that_fails_tells_the_caller_map_rule_fault_and_cure() {
    let upstream = simulator().await;
    let map = "rules:\n- match: {exact: gpt}\n  when: request.max_tokens > 100\n  target: {model: large}\n";
    let proxy = Proxy::start(&mapped(&upstream, map)).await;
    let reply = proxy.chat("gpt").await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (500, "map_rule_failed")
    );
    for part in [
        "ModelMap default/names",
        "rules[0]",
        "exact \"gpt\"",
        "request.max_tokens > 100",
        "types do not fit",
        "request.max_tokens != null && ",
    ] {
        assert!(
            reply.message().contains(part),
            "{part}: {}",
            reply.message()
        );
    }
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_condition_reads_no_doubtful_body_and_does_bounded_work() {
    let upstream = simulator().await;
    let map = "rules:\n- match: {exact: gpt}\n  when: request.list.all(a, request.list.all(b, a + b != ''))\n  target: {model: echo}";
    let proxy = Proxy::start(&mapped(&upstream, map)).await;
    let request = proxy.request(http::Method::POST, "/v1/chat/completions");
    let twice = r#"{"model": "gpt", "list": [], "list": ["x"], "messages": []}"#;
    let reply = answer(request.body(twice)).await;
    assert_eq!((reply.status, &*reply.code()), (400, "invalid_json"));
    assert!(reply.message().contains("\"list\""), "{}", reply.message());
    let mut body = chat("gpt", "hello");
    body["list"] = vec!["x".repeat(100); 2_000].into();
    let reply = proxy.post("/v1/chat/completions", &body).await;
    assert_eq!((reply.status, &*reply.code()), (500, "map_rule_failed"));
    assert!(
        reply.message().contains("too much work"),
        "{}",
        reply.message()
    );
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_map_may_ask_who_is_calling_and_from_where() {
    const KEYS: [(&str, &str); 2] = [
        ("ann", "ann-0123456789abcdef"),
        ("bob", "bob-0123456789abcdef"),
    ];
    let upstream = simulator().await;
    let secret = KEYS
        .map(|(user, key)| format!("  {user}: {key}\n"))
        .concat();
    let secret = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\nstringData:\n{secret}"
    );
    let policy = object(
        "AccessPolicy",
        "{name: callers}",
        "authentication:\n  bearerTokens: {secretRefs: [{name: keys}]}",
    );
    let map = "rules:\n- match: {exact: best}\n  when: user.name == 'ann' && client.address == '127.0.0.1'\n  target: {model: large}\n- match: {exact: best}\n  target: {model: small}";
    let manifest = secret
        + &policy
        + &backend("main", &upstream.url(), "")
        + &names(map)
        + &route(&format!("{MAPPED}\naccessPolicyRefs: [{{name: callers}}]"));
    let proxy = Proxy::start(&manifest).await;
    for (user, key) in KEYS {
        let request = proxy.request(http::Method::POST, "/v1/chat/completions");
        let request = request.json(&chat("best", "hello")).bearer_auth(key);
        let answer = answer(request).await;
        assert_eq!(answer.status, 200, "{user}: {}", answer.text());
    }
    let asked: Vec<_> = posts(&upstream)
        .iter()
        .map(|request| request.json()["model"].clone())
        .collect();
    assert_eq!(asked, ["large", "small"]);
}
