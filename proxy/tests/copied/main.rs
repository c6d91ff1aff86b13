//! How often an image is copied on its way, counted by the allocator.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may fail loudly, their fixtures too"
)]

#[path = "../it/harness.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the other tests")]
mod harness;

use dragoman_crds::Dialect;
use dragoman_dialects::{Path, Target, Wire};
use harness::{Items, Proxy, Put as _, backend_at, entry, items, route, simulator};
use peak_alloc::PeakAlloc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

#[global_allocator]
static COUNTED: PeakAlloc = PeakAlloc;

/// What is counted is the whole process's, so that only one test may run at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

/// An image of 20 MiB, as base64.
const IMAGE: usize = (20 << 20) / 3 * 4;
/// A smaller one, where dialects are tried one by one.
const SMALLER: usize = IMAGE / 10;
/// What everything else may take there, in bytes.
const LITTLE: usize = 64 << 10;
/// What everything else may take, in bytes: buffers, connections, the threads' beginnings.
const BESIDES: usize = 3 << 20;
/// The wires that have images in their requests, by the name of the file that holds one.
const WIRES: [(Wire, &str); 6] = [
    (Wire::Chat, "chat"),
    (Wire::Responses, "responses"),
    (Wire::Messages, "messages"),
    (Wire::BedrockConverse, "converse"),
    (Wire::Gemini, "gemini"),
    (Wire::OllamaChat, "ollama-chat"),
];

/// The most bytes that `what` held at any time, and what it gave.
fn peak<T>(what: impl FnOnce() -> T) -> (usize, T) {
    COUNTED.reset_peak_usage();
    let before = COUNTED.current_usage();
    let given = what();
    (COUNTED.peak_usage().saturating_sub(before), given)
}

/// A request of the wire's with an image in it.
fn request(file: &str) -> String {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/dialects/tests/matrix/requests"
    );
    let cases = std::fs::read_to_string(format!("{folder}/{file}.json")).unwrap();
    let cases: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&cases).unwrap();
    let mut request = cases["text"].clone();
    let with = cases["image inline"].as_object().unwrap().clone();
    request.as_object_mut().unwrap().extend(with);
    let small = request.to_string();
    assert_eq!(small.matches("iVBORw0KGgo=").count(), 1, "{file}");
    let image = format!("iVBORw0KGgoA{}", "AAAA".repeat(SMALLER / 4 - 3));
    small.replace("iVBORw0KGgo=", &image)
}

#[tokio::test]
async fn an_image_is_copied_once_when_it_is_read_and_once_when_it_is_written() {
    let _alone = ALONE.lock().await;
    let mut written = Vec::new();
    for (client, file) in WIRES {
        let body = request(file);
        let path = Path {
            model: Some("a-model"),
            stream: Some(false),
        };
        let (taken, form) = peak(|| client.codec().read_request(body.as_bytes(), path).unwrap());
        assert!(taken < SMALLER + LITTLE, "{client:?} reads: {taken}");
        let (taken, again) = peak(|| form.clone());
        assert!(taken < LITTLE, "{client:?} is cloned: {taken}");
        drop(again);
        let before = written.len();
        for (upstream, _) in WIRES {
            let target = Target {
                model: "a-model",
                stream: false,
            };
            let (taken, body) = peak(|| upstream.codec().write_request(&form, target));
            let Ok(body) = body else { continue };
            assert!(body.len() > SMALLER);
            assert!(
                taken < SMALLER + LITTLE,
                "{client:?} to {upstream:?}: {taken}"
            );
            written.push((client, upstream));
        }
        assert!(written.len() - before > 4, "{client:?}: {written:?}");
    }
}

/// An upstream that holds nothing of what it is sent, and answers; its port.
async fn upstream(reply: &'static str) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 << 10];
                let mut left = 0;
                loop {
                    let read = stream.read(&mut buffer).await.unwrap_or_default();
                    if read == 0 {
                        return;
                    }
                    let head = std::str::from_utf8(&buffer[..read])
                        .unwrap()
                        .split_once("\r\n\r\n");
                    if left == 0 {
                        let (head, body) = head.unwrap();
                        let head = head.to_ascii_lowercase();
                        let length = head.split("content-length: ").nth(1).unwrap();
                        let length: usize = length.lines().next().unwrap().parse().unwrap();
                        left = length - body.len();
                    } else {
                        left -= read;
                    }
                    if left == 0 {
                        let length = reply.len();
                        let head = format!(
                            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
                        );
                        stream.write_all((head + reply).as_bytes()).await.unwrap();
                    }
                }
            });
        }
    });
    port
}

const CHAT: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"A cat."},"finish_reason":"stop"}]}"#;
const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"A cat."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}"#;

/// A route to an upstream of that dialect, with bodies of as many bytes as an image has.
async fn items_of(dialect: Dialect) -> Items {
    let mut backend = backend_at(&simulator().await);
    backend.url.port = upstream(match dialect {
        Dialect::Anthropic => MESSAGE,
        _ => CHAT,
    })
    .await;
    backend.dialect = dialect;
    // A busy machine may take long over so many bytes.
    backend.timeouts.first_byte_ms = 600_000;
    backend.timeouts.idle_ms = 600_000;
    backend.timeouts.request_ms = 600_000;
    if dialect == Dialect::Anthropic {
        backend.url.path = String::new();
    }
    let mut all = items().put_route("chat", route(vec![entry("it", backend)]));
    for item in all.values_mut() {
        if let dragoman_config::Item::Proxy(proxy) = std::sync::Arc::get_mut(item).unwrap() {
            proxy.body_bytes = 64 << 20;
        }
    }
    all
}

/// Sends the image through the proxy, from few bytes of its own; what came back.
async fn send(to: &Proxy) -> String {
    let start = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"What is it?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,"#;
    let end = r#""}}]}]}"#;
    let mut stream: TcpStream = to.connect().await;
    let length = start.len() + IMAGE + end.len();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: chat.team-a.svc.cluster.local\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{start}"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let some = "iVBO".repeat(1024);
    let mut left = IMAGE;
    while left > 0 {
        let now = left.min(some.len());
        stream.write_all(&some.as_bytes()[..now]).await.unwrap();
        left -= now;
    }
    stream.write_all(end.as_bytes()).await.unwrap();
    let mut got = String::new();
    stream.read_to_string(&mut got).await.unwrap();
    got
}

#[tokio::test]
async fn a_body_with_an_image_is_copied_at_most_twice_on_its_way_through_the_proxy() {
    let _alone = ALONE.lock().await;
    for (dialect, copies) in [(Dialect::OpenAI, 0), (Dialect::Anthropic, 2)] {
        let proxy = Proxy::start(items_of(dialect).await);
        COUNTED.reset_peak_usage();
        let before = COUNTED.current_usage();
        let got = send(&proxy).await;
        let taken = COUNTED.peak_usage().saturating_sub(before);
        assert!(
            got.starts_with("HTTP/1.1 200") && got.contains("A cat."),
            "{got}"
        );
        // The body itself is held once.
        assert!(
            taken < (1 + copies) * IMAGE + BESIDES,
            "{dialect:?}: {taken}"
        );
    }
}
