//! Config that changes while requests run.

use dragoman_config::{CredentialItem, Key, Kind, PolicyTarget, Secret, Target};
use dragoman_crds::NameFilter;

use crate::harness::*;

#[tokio::test]
async fn an_unresolved_map_closes_the_route_and_says_which() {
    let simulator = simulator().await;
    let mut item = route(vec![entry("sim", backend_at(&simulator))]);
    item.model_map = Some(Target::Item(Key::new(Kind::Map, "team-a", "missing")));
    let proxy = Proxy::start(items().put_route("chat", item.clone()));
    for got in [
        proxy.chat("echo", "x").await,
        proxy.get("/v1/models").await,
        proxy.get("/v1/files").await,
    ] {
        assert_eq!(
            (got.status.as_u16(), got.error_code().as_str()),
            (503, "model_map_unusable")
        );
        assert!(
            got.text().contains("ModelMap/team-a/missing"),
            "{}",
            got.text()
        );
    }
    proxy
        .shared
        .publish(items().put_route("chat", item).put_map("missing", map()));
    assert_eq!(proxy.chat("echo", "x").await.status, 200);
}

#[tokio::test]
async fn unresolved_backends_are_skipped_until_none_is_left() {
    let simulator = simulator().await;
    let missing = |name: &str| {
        let mut missing = entry(name, backend_at(&simulator));
        missing.target = Target::Item(Key::new(Kind::Backend, "team-a", name));
        missing
    };
    let both = route(vec![missing("gone"), entry("sim", backend_at(&simulator))]);
    let proxy = Proxy::start(items().put_route("chat", both));
    assert_eq!(proxy.chat("echo", "x").await.status, 200);
    let alone = items().put_route("chat", route(vec![missing("gone")]));
    proxy.shared.publish(alone.clone());
    let got = proxy.chat("echo", "x").await;
    assert_eq!(
        (got.status.as_u16(), got.error_code().as_str()),
        (503, "no_backend")
    );
    assert!(
        got.text().contains("LLMBackend/team-a/gone"),
        "{}",
        got.text()
    );
    proxy
        .shared
        .publish(alone.put_backend("gone", backend_at(&simulator)));
    assert_eq!(proxy.chat("echo", "x").await.status, 200);
}

#[tokio::test]
async fn an_item_that_cannot_be_run_stays_as_it_was() {
    let simulator = simulator().await;
    let mut item = backend_at(&simulator);
    item.credential = CredentialItem::Key(Secret::new("good"));
    let by_reference = || {
        let mut by_reference = entry("b", backend_at(&simulator));
        by_reference.target = Target::Item(Key::new(Kind::Backend, "team-a", "b"));
        by_reference
    };
    let both = |backend| {
        items()
            .put_route("chat", route(vec![by_reference()]))
            .put_backend("b", backend)
    };
    let proxy = Proxy::start(both(item.clone()));
    item.credential = CredentialItem::Key(Secret::new("bad\nkey"));
    let refused = proxy.shared.publish(both(item.clone()));
    let why = &refused[&Key::new(Kind::Backend, "team-a", "b")];
    assert!(why.contains("line break") && !why.contains("bad"), "{why}");
    assert_eq!(proxy.chat("echo", "x").await.status, 200);
    assert_eq!(
        simulator.requests()[0].header("authorization"),
        Some("Bearer good")
    );

    let mut broken = by_reference();
    broken.models = NameFilter {
        allow: Some(vec![regex("(")]),
        deny: Vec::new(),
    };
    item.credential = CredentialItem::Key(Secret::new("better"));
    let refused = proxy.shared.publish(
        items()
            .put_route("chat", route(vec![broken]))
            .put_backend("b", item),
    );
    assert!(
        refused.contains_key(&Key::new(Kind::Route, "team-a", "chat")),
        "{refused:?}"
    );
    assert_eq!(proxy.chat("echo", "x").await.status, 200);
}

#[tokio::test]
async fn connections_survive_edits_of_other_items() {
    let simulator = simulator().await;
    let by_reference = || {
        let mut by_reference = entry("b", backend_at(&simulator));
        by_reference.target = Target::Item(Key::new(Kind::Backend, "team-a", "b"));
        route(vec![by_reference])
    };
    let items = items()
        .put_route("chat", by_reference())
        .put_backend("b", backend_at(&simulator));
    let proxy = Proxy::start(items.clone());
    for at in 0..20 {
        assert_eq!(proxy.chat("echo", "x").await.status, 200);
        proxy.shared.publish(
            items
                .clone()
                .put_route(&format!("other-{at}"), by_reference()),
        );
    }
    let mut connections: Vec<_> = simulator
        .requests()
        .iter()
        .map(|seen| seen.connection)
        .collect();
    connections.sort_unstable();
    connections.dedup();
    // One for each request thread at most.
    assert!(connections.len() <= 2, "{connections:?}");
}

