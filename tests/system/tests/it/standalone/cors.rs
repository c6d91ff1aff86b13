//! What browsers are told of pages of other origins (features A10).

use http::Method;
use serde_json::json;

use super::manifests::{backend, object, route, secret, simple, simulator};
use super::proxy::{Answer, Proxy, answer, chat};

const PAGE: &str = "https://chat.example.com";
const CORS: &str =
    "cors: {allowOrigins: [\"https://chat.example.com\", \"https://*.apps.example.com\"]}";

/// What a reply says to browsers.
fn said(reply: &Answer) -> Vec<String> {
    let mut names: Vec<_> = reply
        .headers
        .keys()
        .map(ToString::to_string)
        .filter(|name| name.starts_with("access-control-"))
        .collect();
    names.sort();
    names
}

fn varies(reply: &Answer) -> bool {
    let all = reply.headers.get_all("vary").iter();
    all.flat_map(|value| value.to_str().unwrap().split(','))
        .any(|name| name.trim().eq_ignore_ascii_case("origin"))
}

async fn preflight(proxy: &Proxy, path: &str, origin: &str, headers: &str) -> Answer {
    let request = proxy
        .request(Method::OPTIONS, path)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", headers);
    answer(request).await
}

async fn call(proxy: &Proxy, origin: &str, model: &str) -> Answer {
    let request = proxy
        .request(Method::POST, "/v1/chat/completions")
        .header("origin", origin);
    answer(request.json(&chat(model, "hello"))).await
}

#[tokio::test]
async fn a_preflight_is_answered_for_its_route_and_no_upstream_is_asked() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&(backend("main", &upstream.url(), "") + &route(CORS))).await;
    for (path, origin) in [
        ("/v1/chat/completions", PAGE),
        ("/v1/models", "https://a.apps.example.com"),
        ("/v1/whatever/else", PAGE),
        ("/routes/default/chat/api/chat", PAGE),
    ] {
        let reply = preflight(
            &proxy,
            path,
            origin,
            "authorization,content-type,x-stainless-os",
        )
        .await;
        assert_eq!((reply.status, reply.body.len()), (204, 0), "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), Some(origin));
        assert_eq!(
            reply.header("access-control-allow-methods"),
            Some("GET, HEAD, POST")
        );
        assert_eq!(
            reply.header("access-control-allow-headers"),
            Some("authorization,content-type,x-stainless-os"),
            "those that are asked for, where none are named"
        );
        assert_eq!(reply.header("access-control-max-age"), Some("600"));
        assert_eq!(reply.header("access-control-allow-credentials"), None);
        assert!(varies(&reply) && reply.header("x-dragoman-request-id").is_some());
    }
    assert_eq!(upstream.stats().requests, 0);
}

#[tokio::test]
async fn a_preflight_says_what_the_route_allows_by_name() {
    let upstream = simulator().await;
    let cors = "cors: {allowOrigins: [\"*\"], allowHeaders: [Authorization, X-Team], allowMethods: [POST, DELETE], maxAge: 1h}";
    let proxy = Proxy::start(&(backend("main", &upstream.url(), "") + &route(cors))).await;
    let reply = preflight(&proxy, "/v1/models", "null", "x-other").await;
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    assert_eq!(
        reply.header("access-control-allow-methods"),
        Some("POST, DELETE")
    );
    let headers = reply.header("access-control-allow-headers").unwrap();
    assert_eq!(headers.to_lowercase(), "authorization, x-team");
    assert_eq!(reply.header("access-control-max-age"), Some("3600"));
    // A star is the same for everybody, whoever asks.
    let reply = proxy.chat("echo").await;
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    assert!(!varies(&reply));
}

