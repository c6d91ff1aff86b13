//! Where replies end, whatever pieces they come in.

use std::{
    rc::Rc,
    task::{Context, Poll, Waker},
};

use tokio::io::AsyncWriteExt as _;

use super::server::{cluster, post, request, run};
use crate::upstream::{
    Fault,
    h1::{
        exchange::Exchange,
        pool::{Connection, Pool},
    },
    io::Io,
};

/// A reply as text: its status, its headers, its body, and whether its connection was kept.
type Seen = (u16, String, String, bool);

/// Feeds `pieces` to a client one by one, each read before the next is written, and then closes the connection if `close`.
async fn read(pieces: &[&[u8]], close: bool) -> Result<Seen, Fault> {
    let (ours, mut theirs) = tokio::io::duplex(1 << 20);
    let pool = Rc::new(Pool::default());
    let mut cx = Context::from_waker(Waker::noop());
    let connection = Connection {
        io: Io::Memory(ours),
        reused: false,
    };
    let mut exchange = Exchange::start(connection, &mut post("hi"), "llm", &mut cx)?;
    let (mut head, mut reply, mut text) = (None, None, Vec::new());
    let mut rest = pieces.iter();
    loop {
        if reply.is_none() {
            match exchange.poll(&pool, &mut cx) {
                Poll::Ready(Ok((found, body))) => (head, reply) = (Some(found), Some(body)),
                Poll::Ready(Err(fault)) => return Err(fault),
                Poll::Pending => {}
            }
        }
        if let Some(body) = &mut reply {
            while let Poll::Ready(chunk) = body.poll_chunk(&mut cx) {
                let Some(chunk) = chunk.transpose()? else {
                    let head = head.unwrap();
                    let text = String::from_utf8_lossy(&text).into_owned();
                    let headers = format!("{:?}", head.headers);
                    return Ok((head.status.as_u16(), headers, text, pool.len() == 1));
                };
                assert!(!chunk.is_empty());
                text.extend_from_slice(&chunk);
            }
        }
        // A task that never yields is told that nothing is there.
        tokio::task::yield_now().await;
        match rest.next() {
            Some(piece) => theirs.write_all(piece).await.unwrap(),
            None if close => theirs.shutdown().await.unwrap(),
            None => panic!("the reply has no end"),
        }
    }
}

/// Reads `reply` split at each byte, at each pair of nearby bytes, and byte by byte: always the same.
fn split_everywhere(reply: &str, close: bool) -> Seen {
    run(async {
        let bytes = reply.as_bytes();
        let whole = read(&[bytes], close).await.unwrap();
        for first in 1..bytes.len() {
            let (a, b) = bytes.split_at(first);
            assert_eq!(
                read(&[a, b], close).await.unwrap(),
                whole,
                "split at {first}"
            );
            for second in 1..b.len().min(24) {
                let (b, c) = b.split_at(second);
                let split = read(&[a, b, c], close).await.unwrap();
                assert_eq!(split, whole, "split at {first} and {second} further");
            }
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single, close).await.unwrap(), whole, "byte by byte");
        whole
    })
}

