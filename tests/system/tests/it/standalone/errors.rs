//! Errors: the upstream's own are passed on, and ours say whose fault it is and whether to retry (features A16, A20).

use dragoman_simulator::Simulator;
use http::Method;
use serde_json::json;

use super::manifests::{backend, mapped, nobody, object, route, simple, simulator};
use super::proxy::{Answer, Proxy, answer, chat, client, streamed};

#[track_caller]
fn assert_error(reply: &Answer, status: u16, code: &str, fault: &str, retry: bool) {
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (status, code),
        "{}",
        reply.text()
    );
    let said = (
        reply.header("x-dragoman-fault"),
        reply.header("x-should-retry"),
    );
    assert_eq!(
        said,
        (Some(fault), Some(if retry { "true" } else { "false" })),
        "{}",
        reply.text()
    );
    assert!(reply.header("x-dragoman-request-id").is_some());
}

#[tokio::test]
async fn an_upstreams_error_keeps_its_status_and_every_byte_of_its_reason() {
    let (direct, behind) = (simulator().await, simulator().await);
    let proxy = Proxy::start(&simple(&behind)).await;
    let http = client();
    for (status, fault, retry) in [
        (400, "client", false),
        (401, "client", false),
        (403, "client", false),
        (404, "client", false),
        (409, "upstream", true),
        (422, "client", false),
        (429, "upstream", true),
        (500, "upstream", true),
        (503, "upstream", true),
        (529, "upstream", true),
    ] {
        for body in [
            chat(&format!("status-{status}"), "x"),
            streamed(&format!("status-{status}"), "x"),
        ] {
            let straight = answer(
                http.post(format!("{}/chat/completions", direct.url()))
                    .json(&body),
            )
            .await;
            let through = proxy.post("/v1/chat/completions", &body).await;
            assert_eq!(
                (straight.status, straight.text()),
                (through.status, through.text())
            );
            assert_eq!(through.status, status);
            let said = (
                through.header("x-dragoman-fault"),
                through.header("x-should-retry"),
            );
            assert_eq!(
                said,
                (Some(fault), Some(if retry { "true" } else { "false" })),
                "{status}"
            );
        }
    }
}

#[tokio::test]
async fn a_web_page_for_an_error_becomes_openais_shape_with_its_words() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    for status in [401, 404, 500, 502] {
        for body in [
            chat(&format!("status-{status}+html"), "x"),
            streamed(&format!("status-{status}+html"), "x"),
        ] {
            let reply = proxy.post("/v1/chat/completions", &body).await;
            assert_eq!(reply.status, status);
            assert!(!reply.code().is_empty());
            assert!(
                reply.message().contains(&status.to_string()) && !reply.message().contains('<'),
                "{}",
                reply.message()
            );
        }
    }
}

#[tokio::test]
async fn retry_after_rate_limits_and_the_upstreams_request_id_are_kept() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    for model in [
        "status-429+retry-after-17+headers",
        "status-503+html+retry-after-17+headers",
    ] {
        let reply = proxy.chat(model).await;
        assert_eq!(
            reply.header("retry-after"),
            Some("17"),
            "{:?}",
            reply.headers
        );
        assert_eq!(reply.header("x-ratelimit-limit-requests"), Some("60"));
        assert!(
            reply
                .header("x-request-id")
                .unwrap()
                .starts_with("req_sim_")
        );
        assert_eq!(
            reply.header("set-cookie"),
            None,
            "cookies are the upstream's, not the client's"
        );
    }
    assert_eq!(
        proxy
            .chat("headers")
            .await
            .header("x-ratelimit-limit-requests"),
        Some("60"),
        "on success too"
    );
}

#[tokio::test]
async fn an_upstream_that_cannot_be_reached_is_a_502_without_its_address() {
    for (url, code) in [
        (format!("http://{}/v1", nobody()), "upstream_unreachable"),
        (
            "http://no-such-host.invalid/v1".to_owned(),
            "upstream_unresolved",
        ),
        ("http://169.254.169.254/v1".to_owned(), "upstream_denied"),
    ] {
        let proxy =
            Proxy::start(&(backend("main", &url, "timeouts: {connect: 3s}") + &route(""))).await;
        for body in [chat("echo", "x"), streamed("echo", "x")] {
            let reply = proxy.post("/v1/chat/completions", &body).await;
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (502, code),
                "{}",
                reply.text()
            );
            let host = url.split('/').nth(2).unwrap();
            assert!(!reply.text().contains(host), "{}", reply.text());
            assert!(reply.message().contains("main"), "it names the backend");
        }
    }
}

