//! What is learnt of a key that an upstream refuses.

use dragoman_config::{CredentialItem, HeaderItem, Key, Kind, Secret, Target};
use dragoman_crds::BackendHealth;
use http::Method;

use crate::harness::*;

/// The backend `main`, by a reference, as the only one of the route `chat`.
fn referred(item: dragoman_config::BackendItem) -> Items {
    let mut entry = entry("main", item.clone());
    entry.target = Target::Item(Key::new(Kind::Backend, "team-a", "main"));
    items()
        .put_backend("main", item)
        .put_route("chat", route(vec![entry]))
}

fn health(proxy: &Proxy) -> (BackendHealth, String) {
    let seen = proxy.shared.health().remove(0);
    (seen.health, seen.message.unwrap_or_default())
}

#[tokio::test]
async fn a_key_that_the_upstream_refuses_makes_the_backend_unhealthy_until_it_is_changed() {
    let simulator = simulator().await;
    simulator.set_api_keys(["right"]);
    let wrong = with_key(backend_at(&simulator), "sk-wrong");
    let proxy = Proxy::start(referred(wrong.clone()));
    assert_eq!(proxy.chat("echo", "x").await.status, 401);
    let (verdict, message) = health(&proxy);
    assert_eq!(verdict, BackendHealth::Unhealthy);
    assert!(
        message.contains("refuses the key") && !message.contains("sk-wrong"),
        "{message}"
    );
    // Nothing but the key says more of it.
    let mut patient = wrong;
    patient.timeouts.idle_ms += 1;
    proxy.shared.publish(referred(patient));
    assert_eq!(health(&proxy), (verdict, message));
    let right = with_key(backend_at(&simulator), "right");
    proxy.shared.publish(referred(right));
    assert_eq!(health(&proxy).0, BackendHealth::Unknown);
    assert_eq!(proxy.chat("echo", "x").await.status, 200);
    assert_eq!(health(&proxy).0, BackendHealth::Healthy);
}

#[tokio::test]
async fn a_refused_key_ends_with_the_next_call_that_the_upstream_accepts() {
    let simulator = simulator().await;
    simulator.set_api_keys(["another"]);
    let mut item = backend_at(&simulator);
    // A key in a configured header counts as one, too.
    item.headers = vec![HeaderItem {
        name: "authorization".into(),
        value: Secret::new("Bearer ours"),
        secret: true,
    }];
    let proxy = Proxy::start(referred(item));
    assert_eq!(proxy.stream("echo", "x").await.status, 401);
    assert_eq!(health(&proxy).0, BackendHealth::Unhealthy);
    simulator.set_api_keys(["ours"]);
    // The only backend is always tried.
    assert_eq!(proxy.chat("status-404", "x").await.status, 404);
    assert_eq!(health(&proxy).0, BackendHealth::Unhealthy);
    assert_eq!(proxy.chat("echo", "x").await.status, 200);
    assert_eq!(health(&proxy), (BackendHealth::Healthy, String::new()));
}

#[tokio::test]
async fn what_a_clients_own_key_gets_is_no_verdict_and_neither_is_a_403() {
    let simulator = simulator().await;
    let mut passing = backend_at(&simulator);
    passing.credential = CredentialItem::Passthrough;
    let ours = with_key(backend_at(&simulator), "ours");
    for (item, model) in [
        (passing, "status-401"),
        (backend_at(&simulator), "status-401"),
        (ours, "status-403"),
    ] {
        let proxy = Proxy::start(referred(item));
        let sent = [("authorization", "Bearer theirs")];
        let body = chat(model, "x", false).to_string();
        let path = "/v1/chat/completions";
        let got = proxy.send(Method::POST, path, &sent, body).await;
        assert_eq!(format!("status-{}", got.status.as_u16()), model);
        assert_eq!(health(&proxy).0, BackendHealth::Healthy, "{model}");
    }
}

#[tokio::test]
async fn another_backend_answers_for_one_whose_key_is_refused() {
    let (first, second) = (simulator().await, simulator().await);
    first.set_api_keys(["another"]);
    second.set_models(["echo"]);
    let mut standby = entry("standby", backend_at(&second));
    standby.priority = 1;
    let ours = entry("first", with_key(backend_at(&first), "ours"));
    let proxy = Proxy::start(items().put_route("chat", route(vec![ours, standby])));
    for _ in 0..20 {
        let got = proxy.chat("echo", "hello").await;
        assert_eq!(got.status, 200, "{}", got.text());
    }
    let tries = |seen: &dragoman_simulator::Received| seen.method == "POST";
    let tried = first.requests().into_iter().filter(tries).count();
    assert!((1..8).contains(&tried), "{tried}");
}

