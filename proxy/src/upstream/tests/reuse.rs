//! Which connection a request takes, and what becomes of it.

use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use http_body_util::StreamBody;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::server::{HELLO, answer, cluster, post, request, run};
use crate::upstream::{BoxError, Cluster, Fault, Reply, RequestBody};

async fn hello(cluster: &Cluster) {
    let reply = cluster.send(post("hi"), None).await.unwrap();
    assert_eq!(reply.body.collect(100).await.unwrap().unwrap(), "hello");
}

#[test]
fn a_connection_serves_one_request_after_another() {
    run(async {
        let (cluster, network) = cluster(|_, stream| answer(stream, HELLO));
        for _ in 0..5 {
            hello(&cluster).await;
        }
        assert_eq!(network.dials(), 1);
    });
}

#[test]
fn a_request_is_sent_as_it_was_given() {
    run(async {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&seen);
        let (cluster, _) = cluster(move |_, mut stream| {
            let log = Rc::clone(&log);
            async move {
                while let Some(request) = request(&mut stream).await {
                    log.borrow_mut().push(request);
                    stream.write_all(HELLO.as_bytes()).await.unwrap();
                }
            }
        });
        let mut request = post("");
        request
            .headers
            .insert("authorization", "Bearer k".parse().unwrap());
        let parts = ["{\"model\":", "", "\"a\"", "}"].map(Bytes::from).to_vec();
        request.body = RequestBody::Segments(parts.into());
        cluster.send(request, None).await.unwrap();
        assert_eq!(
            *seen.borrow(),
            [
                "POST /v1/chat HTTP/1.1\r\nhost: llm\r\nauthorization: Bearer k\r\ncontent-length: 13\r\n\r\n{\"model\":\"a\"}"
            ]
        );
    });
}

#[test]
fn a_connection_that_closed_while_it_waited_is_replaced_unnoticed() {
    run(async {
        let (cluster, network) = cluster(|_, mut stream| async move {
            request(&mut stream).await;
            stream.write_all(HELLO.as_bytes()).await.unwrap();
        });
        for _ in 0..3 {
            hello(&cluster).await;
        }
        assert_eq!(network.dials(), 3);
    });
}

#[test]
fn a_connection_that_closes_upon_the_next_request_is_replaced_once() {
    run(async {
        let (cluster, network) = cluster(|number, mut stream| async move {
            request(&mut stream).await;
            if number == 0 {
                stream.write_all(HELLO.as_bytes()).await.unwrap();
                // The race that no check can win: it closes only when the second request is there.
                request(&mut stream).await;
            } else if number == 1 {
                stream.write_all(HELLO.as_bytes()).await.unwrap();
                answer(stream, HELLO).await;
            }
        });
        hello(&cluster).await;
        hello(&cluster).await;
        assert_eq!(network.dials(), 2);
    });
}

#[test]
fn a_fresh_connection_that_closes_is_a_fault_and_not_tried_again() {
    run(async {
        let (cluster, network) = cluster(|_, mut stream| async move {
            request(&mut stream).await;
        });
        let fault = cluster.send(post("hi"), None).await.unwrap_err();
        assert!(
            matches!(fault, Fault::Closed(_)) && fault.retryable(),
            "{fault}"
        );
        assert_eq!(network.dials(), 1);
    });
}

#[test]
fn a_reply_that_began_is_never_asked_for_again() {
    run(async {
        let (cluster, network) = cluster(|_, mut stream| async move {
            request(&mut stream).await;
            stream.write_all(HELLO.as_bytes()).await.unwrap();
            request(&mut stream).await;
            stream.write_all(b"HTTP/1.1 20").await.unwrap();
        });
        hello(&cluster).await;
        let fault = cluster.send(post("hi"), None).await.unwrap_err();
        assert!(matches!(fault, Fault::Closed(_)), "{fault}");
        assert_eq!(network.dials(), 1);
    });
}

#[test]
fn a_body_that_is_dropped_early_closes_the_connection_at_once() {
    run(async {
        let (told, gone) = tokio::sync::oneshot::channel();
        let told = RefCell::new(Some(told));
        let (cluster, network) = cluster(move |number, mut stream| {
            let told = told.borrow_mut().take();
            async move {
                request(&mut stream).await;
                if number > 0 {
                    stream.write_all(HELLO.as_bytes()).await.unwrap();
                    return;
                }
                let endless = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n";
                stream.write_all(endless).await.unwrap();
                assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
                told.unwrap().send(()).unwrap();
            }
        });
        let mut reply = cluster.send(post("hi"), None).await.unwrap();
        assert_eq!(reply.body.chunk().await.unwrap().unwrap(), "a");
        drop(reply);
        gone.await.unwrap();
        hello(&cluster).await;
        assert_eq!(network.dials(), 2);
    });
}

#[test]
fn a_request_that_is_dropped_while_it_waits_closes_the_connection() {
    run(async {
        let (told, gone) = tokio::sync::oneshot::channel();
        let told = RefCell::new(Some(told));
        let (cluster, _) = cluster(move |_, mut stream| {
            let told = told.borrow_mut().take();
            async move {
                request(&mut stream).await;
                assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
                told.unwrap().send(()).unwrap();
            }
        });
        let sent = cluster.send(post("hi"), None);
        let left = tokio::time::timeout(std::time::Duration::from_secs(1), sent).await;
        assert!(left.is_err());
        gone.await.unwrap();
    });
}