fn impatient(upstream: &Simulator) -> String {
    backend(
        "main",
        &upstream.url(),
        "timeouts: {firstByte: 150ms, idle: 150ms}",
    ) + &route("")
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_in_time_is_a_504() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&impatient(&upstream)).await;
    for body in [
        chat("hang", "x"),
        streamed("hang", "x"),
        chat("first-byte-60s", "x"),
    ] {
        let reply = proxy.post("/v1/chat/completions", &body).await;
        assert_error(&reply, 504, "upstream_timeout", "upstream", true);
    }
}

#[tokio::test]
async fn an_upstream_that_closes_without_an_answer_is_a_502() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let reply = proxy.chat("drop").await;
    assert_error(&reply, 502, "upstream_failed", "upstream", true);
}

#[tokio::test]
async fn a_body_that_is_no_json_is_a_400_that_says_where() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    for (body, offset) in [
        (r#"{"model": "echo",}"#, "17"),
        ("", "0"),
        ("{", "1"),
        ("[]", "0"),
        ("null", "0"),
        (r#"{"model":"echo"} x"#, "17"),
        (r#"{"model":"echo","a":01}"#, "20"),
        ("{\"model\":\"e\u{1}\"}", "11"),
    ] {
        let request = proxy
            .request(Method::POST, "/v1/chat/completions")
            .header("content-type", "application/json");
        let reply = answer(request.body(body)).await;
        assert_error(&reply, 400, "invalid_json", "client", false);
        assert!(
            reply.message().contains(offset),
            "{body}: {}",
            reply.message()
        );
    }
    assert_eq!(upstream.stats().requests, 0);
}

#[tokio::test]
async fn a_body_without_a_model_is_a_400_that_names_the_field() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    for body in [
        json!({"messages": []}),
        json!({"model": 1}),
        json!({"model": null}),
    ] {
        let reply = proxy.post("/v1/chat/completions", &body).await;
        assert_error(&reply, 400, "missing_model", "client", false);
        assert_eq!(reply.json()["error"]["param"], "model");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_a_413_however_it_is_framed() {
    let upstream = simulator().await;
    let manifest =
        simple(&upstream) + &object("LLMProxy", "{name: default}", "limits: {bodyBytes: 2Ki}");
    let proxy = Proxy::start(&manifest).await;
    let body = chat("echo", &"x".repeat(3000)).to_string();
    let request = || {
        proxy
            .request(Method::POST, "/v1/chat/completions")
            .header("content-type", "application/json")
    };
    let chunked = futures::stream::iter(
        body.as_bytes()
            .chunks(700)
            .map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec()))
            .collect::<Vec<_>>(),
    );
    for request in [
        request().body(body.clone()),
        request().body(reqwest::Body::wrap_stream(chunked)),
    ] {
        let reply = answer(request).await;
        assert_error(&reply, 413, "body_too_large", "client", false);
        assert!(
            reply.message().contains("2048") && reply.message().contains("spec.limits.bodyBytes"),
            "{}",
            reply.message()
        );
    }
    assert_eq!(upstream.stats().requests, 0);
    assert_eq!(proxy.chat("echo").await.status, 200);
}

#[tokio::test]
async fn a_compressed_body_is_a_415_with_the_cure() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let request = proxy
        .request(Method::POST, "/v1/chat/completions")
        .header("content-encoding", "gzip")
        .body("x");
    let reply = answer(request).await;
    assert_error(&reply, 415, "encoded_body", "client", false);
    assert!(reply.message().contains("Content-Encoding"));
}

