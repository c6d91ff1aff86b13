//! What the simulator received, kept for tests to look at.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use http::{StatusCode, request::Parts};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Requests that are kept; older ones are forgotten.
pub const KEPT: usize = 1000;
/// Bytes of a body that are kept.
pub const BODY: usize = 64 << 10;

/// One request as it arrived, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Counts requests from 1 in order of arrival; replies carry it in `x-request-id: req_sim_<id>`.
    pub id: u64,
    /// Counts connections from 1: two requests with the same number shared one.
    pub connection: u64,
    /// The connection's other end.
    pub peer: SocketAddr,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// The method.
    pub method: String,
    /// The authority that was asked for: of the URI (HTTP/2) or of the `Host` header.
    pub host: Option<String>,
    /// The path without its query.
    pub path: String,
    /// What follows `?`.
    pub query: Option<String>,
    /// Names in lower case and values, in order; bytes beyond UTF-8 replaced.
    pub headers: Vec<(String, String)>,
    /// The first [`BODY`] bytes, bytes beyond UTF-8 replaced. Empty until the body has arrived.
    pub body: String,
    /// The whole body's length.
    pub body_bytes: usize,
    /// The reply's status, once there is one.
    pub status: Option<u16>,
    /// Bytes of the reply's body that were handed to the connection.
    pub sent_bytes: usize,
    /// How far it has come.
    pub state: State,
    /// Microseconds from the simulator's start to the head's arrival.
    pub arrived_us: u64,
    /// Microseconds from the simulator's start to the end, whichever.
    pub ended_us: Option<u64>,
}

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Not yet answered in full.
    InFlight,
    /// The whole reply was handed to the connection.
    Finished,
    /// The client went away first.
    Aborted,
    /// The simulator broke off, as the model name asked.
    Cut,
}

impl Received {
    /// The first header of that (lower-case) name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON, `null` if it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// Totals since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Requests received, control requests apart.
    pub requests: u64,
    /// Requests that are not answered in full yet.
    pub in_flight: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections that are open.
    pub open_connections: u64,
}

/// Keeps requests, or only counts them.
#[derive(Debug)]
pub(crate) struct Recorder {
    start: Instant,
    keep: bool,
    kept: Mutex<VecDeque<Arc<Mutex<Received>>>>,
    changed: watch::Sender<()>,
    requests: AtomicU64,
    in_flight: AtomicU64,
    connections: AtomicU64,
    open: AtomicU64,
}

/// A request in flight. Dropped without [`Guard::end`], the client went away.
pub(crate) struct Guard {
    recorder: Arc<Recorder>,
    entry: Option<Arc<Mutex<Received>>>,
    pub(crate) id: u64,
    ended: State,
}

/// An open connection, counted while it lives.
pub(crate) struct Connection {
    recorder: Arc<Recorder>,
    pub(crate) number: u64,
    pub(crate) peer: SocketAddr,
}

impl Recorder {
    pub(crate) fn new(keep: bool) -> Self {
        Self {
            start: Instant::now(),
            keep,
            kept: Mutex::default(),
            changed: watch::Sender::default(),
            requests: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            open: AtomicU64::new(0),
        }
    }

    pub(crate) fn connected(self: &Arc<Self>, peer: SocketAddr) -> Connection {
        let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        self.open.fetch_add(1, Ordering::Relaxed);
        Connection {
            recorder: self.clone(),
            number,
            peer,
        }
    }

    pub(crate) fn begin(self: &Arc<Self>, connection: &Connection, head: &Parts) -> Guard {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let arrived = |id| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let host = head.uri.authority().map(|authority| authority.to_string());
            let header = || head.headers.get("host").map(|host| text(host.as_bytes()));
            Received {
                id,
                connection: connection.number,
                peer: connection.peer,
                version: format!("{:?}", head.version),
                method: head.method.to_string(),
                host: host.or_else(header),
                path: head.uri.path().to_owned(),
                query: head.uri.query().map(str::to_owned),
                headers: head
                    .headers
                    .iter()
                    .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
                    .collect(),
                body: String::new(),
                body_bytes: 0,
                status: None,
                sent_bytes: 0,
                state: State::InFlight,
                arrived_us: self.now(),
                ended_us: None,
            }
        };
        let (id, entry) = if self.keep {
            // Numbered under the lock, so that the list is in the order of its numbers.
            let mut kept = self.kept.lock();
            let id = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
            let entry = Arc::new(Mutex::new(arrived(id)));
            if kept.len() == KEPT {
                kept.pop_front();
            }
            kept.push_back(entry.clone());
            (id, Some(entry))
        } else {
            (self.requests.fetch_add(1, Ordering::Relaxed) + 1, None)
        };
        if entry.is_some() {
            self.changed.send_replace(());
        }
        Guard {
            recorder: self.clone(),
            entry,
            id,
            ended: State::Aborted,
        }
    }

    pub(crate) fn requests(&self) -> Vec<Received> {
        self.kept
            .lock()
            .iter()
            .map(|entry| entry.lock().clone())
            .collect()
    }

    pub(crate) fn clear(&self) {
        self.kept.lock().clear();
    }

    /// Told of every change.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            requests: self.requests.load(Ordering::Relaxed),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            connections: self.connections.load(Ordering::Relaxed),
            open_connections: self.open.load(Ordering::Relaxed),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

impl Guard {
    pub(crate) fn body(&self, body: &[u8]) {
        self.edit(|entry| {
            entry.body_bytes = body.len();
            entry.body = String::from_utf8_lossy(&body[..body.len().min(BODY)]).into_owned();
        });
        self.tell();
    }

    pub(crate) fn status(&self, status: StatusCode) {
        self.edit(|entry| entry.status = Some(status.as_u16()));
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.edit(|entry| entry.sent_bytes += bytes);
        self.tell();
    }

    pub(crate) fn end(mut self, state: State) {
        self.ended = state;
    }

    fn edit(&self, change: impl FnOnce(&mut Received)) {
        if let Some(entry) = &self.entry {
            change(&mut entry.lock());
        }
    }

    fn tell(&self) {
        if self.entry.is_some() {
            self.recorder.changed.send_replace(());
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.recorder.in_flight.fetch_sub(1, Ordering::Relaxed);
        let now = self.recorder.now();
        self.edit(|entry| {
            entry.state = self.ended;
            entry.ended_us = Some(now);
        });
        self.tell();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.recorder.open.fetch_sub(1, Ordering::Relaxed);
    }
}
