//! Everything that may be large, larger than is read.

use std::time::Duration;

use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::manifests::{object, simple, simulator};
use super::super::proxy::{Proxy, answer, chat};
use super::super::raw::{exchange, statuses, to_its_end};
use super::memory;

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_target_or_host_without_end_is_refused_in_few_words() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    for length in [10 << 10, 60 << 10, 200 << 10] {
        let long = "x".repeat(length);
        for head in [
            format!("GET /v1/{long} HTTP/1.1\r\nHost: unknown\r\nConnection: close\r\n\r\n"),
            format!("GET /routes/{long}/x HTTP/1.1\r\nHost: unknown\r\nConnection: close\r\n\r\n"),
            format!("GET /v1/models?{long} HTTP/1.1\r\nHost: {long}\r\nConnection: close\r\n\r\n"),
            format!("{long} /v1/models HTTP/1.1\r\nHost: chat\r\nConnection: close\r\n\r\n"),
            format!(
                "GET /v1/models HTTP/1.1\r\nHost: chat\r\n{long}: x\r\nConnection: close\r\n\r\n"
            ),
        ] {
            let said = exchange(proxy.address, head).await;
            let status = statuses(&said);
            let refused = [400, 404, 405, 414, 431].contains(&status[0]);
            // What fits into limits.headerBytes is answered as any request.
            assert!(
                status.len() == 1 && (refused || length < 64 << 10),
                "{length}: {}",
                &said[..300.min(said.len())]
            );
            assert!(!refused || said.len() < 4096, "{length}: {}", said.len());
        }
    }
}

#[tokio::test]
async fn a_length_that_nobody_could_send_costs_no_memory() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    assert_eq!(proxy.chat("echo").await.status, 200);
    let before = memory(&proxy);
    let mut open = Vec::new();
    for _ in 0..100 {
        // The most that is read, which never comes.
        let mut stream = TcpStream::connect(proxy.address).await.unwrap();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: chat\r\nContent-Length: {}\r\n\r\n{{\"model\":",
            32 << 20
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        open.push(stream);
    }
    for length in [(32_u64 << 20) + 1, 1 << 40, u64::MAX] {
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: chat\r\nContent-Length: {length}\r\n\r\n"
        );
        let said = exchange(proxy.address, head).await;
        // The last of them is more than a length may say at all.
        assert!(
            [vec![413], vec![431]].contains(&statuses(&said)),
            "{length}: {said}"
        );
    }
    assert_eq!(proxy.chat("echo").await.status, 200);
    let grown = memory(&proxy).saturating_sub(before);
    assert!(
        grown < 64 << 20,
        "{grown} bytes for 100 bodies that never came"
    );
}

#[tokio::test]
async fn a_body_without_end_is_refused_at_the_bound_and_read_no_further() {
    let upstream = simulator().await;
    let manifest =
        simple(&upstream) + &object("LLMProxy", "{name: default}", "limits: {bodyBytes: 64Ki}");
    let proxy = Proxy::start(&manifest).await;
    let mut stream = TcpStream::connect(proxy.address).await.unwrap();
    let head =
        "POST /v1/chat/completions HTTP/1.1\r\nHost: chat\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    let (mut reader, mut writer) = stream.split();
    let endless = async {
        // It ends when the proxy has had enough and closes.
        for _ in 0..(1 << 20) {
            if writer.write_all(chunk.as_bytes()).await.is_err() {
                return;
            }
        }
        panic!("4 GiB were taken");
    };
    let mut said = vec![0; 12];
    let refused = async {
        reader.read_exact(&mut said).await.unwrap();
        let mut rest = Vec::new();
        let _ = reader.read_to_end(&mut rest).await;
    };
    tokio::time::timeout(PATIENCE, async { tokio::join!(endless, refused) })
        .await
        .unwrap();
    assert_eq!(&said, b"HTTP/1.1 413");
    assert_eq!(upstream.stats().requests, 0);
}

#[tokio::test]
async fn chunks_that_are_all_extension_and_trailers_without_end_are_cut_off() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let before = memory(&proxy);
    let head =
        "POST /v1/chat/completions HTTP/1.1\r\nHost: chat\r\nTransfer-Encoding: chunked\r\n\r\n";
    let extension = format!("1;{}\r\nx\r\n", "y".repeat(1 << 20));
    let trailers = format!(
        "1\r\nx\r\n0\r\n{}",
        "X-Trailer: 0123456789\r\n".repeat(100_000)
    );
    for flood in [extension, trailers] {
        let mut stream = TcpStream::connect(proxy.address).await.unwrap();
        let _ = stream.write_all(head.as_bytes()).await;
        for _ in 0..16 {
            if stream.write_all(flood.as_bytes()).await.is_err() {
                break;
            }
        }
        let said = to_its_end(&mut stream).await;
        // A connection that is cut while it still sends may lose what was said last.
        assert!(said.is_empty() || statuses(&said) == [400], "{said}");
    }
    let grown = memory(&proxy).saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes");
    assert_eq!(upstream.stats().requests, 0);
    assert_eq!(proxy.chat("echo").await.status, 200);
}

#[tokio::test]
async fn a_name_of_a_megabyte_is_not_repeated_in_the_refusal_nor_in_the_log() {
    let upstream = simulator().await;
    let manifest = simple(&upstream) + &object("ModelMap", "{name: names}", "unmatched: Reject");
    let manifest = manifest.replace("backends:\n", "modelMapRef: {name: names}\n  backends:\n");
    let proxy = Proxy::start(&manifest).await;
    let reply = proxy.chat(&"m".repeat(1 << 20)).await;
    assert_eq!(reply.status, 404, "{}", &reply.text()[..200]);
    assert!(reply.body.len() < 4096, "{}", reply.body.len());
    assert!(proxy.log().len() < 64 << 10);
    // As many messages as fit, and a text as long as fits.
    let body = serde_json::json!({"model": "x", "messages": vec![serde_json::json!({}); 500_000]});
    let request = proxy
        .request(Method::POST, "/v1/chat/completions")
        .json(&body);
    assert_eq!(answer(request).await.status, 404);
    let request = proxy.request(Method::POST, "/v1/chat/completions");
    let request = request.json(&chat("x", &"\u{1F600}".repeat(4 << 20)));
    assert_eq!(answer(request).await.status, 404);
}
