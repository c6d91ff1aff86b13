//! One client's connection: HTTP/1.1, or HTTP/2 when its first bytes say so.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::delivery::{Deliveries, Delivery, Reply};
use super::dispatch;
use super::exchanges::Exchanges;
use super::multiplexed::{Local, Streams, unless_idle};
use super::tls::{self, Handshakes};
use super::wire::{Socket, Wire};
use super::worker::Worker;

/// How long a connection may take to send a request's head, idle time before it included; one of HTTP/2, how long it may have no stream.
pub(super) const HEAD_PATIENCE: Duration = Duration::from_secs(75);
/// The beginning of what an HTTP/2 client sends first: [RFC 9113 §3.4](https://www.rfc-editor.org/rfc/rfc9113#section-3.4).
/// No method of HTTP/1.1 is `PRI`.
const PREFACE: &[u8] = b"PRI * HT";
/// hyper's least buffer, and its own default.
const BUFFER: (usize, usize) = (8 << 10, 400 << 10);

/// The connections of one thread.
pub(crate) struct Connections {
    draining: Cell<bool>,
    next: Cell<u64>,
    /// How to wake each, to tell it that draining begins.
    wakers: RefCell<HashMap<u64, Option<Waker>>>,
    handshakes: Handshakes,
    /// What clients are to take.
    pub(crate) deliveries: Deliveries,
    gone: Notify,
}

impl Connections {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            draining: Cell::new(false),
            next: Cell::new(0),
            wakers: RefCell::default(),
            handshakes: Handshakes::default(),
            deliveries: Deliveries::default(),
            gone: Notify::new(),
        })
    }

    /// Tells every connection to end after the requests that it has begun.
    pub(crate) fn drain(&self) {
        self.draining.set(true);
        for waker in self
            .wakers
            .borrow_mut()
            .values_mut()
            .filter_map(Option::take)
        {
            waker.wake();
        }
    }

    /// Waits until there is none.
    pub(crate) async fn gone(&self) {
        while !self.wakers.borrow().is_empty() {
            self.gone.notified().await;
        }
    }

    fn enter(self: &Rc<Self>) -> Entered {
        let id = self.next.get();
        self.next.set(id + 1);
        self.wakers.borrow_mut().insert(id, None);
        Entered {
            connections: Rc::clone(self),
            id,
            waits: false,
            told: false,
        }
    }
}

/// A connection's place among them.
struct Entered {
    connections: Rc<Connections>,
    id: u64,
    /// Whether its waker is known.
    waits: bool,
    told: bool,
}

impl Entered {
    /// Whether it is to be told now that draining has begun.
    fn is_to_end(&mut self, cx: &Context<'_>) -> bool {
        if self.connections.draining.get() {
            return !std::mem::replace(&mut self.told, true);
        }
        // A task's waker stays the same.
        if !std::mem::replace(&mut self.waits, true) {
            self.connections
                .wakers
                .borrow_mut()
                .insert(self.id, Some(cx.waker().clone()));
        }
        false
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.connections.wakers.borrow_mut().remove(&self.id);
        self.connections.gone.notify_one();
    }
}

/// Serves a connection from `peer` in a task of its own.
pub(crate) fn spawn(
    worker: &Rc<Worker>,
    connections: &Rc<Connections>,
    stream: TcpStream,
    peer: IpAddr,
) {
    // What listens for both families is told of IPv4 in the other's words.
    let peer = peer.to_canonical();
    let (worker, mut entered) = (Rc::clone(worker), connections.enter());
    tokio::task::spawn_local(async move {
        match speaks_http2(&stream, &mut entered).await {
            Some(true) => serve_http2(worker, entered, stream, peer).await,
            Some(false) => serve_http1(worker, entered, stream, peer).await,
            None => {}
        }
    });
}

/// The same for a connection that TLS is spoken on.
pub(crate) fn spawn_tls(
    worker: &Rc<Worker>,
    connections: &Rc<Connections>,
    stream: TcpStream,
    peer: IpAddr,
) {
    let peer = peer.to_canonical();
    let Some(config) = worker.state().https.clone() else {
        return;
    };
    let (worker, mut entered) = (Rc::clone(worker), connections.enter());
    tokio::task::spawn_local(async move {
        let handshakes = &entered.connections.handshakes;
        // Draining waits for a handshake: whoever began it in time has a request to send.
        let session = Box::pin(tls::handshake(handshakes, config, stream)).await;
        let Some(mut session) = session else { return };
        let begins = begins(
            poll_fn(|cx| tls::poll_begins(&mut session, cx)),
            &mut entered,
        );
        match begins.await {
            Some(()) if tls::chose_http2(&session) => {
                serve_http2(worker, entered, session, peer).await;
            }
            Some(()) => serve_http1(worker, entered, session, peer).await,
            None => {}
        }
    });
}