#[tokio::test]
async fn a_thousand_edits_under_load_fail_no_request() {
    let simulator = simulator().await;
    let mut names = map();
    names.rules = vec![rule(exact("m"), "echo")];
    let proxy = Proxy::start(mapped(&simulator, names.clone()));
    let load = async {
        for _ in 0..100 {
            let got = proxy.chat("m", "x").await;
            assert_eq!(got.status, 200, "{}", got.text());
        }
    };
    let edits = async {
        for at in 0..1000 {
            names.list.cache_ttl_ms = at;
            assert!(
                proxy
                    .shared
                    .publish(mapped(&simulator, names.clone()))
                    .is_empty()
            );
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(load, edits);
}

#[tokio::test]
async fn metrics_count_by_route_and_class() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    proxy.chat("echo", "x").await;
    proxy.chat("status-503", "x").await;
    proxy
        .send(http::Method::GET, "/", &[("host", "unknown")], "")
        .await;
    let text = || proxy.shared.metrics_text();
    // A reply's last byte may arrive before the proxy has noted it.
    for line in [
        "dragoman_requests_total{namespace=\"team-a\",route=\"chat\",status=\"2xx\"} 1",
        "dragoman_requests_total{namespace=\"team-a\",route=\"chat\",status=\"5xx\"} 1",
        "dragoman_requests_total{namespace=\"\",route=\"\",status=\"4xx\"} 1",
        "dragoman_config_items{kind=\"LLMRoute\"} 1",
        "dragoman_requests_in_flight 0",
    ] {
        while !text().lines().any(|each| each == line) {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn an_edit_among_thousands_rebuilds_only_what_changed() {
    let simulator = simulator().await;
    let many = || {
        let mut many = items().put_backend("b", backend_at(&simulator));
        for at in 0..1000 {
            let mut by_reference = entry("b", backend_at(&simulator));
            by_reference.target = Target::Item(Key::new(Kind::Backend, "team-a", "b"));
            many = many.put_route(&format!("route-{at}"), route(vec![by_reference]));
        }
        many
    };
    let proxy = Proxy::start(many());
    let before = std::sync::Arc::clone(&proxy.shared.state());
    let mut edited = route(vec![entry("own", backend_at(&simulator))]);
    edited.thinking.disable = true;
    proxy.shared.publish(many().put_route("route-7", edited));
    let after = std::sync::Arc::clone(&proxy.shared.state());
    let changed = before.routes.iter().zip(&after.routes);
    let changed = changed.filter(|(one, other)| !std::sync::Arc::ptr_eq(one, other));
    let names: Vec<_> = changed.map(|(one, _)| one.key.name.as_str()).collect();
    assert_eq!(names, ["route-7"]);
}

#[tokio::test]
async fn whoever_is_not_let_in_learns_nothing_of_a_policy_that_cannot_be_used() {
    let simulator = simulator().await;
    let mut closed = route(vec![entry("sim", backend_at(&simulator))]);
    let why = "AccessPolicy platform/callers has a fault: spec.jwt[0]";
    closed.policies = Some(vec![PolicyTarget::Unresolved(why.into())]);
    let proxy = Proxy::start(items().put_route("chat", closed));
    let got = proxy.chat("echo", "x").await;
    let told = (got.status.as_u16(), got.error_code());
    assert_eq!(told, (503, "access_policy_unusable".to_owned()));
    let text = got.text();
    assert!(
        !text.contains("platform") && !text.contains("jwt"),
        "{text}"
    );
    assert!(simulator.requests().is_empty());
}

#[tokio::test]
async fn a_route_that_never_compiled_is_closed_and_its_names_are_no_other_routes() {
    let simulator = simulator().await;
    let mut other = route(vec![entry("sim", backend_at(&simulator))]);
    other.hostnames = vec!["chat.team-a".into(), "chat".into()];
    let running = items().put_route("other", other);
    let proxy = Proxy::start(running.clone());
    assert_eq!(proxy.chat("echo", "x").await.status, 404);
    let chat = Key::new(Kind::Route, "team-a", "chat");
    let invalid = [(chat, "spec.backends is empty".to_owned())].into();
    let body = chat_body();
    proxy.shared.publish_with_invalid(running.clone(), &invalid);
    for host in ["chat.team-a.svc.cluster.local", "chat.team-a", "chat"] {
        let got = proxy
            .send(
                http::Method::POST,
                "/v1/chat/completions",
                &[("host", host)],
                body.clone(),
            )
            .await;
        assert_eq!(
            (got.status.as_u16(), got.error_code().as_str()),
            (503, "route_unusable"),
            "{host}"
        );
        // Whoever was not let in is not told whose objects have which faults.
        assert!(
            !got.text().contains("team-a") && !got.text().contains("spec.backends"),
            "{}",
            got.text()
        );
    }
    assert!(simulator.requests().is_empty());
    proxy.shared.publish(running);
    let got = proxy
        .send(
            http::Method::POST,
            "/v1/chat/completions",
            &[("host", "chat")],
            body,
        )
        .await;
    assert_eq!(got.status, 200);
}

fn chat_body() -> String {
    chat("echo", "x", false).to_string()
}
