//! What arrives is not always HTTP, or not what it pretends to be.

use dragoman_crds::BackendHealth;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::*;

const HOST: &str = "host: chat.team-a\r\n";

#[tokio::test]
async fn smuggled_requests_are_refused_and_reach_nobody() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    let hidden = "GET /v1/files HTTP/1.1\r\nhost: chat.team-a\r\n\r\n";
    for head in [
        "content-length: 3\r\ncontent-length: 4\r\n\r\n{}\n".to_owned(),
        format!("content-length: 0\r\ntransfer-encoding: identity\r\n\r\n{hidden}"),
        format!("transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n{hidden}"),
        format!("transfer-encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}"),
        "content-length: +2\r\n\r\n{}".to_owned(),
        "content-length: 0x2\r\n\r\n{}".to_owned(),
        "x bad: 1\r\n\r\n".to_owned(),
        "x-bad : 1\r\n\r\n".to_owned(),
        " folded: 1\r\n\r\n".to_owned(),
        "transfer-encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n".to_owned(),
    ] {
        let request =
            format!("POST /v1/chat/completions HTTP/1.1\r\n{HOST}connection: close\r\n{head}");
        let got = proxy.raw(&request).await;
        assert!(got.starts_with("HTTP/1.1 4"), "{head:?}: {got}");
        assert_eq!(got.matches("HTTP/1.1").count(), 1, "{head:?}: {got}");
        assert!(
            got.contains("x-dragoman-request-id") && got.contains("{\"error\":{"),
            "{head:?}: {got}"
        );
    }
    assert!(simulator.requests().is_empty());
}

#[tokio::test]
async fn a_length_beside_chunks_is_not_believed() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    let body = chat("echo", "x", false).to_string();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\n{HOST}content-length: 4\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    let got = proxy.raw(&request).await;
    // Refused, or taken as chunks: never as both.
    if got.starts_with("HTTP/1.1 200") {
        assert_eq!(simulator.requests()[0].body, body);
        assert_eq!(
            simulator.requests()[0].header("content-length").unwrap(),
            body.len().to_string()
        );
    } else {
        assert!(got.starts_with("HTTP/1.1 400"), "{got}");
    }
}

#[tokio::test]
async fn hosts_are_one_and_there() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    for head in ["", "host: chat.team-a\r\nhost: chat.team-a\r\n"] {
        let got = proxy
            .raw(&format!(
                "GET /v1/models HTTP/1.1\r\n{head}connection: close\r\n\r\n"
            ))
            .await;
        assert!(
            got.starts_with("HTTP/1.1 400") && got.contains("bad_host"),
            "{got}"
        );
    }
    // The target's own host wins over the header: RFC 9112 §3.2.2.
    let got = proxy
        .raw("GET http://chat.team-a/v1/models HTTP/1.1\r\nhost: elsewhere\r\nconnection: close\r\n\r\n")
        .await;
    assert!(got.starts_with("HTTP/1.1 200"), "{got}");
}

#[tokio::test]
async fn headers_that_are_too_large_are_431_in_openais_shape() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    let large = format!(
        "GET /v1/models HTTP/1.1\r\n{HOST}x-large: {}\r\n\r\n",
        "a".repeat(80 << 10)
    );
    let many = format!(
        "GET /v1/models HTTP/1.1\r\n{HOST}{}\r\n",
        "x-many: 1\r\n".repeat(200)
    );
    for request in [large, many] {
        let got = proxy.raw(&request).await;
        assert!(got.starts_with("HTTP/1.1 431 "), "{got}");
        assert!(
            got.contains("headers_too_large") && got.contains("x-dragoman-request-id"),
            "{got}"
        );
    }
    let garbage = proxy.raw("\x16\x03\x01 this is no HTTP\r\n\r\n").await;
    assert!(
        garbage.starts_with("HTTP/1.1 400 ") && garbage.contains("malformed_request"),
        "{garbage}"
    );
}

#[tokio::test]
async fn http2_clients_are_served_on_the_same_port() {
    use http_body_util::{BodyExt, Full};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    let io = TokioIo::new(proxy.connect().await);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    tokio::spawn(connection);
    let calls = (0..8).map(|at| {
        let body = chat("think", &at.to_string(), at % 2 == 0).to_string();
        let request = http::Request::post("http://chat.team-a.svc/v1/chat/completions");
        sender.send_request(request.body(Full::new(bytes::Bytes::from(body))).unwrap())
    });
    for reply in futures::future::join_all(calls.collect::<Vec<_>>()).await {
        let reply = reply.unwrap();
        assert_eq!(reply.status(), 200);
        assert!(reply.headers().contains_key("x-dragoman-request-id"));
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        assert!(!String::from_utf8_lossy(&body).contains("think>"));
    }
}