/// Looks at the first bytes without taking them. `None` when there were none in time, or before draining began.
async fn speaks_http2(stream: &TcpStream, entered: &mut Entered) -> Option<bool> {
    let mut start = [0; PREFACE.len()];
    let length = begins(stream.peek(&mut start), entered).await?;
    // Fewer bytes than the preface are no client's habit; such a one gets HTTP/1.1, which refuses it in words.
    Some(&start[..length] == PREFACE)
}

/// Waits for the first bytes. `None` when there were none in time, or before draining began.
async fn begins<T>(first: impl Future<Output = io::Result<T>>, entered: &mut Entered) -> Option<T> {
    let mut first = pin!(timeout(HEAD_PATIENCE, first));
    // Bytes that are there win over draining: the request that they begin was sent in time.
    let seen = poll_fn(|cx| match first.as_mut().poll(cx) {
        Poll::Ready(first) => Poll::Ready(first.ok().and_then(Result::ok)),
        Poll::Pending if entered.is_to_end(cx) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    seen.await
}

async fn serve_http1<S: Socket>(worker: Rc<Worker>, mut entered: Entered, stream: S, peer: IpAddr) {
    let header_bytes = usize::try_from(worker.state().proxy.header_bytes).unwrap_or(usize::MAX);
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_header_size(header_bytes)
        .max_buf_size(header_bytes.max(BUFFER.1).max(BUFFER.0));
    let exchanges = Exchanges::new();
    let delivery = Rc::<Delivery>::default();
    let delivered = Rc::clone(&delivery);
    let wire = Wire::new(stream, Rc::clone(&exchanges));
    let service = service_fn(move |request| {
        let (worker, exchange) = (Rc::clone(&worker), exchanges.begin());
        let delivery = Rc::clone(&delivered);
        // In a box of its own, which is gone when the reply begins: hyper keeps the place of this future for as long as the
        // connection lives, and a thousand streams that wait would each keep five kilobytes of nothing.
        async move {
            let answer = dispatch::answer(worker, peer, request, Rc::clone(&delivery));
            let answer = Box::pin(answer).await?;
            if answer.status().is_client_error() {
                exchange.refuse();
            }
            Ok::<_, Infallible>(answer.map(|body| Reply::new(body, delivery, Some(exchange))))
        }
    });
    let connections = Rc::clone(&entered.connections);
    let mut connection = pin!(builder.serve_connection(wire, service));
    let ended = poll_fn(|cx| {
        if entered.is_to_end(cx) {
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(cx)
    });
    if let Some(ended) = connections.deliveries.watch(&delivery, ended).await {
        note(ended);
    }
}

async fn serve_http2<S: Socket>(worker: Rc<Worker>, mut entered: Entered, stream: S, peer: IpAddr) {
    let header_bytes = worker.state().proxy.header_bytes;
    let streams = Streams::of(&entered.connections);
    let mut builder = http2::Builder::new(Local(Rc::clone(&streams)));
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(header_bytes)
        .max_concurrent_streams(256)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    let next = Rc::clone(&streams);
    let service = service_fn(move |request| {
        let delivery = next.next();
        let answer = dispatch::answer(Rc::clone(&worker), peer, request, Rc::clone(&delivery));
        // As above: it is gone when the reply begins, and the stream's task stays.
        let answer = Box::pin(answer);
        async move {
            let answer = answer.await?;
            Ok::<_, Infallible>(answer.map(|body| Reply::new(body, delivery, None)))
        }
    });
    let connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let drains = |cx: &Context<'_>| entered.is_to_end(cx);
    let shutdown = http2::Connection::graceful_shutdown;
    if let Some(ended) = unless_idle(connection, shutdown, drains, &streams).await {
        note(ended);
    }
}

/// A client that leaves or speaks no HTTP is no event of ours; whoever looks for it finds it at debug.
fn note(ended: hyper::Result<()>) {
    if let Err(fault) = ended {
        tracing::debug!(%fault, "a client's connection ended");
    }
}
