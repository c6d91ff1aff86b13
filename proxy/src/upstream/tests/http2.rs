//! The same interface over HTTP/2, against hyper's server.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    convert::Infallible,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::{
    body::{Body, Frame, Incoming},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{io::DuplexStream, sync::Notify, time::Sleep};

use super::server::{Network, finds, post, run, settings};
use crate::upstream::{Cluster, Fault, Http2, Phase, RequestBody};

/// What a server was asked, and what it noticed.
#[derive(Default)]
struct Seen {
    requests: RefCell<Vec<String>>,
    /// Told when a body is dropped before its end.
    cancelled: Notify,
    /// Ends the first connection gracefully.
    leave: Notify,
}

/// A reply's body: its frames, and then an end or none.
struct Play {
    frames: VecDeque<io::Result<&'static str>>,
    endless: bool,
    /// How long it takes to break: until all before has been sent.
    pause: Pin<Box<Sleep>>,
    seen: Rc<Seen>,
}

impl Body for Play {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if matches!(self.frames.front(), Some(Err(_))) {
            ready!(self.pause.as_mut().poll(cx));
        }
        match self.frames.pop_front() {
            None if self.endless => Poll::Pending,
            None => Poll::Ready(None),
            Some(frame) => Poll::Ready(Some(frame.map(|text| Frame::data(Bytes::from(text))))),
        }
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        if self.endless {
            self.seen.cancelled.notify_one();
        }
    }
}

#[derive(Clone, Copy)]
struct LocalTasks;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for LocalTasks {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}