#[tokio::test]
async fn head_and_empty_replies_keep_the_connection_in_step() {
    use http::Method;
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    let got = proxy.send(Method::HEAD, "/v1/models", &[], "").await;
    assert_eq!((got.status.as_u16(), got.body.len()), (200, 0));
    let request = format!(
        "HEAD /v1/models HTTP/1.1\r\n{HOST}\r\nHEAD /v1/other HTTP/1.1\r\n{HOST}\r\nGET /v1/models HTTP/1.1\r\n{HOST}connection: close\r\n\r\n"
    );
    let got = proxy.raw(&request).await;
    assert_eq!(got.matches("HTTP/1.1 ").count(), 3, "{got}");
    assert_eq!(got.matches("llama3-70b").count(), 1, "{got}");
}

#[tokio::test]
async fn active_checks_see_a_backend_fall_ill_and_recover() {
    let simulator = simulator().await;
    let mut item = backend_at(&simulator);
    item.health = Some(dragoman_config::HealthItem {
        path: "/health".into(),
        interval_ms: 20,
        unhealthy_after: 2,
    });
    let proxy = Proxy::start(items().put_route("chat", route(vec![entry("b", item)])));
    let mut changed = proxy.shared.health_changed();
    for (status, health) in [
        (200, BackendHealth::Healthy),
        (503, BackendHealth::Unhealthy),
        (200, BackendHealth::Healthy),
    ] {
        simulator.set_health(http::StatusCode::from_u16(status).unwrap());
        while proxy.shared.health()[0].health != health {
            changed.changed().await.unwrap();
        }
    }
}

/// What hyper says of a request that is none.
const REFUSED: &str = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn a_reply_that_reads_like_a_refusal_passes_byte_for_byte_however_it_is_cut() {
    let simulator = simulator().await;
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut item = backend_at(&simulator);
    item.url.port = upstream.local_addr().unwrap().port();
    let proxy = Proxy::start(items().put_route("chat", route(vec![entry("b", item)])));
    let mut client = proxy.connect().await;
    let body = format!("before{REFUSED}{REFUSED}after");
    for cut in 0..=body.len() {
        let request = format!("GET /v1/files HTTP/1.1\r\n{HOST}\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let (mut answering, _) = upstream.accept().await.unwrap();
        answering.set_nodelay(true).unwrap();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        answering.write_all(head.as_bytes()).await.unwrap();
        let mut got = Vec::new();
        while !got.ends_with(b"\r\n\r\n") {
            got.push(client.read_u8().await.unwrap());
        }
        assert!(got.starts_with(b"HTTP/1.1 200 OK\r\n"));
        // The next piece is sent when the one before has arrived, so that each is a write of its own.
        for piece in [&body[..cut], &body[cut..]] {
            answering.write_all(piece.as_bytes()).await.unwrap();
            let mut got = vec![0; piece.len()];
            client.read_exact(&mut got).await.unwrap();
            assert_eq!(String::from_utf8_lossy(&got), piece, "cut at {cut}");
        }
    }
}

#[tokio::test]
async fn what_is_no_request_is_refused_in_our_words_after_others_in_the_same_write() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    let asked = format!("GET /v1/models HTTP/1.1\r\n{HOST}\r\n");
    for good in 0..3 {
        for bad in ["GET / HTTP/9.9\r\n\r\n", "no request\r\n\r\n", "\x00"] {
            let got = proxy.raw(&(asked.repeat(good) + bad)).await;
            assert_eq!(got.matches("HTTP/1.1 200 OK").count(), good, "{got}");
            assert_eq!(got.matches("HTTP/1.1 400 Bad Request").count(), 1, "{got}");
            assert!(
                got.ends_with("}}") && got.contains("malformed_request"),
                "{got}"
            );
            assert_eq!(
                got.matches("x-dragoman-request-id").count(),
                good + 1,
                "{got}"
            );
        }
    }
    // One after the other, too: the connection has served before.
    let mut client = proxy.connect().await;
    let old = format!("GET /v1/models HTTP/1.0\r\n{HOST}connection: keep-alive\r\n\r\n");
    client.write_all(old.as_bytes()).await.unwrap();
    let mut got = Vec::new();
    while !got.ends_with(b"]}") {
        got.push(client.read_u8().await.unwrap());
    }
    client.write_all(b"no request\r\n\r\n").await.unwrap();
    let mut rest = String::new();
    client.read_to_string(&mut rest).await.unwrap();
    assert!(
        rest.contains(" 400 ") && rest.contains("malformed_request"),
        "{rest}"
    );
}
