//! The list of models: what stands on it, what may be called, how long it is kept, and many backends' lists in one (features A13, A14, A15).

use std::time::{Duration, Instant};

use dragoman_simulator::Simulator;
use dragoman_system::eventually;
use http::{Method, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;

use super::manifests::{
    MAPPED, backend, mapped, names, nobody, posts, route, route_to, secret, simple, started,
};
use super::proxy::{Answer, Proxy, answer};

async fn listing(models: &[&str]) -> Simulator {
    started(Simulator::builder().models(models.iter().copied())).await
}

/// How often the upstream was asked for its list.
fn fetches(upstream: &Simulator) -> usize {
    upstream
        .requests()
        .iter()
        .filter(|request| request.path == "/v1/models")
        .count()
}

async fn callable(proxy: &Proxy, model: &str) -> bool {
    let reply = proxy.chat(model).await;
    match reply.status {
        200 => true,
        404 => {
            assert_eq!(reply.code(), "model_not_found");
            false
        }
        _ => panic!("{}", reply.text()),
    }
}

#[tokio::test]
async fn without_rules_every_model_is_listed_in_order_with_its_unknown_fields() {
    let upstream = started(Simulator::builder().models([
        json!({"id": "z", "object": "model", "created": 5, "owned_by": "me", "x_unknown": {"kept": [1.0, "é"]}}),
        json!("a"),
    ]))
    .await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let reply = proxy.get("/v1/models").await;
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, Some("application/json"))
    );
    let list = reply.json();
    assert_eq!(reply.ids(), ["z", "a"]);
    assert_eq!(
        list["data"][0],
        json!({"id": "z", "object": "model", "created": 5, "owned_by": "me", "x_unknown": {"kept": [1.0, "é"]}})
    );
}

#[tokio::test]
async fn allow_and_deny_hold_for_the_list_and_for_calls_in_any_case() {
    let upstream = listing(&["GPT-4o", "gpt-4o-mini", "llama3-8b", "llama3-70b", "secret"]).await;
    let map = r#"
list:
  allow: [{exact: gpt-4O}, {regex: "LLAMA3-.*"}, {exact: secret}]
  deny: [{regex: ".*-70B"}, {exact: Secret}]
"#;
    let proxy = Proxy::start(&mapped(&upstream, map)).await;
    assert_eq!(proxy.models().await, ["GPT-4o", "llama3-8b"]);
    for (model, may) in [
        ("GPT-4o", true),
        ("llama3-8b", true),
        ("gpt-4o-mini", false),
        ("llama3-70b", false),
        ("secret", false),
    ] {
        assert_eq!(callable(&proxy, model).await, may, "{model}");
    }
    let exact = Proxy::start(&mapped(
        &upstream,
        &(map.to_owned() + "  matching: Exact\n"),
    ))
    .await;
    assert_eq!(exact.models().await, ["secret"]);
}

#[tokio::test]
async fn a_list_that_is_not_enforced_only_hides() {
    let upstream = listing(&["a", "b"]).await;
    let proxy = Proxy::start(&mapped(
        &upstream,
        "list: {allow: [{exact: a}], enforce: false}",
    ))
    .await;
    assert_eq!(proxy.models().await, ["a"]);
    assert!(callable(&proxy, "b").await);
}

#[tokio::test]
async fn names_of_exact_rules_and_catalogs_are_listed_and_callable() {
    let upstream = listing(&["llama-8b", "org/raw"]).await;
    let manifest = backend(
        "main",
        &upstream.url(),
        "catalog: [{name: fast, upstreamName: org/raw, contextLength: 8192, metadata: {tier: gold}}, {name: extra}]",
    ) + &names(
        "rules:\n- match: {exact: gpt-4o}\n  target: {model: llama-8b}\nlist: {allow: [{exact: fast}, {exact: extra}]}\n",
    ) + &route(MAPPED);
    let proxy = Proxy::start(&manifest).await;
    let reply = proxy.get("/v1/models").await;
    let mut ids = reply.ids();
    ids.sort();
    assert_eq!(ids, ["extra", "fast", "gpt-4o"]);
    let list = reply.json();
    let fast = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["id"] == "fast")
        .unwrap();
    assert_eq!(
        (&fast["context_length"], &fast["tier"]),
        (&8192.into(), &"gold".into())
    );
    for (model, may) in [
        ("gpt-4o", true),
        ("fast", true),
        ("extra", true),
        ("llama-8b", false),
        ("org/raw", false),
    ] {
        assert_eq!(callable(&proxy, model).await, may, "{model}");
    }
}

