//! Methods and backends that a path has or has not.

use dragoman_config::RelayItem;
use http::Method;

use crate::harness::*;

#[tokio::test]
async fn a_path_that_takes_a_post_says_so_in_openais_shape() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    for path in [
        "/v1/chat/completions",
        "/completions",
        "/v1/embeddings/",
        "/v1/responses",
        "/routes/team-a/chat/v1/images/generations",
    ] {
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
            let got = proxy.send(method.clone(), path, &[], "").await;
            assert_eq!(
                (got.status.as_u16(), got.error_code().as_str()),
                (405, "method_not_allowed"),
                "{path}"
            );
            assert_eq!(got.header("allow"), Some("POST, OPTIONS"));
            assert!(
                got.text().contains(path) && got.text().contains(method.as_str()),
                "{}",
                got.text()
            );
        }
        let got = proxy.send(Method::HEAD, path, &[], "").await;
        assert_eq!((got.status.as_u16(), got.body.len()), (405, 0));
        let got = proxy.send(Method::OPTIONS, path, &[], "").await;
        assert_eq!((got.status.as_u16(), got.body.len()), (204, 0));
        assert_eq!(got.header("allow"), Some("POST, OPTIONS"));
    }
    let got = proxy.send(Method::POST, "/v1/models", &[], "").await;
    assert_eq!(got.header("allow"), Some("GET, HEAD, OPTIONS"));
    let got = proxy.send(Method::TRACE, "/v1/anything", &[], "").await;
    assert_eq!(got.error_code(), "method_not_allowed");
    assert!(got.header("allow").is_some());
    let all = proxy
        .raw("OPTIONS * HTTP/1.1\r\nhost: chat.team-a\r\nconnection: close\r\n\r\n")
        .await;
    assert!(
        all.starts_with("HTTP/1.1 204 ") && all.contains("allow: GET, "),
        "{all}"
    );
    assert!(simulator.requests().is_empty());
}

#[tokio::test]
async fn a_method_that_relay_lists_is_relayed_on_any_path() {
    let simulator = simulator().await;
    let mut item = with_key(backend_at(&simulator), "ours");
    item.relay = vec![RelayItem {
        methods: Some(vec!["GET".into()]),
        path: "/chat/completions".into(),
        below: true,
    }];
    let proxy = Proxy::start(items().put_route("chat", route(vec![entry("b", item)])));
    for path in ["/v1/chat/completions?limit=2", "/v1/chat/completions/c1"] {
        proxy.get(path).await;
        let seen = simulator.requests().pop().unwrap();
        assert_eq!(
            (seen.method.as_str(), seen.header("authorization")),
            ("GET", Some("Bearer ours"))
        );
    }
    let got = proxy
        .send(Method::DELETE, "/v1/chat/completions", &[], "")
        .await;
    assert_eq!(got.status, 405);
    let got = proxy
        .send(Method::DELETE, "/v1/chat/completions/c1", &[], "")
        .await;
    assert_eq!(got.error_code(), "path_not_relayed");
}

#[tokio::test]
async fn what_is_refused_is_quoted_as_it_was_asked_for_with_what_relay_would_list() {
    let simulator = simulator().await;
    let item = with_key(backend_at(&simulator), "ours");
    let proxy = Proxy::start(items().put_route("chat", route(vec![entry("b", item)])));
    for path in [
        "/v1/files/f1",
        "/files/f1",
        "/routes/team-a/chat/v1/files/f1",
    ] {
        let got = proxy.get(path).await;
        assert_eq!(got.error_code(), "path_not_relayed");
        assert!(
            got.text().contains(&format!("GET {path} belongs")),
            "{}",
            got.text()
        );
        assert!(
            got.text().contains("lists GET /files/f1."),
            "{}",
            got.text()
        );
    }
}

#[tokio::test]
async fn a_path_without_a_model_is_for_the_first_by_priority_and_no_other() {
    let (ours, keyless) = (simulator().await, simulator().await);
    let mut second = entry("keyless", backend_at(&keyless));
    second.priority = 1;
    let first = entry("ours", with_key(backend_at(&ours), "ours"));
    // However they stand in the route.
    for backends in [vec![first.clone(), second.clone()], vec![second, first]] {
        let proxy = Proxy::start(items().put_route("chat", route(backends)));
        for (method, path) in [
            (Method::DELETE, "/v1/models/llama3-8b"),
            (Method::GET, "/v1/files"),
        ] {
            let got = proxy.send(method, path, &[], "").await;
            assert_eq!(got.error_code(), "path_not_relayed", "{path}");
            assert!(got.text().contains("spec.relay"), "{}", got.text());
        }
    }
    assert!(ours.requests().is_empty() && keyless.requests().is_empty());
}

#[tokio::test]
async fn of_equals_the_first_of_the_route_has_what_belongs_together() {
    let (first, second) = (simulator().await, simulator().await);
    let proxy = Proxy::start(items().put_route(
        "chat",
        route(vec![
            entry("first", backend_at(&first)),
            entry("second", backend_at(&second)),
        ]),
    ));
    for _ in 0..20 {
        proxy.get("/v1/files/f1").await;
    }
    assert_eq!((first.requests().len(), second.requests().len()), (20, 0));
}
