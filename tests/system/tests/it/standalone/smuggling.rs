//! Requests that two servers could read in two ways, and what belongs to one connection only (RFC 9110 and 9112; features A20).

use dragoman_simulator::Simulator;
use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::manifests::{object, simple, simulator};
use super::proxy::{Proxy, answer, chat};
use super::raw::{exchange, statuses, to_its_end};

const BODY: &str = r#"{"model":"echo","messages":[{"role":"user","content":"hi"}]}"#;

async fn proxy() -> (Simulator, Proxy) {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    (upstream, proxy)
}

fn post(headers: &str, body: &str) -> String {
    format!("POST /v1/chat/completions HTTP/1.1\r\nHost: chat\r\n{headers}\r\n{body}")
}

#[tokio::test]
async fn a_request_framed_in_two_ways_is_never_read_in_the_wrong_one() {
    let (upstream, proxy) = proxy().await;
    let chunked = format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len());
    let hidden = "GET /v1/smuggled HTTP/1.1\r\nHost: chat\r\n\r\n";
    // Read by Transfer-Encoding, `hidden` would be a second request; read by Content-Length it is part of the body.
    let both = post(
        &format!(
            "Content-Length: {}\r\nTransfer-Encoding: chunked\r\n",
            chunked.len() + hidden.len()
        ),
        &(chunked.clone() + hidden),
    );
    let said = exchange(proxy.address, both).await;
    assert_eq!(
        statuses(&said).len(),
        1,
        "it closes after the reply: {said}"
    );
    // The other order of the headers.
    let both = post(
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        &(chunked + hidden),
    );
    let said = exchange(proxy.address, both).await;
    assert_eq!(statuses(&said).len(), 1, "{said}");
    for request in upstream.requests() {
        assert!(!request.path.contains("smuggled"), "{request:?}");
        assert!(
            request.body.is_empty() || request.body == BODY,
            "{request:?}"
        );
    }
}

#[tokio::test]
async fn lengths_that_disagree_or_are_none_are_refused() {
    let (upstream, proxy) = proxy().await;
    let right = BODY.len();
    for headers in [
        format!("Content-Length: {right}\r\nContent-Length: 4\r\n"),
        format!("Content-Length: 4\r\nContent-Length: {right}\r\n"),
        format!("Content-Length: {right}, 4\r\n"),
        format!("Content-Length: +{right}\r\n"),
        format!("Content-Length: -{right}\r\n"),
        "Content-Length: 0x10\r\n".into(),
        "Content-Length: 99999999999999999999999\r\n".into(),
        "Content-Length: \r\n".into(),
        format!("Content-Length : {right}\r\n"),
        "Transfer-Encoding: xchunked\r\n".into(),
        "Transfer-Encoding: chunked, identity\r\n".into(),
        "Transfer-Encoding : chunked\r\n".into(),
        "Transfer-Encoding: \x0bchunked\r\n".into(),
    ] {
        let said = exchange(proxy.address, post(&headers, BODY)).await;
        let status = statuses(&said);
        assert!(
            status.len() == 1 && [400, 501].contains(&status[0]),
            "{headers:?}: {said}"
        );
    }
    assert_eq!(upstream.stats().requests, 0);
}

#[tokio::test]
async fn chunks_that_are_malformed_are_refused_and_never_reach_the_upstream_whole() {
    let (upstream, proxy) = proxy().await;
    let size = format!("{:x}", BODY.len());
    for body in [
        format!("zz\r\n{BODY}\r\n0\r\n\r\n"),
        format!("-{size}\r\n{BODY}\r\n0\r\n\r\n"),
        format!("0x{size}\r\n{BODY}\r\n0\r\n\r\n"),
        format!("{size}\r\n{BODY}XX0\r\n\r\n"),
        format!("{size}\n{BODY}\r\n0\r\n\r\n"),
        format!("fffffffffffffffff\r\n{BODY}\r\n0\r\n\r\n"),
        format!("{size}\r\n{BODY}\r\n\r\n0\r\n\r\n"),
        format!("\r\n{BODY}\r\n0\r\n\r\n"),
    ] {
        let said = exchange(proxy.address, post("Transfer-Encoding: chunked\r\n", &body)).await;
        let status = statuses(&said);
        assert!(status.len() == 1 && status[0] == 400, "{body:?}: {said}");
    }
    assert_eq!(upstream.stats().requests, 0);
}

