//! Translated streams between an upstream and a client that keep their own time: signs of life, ends, a client that does not read, and one that
//! wants no thoughts (features A20, B6).

use std::io::ErrorKind;
use std::time::Duration;

use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::manifests::{backend, route, simulator};
use super::proxy::Proxy;

/// The longest that something may take before the test says that it never comes.
const PATIENCE: Duration = Duration::from_secs(20);

const HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// An upstream of OpenAI's dialect whose part the test plays, and a proxy before it.
async fn upstream() -> (TcpListener, Proxy) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let proxy = Proxy::start(&(backend("main", &url, "") + &route(""))).await;
    (listener, proxy)
}

/// The next call of the proxy's on a connection, fetches of the list answered on the way.
async fn called(listener: &TcpListener) -> TcpStream {
    loop {
        let (mut stream, _) = within(listener.accept()).await.unwrap();
        if request(&mut stream).await.starts_with("POST /v1/chat") {
            return stream;
        }
        let _ = stream
            .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .await;
    }
}

/// One request with its body, which ends with the brace that its first opened.
async fn request(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let length = within(stream.read(&mut piece)).await.unwrap();
        said.extend_from_slice(&piece[..length]);
        let text = String::from_utf8_lossy(&said).into_owned();
        if length == 0 || text.starts_with("GET ") || text.ends_with('}') {
            return text;
        }
    }
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("it never comes")
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

fn piece(delta: &serde_json::Value, finish: Option<&str>) -> String {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
    let event =
        json!({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]});
    format!("data: {event}\n\n")
}

fn whole(text: &str) -> String {
    piece(&json!({"content": text}), None) + &piece(&json!({}), Some("stop")) + "data: [DONE]\n\n"
}