#[test]
fn a_reply_with_a_length_is_the_same_wherever_it_is_split() {
    let (status, headers, body, kept) = split_everywhere(
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 12\r\n\r\nhello\r\n\r\nyou",
        false,
    );
    assert_eq!(
        (status, body.as_str(), kept),
        (429, "hello\r\n\r\nyou", true)
    );
    assert_eq!(headers, r#"{"retry-after": "7", "content-length": "12"}"#);
}

#[test]
fn a_chunked_reply_is_the_same_wherever_it_is_split() {
    let (_, headers, body, kept) = split_everywhere(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;x=\"y\"\r\nhello\r\n1\r\n,\r\n0B\r\n world\r\n0\r\n\r\n0\r\nx-t: 1\r\n\r\n",
        false,
    );
    assert_eq!((body.as_str(), kept), ("hello, world\r\n0\r\n", true));
    assert_eq!(headers, "{}");
}

#[test]
fn a_reply_that_ends_with_its_connection_is_the_same_wherever_it_is_split() {
    let (_, _, body, kept) =
        split_everywhere("HTTP/1.1 200 OK\r\nserver: a\r\n\r\ndata: 1\n\n", true);
    assert_eq!((body.as_str(), kept), ("data: 1\n\n", false));
}

#[test]
fn interim_replies_are_read_past_wherever_they_are_split() {
    let (status, headers, body, kept) = split_everywhere(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        false,
    );
    assert_eq!((status, body.as_str(), kept), (200, "ok", true));
    assert_eq!(headers, r#"{"content-length": "2"}"#);
}

#[test]
fn replies_without_a_body_end_with_their_head() {
    for head in [
        "204 No Content",
        "304 Not Modified\r\ncontent-length: 9",
        "200 OK\r\ncontent-length: 0",
    ] {
        let (_, _, body, kept) = split_everywhere(&format!("HTTP/1.1 {head}\r\n\r\n"), false);
        assert_eq!((body.as_str(), kept), ("", true), "{head}");
    }
}

#[test]
fn a_reply_of_many_chunks_in_one_read_is_one_piece() {
    run(async {
        let (cluster, _) = cluster(|_, mut stream| async move {
            request(&mut stream).await;
            let events: String = (0..100).map(|_| "8\r\ndata: x\n\r\n").collect();
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            stream
                .write_all(format!("{head}{events}").as_bytes())
                .await
                .unwrap();
            std::future::pending::<()>().await;
        });
        let mut reply = cluster.send(post("hi"), None).await.unwrap();
        assert_eq!(reply.body.chunk().await.unwrap().unwrap().len(), 800);
    });
}

#[test]
fn ambiguous_replies_are_refused() {
    for reply in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\x16\x03\x01\n",
    ] {
        let fault = run(read(&[reply.as_bytes()], true)).unwrap_err();
        assert!(
            matches!(
                fault,
                Fault::Protocol {
                    replying: false,
                    ..
                }
            ),
            "{reply:?}: {fault}"
        );
        assert!(!fault.retryable());
    }
}

#[test]
fn a_broken_chunk_within_a_reply_is_a_fault_of_the_upstream() {
    let reply = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let fault = run(read(&[reply, b"5\r\nhello\r\n", b"zz\r\n"], false)).unwrap_err();
    assert!(
        matches!(fault, Fault::Protocol { replying: true, .. }),
        "{fault}"
    );
}

#[test]
fn a_cut_reply_is_never_taken_for_a_whole_one() {
    run(async {
        for whole in [
            "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nhello, world",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ] {
            let bytes = whole.as_bytes();
            for end in 0..bytes.len() {
                let fault = read(&[&bytes[..end]], true).await.unwrap_err();
                let began = end > whole.find("\r\n\r\n").unwrap() + 3;
                assert_eq!(fault.reply_began(), began, "cut at {end}: {fault}");
                let expected = if began { "truncated" } else { "closed" };
                assert_eq!(fault.kind(), expected, "cut at {end}");
            }
        }
    });
}

#[test]
fn an_endless_head_is_refused() {
    for line in ["a: b\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "x"] {
        let start = if line.starts_with('H') {
            ""
        } else {
            "HTTP/1.1 200 OK\r\n"
        };
        let start = if line == "x" {
            "HTTP/1.1 200 OK\r\na: "
        } else {
            start
        };
        let endless = start.to_owned() + &line.repeat(80_000 / line.len());
        let pieces: Vec<&[u8]> = endless.as_bytes().chunks(1000).collect();
        let fault = run(read(&pieces, true)).unwrap_err();
        assert!(matches!(fault, Fault::Protocol { .. }), "{line:?}: {fault}");
    }
}

/// What servers send, and some of what they should not.
const FRAGMENTS: [&str; 16] = [
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.0 404 Not Found\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "content-length: 5\r\n",
    "content-length: 0\r\n",
    "transfer-encoding: chunked\r\n",
    "connection: close\r\n",
    "connection: keep-alive\r\n",
    "a: b\r\n",
    "\r\n",
    "hello",
    "5\r\nhello\r\n",
    "0\r\n\r\n",
    "0\r\nt: u\r\n\r\n",
    "\n",
    "\0",
];

proptest::proptest! {
    #[test]
    fn whatever_comes_is_judged_the_same_in_one_piece_or_byte_by_byte(
        picks in proptest::collection::vec(0..FRAGMENTS.len(), 0..10),
    ) {
        let text: String = std::iter::once(FRAGMENTS[0])
            .chain(picks.into_iter().map(|pick| FRAGMENTS[pick]))
            .collect();
        let single: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        let (whole, split) =
            run(async { (read(&[text.as_bytes()], true).await, read(&single, true).await) });
        match (whole, split) {
            (Ok(mut whole), Ok(split)) => {
                // What follows the end is seen only if it comes with the end.
                whole.3 = split.3;
                proptest::prop_assert_eq!(whole, split);
            }
            (Err(whole), Err(split)) => proptest::prop_assert_eq!(whole.kind(), split.kind()),
            other => proptest::prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        let mut reply = b"HTTP/1.1 200 OK\r\n".to_vec();
        reply.extend_from_slice(&bytes);
        let _ = run(read(&[&bytes], true));
        let _ = run(read(&[&reply], true));
    }
}
