//! One backend as one thread sees it: its addresses, and a request's way to one of them.

use std::{cell::Cell, future::poll_fn, net::SocketAddr, rc::Rc, task::Poll};

use tokio::time::Instant;

use super::{
    address::{Address, choose},
    concurrency::Concurrency,
    deadline::{Deadline, Timeouts},
    dial::Dialer,
    endpoint::Endpoint,
    fault::{Fault, Phase},
    guard::Denied,
    h1::{exchange::Exchange, pool::Connection},
    lookup::Lookup,
    names::Names,
    reply::{Inner, Reply, ReplyBody},
    request::{Request, RequestBody},
};

/// How many addresses one request may try to connect to.
const MAX_ADDRESSES: usize = 3;

/// How to reach a backend.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it is.
    pub endpoint: Endpoint,
    /// How long each phase may take.
    pub timeouts: Timeouts,
    /// What its name must not resolve to.
    pub denied: Denied,
    /// The bound on requests in flight, across threads; `None` for no bound.
    pub max_concurrency: Option<Concurrency>,
}

impl Settings {
    /// Defaults for everything but the place.
    pub fn new(endpoint: Endpoint) -> Self {
        Settings {
            endpoint,
            timeouts: Timeouts::default(),
            denied: Denied::default(),
            max_concurrency: None,
        }
    }
}

/// One backend's upstream, on one thread. A clone is the same upstream.
#[derive(Clone)]
pub struct Cluster(Rc<Inside>);

struct Inside {
    settings: Settings,
    names: Rc<Names>,
    dialer: Dialer,
    /// Which of equally good addresses is next.
    turn: Cell<usize>,
}

impl Cluster {
    /// An upstream with no connection yet, whose name the system resolves.
    pub fn new(settings: Settings) -> Self {
        Cluster::with_lookup(settings, Lookup::system())
    }

    /// As [`Cluster::new`], with another way to look names up.
    pub fn with_lookup(settings: Settings, lookup: Lookup) -> Self {
        Cluster::with_dialer(settings, lookup, Dialer::default())
    }

    pub(crate) fn with_dialer(settings: Settings, lookup: Lookup, dialer: Dialer) -> Self {
        let denied = settings.denied.clone();
        let patience = settings.timeouts.connect;
        let names = Names::new(&settings.endpoint, denied, lookup, patience);
        Cluster(Rc::new(Inside {
            settings,
            names,
            dialer,
            turn: Cell::default(),
        }))
    }

    /// Where it is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.settings.endpoint
    }

    /// Sends a request and waits for the head of the reply. `end` bounds the whole of it, body included, where it is
    /// earlier than the `request` timeout. Dropping the future cancels the request.
    ///
    /// An address that cannot be connected to is followed by the next. A connection that turns out to have been closed
    /// while it waited is replaced once, if the body can be sent again.
    ///
    /// # Errors
    /// [`Fault`]; it says whether another try may help.
    pub async fn send(&self, mut request: Request, end: Option<Instant>) -> Result<Reply, Fault> {
        let Inside {
            settings,
            names,
            turn,
            ..
        } = &*self.0;
        let permit = settings
            .max_concurrency
            .as_ref()
            .map(Concurrency::enter)
            .transpose()?;
        let mut deadline = Deadline::start(settings.timeouts, end);
        let addresses = deadline.bound(names.addresses()).await?;
        let mut tried: Vec<SocketAddr> = Vec::new();
        let mut permit = permit;
        loop {
            turn.set(turn.get().wrapping_add(1));
            let Some(address) = choose(&addresses, &tried, turn.get()) else {
                return Err(Fault::Closed("no address is left to try".into()));
            };
            let in_flight = address.enter(permit.take());
            match self.attempt(address, &mut request, &mut deadline).await {
                Ok((head, inner)) => {
                    return Ok(Reply {
                        status: head.status,
                        headers: head.headers,
                        body: ReplyBody::new(inner, deadline, in_flight),
                        address: address.socket,
                    });
                }
                Err(fault) if fault.before_sending() => {
                    address.failed();
                    tried.push(address.socket);
                    if tried.len() == addresses.len().min(MAX_ADDRESSES) {
                        names.doubt();
                        return Err(fault);
                    }
                    permit = in_flight.leave();
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    async fn attempt(
        &self,
        address: &Rc<Address>,
        request: &mut Request,
        deadline: &mut Deadline,
    ) -> Result<(super::h1::head::Head, Inner), Fault> {
        // A body that cannot be sent twice is not risked on a connection that may be about to close.
        let waiting = if request.body.replayable() {
            address.pool.take()
        } else {
            None
        };
        if let Some(connection) = waiting {
            let body = request.body.replay();
            match self.exchange(connection, address, request, deadline).await {
                Err((Fault::Closed(_), true)) => request.body = body.unwrap_or(RequestBody::Empty),
                Err((fault, _)) => return Err(fault),
                Ok(reply) => return Ok(reply),
            }
        }
        deadline.enter(Phase::Connect);
        let io = deadline.bound(self.0.dialer.dial(address.socket)).await?;
        address.reached();
        let connection = Connection { io, reused: false };
        let reply = self.exchange(connection, address, request, deadline).await;
        reply.map_err(|(fault, _)| fault)
    }

    /// Sends a request on a connection. With the fault comes whether not a byte of a reply had arrived.
    async fn exchange(
        &self,
        connection: Connection,
        address: &Rc<Address>,
        request: &mut Request,
        deadline: &mut Deadline,
    ) -> Result<(super::h1::head::Head, Inner), (Fault, bool)> {
        let host = self.0.settings.endpoint.authority();
        let mut exchange: Option<Exchange> = None;
        let mut connection = Some(connection);
        let mut progress = None;
        poll_fn(|cx| {
            if let Some(fresh) = connection.take() {
                match Exchange::start(fresh, request, host, cx) {
                    Ok(started) => exchange = Some(started),
                    Err(fault) => return Poll::Ready(Err((fault, false))),
                }
            }
            let Some(running) = &mut exchange else {
                return Poll::Pending;
            };
            if let Poll::Ready(done) = running.poll(&address.pool, cx) {
                let silent = running.silent();
                return Poll::Ready(match done {
                    Ok((head, body)) => Ok((head, Inner::H1(body))),
                    Err(fault) => Err((fault, silent)),
                });
            }
            // The bound on the reply counts from the last byte that the upstream took of the request.
            if progress.replace(running.progress()) != Some(running.progress()) {
                deadline.enter(Phase::FirstByte);
            }
            deadline.poll(cx).map(|fault| Err((fault, false)))
        })
        .await
    }
}