/// What is asked for in Anthropic's dialect.
fn asked(proxy: &Proxy) -> reqwest::RequestBuilder {
    let body = json!({"model": "m", "max_tokens": 9, "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    proxy.request(Method::POST, "/v1/messages").json(&body)
}

/// What comes until `wanted` is there.
async fn until(reply: &mut reqwest::Response, wanted: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(wanted) {
        let piece = tokio::time::timeout(PATIENCE, reply.chunk()).await;
        let piece = piece.unwrap_or_else(|_| panic!("{wanted} never comes: {seen}"));
        let piece = piece.unwrap();
        let piece = piece.unwrap_or_else(|| panic!("it ends before {wanted}: {seen}"));
        seen += &String::from_utf8_lossy(&piece);
    }
    seen
}

#[tokio::test]
async fn an_upstreams_sign_of_life_is_one_in_the_clients_dialect() {
    let (listener, proxy) = upstream().await;
    let send = tokio::spawn(asked(&proxy).send());
    let mut server = called(&listener).await;
    let said = format!("{HEAD}{}", chunk(": keep-alive\n\n"));
    server.write_all(said.as_bytes()).await.unwrap();
    let mut reply = within(send).await.unwrap().unwrap();
    // Before anything of the answer is there.
    until(&mut reply, "event: ping").await;
    let rest = chunk(&whole("hello")) + "0\r\n\r\n";
    server.write_all(rest.as_bytes()).await.unwrap();
    until(&mut reply, "message_stop").await;
}

#[tokio::test]
async fn a_client_that_has_the_answer_is_not_kept_waiting_for_the_upstreams_end() {
    let (listener, proxy) = upstream().await;
    let send = tokio::spawn(asked(&proxy).send());
    let mut server = called(&listener).await;
    let said = HEAD.to_owned() + &chunk(&whole("hello"));
    server.write_all(said.as_bytes()).await.unwrap();
    let reply = within(send).await.unwrap().unwrap();
    let text = within(reply.text()).await.unwrap();
    assert!(text.contains("message_stop"), "{text}");
    // The upstream ends late, and its connection serves again.
    server.write_all(b"0\r\n\r\n").await.unwrap();
    let send = tokio::spawn(asked(&proxy).send());
    let again = request(&mut server).await;
    assert!(again.starts_with("POST /v1/chat"), "{again}");
    let said = said + "0\r\n\r\n";
    server.write_all(said.as_bytes()).await.unwrap();
    let reply = within(send).await.unwrap().unwrap();
    assert_eq!(reply.status(), 200);
}

#[tokio::test]
async fn an_error_within_a_stream_is_told_within_bounds() {
    for error in [
        format!("event: error\ndata: {}\n\n", "x".repeat(300_000)),
        format!("event: error\ndata: {}\n\n", json!("x".repeat(300_000))),
        format!(
            "data: {}\n\n",
            json!({"error": {"detail": ["x".repeat(300_000)]}})
        ),
    ] {
        let (listener, proxy) = upstream().await;
        let send = tokio::spawn(asked(&proxy).send());
        let mut server = called(&listener).await;
        let said = HEAD.to_owned() + &chunk(&error) + "0\r\n\r\n";
        server.write_all(said.as_bytes()).await.unwrap();
        let reply = within(send).await.unwrap().unwrap();
        let text = within(reply.text()).await.unwrap();
        assert!(
            text.contains("event: error") && text.contains("xxx"),
            "{text}"
        );
        assert!(text.len() < 10_000, "{}", text.len());
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_upstream() {
    /// More than sockets' buffers and what the proxy may hold between them, and less than an upstream that nobody stops would write.
    const MOST: usize = 64 << 20;
    /// How long nothing can be written until the upstream counts as stopped. Who is not stopped fails by the bytes, however slow.
    const STILL: Duration = Duration::from_secs(2);
    let (listener, proxy) = upstream().await;
    let mut reply = {
        let send = tokio::spawn(asked(&proxy).send());
        let mut server = called(&listener).await;
        let text = "x".repeat(32 << 10);
        let event = chunk(&piece(&json!({"content": text}), None));
        server.write_all(HEAD.as_bytes()).await.unwrap();
        server.write_all(event.as_bytes()).await.unwrap();
        let reply = within(send).await.unwrap().unwrap();
        let mut written = 0;
        let stopped = loop {
            match server.try_write(event.as_bytes()) {
                // A chunk that is written in part goes on from there.
                Ok(length) => {
                    written += length;
                    if length < event.len() {
                        let rest = &event.as_bytes()[length..];
                        let sent = tokio::time::timeout(STILL, server.write_all(rest)).await;
                        if sent.is_err() {
                            break true;
                        }
                    }
                }
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => {
                    if tokio::time::timeout(STILL, server.writable())
                        .await
                        .is_err()
                    {
                        break true;
                    }
                }
                Err(fault) => panic!("{fault}"),
            }
            if written > MOST {
                break false;
            }
        };
        assert!(stopped, "{written} bytes that nobody reads were taken");
        // It goes on once the client reads.
        let mut reply = reply;
        let mut read = 0;
        while read < 32 << 20
            && tokio::time::timeout(Duration::ZERO, server.writable())
                .await
                .is_err()
        {
            read += within(reply.chunk()).await.unwrap().unwrap().len();
        }
        within(server.writable()).await.unwrap();
        reply
    };
    // It is gone, and the client is told.
    until(&mut reply, "event: error").await;
}

#[tokio::test]
async fn a_client_that_asked_for_no_thoughts_is_shown_none() {
    let upstream = simulator().await;
    let url = format!("http://{}", upstream.addr());
    let manifest =
        backend("main", &url, "dialect: Anthropic") + &route("thinking: {text: Extract}");
    let proxy = Proxy::start(&manifest).await;
    let ask = |more: serde_json::Value| {
        let mut body = json!({"model": "think", "stream": false, "messages": [{"role": "user", "content": "hm"}]});
        let more = more.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(more);
        body
    };
    for (path, more, shown) in [
        ("/v1/chat/completions", json!({}), true),
        (
            "/v1/chat/completions",
            json!({"reasoning": {"exclude": true}}),
            false,
        ),
        (
            "/v1/chat/completions",
            json!({"reasoning_effort": "none"}),
            false,
        ),
        ("/api/chat", json!({}), true),
        ("/api/chat", json!({"think": false}), false),
    ] {
        for stream in [false, true] {
            let mut body = ask(more.clone());
            body["stream"] = stream.into();
            let reply = proxy.post(path, &body).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            // In pieces, where it is streamed.
            let text = reply.text();
            let told = text.contains("reasoning_content") || text.contains("\"thinking\"");
            assert_eq!(told, shown, "{path} {more} {text}");
        }
    }
}
