//! Headers that are meant to be believed, or to take something away.

use http::Method;

use super::super::manifests::{backend, route, secret, simple, simulator};
use super::super::proxy::{Proxy, answer, chat};
use super::super::raw::{exchange, statuses};

const KEY: &str = "sk-ours-0123456789abcdef";
const BODY: &str = r#"{"model":"echo","messages":[{"role":"user","content":"hi"}]}"#;

/// The route `chat` to a backend with a key and a header of ours.
fn keyed(url: &str) -> String {
    let more = "credential: {secretRef: {name: provider, key: key}}\nheaders: [{name: X-Tenant, value: ours}]\nrelay: [{path: \"/files/*\"}]";
    secret("provider", KEY) + &backend("main", url, more) + &route("")
}

#[tokio::test]
async fn what_connection_lists_takes_nothing_of_ours_off() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&keyed(&upstream.url())).await;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: chat\r\nContent-Type: application/json\r\nContent-Length: ";
    let length = BODY.len();
    let said = exchange(
        proxy.address,
        format!("{head}{length}\r\nConnection: close, authorization, x-tenant, host, content-length, content-type\r\n\r\n{BODY}"),
    )
    .await;
    assert_eq!(statuses(&said), [200], "{said}");
    let seen = &upstream.requests()[0];
    let bearer = format!("Bearer {KEY}");
    assert_eq!(seen.header("authorization"), Some(bearer.as_str()));
    assert_eq!(seen.header("x-tenant"), Some("ours"));
    assert_eq!(
        seen.header("host"),
        Some(upstream.addr().to_string().as_str())
    );
    assert_eq!(seen.body, BODY);
}

#[tokio::test]
async fn a_header_that_is_sent_twice_never_stands_beside_ours() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&keyed(&upstream.url())).await;
    for name in [
        "authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-tenant",
    ] {
        upstream.clear();
        let request = proxy.request(Method::POST, "/v1/chat/completions");
        let request = request.header(name, "theirs-1").header(name, "theirs-2");
        let reply = answer(request.json(&chat("echo", "x"))).await;
        assert_eq!(reply.status, 200, "{name}: {}", reply.text());
        let seen = &upstream.requests()[0];
        assert!(
            !format!("{:?}", seen.headers).contains("theirs"),
            "{:?}",
            seen.headers
        );
    }
}

#[tokio::test]
async fn trailers_are_no_headers() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&keyed(&upstream.url())).await;
    let trailers = "Authorization: Bearer theirs\r\nX-Tenant: theirs\r\nHost: other\r\nContent-Length: 1\r\nX-Late: theirs\r\n";
    for path in ["/v1/chat/completions", "/v1/files/upload"] {
        upstream.clear();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: chat\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: Authorization, X-Late\r\n\r\n{:x}\r\n{BODY}\r\n0\r\n{trailers}\r\n",
            BODY.len()
        );
        let said = exchange(proxy.address, request).await;
        assert_eq!(statuses(&said).len(), 1, "{said}");
        let requests = upstream.requests();
        assert_eq!(requests.len(), 1, "{said}");
        let seen = format!("{:?}", requests[0].headers);
        assert!(
            !seen.contains("theirs") && requests[0].body == BODY,
            "{seen}"
        );
    }
}

#[tokio::test]
async fn no_header_changes_the_method_or_the_path_that_were_judged() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&keyed(&upstream.url())).await;
    let request = proxy
        .request(Method::POST, "/v1/files/x")
        .header("x-http-method-override", "DELETE")
        .header("x-http-method", "DELETE")
        .header("x-method-override", "DELETE")
        .header("x-original-url", "/v1/batches")
        .header("x-rewrite-url", "/v1/batches")
        .header("x-other", "goes on");
    answer(request).await;
    let seen = &upstream.requests()[0];
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str()),
        ("POST", "/v1/files/x")
    );
    for name in [
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
        "x-original-url",
        "x-rewrite-url",
    ] {
        assert_eq!(
            seen.header(name),
            None,
            "{name}: some servers do what it says"
        );
    }
    assert_eq!(seen.header("x-other"), Some("goes on"));
}

#[tokio::test]
async fn what_is_said_in_our_own_headers_is_not_believed_and_goes_nowhere() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let forged = "00000000-0000-7000-8000-000000000000";
    let request = proxy
        .request(Method::POST, "/v1/chat/completions")
        .header("x-dragoman-request-id", forged)
        .header("x-dragoman-fault", "upstream")
        .header("x-dragoman-user", "admin");
    let reply = answer(request.json(&chat("echo", "x"))).await;
    assert_eq!(reply.status, 200);
    assert_ne!(reply.header("x-dragoman-request-id"), Some(forged));
    let names = upstream.requests()[0].headers.clone();
    assert!(!format!("{names:?}").contains("x-dragoman-"), "{names:?}");
}

#[tokio::test]
async fn bytes_that_are_no_text_harm_nobody() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&keyed(&upstream.url())).await;
    for value in [&b"\xff\xfe\x80"[..], b"\xc3\x28", b"caf\xe9", b"\t \t"] {
        let mut request =
            b"GET /v1/models HTTP/1.1\r\nHost: chat\r\nConnection: close\r\nX-Bytes: ".to_vec();
        request.extend_from_slice(value);
        request.extend_from_slice(b"\r\nAuthorization: ");
        request.extend_from_slice(value);
        request.extend_from_slice(b"\r\n\r\n");
        let said = exchange(proxy.address, request).await;
        assert!([vec![200], vec![400]].contains(&statuses(&said)), "{said}");
    }
    let said = exchange(
        proxy.address,
        b"GET /v1/models HTTP/1.1\r\nHost: ch\xe4t\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert_eq!(statuses(&said), [400], "{said}");
    assert_eq!(proxy.chat("echo").await.status, 200);
}