#[tokio::test]
async fn chosen_names_stand_on_top() {
    let upstream = listing(&["a", "b", "c", "d"]).await;
    let proxy = Proxy::start(&mapped(&upstream, "list: {first: [c, nobody, a]}")).await;
    let models = proxy.models().await;
    assert_eq!(&models[..2], ["c", "a"]);
    assert_eq!(&models[2..], ["b", "d"]);
}

#[tokio::test]
async fn a_single_model_is_answered_from_the_list() {
    let upstream = listing(&["a", "org/name", "denied"]).await;
    let proxy = Proxy::start(&mapped(&upstream, "list: {deny: [{exact: denied}]}")).await;
    for (path, id) in [
        ("/v1/models/a", "a"),
        ("/v1/models/org/name", "org/name"),
        ("/models/org%2Fname", "org/name"),
    ] {
        let reply = proxy.get(path).await;
        assert_eq!(
            (reply.status, &reply.json()["id"]),
            (200, &id.into()),
            "{path}"
        );
        assert_eq!(
            reply.json()["x_simulator"]["unknown"],
            true,
            "unknown fields stay"
        );
    }
    for path in ["/v1/models/denied", "/v1/models/nobody", "/v1/models/org"] {
        let reply = proxy.get(path).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (404, "model_not_found"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn callers_at_the_same_time_share_one_fetch() {
    let upstream = listing(&["a"]).await;
    let proxy = Proxy::start(&mapped(&upstream, "list: {cacheTTL: 1h}")).await;
    let calls = (0..40).map(|_| async {
        answer(
            proxy
                .request(Method::GET, "/v1/models")
                .header("connection", "close"),
        )
        .await
    });
    for reply in futures::future::join_all(calls).await {
        assert_eq!(reply.ids(), ["a"]);
    }
    assert_eq!(fetches(&upstream), 1);
    upstream.set_models(["b"]);
    assert_eq!(proxy.models().await, ["a"], "kept for its time");
    assert_eq!(fetches(&upstream), 1);
}

#[tokio::test]
async fn a_list_is_fetched_anew_after_its_time() {
    let upstream = listing(&["a"]).await;
    let proxy = Proxy::start(&mapped(&upstream, "list: {cacheTTL: 100ms}")).await;
    assert_eq!(proxy.models().await, ["a"]);
    upstream.set_models(["b"]);
    eventually("the new list is served", || async {
        let models = proxy.models().await;
        if models == ["b"] { Ok(()) } else { Err(models) }
    })
    .await;
}

#[tokio::test]
async fn a_list_that_is_not_kept_is_always_fetched() {
    let upstream = listing(&["a"]).await;
    let proxy = Proxy::start(&mapped(&upstream, "list: {cacheTTL: 0s}")).await;
    assert_eq!(proxy.models().await, ["a"]);
    upstream.set_models(["b"]);
    assert_eq!(proxy.models().await, ["b"]);
}

#[tokio::test]
async fn a_failed_fetch_is_not_kept() {
    let upstream = listing(&["a"]).await;
    upstream.set_health(StatusCode::INTERNAL_SERVER_ERROR);
    let proxy = Proxy::start(&mapped(&upstream, "list: {cacheTTL: 1h}")).await;
    let reply = proxy.get("/v1/models").await;
    assert!(reply.status >= 500, "{}", reply.text());
    assert!(!reply.code().is_empty());
    upstream.set_health(StatusCode::OK);
    assert_eq!(proxy.models().await, ["a"]);
}

#[tokio::test]
async fn two_client_keys_never_share_a_list() {
    let upstream = listing(&["a"]).await;
    upstream.set_api_keys(["one", "two"]);
    let manifest = backend("main", &upstream.url(), "credential: {passthrough: {}}")
        + &names("list: {cacheTTL: 1h}")
        + &route(MAPPED);
    let proxy = Proxy::start(&manifest).await;
    let list = async |key: &str| -> Answer {
        answer(proxy.request(Method::GET, "/v1/models").bearer_auth(key)).await
    };
    assert_eq!(list("one").await.ids(), ["a"]);
    upstream.set_models(["b"]);
    assert_eq!(list("two").await.ids(), ["b"]);
    assert_eq!(list("one").await.ids(), ["a"], "each has its own");
    assert_eq!(
        list("wrong").await.status,
        401,
        "a list is no way around the upstream's own judgement"
    );
    assert_eq!(proxy.get("/v1/models").await.status, 401);
    let keys: Vec<_> = upstream
        .requests()
        .iter()
        .map(|request| request.header("authorization").map(str::to_owned))
        .collect();
    let sent = |key: &str| Some(format!("Bearer {key}"));
    assert_eq!(keys, [sent("one"), sent("two"), sent("wrong"), None]);
}

#[tokio::test]
async fn lists_unite_under_their_prefixes_in_the_routes_order() {
    let (first, second) = (listing(&["z", "a"]).await, listing(&["a", "m"]).await);
    let manifest = backend("main", &first.url(), "")
        + &backend("other", &second.url(), "")
        + &route_to(
            "- {name: main, backendRef: {name: main}, modelPrefix: one/}\n- {name: other, backendRef: {name: other}, modelPrefix: two/, models: {deny: [{exact: m}]}}",
            "",
        );
    let proxy = Proxy::start(&manifest).await;
    assert_eq!(proxy.models().await, ["one/z", "one/a", "two/a"]);
    assert!(!callable(&proxy, "two/m").await && !callable(&proxy, "a").await);
}

#[tokio::test]
async fn a_prefixed_name_reaches_its_own_backend_bare_and_with_that_backends_key() {
    let (first, second) = (listing(&["a"]).await, listing(&["a"]).await);
    let credential = |name: &str| format!("credential: {{secretRef: {{name: {name}, key: key}}}}");
    let manifest = secret("one", "sk-one")
        + &secret("two", "sk-two")
        + &backend("main", &first.url(), &credential("one"))
        + &backend("other", &second.url(), &credential("two"))
        + &route_to(
            "- {name: main, backendRef: {name: main}, modelPrefix: one/}\n- {name: other, backendRef: {name: other}, modelPrefix: two/}",
            "",
        );
    let proxy = Proxy::start(&manifest).await;
    assert_eq!(proxy.chat("two/org/a").await.json()["model"], "org/a");
    let sees = |upstream: &Simulator, key: &str| {
        upstream
            .requests()
            .iter()
            .all(|request| request.header("authorization") == Some(&format!("Bearer {key}")))
    };
    assert_eq!((posts(&first).len(), posts(&second).len()), (0, 1));
    assert!(sees(&first, "sk-one") && sees(&second, "sk-two"));
}

#[tokio::test]
async fn a_model_goes_to_the_backend_that_lists_it() {
    let (first, second) = (listing(&["a"]).await, listing(&["b"]).await);
    let manifest = backend("main", &first.url(), "")
        + &backend("other", &second.url(), "")
        + &route_to(
            "- {name: main, backendRef: {name: main}}\n- {name: other, backendRef: {name: other}}",
            "",
        );
    let proxy = Proxy::start(&manifest).await;
    assert_eq!(proxy.models().await, ["a", "b"]);
    for _ in 0..10 {
        assert_eq!(proxy.chat("b").await.status, 200);
    }
    assert_eq!(posts(&first).len(), 0, "it is known to lack the model");
}

#[tokio::test]
async fn a_backend_that_is_away_or_silent_leaves_a_partial_list_in_time() {
    let upstream = listing(&["a"]).await;
    // It accepts connections (in the system's queue) and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_url = format!("http://{}/v1", silent.local_addr().unwrap());
    let manifest = backend("main", &upstream.url(), "")
        + &backend("dead", &format!("http://{}/v1", nobody()), "")
        + &backend("silent", &silent_url, "")
        + &route_to(
            "- {name: dead, backendRef: {name: dead}}\n- {name: silent, backendRef: {name: silent}}\n- {name: main, backendRef: {name: main}}",
            "",
        );
    let proxy = Proxy::start(&manifest).await;
    let start = Instant::now();
    assert_eq!(proxy.models().await, ["a"]);
    assert!(
        start.elapsed() < Duration::from_secs(30),
        "{:?}",
        start.elapsed()
    );
}
