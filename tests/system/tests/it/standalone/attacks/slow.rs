//! Clients that take their time on purpose.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::super::manifests::{received, simple, simulator};
use super::super::proxy::{Proxy, streamed};
use super::super::raw::statuses;

/// Longer than a head or a silence may last (75 and 60 seconds).
const PATIENCE: Duration = Duration::from_secs(100);

/// Everything that comes until the proxy closes, while a byte is sent now and then.
async fn dribble(mut stream: TcpStream, byte: &'static [u8]) -> String {
    use tokio::io::AsyncReadExt;
    let mut said = Vec::new();
    let ends = async {
        let mut piece = [0; 1024];
        loop {
            tokio::select! {
                read = stream.read(&mut piece) => match read {
                    Ok(0) | Err(_) => return,
                    Ok(length) => said.extend_from_slice(&piece[..length]),
                },
                () = tokio::time::sleep(Duration::from_secs(3)), if !byte.is_empty() => {
                    // What is refused is told by reading.
                    let _ = stream.write_all(byte).await;
                }
            }
        }
    };
    let ended = tokio::time::timeout(PATIENCE, ends).await;
    assert!(ended.is_ok(), "it stays open after {PATIENCE:?}");
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn a_head_or_body_that_does_not_come_ends_and_keeps_nobody_waiting() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let begin = async |bytes: &str| {
        let mut stream = TcpStream::connect(proxy.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream
    };
    let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: chat\r\nContent-Length: 100\r\n\r\n{\"model\":";
    let mut slow = Vec::new();
    for _ in 0..50 {
        slow.push(dribble(
            begin("GET /v1/models HTTP/1.1\r\nX-Slow: ").await,
            b"x",
        ));
        slow.push(dribble(begin("").await, b""));
        slow.push(dribble(begin(head).await, b""));
        slow.push(dribble(
            begin("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await,
            b"",
        ));
    }
    let began = Instant::now();
    let others = async {
        for _ in 0..20 {
            assert_eq!(proxy.chat("echo").await.status, 200);
        }
        began.elapsed()
    };
    let (said, took) = tokio::join!(futures::future::join_all(slow), others);
    assert!(
        took < Duration::from_secs(20),
        "twenty calls took {took:?} beside them"
    );
    for (at, said) in said.iter().enumerate() {
        match at % 4 {
            2 => assert_eq!(statuses(said), [408], "a body: {said}"),
            _ => assert!(statuses(said).iter().all(|status| *status == 408), "{said}"),
        }
    }
    assert_eq!(upstream.stats().requests, 20);
}

#[tokio::test]
async fn a_client_that_reads_nothing_of_its_stream_holds_no_more_than_its_own_connection() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    assert_eq!(proxy.chat("echo").await.status, 200);
    let before = super::memory(&proxy);
    let mut unread = Vec::new();
    for _ in 0..10 {
        let body = streamed("huge-8MiB", "x").to_string();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: chat\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(proxy.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        unread.push(stream);
    }
    received(&upstream, |all| all.len() == 11).await;
    for _ in 0..20 {
        assert_eq!(proxy.chat("echo").await.status, 200);
    }
    let grown = super::memory(&proxy).saturating_sub(before);
    assert!(
        grown < 32 << 20,
        "{grown} bytes for 80 MiB that nobody reads"
    );
}