#[tokio::test]
async fn the_account_that_a_client_means_is_none_of_our_keys() {
    let simulator = simulator().await;
    let headers = [
        ("openai-organization", "theirs"),
        ("openai-project", "theirs"),
        ("openai-beta", "assistants=v2"),
    ];
    let mut configured = with_key(backend_at(&simulator), "ours");
    configured.headers = vec![HeaderItem {
        name: "openai-project".into(),
        value: Secret::new("configured"),
        secret: false,
    }];
    let mut passing = backend_at(&simulator);
    passing.credential = CredentialItem::Passthrough;
    for (item, organization, project) in [
        (with_key(backend_at(&simulator), "ours"), None, None),
        (configured, None, Some("configured")),
        (passing, Some("theirs"), Some("theirs")),
    ] {
        simulator.clear();
        let proxy = Proxy::start(referred(item));
        let body = chat("echo", "x", false).to_string();
        let path = "/v1/chat/completions";
        proxy.send(Method::POST, path, &headers, body).await;
        let seen = &simulator.requests()[0];
        assert_eq!(seen.header("openai-organization"), organization);
        assert_eq!(seen.header("openai-project"), project);
        assert_eq!(seen.header("openai-beta"), Some("assistants=v2"));
    }
}

#[tokio::test]
async fn a_word_that_is_a_configured_headers_value_too_stays_in_streams() {
    let simulator = simulator().await;
    let mut item = backend_at(&simulator);
    item.headers = ["team", "of our own"]
        .into_iter()
        .zip(["x-team", "x-owner"])
        .map(|(value, name)| HeaderItem {
            name: name.into(),
            value: Secret::new(value),
            secret: true,
        })
        .collect();
    let proxy = Proxy::start(referred(item));
    let got = proxy.stream("echo", "a team of our own").await;
    let text = got.text();
    assert!(text.contains("team") && text.contains("own"), "{text}");
    assert!(!text.contains("[masked]"), "{text}");
}

#[tokio::test]
async fn one_clients_401_takes_a_backend_whose_key_works_from_nobody() {
    let (first, second) = (simulator().await, simulator().await);
    let mut standby = entry("standby", backend_at(&second));
    standby.priority = 1;
    let ours = entry("first", with_key(backend_at(&first), "ours"));
    let proxy = Proxy::start(items().put_route("chat", route(vec![ours, standby])));
    for _ in 0..5 {
        assert_eq!(proxy.chat("echo", "x").await.status, 200);
        // The other is asked for this one, and refuses it as well.
        assert_eq!(proxy.chat("status-401", "x").await.status, 401);
        assert_eq!(health(&proxy).0, BackendHealth::Healthy);
    }
    let calls = |simulator: &dragoman_simulator::Simulator| {
        let all = simulator.requests().into_iter();
        all.filter(|seen| seen.method == "POST").count()
    };
    assert_eq!((calls(&first), calls(&second)), (10, 5));
}

#[tokio::test]
async fn a_key_that_worked_and_is_withdrawn_is_found_out_by_the_list() {
    let simulator = simulator().await;
    simulator.set_api_keys(["ours"]);
    let proxy = Proxy::start(referred(with_key(backend_at(&simulator), "ours")));
    assert_eq!(proxy.chat("echo", "x").await.status, 200);
    simulator.set_api_keys(["another"]);
    let mut changed = proxy.shared.health_changed();
    assert_eq!(proxy.chat("echo", "x").await.status, 401);
    let unhealthy = async {
        while health(&proxy).0 != BackendHealth::Unhealthy {
            changed.changed().await.unwrap();
        }
    };
    soon("a verdict", unhealthy).await;
    assert!(health(&proxy).1.contains("refuses the key"));
    simulator.set_api_keys(["ours"]);
    assert_eq!(proxy.chat("echo", "x").await.status, 200);
    assert_eq!(health(&proxy).0, BackendHealth::Healthy);
}

#[tokio::test]
async fn a_list_blames_whom_a_call_blames_for_a_key_that_is_refused() {
    let simulator = simulator().await;
    simulator.set_api_keys(["another"]);
    let proxy = Proxy::start(referred(with_key(backend_at(&simulator), "sk-wrong")));
    for path in ["/v1/models", "/v1/models/echo"] {
        let got = proxy.get(path).await;
        assert_eq!(got.header("x-dragoman-fault"), Some("proxy"), "{path}");
        assert_eq!(got.header("x-should-retry"), Some("false"), "{path}");
        assert_eq!(got.error_code(), "models_unavailable");
        let text = got.text();
        assert!(
            text.contains("refuses the key that is configured"),
            "{text}"
        );
        assert!(!text.contains("sk-wrong"), "{text}");
    }
    let call = proxy.chat("echo", "x").await;
    assert_eq!(call.header("x-dragoman-fault"), Some("proxy"));
    assert_eq!(call.header("x-should-retry"), Some("false"));
}