#[test]
fn bytes_after_a_reply_end_the_trust_in_its_connection() {
    run(async {
        let reply = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n";
        let (cluster, network) = cluster(move |_, stream| answer(stream, reply));
        hello(&cluster).await;
        hello(&cluster).await;
        assert_eq!(network.dials(), 2);
    });
}

#[test]
fn connections_that_wait_too_long_are_closed() {
    run(async {
        let (told, gone) = tokio::sync::oneshot::channel();
        let told = RefCell::new(Some(told));
        let (cluster, _) = cluster(move |_, stream| {
            let told = told.borrow_mut().take();
            async move {
                answer(stream, HELLO).await;
                told.unwrap().send(tokio::time::Instant::now()).unwrap();
            }
        });
        hello(&cluster).await;
        let start = tokio::time::Instant::now();
        let waited = gone.await.unwrap() - start;
        assert!((60..70).contains(&waited.as_secs()), "{waited:?}");
    });
}

fn stream(
    pieces: Vec<Result<&'static str, BoxError>>,
) -> std::pin::Pin<Box<impl http_body::Body<Data = Bytes, Error = BoxError>>> {
    let frames = pieces.into_iter().map(|piece| {
        piece.map(|piece| http_body::Frame::data(Bytes::from_static(piece.as_bytes())))
    });
    Box::pin(StreamBody::new(futures::stream::iter(frames)))
}

#[test]
fn a_body_of_unknown_length_is_sent_chunked_over_a_connection_of_its_own() {
    run(async {
        let seen = Rc::new(RefCell::new(String::new()));
        let log = Rc::clone(&seen);
        let (cluster, network) = cluster(move |number, mut stream| {
            let log = Rc::clone(&log);
            async move {
                if number == 0 {
                    return answer(stream, HELLO).await;
                }
                let mut byte = [0];
                while !log.borrow().ends_with("\r\n0\r\n\r\n") {
                    assert_eq!(stream.read(&mut byte).await.unwrap(), 1);
                    log.borrow_mut().push(char::from(byte[0]));
                }
                stream.write_all(HELLO.as_bytes()).await.unwrap();
                answer(stream, HELLO).await;
            }
        });
        hello(&cluster).await;
        let mut request = post("");
        request.body = RequestBody::Stream(stream(vec![Ok("one "), Ok(""), Ok("and another one")]));
        cluster.send(request, None).await.unwrap();
        let seen = seen.borrow();
        let (head, body) = seen.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with("transfer-encoding: chunked"), "{head}");
        assert_eq!(body, "4\r\none \r\nf\r\nand another one\r\n0\r\n\r\n");
        assert_eq!(network.dials(), 2);
    });
}

#[test]
fn a_body_that_breaks_off_is_the_clients_fault() {
    run(async {
        let (cluster, _) = cluster(|_, stream| answer(stream, HELLO));
        let mut request = post("");
        request.body = RequestBody::Stream(stream(vec![Ok("a"), Err("gone".into())]));
        let fault = cluster.send(request, None).await.unwrap_err();
        assert_eq!(fault.blame(), crate::upstream::Blame::Client, "{fault}");
    });
}

#[test]
fn an_early_reply_is_read_while_the_body_is_still_being_sent() {
    run(async {
        let (cluster, network) = cluster(|number, mut stream| async move {
            if number == 0 {
                let refusal = b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig";
                stream.write_all(refusal).await.unwrap();
                std::future::pending::<()>().await;
            }
            answer(stream, HELLO).await;
        });
        let reply = cluster.send(post(vec![b'x'; 1 << 20]), None).await.unwrap();
        assert_eq!(reply.status, 413);
        assert_eq!(reply.body.collect(10).await.unwrap().unwrap(), "big");
        hello(&cluster).await;
        assert_eq!(network.dials(), 2);
    });
}

#[test]
fn a_refusal_is_read_even_if_the_connection_broke_under_the_body() {
    run(async {
        let (cluster, _) = cluster(|_, mut stream| async move {
            let refusal = b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig";
            stream.write_all(refusal).await.unwrap();
        });
        let reply = cluster.send(post(vec![b'x'; 1 << 20]), None).await.unwrap();
        assert_eq!(reply.status, 413);
    });
}

#[test]
fn what_a_waiting_request_keeps_in_memory_stays_small() {
    run(async {
        let (cluster, _) = cluster(|_, stream| answer(stream, HELLO));
        let mut request = post("hi");
        let waiting = cluster.send_following(&mut request, &[], None);
        assert!(size_of_val(&waiting) < 2048, "{}", size_of_val(&waiting));
        assert!(size_of::<Reply>() < 512, "{}", size_of::<Reply>());
    });
}

#[test]
fn a_server_that_was_tired_of_waiting_is_asked_again() {
    run(async {
        let (cluster, network) = cluster(|number, mut stream| async move {
            request(&mut stream).await;
            stream.write_all(HELLO.as_bytes()).await.unwrap();
            request(&mut stream).await;
            if number == 0 {
                let tired = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(tired).await.unwrap();
            }
        });
        hello(&cluster).await;
        hello(&cluster).await;
        assert_eq!(network.dials(), 2);
    });
}
