//! A request at one address: on a connection that is there, or on a new one.

use std::{cell::Cell, future::poll_fn, rc::Rc, task::Poll};

use http::{HeaderMap, StatusCode};

use super::{
    address::Address,
    deadline::Deadline,
    dial::Dialer,
    endpoint::Endpoint,
    fault::{Fault, Phase},
    h1::{exchange::Exchange, pool::Connection},
    h2::{self, session::Session},
    reply::Inner,
    request::Request,
};

/// What a request needs to know of its upstream.
#[derive(Clone, Copy)]
pub(crate) struct Way<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) dialer: &'a Dialer,
    pub(crate) address: &'a Rc<Address>,
}

/// A reply whose body has not been read.
pub(crate) struct Began {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Inner,
}

/// A connection to send a request on.
enum Ready {
    Alone(Connection),
    Shared(Session),
}

impl Way<'_> {
    /// Sends `request`, whose body it takes, and waits for the head of the reply.
    ///
    /// A connection that had served before and closed without a byte of a reply is replaced once, if the body can be sent again.
    pub(crate) async fn send(
        self,
        request: &mut Request,
        deadline: &mut Deadline,
    ) -> Result<Began, Fault> {
        if let Some(ready) = self.waiting(request) {
            let body = request.body.replay();
            match (self.exchange(ready, request, deadline).await, body) {
                (Err((_, true)), Some(body)) => request.body = body,
                (result, _) => return result.map_err(|(fault, _)| fault),
            }
        }
        deadline.enter(Phase::Connect);
        let ready = deadline.bound(Box::pin(self.connect())).await?;
        self.address.reached();
        self.exchange(ready, request, deadline)
            .await
            .map_err(|(fault, _)| fault)
    }

    /// A connection that is there.
    fn waiting(self, request: &Request) -> Option<Ready> {
        if let Some(session) = self.address.sessions.get() {
            return Some(Ready::Shared(session));
        }
        // A body that cannot be sent twice is not risked on a connection that may be about to close.
        let connection = if request.body.replayable() {
            self.address.pool.take()
        } else {
            None
        };
        connection.map(Ready::Alone)
    }

    async fn connect(self) -> Result<Ready, Fault> {
        let address = self.address;
        let may_share = self.dialer.may_be_http2() && address.http2.get() != Some(false);
        let opening = if may_share {
            Some(address.opening.lock().await)
        } else {
            None
        };
        // Another request may have opened a connection for both in the meantime.
        if let Some(session) = opening.as_ref().and_then(|_| address.sessions.get()) {
            return Ok(Ready::Shared(session));
        }
        let dialled = self.dialer.dial(address.socket).await?;
        address.http2.set(Some(dialled.http2));
        if !dialled.http2 {
            return Ok(Ready::Alone(Connection {
                io: dialled.io,
                reused: false,
            }));
        }
        let opened = address.sessions.open(dialled.io).await;
        opened
            .map(Ready::Shared)
            .map_err(|error| Fault::Closed(h2::body::in_full(&error)))
    }

    /// Sends a request on a connection. With the fault comes whether it is certain, or as good as certain, that another connection would have served it.
    async fn exchange(
        self,
        ready: Ready,
        request: &mut Request,
        deadline: &mut Deadline,
    ) -> Result<Began, (Fault, bool)> {
        match ready {
            Ready::Alone(connection) => self.alone(connection, request, deadline).await,
            Ready::Shared(session) => self.shared(session, request, deadline).await,
        }
    }

    async fn alone(
        self,
        connection: Connection,
        request: &mut Request,
        deadline: &mut Deadline,
    ) -> Result<Began, (Fault, bool)> {
        let host = self.endpoint.authority().as_str();
        let reused = connection.reused;
        let mut connection = Some(connection);
        let mut exchange: Option<Exchange> = None;
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
            if let Poll::Ready(done) = running.poll(&self.address.pool, cx) {
                let stale = reused && running.silent();
                return Poll::Ready(match done {
                    // Said to the connection that waited, not to the request that crossed it on the way: RFC 9110 §15.5.9.
                    Ok((head, _)) if reused && head.status == 408 && !head.keep_alive => {
                        Err((Fault::Closed("408, tired of waiting".into()), true))
                    }
                    Ok((head, body)) => Ok(Began {
                        status: head.status,
                        headers: head.headers,
                        body: Inner::H1(body),
                    }),
                    Err(fault) => {
                        let stale = stale && matches!(fault, Fault::Closed(_));
                        Err((fault, stale))
                    }
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

    async fn shared(
        self,
        session: Session,
        request: &mut Request,
        deadline: &mut Deadline,
    ) -> Result<Began, (Fault, bool)> {
        let taken = Rc::new(Cell::new(0));
        let sending = session.clone();
        let reply = h2::exchange::send(sending, request, self.endpoint, Rc::clone(&taken));
        let mut reply = Box::pin(reply);
        let mut progress = None;
        poll_fn(|cx| {
            if let Poll::Ready(done) = reply.as_mut().poll(cx) {
                return Poll::Ready(match done {
                    Ok((status, headers, body)) => Ok(Began {
                        status,
                        headers,
                        body: Inner::H2(body),
                    }),
                    Err(failed) => {
                        if failed.unprocessed {
                            self.address.sessions.forget(&session);
                        }
                        Err((failed.fault, failed.unprocessed))
                    }
                });
            }
            if progress.replace(taken.get()) != Some(taken.get()) {
                deadline.enter(Phase::FirstByte);
            }
            deadline.poll(cx).map(|fault| Err((fault, false)))
        })
        .await
    }
}
