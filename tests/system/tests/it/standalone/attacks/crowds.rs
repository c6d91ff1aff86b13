//! Very many at once.

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::manifests::{simple, simulator};
use super::super::proxy::Proxy;
use super::memory;

/// How many idle connections are tried.
const CROWD: usize = 10_000;

/// Lets this process, and those that it starts, have as many descriptors as they may: the usual thousand is no crowd.
fn make_room() {
    let now = getrlimit(Resource::Nofile);
    let most = now.maximum;
    let fits = |limit: Option<u64>| limit.is_none_or(|limit| limit >= CROWD as u64 + 2000);
    assert!(
        fits(most),
        "{most:?} descriptors are too few: raise `ulimit -Hn`"
    );
    if !fits(now.current) {
        let raised = Rlimit {
            current: most,
            maximum: most,
        };
        setrlimit(Resource::Nofile, raised).unwrap();
    }
}

#[tokio::test]
async fn ten_thousand_idle_connections_cost_little_and_keep_nobody_waiting() {
    make_room();
    let upstream = simulator().await;
    let mut proxy = Proxy::start(&simple(&upstream)).await;
    assert_eq!(proxy.chat("echo").await.status, 200);
    let before = memory(&proxy);
    let many = CROWD;
    let mut idle = Vec::with_capacity(many);
    for number in 0..many {
        let mut stream = TcpStream::connect(proxy.address).await.unwrap();
        // One in ten was served before, and stays.
        if number % 10 == 0 {
            let request = b"GET /unknown HTTP/1.1\r\nHost: unknown\r\n\r\n";
            stream.write_all(request).await.unwrap();
            let mut start = [0; 12];
            stream.read_exact(&mut start).await.unwrap();
            assert_eq!(&start, b"HTTP/1.1 404");
        }
        idle.push(stream);
    }
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(proxy.chat("echo").await.status, 200);
    }
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    let each = memory(&proxy).saturating_sub(before) / many;
    assert!(each < 16 << 10, "{each} bytes for each of {many}");
    // They do not hold its end up either.
    proxy.signal("TERM");
    assert_eq!(proxy.ended().await.code(), Some(0));
}

#[tokio::test]
async fn streams_of_http_2_that_are_begun_only_to_be_cancelled_end_their_connection_alone() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let before = memory(&proxy);
    let mut stream = TcpStream::connect(proxy.address).await.unwrap();
    let mut flood = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for number in 0..100_000_u32 {
        let id = (number * 2 + 1).to_be_bytes();
        // GET http://chat/ in HPACK, then RST_STREAM with CANCEL.
        flood.extend_from_slice(&[0, 0, 9, 1, 5]);
        flood.extend_from_slice(&id);
        flood.extend_from_slice(b"\x82\x86\x84\x41\x04chat");
        flood.extend_from_slice(&[0, 0, 4, 3, 0]);
        flood.extend_from_slice(&id);
        flood.extend_from_slice(&[0, 0, 0, 8]);
    }
    let (mut reader, mut writer) = stream.split();
    let send = async {
        let _ = writer.write_all(&flood).await;
    };
    let mut said = Vec::new();
    let read = async {
        let _ = reader.read_to_end(&mut said).await;
    };
    let both = async { tokio::join!(send, read) };
    tokio::time::timeout(Duration::from_secs(30), both)
        .await
        .unwrap();
    assert_eq!(proxy.chat("echo").await.status, 200);
    let grown = memory(&proxy).saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes");
}
