//! A backend that the client chooses by header, where a rule allows it (features A3).

use dragoman_simulator::Simulator;
use http::Method;

use super::manifests::{backend, nobody, object, posts, route_to, simulator};
use super::proxy::{Answer, Proxy, answer, chat};

const ALLOWED: &str = "rules: [{name: platform, when: 'headers[\"x-team\"] == \"platform\"', action: AllowBackendHeader}]";
const BACKENDS: &str = "- {name: first, backendRef: {name: first}, models: {deny: [{exact: hidden}]}}\n- {name: second, backendRef: {name: second}, priority: 1}\n- {name: away, backendRef: {name: away}, priority: 2}";

/// The route `chat` to three backends, with a policy of these rules.
fn manifest(first: &Simulator, second: &Simulator, rules: &str) -> String {
    let away = format!("http://{}/v1", nobody());
    backend("first", &first.url(), "")
        + &backend("second", &second.url(), "")
        + &backend("away", &away, "")
        + &object("AccessPolicy", "{name: rules}", rules)
        + &route_to(BACKENDS, "accessPolicyRefs: [{name: rules}]")
}

async fn call(proxy: &Proxy, team: &str, backend: &str, model: &str) -> Answer {
    let request = proxy
        .request(Method::POST, "/v1/chat/completions")
        .header("x-team", team)
        .header("x-dragoman-backend", backend);
    answer(request.json(&chat(model, "hello"))).await
}

#[tokio::test]
async fn a_client_chooses_its_backend_where_a_rule_allows_it_and_nowhere_else() {
    let (first, second) = (simulator().await, simulator().await);
    let proxy = Proxy::start(&manifest(&first, &second, ALLOWED)).await;
    assert_eq!(call(&proxy, "platform", "second", "echo").await.status, 200);
    assert_eq!((posts(&first).len(), posts(&second).len()), (0, 1));
    // Whoever may not choose is served as if nothing had been said.
    for backend in ["second", "away", "unknown"] {
        assert_eq!(call(&proxy, "others", backend, "echo").await.status, 200);
    }
    assert_eq!((posts(&first).len(), posts(&second).len()), (3, 1));
    for request in posts(&first).iter().chain(&posts(&second)) {
        assert_eq!(request.header("x-dragoman-backend"), None);
    }
    let without = "rules: [{name: all, action: Allow}]";
    let proxy = Proxy::start(&manifest(&first, &second, without)).await;
    assert_eq!(call(&proxy, "platform", "second", "echo").await.status, 200);
    assert_eq!((posts(&first).len(), posts(&second).len()), (4, 1));
}

#[tokio::test]
async fn a_backend_that_was_chosen_answers_or_nobody_does() {
    let (first, second) = (simulator().await, simulator().await);
    let proxy = Proxy::start(&manifest(&first, &second, ALLOWED)).await;
    let reply = call(&proxy, "platform", "away", "echo").await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (502, "upstream_unreachable")
    );
    let reply = call(&proxy, "platform", "second", "status-503").await;
    assert_eq!(reply.status, 503, "an answer of the one that was chosen");
    // What a backend does not serve it serves to nobody who chooses it.
    let reply = call(&proxy, "platform", "first", "hidden").await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (404, "model_not_found")
    );
    assert_eq!((posts(&first).len(), posts(&second).len()), (0, 1));
    let reply = call(&proxy, "platform", "third", "echo").await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (400, "unknown_backend")
    );
    assert!(
        reply.message().contains("first, second, away"),
        "{}",
        reply.message()
    );
}

#[tokio::test]
async fn other_paths_go_to_the_backend_that_was_chosen_too() {
    let (first, second) = (simulator().await, simulator().await);
    let proxy = Proxy::start(&manifest(&first, &second, ALLOWED)).await;
    for (method, path) in [(Method::GET, "/v1/files"), (Method::POST, "/v1/files")] {
        let request = proxy
            .request(method, path)
            .header("x-team", "platform")
            .header("x-dragoman-backend", "second");
        assert_eq!(answer(request).await.status, 200, "{path}");
    }
    assert!(first.requests().is_empty(), "{:?}", first.requests());
    assert_eq!(second.requests().len(), 2);
}