#[tokio::test]
async fn a_stream_that_breaks_ends_with_an_error_event_and_no_done() {
    let upstream = simulator().await;
    let manifest = backend("main", &upstream.url(), "timeouts: {idle: 200ms}") + &route("");
    let proxy = Proxy::start(&manifest).await;
    for (model, whole, code) in [
        ("tokens-50+cut-5", 5, "upstream_cut"),
        ("tokens-50+cut-0", 0, "upstream_cut"),
        ("tokens-50+stall-5", 5, "upstream_timeout"),
        ("tokens-50+cut-5+split+crlf", 5, "upstream_cut"),
        ("think+cut-12+chunk-2", 0, "upstream_cut"),
    ] {
        let reply = proxy.stream(model).await;
        assert_eq!(reply.status, 200, "{model}: {}", reply.text());
        let chunks = reply.chunks();
        let (last, before) = chunks.split_last().unwrap();
        assert_eq!(last["error"]["code"], code, "{model}: {last}");
        assert!(
            before.len() >= whole && before.iter().all(|chunk| chunk["choices"].is_array()),
            "{}",
            reply.text()
        );
        assert!(!reply.text().contains("[DONE]"), "{model}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_within_an_event_still_ends_with_a_readable_error() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 65536]).await;
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
            let piece = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"whole\"}}]}\n\ndata: {\"choices\":[{\"ind";
            let _ = stream
                .write_all(format!("{head}{:x}\r\n{piece}\r\n", piece.len()).as_bytes())
                .await;
        }
    });
    for rules in ["thinking: {text: Keep}", "thinking: {text: Strip}"] {
        let proxy = Proxy::start(&(backend("main", &url, "") + &route(rules))).await;
        let reply = proxy.stream("m").await;
        let events = reply.events();
        assert!(events[0].contains("whole"), "{}", reply.text());
        let last: serde_json::Value = serde_json::from_str(events.last().unwrap()).unwrap();
        assert_eq!(last["error"]["code"], "upstream_cut", "{}", reply.text());
    }
}

#[tokio::test]
async fn a_plain_reply_that_breaks_is_an_error_and_never_half_an_answer() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let reply = proxy.chat("tokens-500+cut-1").await;
    assert_error(&reply, 502, "upstream_cut", "upstream", true);
    // Where nothing is looked into the status is out already: the connection breaks as the upstream's did.
    let keeping =
        Proxy::start(&(backend("main", &upstream.url(), "") + &route("thinking: {text: Keep}")))
            .await;
    let request = keeping
        .request(Method::POST, "/v1/chat/completions")
        .json(&chat("tokens-500+cut-1", "x"));
    match super::proxy::try_answer(request).await {
        Err(_) => {}
        Ok(reply) => assert_eq!(reply.status, 502, "{}", reply.text()),
    }
}

#[tokio::test]
async fn an_error_event_of_the_upstream_is_passed_on() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let reply = proxy.stream("tokens-9+error-3").await;
    assert!(
        reply.chunks().last().unwrap()["error"]["message"].is_string(),
        "{}",
        reply.text()
    );
    assert!(!reply.is_done());
}

#[tokio::test]
async fn every_reply_carries_a_request_id_of_its_own() {
    let upstream = simulator().await;
    let map = "unmatched: Reject\nrules:\n- match: {regex: \"(echo|status-.*|drop)\"}";
    let proxy = Proxy::start(&mapped(&upstream, map)).await;
    let bad_json = answer(
        proxy
            .request(Method::POST, "/v1/chat/completions")
            .body("{"),
    )
    .await;
    let unknown_route = proxy.get("/routes/no/where/v1/models").await;
    let mut replies = vec![
        bad_json,
        unknown_route,
        proxy.get("/v1/models").await,
        proxy.get("/v1/models/none").await,
        proxy.get("/v1/nothing").await,
    ];
    for model in ["echo", "status-404", "status-500", "drop", "nobody"] {
        replies.push(proxy.chat(model).await);
        replies.push(proxy.stream(model).await);
    }
    let mut ids: Vec<_> = replies
        .iter()
        .map(|reply| reply.header("x-dragoman-request-id").unwrap().to_owned())
        .collect();
    assert!(
        ids.iter()
            .all(|id| id.len() == 36 && id.as_bytes()[14] == b'7'),
        "UUIDs of version 7: {ids:?}"
    );
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), replies.len());
}
