//! Servers that play a part.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, uri::PathAndQuery};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use crate::upstream::{
    Answer, Cluster, Endpoint, Lookup, Request, RequestBody, Settings, dial::Dialer,
};

/// Runs a test on a thread as the data plane has them, with time that jumps whenever all wait.
pub(super) fn run<F: Future>(test: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap()
        .block_on(test)
}

/// A network with one kind of server on every address.
#[derive(Clone, Default)]
pub(super) struct Network {
    /// Every address that was dialled, in order.
    pub(super) dialled: Rc<RefCell<Vec<SocketAddr>>>,
    /// Addresses that refuse, and addresses that never answer.
    pub(super) refusing: Rc<RefCell<Vec<IpAddr>>>,
    pub(super) silent: Rc<RefCell<Vec<IpAddr>>>,
}

impl Network {
    /// Serves each connection with `serve`, which is told how many there were before.
    pub(super) fn dialer<F>(&self, serve: impl Fn(usize, DuplexStream) -> F + 'static) -> Dialer
    where
        F: Future<Output = ()> + 'static,
    {
        let network = self.clone();
        let count = Cell::new(0);
        Dialer {
            memory: Some(Rc::new(move |address| {
                network.dialled.borrow_mut().push(address);
                if network.refusing.borrow().contains(&address.ip()) {
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                if network.silent.borrow().contains(&address.ip()) {
                    return Ok(None);
                }
                let (ours, theirs) = tokio::io::duplex(64 * 1024);
                tokio::task::spawn_local(serve(count.replace(count.get() + 1), theirs));
                Ok(Some(ours))
            })),
            ..Dialer::default()
        }
    }

    /// How many connections were tried.
    pub(super) fn dials(&self) -> usize {
        self.dialled.borrow().len()
    }
}

/// The settings of `http://llm/v1`.
pub(super) fn settings() -> Settings {
    Settings::new(Endpoint::parse("http://llm/v1").unwrap())
}

/// A lookup that finds `addresses` for an hour.
pub(super) fn finds(addresses: &'static [&'static str]) -> Lookup {
    Lookup::new(move |_| async move {
        let addresses = addresses.iter().map(|each| each.parse().unwrap()).collect();
        Ok(Answer {
            addresses,
            ttl: Duration::from_secs(3600),
        })
    })
}

/// An upstream on one address, served by `serve`.
pub(super) fn cluster<F>(serve: impl Fn(usize, DuplexStream) -> F + 'static) -> (Cluster, Network)
where
    F: Future<Output = ()> + 'static,
{
    let network = Network::default();
    let dialer = network.dialer(serve);
    (
        Cluster::with_dialer(settings(), finds(&["10.0.0.1"]), dialer),
        network,
    )
}

/// `POST /v1/chat`, with a body.
pub(super) fn post(body: impl Into<Bytes>) -> Request {
    Request {
        method: Method::POST,
        path: PathAndQuery::from_static("/v1/chat"),
        headers: HeaderMap::new(),
        body: RequestBody::Bytes(body.into()),
    }
}

/// Reads one request, head and body; `None` once the client has gone.
pub(super) async fn request(stream: &mut DuplexStream) -> Option<String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        text.push(byte[0]);
    }
    let head = String::from_utf8(text.clone()).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |value| value.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(head + &String::from_utf8(body).unwrap())
}

/// Answers every request on a connection with `reply`.
pub(super) async fn answer(mut stream: DuplexStream, reply: &'static str) {
    while request(&mut stream).await.is_some() {
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// A reply with a length.
pub(super) const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