#[tokio::test]
async fn heads_that_are_malformed_are_refused() {
    let (upstream, proxy) = proxy().await;
    for head in [
        "GET /v1/models HTTP/1.1\r\nHost: chat\r\nX-Folded: a\r\n b\r\n\r\n",
        "GET /v1/models HTTP/1.1\r\nHost: chat\r\n X: a\r\n\r\n",
        "GET /v1/models HTTP/1.1\r\nHost: chat\r\nX Y: a\r\n\r\n",
        "GET /v1/models HTTP/1.1\r\nHost: chat\r\n: a\r\n\r\n",
        "GET /v1/models HTTP/1.1\r\nHost: chat\r\nX: a\x00b\r\n\r\n",
        "GET /v1/models HTTP/1.1\r\nHost: chat\r\nX: a\rb\r\n\r\n",
        "GET /v1/mo dels HTTP/1.1\r\nHost: chat\r\n\r\n",
        "GET  /v1/models HTTP/1.1\r\nHost: chat\r\n\r\n",
        "GET /v1/models HTTP/9.9\r\nHost: chat\r\n\r\n",
        "GET /v1/\x01 HTTP/1.1\r\nHost: chat\r\n\r\n",
        "G@T{} /v1/models HTTP/1.1\r\nHost: chat\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\x03\x03 tls?\r\n\r\n",
    ] {
        let said = exchange(proxy.address, head).await;
        let status = statuses(&said);
        assert!(status == [400] || said.is_empty(), "{head:?}: {said}");
    }
    assert_eq!(upstream.stats().requests, 0);
    assert_eq!(proxy.chat("echo").await.status, 200, "it still serves");
}

#[tokio::test]
async fn a_request_names_exactly_one_host() {
    let (upstream, proxy) = proxy().await;
    for headers in [
        "",
        "Host: chat\r\nHost: chat\r\n",
        "Host: chat\r\nHost: other\r\n",
    ] {
        let said = exchange(
            proxy.address,
            format!("GET /v1/models HTTP/1.1\r\n{headers}Connection: close\r\n\r\n"),
        )
        .await;
        assert_eq!(statuses(&said), [400], "{headers:?}: {said}");
    }
    assert_eq!(upstream.stats().requests, 0);
}

#[tokio::test]
async fn an_absolute_target_names_the_host_whatever_the_header_says() {
    let (_upstream, proxy) = proxy().await;
    for (target, host, status) in [
        ("http://chat/v1/models", "other", 200),
        ("http://other/v1/models", "chat", 404),
        ("http://chat:80/v1/models", "x", 200),
    ] {
        let said = exchange(
            proxy.address,
            format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
        )
        .await;
        assert_eq!(statuses(&said), [status], "{target} {host}: {said}");
    }
    for (request, status) in [("CONNECT chat:443", 400), ("OPTIONS *", 204)] {
        let said = exchange(
            proxy.address,
            format!("{request} HTTP/1.1\r\nHost: chat\r\nConnection: close\r\n\r\n"),
        )
        .await;
        assert_eq!(statuses(&said), [status], "no tunnel is opened: {said}");
    }
}

#[tokio::test]
async fn headers_that_are_too_large_are_a_431() {
    let (upstream, proxy) = proxy().await;
    for headers in [
        format!("X-Large: {}\r\n", "x".repeat(80 << 10)),
        "X-Many: 1234567890\r\n".repeat(5000),
    ] {
        let said = exchange(
            proxy.address,
            format!("GET /v1/models HTTP/1.1\r\nHost: chat\r\n{headers}\r\n"),
        )
        .await;
        assert_eq!(statuses(&said), [431], "{}", &said[..said.len().min(300)]);
    }
    assert_eq!(upstream.stats().requests, 0);
    let manifest =
        simple(&upstream) + &object("LLMProxy", "{name: default}", "limits: {headerBytes: 8Ki}");
    let strict = Proxy::start(&manifest).await;
    for (length, status) in [(4 << 10, 200), (12 << 10, 431)] {
        let head = format!(
            "GET /v1/models HTTP/1.1\r\nHost: chat\r\nConnection: close\r\nX-Large: {}\r\n\r\n",
            "x".repeat(length)
        );
        assert_eq!(
            statuses(&exchange(strict.address, head).await),
            [status],
            "{length} bytes"
        );
    }
}

