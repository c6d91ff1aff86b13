//! The HTTP/2 connections of one address.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    time::Duration,
};

use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::Instant;

use super::body::Outgoing;
use crate::upstream::{h1::head::MAX_HEAD, io::Io};

/// The most streams that one connection carries, whatever the upstream would allow: a stream of a model lives long.
const MAX_STREAMS: usize = 100;
/// A connection that carries no stream is closed after so long.
const MAX_IDLE: Duration = Duration::from_secs(60);
/// How often a connection is asked whether it is alive…
const PING: Duration = Duration::from_secs(30);
/// …and how long it may take to say so.
const PONG: Duration = Duration::from_secs(10);

/// One connection, open for requests.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) sender: SendRequest<Outgoing>,
    load: Rc<Load>,
}

#[derive(Debug)]
struct Load {
    streams: Cell<usize>,
    /// How many there may be.
    limit: Cell<usize>,
    last_used: Cell<Instant>,
}

/// A stream in use, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Active(Rc<Load>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get().saturating_sub(1));
        self.0.last_used.set(Instant::now());
    }
}

impl Session {
    /// Counts a stream.
    pub(crate) fn enter(&self) -> Active {
        self.load.streams.set(self.load.streams.get() + 1);
        Active(Rc::clone(&self.load))
    }

    fn has_room(&self) -> bool {
        self.load.streams.get() < self.load.limit.get() && !self.sender.is_closed()
    }

    fn unused(&self) -> bool {
        self.load.streams.get() == 0 && self.load.last_used.get().elapsed() >= MAX_IDLE
    }
}

/// The connections of one address: one, unless its streams are all taken.
#[derive(Default)]
pub(crate) struct Sessions(RefCell<Vec<Session>>);

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sessions({})", self.0.borrow().len())
    }
}

impl Sessions {
    /// A connection that has room for another stream.
    pub(crate) fn get(&self) -> Option<Session> {
        let mut sessions = self.0.borrow_mut();
        sessions.retain(|session| !session.sender.is_closed());
        sessions.iter().find(|session| session.has_room()).cloned()
    }

    /// Opens HTTP/2 on a new connection, and keeps it.
    pub(crate) async fn open(self: &Rc<Self>, io: Io) -> Result<Session, hyper::Error> {
        let mut builder = Builder::new(Local);
        builder
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG)
            .keep_alive_while_idle(true);
        let (sender, connection) = builder.handshake(TokioIo::new(io)).await?;
        let load = Rc::new(Load {
            streams: Cell::default(),
            limit: Cell::new(MAX_STREAMS),
            last_used: Cell::new(Instant::now()),
        });
        let session = Session {
            sender,
            load: Rc::clone(&load),
        };
        self.0.borrow_mut().push(session.clone());
        let sessions = Rc::downgrade(self);
        tokio::task::spawn_local(async move {
            let mut connection = pin!(connection);
            let closed = loop {
                let drive = poll_fn(|cx| {
                    let done = connection.as_mut().poll(cx);
                    load.limit
                        .set(connection.current_max_send_streams().min(MAX_STREAMS));
                    done
                });
                match tokio::time::timeout(MAX_IDLE, drive).await {
                    Ok(closed) => break closed,
                    Err(_) => {
                        if let Some(sessions) = sessions.upgrade() {
                            sessions.0.borrow_mut().retain(|session| !session.unused());
                        }
                    }
                }
            };
            if let Err(error) = closed {
                tracing::debug!(%error, "an HTTP/2 connection to an upstream ended");
            }
            if let Some(sessions) = sessions.upgrade() {
                sessions
                    .0
                    .borrow_mut()
                    .retain(|session| !Rc::ptr_eq(&session.load, &load));
            }
        });
        Ok(session)
    }

    /// Lets go of a connection that proved dead: no request takes it any more.
    pub(crate) fn forget(&self, dead: &Session) {
        self.0
            .borrow_mut()
            .retain(|session| !Rc::ptr_eq(&session.load, &dead.load));
    }

    /// Lets go of all.
    pub(crate) fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}

/// Runs hyper's tasks on the thread that they belong to.
#[derive(Clone, Copy)]
struct Local;

impl<F> hyper::rt::Executor<F> for Local
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}
