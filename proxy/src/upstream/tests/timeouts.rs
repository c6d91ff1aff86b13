//! Bounds on time, with a clock that stands still until all wait.

use std::time::Duration;

use tokio::{io::AsyncWriteExt as _, time::Instant};

use super::server::{HELLO, Network, answer, cluster, finds, post, request, run, settings};
use crate::upstream::{Cluster, Fault, Phase, Timeouts};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

fn timed_out(fault: &Fault) -> (Phase, u64) {
    match fault {
        Fault::Timeout { phase, after, .. } => (*phase, after.as_secs()),
        other => panic!("{other}"),
    }
}

#[test]
fn an_address_that_never_answers_is_given_up_after_the_connect_timeout() {
    run(async {
        let network = Network::default();
        network
            .silent
            .borrow_mut()
            .push("10.0.0.1".parse().unwrap());
        let dialer = network.dialer(|_, stream| answer(stream, HELLO));
        let cluster = Cluster::with_dialer(settings(), finds(&["10.0.0.1"]), dialer);
        let start = Instant::now();
        let fault = cluster.send(post("hi"), None).await.unwrap_err();
        assert_eq!(timed_out(&fault), (Phase::Connect, 5));
        assert!(fault.retryable() && fault.before_sending());
        assert_eq!(start.elapsed().as_secs(), 5);
    });
}

#[test]
fn a_reply_that_does_not_begin_is_given_up_after_the_first_byte_timeout() {
    run(async {
        let (cluster, _) = cluster(|_, mut stream| async move {
            request(&mut stream).await;
            std::future::pending::<()>().await;
        });
        let start = Instant::now();
        let fault = cluster.send(post("hi"), None).await.unwrap_err();
        assert_eq!(timed_out(&fault), (Phase::FirstByte, 300));
        assert!(fault.retryable() && !fault.reply_began());
        assert_eq!(start.elapsed().as_secs(), 300);
    });
}

#[test]
fn a_reply_that_falls_silent_is_given_up_after_the_idle_timeout() {
    run(async {
        let (cluster, _) = cluster(|_, mut stream| async move {
            request(&mut stream).await;
            stream.write_all(HEAD).await.unwrap();
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_secs(100)).await;
                stream.write_all(b"1\r\na\r\n").await.unwrap();
            }
            std::future::pending::<()>().await;
        });
        let start = Instant::now();
        let mut reply = cluster.send(post("hi"), None).await.unwrap();
        for _ in 0..3 {
            assert_eq!(reply.body.chunk().await.unwrap().unwrap(), "a");
        }
        let fault = reply.body.chunk().await.unwrap().unwrap_err();
        assert_eq!(timed_out(&fault), (Phase::Idle, 120));
        assert!(fault.reply_began() && !fault.retryable());
        assert_eq!(start.elapsed().as_secs(), 420);
        assert!(reply.body.chunk().await.is_none());
    });
}

#[test]
fn a_reader_that_takes_its_time_is_not_the_upstreams_silence() {
    run(async {
        let (cluster, _) = cluster(|_, mut stream| async move {
            request(&mut stream).await;
            stream.write_all(HEAD).await.unwrap();
            tokio::time::sleep(Duration::from_secs(301)).await;
            stream.write_all(b"1\r\na\r\n0\r\n\r\n").await.unwrap();
        });
        let mut reply = cluster.send(post("hi"), None).await.unwrap();
        tokio::time::sleep(Duration::from_secs(200)).await;
        assert_eq!(reply.body.chunk().await.unwrap().unwrap(), "a");
    });
}

#[test]
fn the_whole_request_is_bounded_however_lively_it_is() {
    run(async {
        let (cluster, _) = cluster(|_, mut stream| async move {
            request(&mut stream).await;
            stream.write_all(HEAD).await.unwrap();
            while stream.write_all(b"1\r\na\r\n").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let start = Instant::now();
        let mut reply = cluster.send(post("hi"), None).await.unwrap();
        let fault = loop {
            if let Err(fault) = reply.body.chunk().await.unwrap() {
                break fault;
            }
        };
        assert_eq!(timed_out(&fault), (Phase::Request, 600));
        assert_eq!(start.elapsed().as_secs(), 600);
    });
}

#[test]
fn a_reader_that_always_finds_something_is_bounded_too() {
    run(async {
        let (cluster, _) = cluster(|_, mut stream| async move {
            request(&mut stream).await;
            stream.write_all(HEAD).await.unwrap();
            while stream.write_all(b"1\r\na\r\n").await.is_ok() {}
        });
        let start = Instant::now();
        let mut reply = cluster.send(post("hi"), None).await.unwrap();
        let fault = loop {
            if let Err(fault) = reply.body.chunk().await.unwrap() {
                break fault;
            }
            tokio::time::sleep(Duration::from_secs(50)).await;
            assert!(start.elapsed() < Duration::from_secs(900), "it goes on");
        };
        assert_eq!(timed_out(&fault), (Phase::Request, 600));
        assert_eq!(start.elapsed().as_secs(), 600);
        assert!(reply.body.chunk().await.is_none());
    });
}

#[test]
fn an_earlier_end_of_the_caller_wins() {
    run(async {
        let (cluster, _) = cluster(|_, mut stream| async move {
            request(&mut stream).await;
            std::future::pending::<()>().await;
        });
        let start = Instant::now();
        let end = Some(start + Duration::from_secs(7));
        let fault = cluster.send(post("hi"), end).await.unwrap_err();
        assert_eq!(timed_out(&fault), (Phase::Request, 7));
        assert_eq!(start.elapsed().as_secs(), 7);
    });
}

#[test]
fn a_slow_upload_does_not_use_up_the_time_to_the_reply() {
    run(async {
        let network = Network::default();
        let dialer = network.dialer(|_, mut stream| async move {
            for _ in 0..40 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let mut some = vec![0; 32 * 1024];
                tokio::io::AsyncReadExt::read_exact(&mut stream, &mut some)
                    .await
                    .unwrap();
            }
            stream.write_all(HELLO.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        });
        let mut settings = settings();
        settings.timeouts = Timeouts {
            first_byte: Duration::from_secs(3),
            ..settings.timeouts
        };
        let cluster = Cluster::with_dialer(settings, finds(&["10.0.0.1"]), dialer);
        let reply = cluster
            .send(post(vec![b'x'; 40 * 32 * 1024]), None)
            .await
            .unwrap();
        assert_eq!(reply.status, 200);
    });
}