#[tokio::test]
async fn a_preflight_needs_no_credential_and_asks_no_policy() {
    let upstream = simulator().await;
    let policy = object(
        "AccessPolicy",
        "{name: callers}",
        "authentication: {bearerTokens: {secretRefs: [{name: callers}]}}",
    );
    let manifest = backend("main", &upstream.url(), "")
        + &secret("callers", "a-token-of-some-length")
        + &policy
        + &route(&format!("accessPolicyRefs: [{{name: callers}}]\n{CORS}"));
    let proxy = Proxy::start(&manifest).await;
    let reply = preflight(&proxy, "/v1/chat/completions", PAGE, "authorization").await;
    assert_eq!(reply.status, 204);
    assert_eq!(reply.header("access-control-allow-origin"), Some(PAGE));
    // A page may read why it was refused.
    let reply = call(&proxy, PAGE, "echo").await;
    assert_eq!(reply.status, 401);
    assert_eq!(reply.header("access-control-allow-origin"), Some(PAGE));
    // OPTIONS that is no preflight is judged as any request.
    let reply = answer(
        proxy
            .request(Method::OPTIONS, "/v1/models")
            .header("origin", PAGE),
    )
    .await;
    assert_eq!(reply.status, 401);
}

#[tokio::test]
async fn replies_and_errors_alike_may_be_read_by_pages_that_are_allowed() {
    let upstream = simulator().await;
    let manifest = backend("main", &upstream.url(), "timeouts: {firstByte: 300ms}")
        + &route(CORS)
        + &object("LLMProxy", "{name: default}", "limits: {bodyBytes: 1Ki}");
    let proxy = Proxy::start(&manifest).await;
    for (model, status) in [
        ("echo", 200),
        ("headers", 200),
        ("status-429", 429),
        ("status-500+html", 500),
        ("hang", 504),
        ("huge-2KiB", 200),
    ] {
        let reply = call(&proxy, PAGE, model).await;
        assert_eq!(reply.status, status, "{model}");
        assert_eq!(
            reply.header("access-control-allow-origin"),
            Some(PAGE),
            "{model}"
        );
        assert_eq!(
            reply
                .headers
                .get_all("access-control-allow-origin")
                .iter()
                .count(),
            1
        );
        assert_eq!(reply.header("access-control-expose-headers"), Some("*"));
        assert_eq!(said(&reply).len(), 2, "{:?}", reply.headers);
        assert!(varies(&reply), "{model}");
    }
    let large = json!({"model": "echo", "messages": "x".repeat(2048)});
    for (method, path, body, status) in [
        (Method::POST, "/v1/chat/completions", large, 413),
        (Method::POST, "/v1/chat/completions", json!({}), 400),
        (Method::PUT, "/v1/chat/completions", json!({}), 405),
        (Method::GET, "/v1/models", json!(null), 200),
    ] {
        let request = proxy
            .request(method, path)
            .header("origin", PAGE)
            .json(&body);
        let reply = answer(request).await;
        assert_eq!(reply.status, status, "{}", reply.text());
        assert_eq!(reply.header("access-control-allow-origin"), Some(PAGE));
    }
}

#[tokio::test]
async fn an_origin_that_is_not_allowed_gets_no_headers() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&(backend("main", &upstream.url(), "") + &route(CORS))).await;
    for origin in [
        "https://evil.example",
        "http://chat.example.com",
        "https://chat.example.com.evil.example",
        "https://apps.example.com",
        "null",
    ] {
        let reply = preflight(&proxy, "/v1/chat/completions", origin, "authorization").await;
        assert_eq!((reply.status, said(&reply)), (204, Vec::new()), "{origin}");
        // Whoever is no browser is answered all the same: it is the browser that keeps the reply from the page.
        let reply = call(&proxy, origin, "headers").await;
        assert_eq!((reply.status, said(&reply)), (200, Vec::new()), "{origin}");
        assert!(varies(&reply), "a cache must not hand this on to {PAGE}");
    }
}

#[tokio::test]
async fn without_cors_no_page_is_let_in_whatever_the_upstream_says() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let reply = call(&proxy, PAGE, "headers").await;
    assert_eq!((reply.status, said(&reply)), (200, Vec::new()));
    let reply = preflight(&proxy, "/v1/chat/completions", PAGE, "authorization").await;
    assert_eq!(said(&reply), Vec::<String>::new());
}

#[tokio::test]
async fn an_upstream_is_not_told_of_the_page() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&(backend("main", &upstream.url(), "") + &route(CORS))).await;
    assert_eq!(call(&proxy, PAGE, "echo").await.status, 200);
    let seen = &upstream.requests()[0];
    assert_eq!(
        seen.header("origin"),
        None,
        "some refuse pages that they do not know"
    );
}