/// Serves a connection; what it does is in the path of the request.
async fn serve(stream: DuplexStream, streams: u32, seen: Rc<Seen>) {
    let log = Rc::clone(&seen);
    let service = service_fn(move |request: Request<Incoming>| {
        let seen = Rc::clone(&log);
        async move {
            let (parts, body) = request.into_parts();
            let body = body
                .collect()
                .await
                .map(|body| body.to_bytes())
                .unwrap_or_default();
            let body = String::from_utf8_lossy(&body).into_owned();
            let line = format!("{} {} {:?} {body}", parts.method, parts.uri, parts.headers);
            seen.requests.borrow_mut().push(line);
            let (frames, endless) = match parts.uri.path() {
                "/stuck" => std::future::pending().await,
                "/many" => ((0..100).map(|_| Ok("data: x\n\n")).collect(), false),
                "/endless" => ([Ok("first")].into(), true),
                "/breaks" => ([Ok("part"), Err(io::Error::other("broken"))].into(), false),
                _ => ([Ok("hello")].into(), false),
            };
            let pause = Box::pin(tokio::time::sleep(Duration::from_secs(1)));
            Ok::<_, Infallible>(Response::new(Play {
                frames,
                endless,
                pause,
                seen,
            }))
        }
    });
    let connection = http2::Builder::new(LocalTasks)
        .max_concurrent_streams(streams)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = seen.leave.notified() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

fn upstream(streams: u32) -> (Cluster, Network, Rc<Seen>) {
    let (network, seen) = (Network::default(), Rc::<Seen>::default());
    let server = Rc::clone(&seen);
    let mut dialer = network.dialer(move |_, stream| serve(stream, streams, Rc::clone(&server)));
    dialer.http2 = Http2::Always;
    (
        Cluster::with_dialer(settings(), finds(&["10.0.0.1"]), dialer),
        network,
        seen,
    )
}

async fn ask(cluster: &Cluster, path: &'static str) -> Result<String, Fault> {
    let mut request = post("hi");
    request.path = path.parse().unwrap();
    let reply = cluster.send(request, None).await?;
    let body = reply.body.collect(10_000).await?.unwrap();
    Ok(String::from_utf8(body.to_vec()).unwrap())
}

#[test]
fn requests_share_one_connection() {
    run(async {
        let (cluster, network, _) = upstream(100);
        let all = futures::future::join_all((0..20).map(|_| ask(&cluster, "/hello"))).await;
        assert!(all.iter().all(|text| text.as_ref().unwrap() == "hello"));
        ask(&cluster, "/hello").await.unwrap();
        assert_eq!(network.dials(), 1);
    });
}

#[test]
fn a_request_is_sent_as_it_was_given() {
    run(async {
        let (cluster, _, seen) = upstream(100);
        let mut request = post("");
        request
            .headers
            .insert("authorization", "Bearer k".parse().unwrap());
        request
            .headers
            .insert("connection", "keep-alive".parse().unwrap());
        request.headers.insert("host", "other:81".parse().unwrap());
        request.body = RequestBody::Segments(["a", "", "bc"].map(Bytes::from).into());
        cluster.send(request, None).await.unwrap();
        assert_eq!(
            *seen.requests.borrow(),
            [
                r#"POST http://other:81/v1/chat {"authorization": "Bearer k", "content-length": "3"} abc"#
            ]
        );
    });
}

#[test]
fn when_all_streams_are_taken_another_connection_is_opened() {
    run(async {
        let (cluster, network, _) = upstream(2);
        // The bound is known once the server's settings have come.
        ask(&cluster, "/hello").await.unwrap();
        let mut held = Vec::new();
        for _ in 0..5 {
            let mut request = post("hi");
            request.path = "/endless".parse().unwrap();
            held.push(cluster.send(request, None).await.unwrap());
        }
        assert!((2..=4).contains(&network.dials()), "{}", network.dials());
    });
}

#[test]
fn frames_that_came_together_are_one_piece() {
    run(async {
        let (cluster, _, _) = upstream(100);
        let mut request = post("hi");
        request.path = "/many".parse().unwrap();
        let mut reply = cluster.send(request, None).await.unwrap();
        let (mut pieces, mut length) = (0, 0);
        while let Some(chunk) = reply.body.chunk().await {
            length += chunk.unwrap().len();
            pieces += 1;
        }
        assert_eq!(length, 900);
        assert!(pieces < 20, "{pieces}");
    });
}

#[test]
fn a_body_that_is_dropped_early_resets_its_stream_at_once() {
    run(async {
        let (cluster, network, seen) = upstream(100);
        let mut request = post("hi");
        request.path = "/endless".parse().unwrap();
        let mut reply = cluster.send(request, None).await.unwrap();
        assert_eq!(reply.body.chunk().await.unwrap().unwrap(), "first");
        drop(reply);
        seen.cancelled.notified().await;
        ask(&cluster, "/hello").await.unwrap();
        assert_eq!(network.dials(), 1);
    });
}

#[test]
fn a_broken_stream_is_a_truncated_reply() {
    run(async {
        let (cluster, _, _) = upstream(100);
        let fault = ask(&cluster, "/breaks").await.unwrap_err();
        assert!(
            matches!(fault, Fault::Truncated(_)) && fault.reply_began(),
            "{fault}"
        );
    });
}

#[test]
fn a_reply_that_does_not_begin_is_given_up() {
    run(async {
        let (cluster, _, _) = upstream(100);
        let fault = ask(&cluster, "/stuck").await.unwrap_err();
        assert!(
            matches!(
                fault,
                Fault::Timeout {
                    phase: Phase::FirstByte,
                    ..
                }
            ),
            "{fault}"
        );
        ask(&cluster, "/hello").await.unwrap();
    });
}

#[test]
fn a_connection_that_goes_away_is_replaced_unnoticed() {
    run(async {
        let (cluster, network, seen) = upstream(100);
        ask(&cluster, "/hello").await.unwrap();
        seen.leave.notify_one();
        tokio::time::sleep(Duration::from_millis(1)).await;
        ask(&cluster, "/hello").await.unwrap();
        assert_eq!(network.dials(), 2);
    });
}

#[test]
fn an_upstream_that_does_not_speak_it_is_a_fault() {
    run(async {
        let network = Network::default();
        let served = Rc::new(Cell::new(0));
        let count = Rc::clone(&served);
        let mut dialer = network.dialer(move |_, mut stream| {
            count.set(count.get() + 1);
            async move {
                let reply = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
                tokio::io::AsyncWriteExt::write_all(&mut stream, reply)
                    .await
                    .unwrap();
                std::future::pending::<()>().await;
            }
        });
        dialer.http2 = Http2::Always;
        let cluster = Cluster::with_dialer(settings(), finds(&["10.0.0.1"]), dialer);
        let fault = cluster.send(post("hi"), None).await.unwrap_err();
        assert!(
            matches!(fault, Fault::Protocol { .. } | Fault::Closed(_)),
            "{fault}"
        );
        assert_eq!(served.get(), 1);
    });
}

#[test]
fn an_unused_connection_is_closed() {
    run(async {
        let (cluster, network, _) = upstream(100);
        ask(&cluster, "/hello").await.unwrap();
        tokio::time::sleep(Duration::from_secs(200)).await;
        ask(&cluster, "/hello").await.unwrap();
        assert_eq!(network.dials(), 2);
    });
}