#[tokio::test]
async fn requests_in_one_write_are_answered_in_their_order() {
    let (upstream, proxy) = proxy().await;
    let body = |model: &str| chat(model, "x").to_string();
    let request = |model: &str, more: &str| {
        let body = body(model);
        post(&format!("Content-Length: {}\r\n{more}", body.len()), &body)
    };
    let all = request("first-byte-100ms", "")
        + &request("status-404", "")
        + &request("echo", "Connection: close\r\n");
    let said = exchange(proxy.address, all).await;
    assert_eq!(statuses(&said), [200, 404, 200], "{said}");
    assert_eq!(upstream.stats().requests, 3);
}

#[tokio::test]
async fn a_refusal_of_an_unread_body_says_that_the_connection_ends() {
    let (upstream, proxy) = proxy().await;
    let limited =
        simple(&upstream) + &object("LLMProxy", "{name: default}", "limits: {bodyBytes: 1Ki}");
    let limited = Proxy::start(&limited).await;
    let large = "x".repeat(64 << 10);
    let unknown = format!(
        "POST /v1/x HTTP/1.1\r\nHost: other\r\nContent-Length: {}\r\n\r\n{large}",
        large.len()
    );
    let too_large = post(&format!("Content-Length: {}\r\n", large.len()), &large);
    for (address, request, status) in [
        (proxy.address, unknown, 404),
        (limited.address, too_large, 413),
    ] {
        let said = exchange(address, request).await;
        assert_eq!(statuses(&said), [status], "{said}");
        assert!(
            said.to_lowercase().contains("\r\nconnection: close\r\n"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn headers_of_one_connection_go_no_further() {
    let (upstream, proxy) = proxy().await;
    let headers = "Connection: close, X-Listed, keep-alive\r\nX-Listed: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\n\
        Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nProxy-Authorization: Basic x\r\nX-Kept: yes\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n";
    let said = exchange(
        proxy.address,
        post(
            &format!("{headers}Content-Length: {}\r\n", BODY.len()),
            BODY,
        ),
    )
    .await;
    assert_eq!(statuses(&said), [200], "{said}");
    let seen = &upstream.requests()[0];
    for name in [
        "x-listed",
        "keep-alive",
        "proxy-connection",
        "te",
        "upgrade",
        "http2-settings",
        "proxy-authorization",
        "x-forwarded-for",
        "forwarded",
    ] {
        assert_eq!(seen.header(name), None, "{name}");
    }
    assert_eq!(seen.header("x-kept"), Some("yes"));
    // And those of the upstream's connection do not reach the client.
    let reply = proxy.chat("hop-headers").await;
    for name in [
        "keep-alive",
        "proxy-connection",
        "upgrade",
        "proxy-authenticate",
        "trailer",
    ] {
        assert_eq!(reply.header(name), None, "{name}: {:?}", reply.headers);
    }
    assert_eq!(reply.content(), "hello");
}

#[tokio::test]
async fn who_waits_for_leave_to_send_a_body_gets_it_and_the_upstream_is_not_asked() {
    let (upstream, proxy) = proxy().await;
    let mut stream = TcpStream::connect(proxy.address).await.unwrap();
    let head = post(
        &format!(
            "Expect: 100-continue\r\nConnection: close\r\nContent-Length: {}\r\n",
            BODY.len()
        ),
        "",
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut leave = [0; 25];
    stream.read_exact(&mut leave).await.unwrap();
    assert_eq!(&leave, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(BODY.as_bytes()).await.unwrap();
    assert_eq!(statuses(&to_its_end(&mut stream).await), [200]);
    assert_eq!(upstream.requests()[0].header("expect"), None);
}

#[tokio::test]
async fn http_2_is_spoken_with_those_who_begin_it() {
    let (upstream, proxy) = proxy().await;
    let http = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge()
        .build();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = http.unwrap();
    let url = format!(
        "http://{}/routes/default/chat/v1/chat/completions",
        proxy.address
    );
    let calls = (0..20).map(|_| answer(http.post(&url).json(&chat("tokens-5", "x"))));
    for reply in futures::future::join_all(calls).await {
        assert_eq!(reply.status, 200);
    }
    assert!(
        upstream
            .requests()
            .iter()
            .all(|request| request.version == "HTTP/1.1")
    );
    let reply = answer(
        http.request(Method::POST, &url)
            .header("x-large", "x".repeat(90 << 10))
            .json(&json!({})),
    )
    .await;
    assert_eq!(reply.status, 431);
}
