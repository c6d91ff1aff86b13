//! Clients that take their time on purpose.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use dragoman_simulator::Simulator;
use dragoman_system::eventually_within;

use super::super::manifests::{backend, object, received, route, simple, simulator};
use super::super::proxy::{Proxy, answer, streamed};
use super::super::raw::statuses;

/// Longer than a head or a silence may last (75 and 60 seconds).
const PATIENCE: Duration = Duration::from_secs(100);

/// Everything that comes until the proxy closes, while a byte is sent now and then.
async fn dribble(mut stream: TcpStream, byte: &'static [u8]) -> String {
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
        unread.push(asked(&proxy, "huge-8MiB").await);
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

/// A connection on which a stream was asked for.
async fn asked(proxy: &Proxy, model: &str) -> TcpStream {
    let mut stream = TcpStream::connect(proxy.address).await.unwrap();
    ask(&mut stream, model).await;
    stream
}

/// Asks for a stream.
async fn ask(stream: &mut TcpStream, model: &str) {
    let body = streamed(model, "x").to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: chat\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
}

/// A route that answers so many requests at once, with further lines of its backend's spec.
fn at_once(upstream: &Simulator, most: usize, more: &str) -> String {
    backend(
        "main",
        &upstream.url(),
        &format!("maxConcurrency: {most}\n{more}"),
    ) + &object(
        "AccessPolicy",
        "{name: gold}",
        &format!("limits: [{{per: Route, concurrency: {most}}}]"),
    ) + &route("accessPolicyRefs: [{name: gold}]")
}

/// A client of HTTP/2 that takes 64 KiB of a stream that is not read, and any number of streams.
fn http2() -> reqwest::Client {
    let builder = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge();
    let builder = builder.http2_initial_stream_window_size(65_535);
    builder
        .http2_initial_connection_window_size(1 << 24)
        .build()
        .unwrap()
}

/// A stream of a model's, asked for over HTTP/2.
fn stream(
    client: &reqwest::Client,
    proxy: &Proxy,
    model: &str,
    text: &str,
) -> reqwest::RequestBuilder {
    let url = format!(
        "http://{}/routes/default/chat/v1/chat/completions",
        proxy.address
    );
    let request = client.post(url);
    request.json(&streamed(model, text))
}

/// Waits until so many requests have reached the upstream.
async fn begun(upstream: &Simulator, requests: usize) {
    eventually_within(PATIENCE, "they have begun", || async {
        match upstream.requests().len() {
            now if now == requests => Ok(()),
            now => Err(now),
        }
    })
    .await;
}

/// Waits until so many requests are answered at once.
async fn await_places(proxy: &Proxy, places: usize) {
    eventually_within(PATIENCE, "their places are free", || async {
        let all = (0..places).map(|_| proxy.chat("first-byte-300ms+echo"));
        let all = futures::future::join_all(all).await;
        let refused = all.iter().find(|answer| answer.status != 200);
        refused.map_or(Ok(()), |answer| Err(answer.text()))
    })
    .await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_streams_gives_their_places_back() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&at_once(&upstream, 6, "")).await;
    let client = http2();
    // One of the same connection is read as it comes, for longer than the others are waited for.
    let words = "word ".repeat(45);
    let read = stream(&client, &proxy, "echo+token-2s", &words);
    let read = tokio::spawn(answer(read));
    begun(&upstream, 1).await;
    let mut unread = Vec::new();
    for _ in 0..3 {
        let reply = stream(&client, &proxy, "huge-1MiB", "x").send().await;
        unread.push(reply.unwrap().error_for_status().unwrap());
    }
    let sockets = [
        asked(&proxy, "huge-8MiB").await,
        asked(&proxy, "huge-8MiB").await,
    ];
    begun(&upstream, 6).await;
    let full = proxy.chat("echo").await;
    assert_eq!(full.status, 429, "{}", full.text());
    await_places(&proxy, 5).await;
    let read = read.await.unwrap();
    assert!(read.is_done(), "{}", read.text());
    assert_eq!(read.content().trim(), words.trim());
    drop((unread, sockets));
}

#[tokio::test]
async fn a_client_that_takes_little_at_a_time_is_bounded_by_the_request_timeout() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&at_once(&upstream, 1, SHORT)).await;
    let little = stream(&http2(), &proxy, "huge-4MiB", "x").send().await;
    let mut little = little.unwrap().error_for_status().unwrap();
    let took = async || matches!(little.chunk().await, Ok(Some(_)));
    keeps_its_place_no_longer(&proxy, took).await;
}

#[tokio::test]
async fn a_client_of_http_1_that_takes_little_at_a_time_is_bounded_likewise() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&at_once(&upstream, 1, SHORT)).await;
    // What the system keeps for a client that does not read stays small, other than by default.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(1 << 16).unwrap();
    let mut little = socket.connect(proxy.address).await.unwrap();
    ask(&mut little, "huge-16MiB").await;
    let mut piece = vec![0; 1 << 14];
    let mut took = async || matches!(little.read(&mut piece).await, Ok(1..));
    assert!(took().await, "its reply has begun");
    keeps_its_place_no_longer(&proxy, took).await;
    let mut rest = Vec::new();
    let _ = little.read_to_end(&mut rest).await;
    let rest = String::from_utf8_lossy(&rest);
    assert!(rest.contains("upstream_timeout") && !rest.contains("[DONE]"));
}

/// The bound of a reply that is delivered little by little.
const SHORT: &str = "timeouts: {request: 20s}\n";

/// Takes a piece of a reply now and then, until the only place of those that are answered at once is free.
async fn keeps_its_place_no_longer(proxy: &Proxy, mut took: impl AsyncFnMut() -> bool) {
    assert_eq!(proxy.chat("echo").await.status, 429);
    // So it would take minutes, and never be silent. What has come by its end is read on, at the same pace.
    let trickles = async {
        while took().await {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        std::future::pending().await
    };
    tokio::select! {
        () = trickles => {}
        () = await_places(proxy, 1) => {}
    }
}
