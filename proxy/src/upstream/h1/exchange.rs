//! One exchange, from the first written byte to the head of the reply.

use std::{
    cell::RefCell,
    io,
    rc::Rc,
    task::{Context, Poll},
};

use http::Method;

use super::{
    body::{Body, Cursor},
    encode,
    head::{self, Head, Parsed},
    pool::{Connection, Pool},
    upload::{Stopped, Upload},
};
use crate::upstream::{fault::Fault, request::Request};

/// The most interim replies that are read past.
const MAX_INTERIM: u8 = 16;

thread_local! {
    /// Where heads of requests are put together.
    static HEAD: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A request on its way and a reply that is awaited. Dropped, it closes the connection, which cancels the request.
pub(crate) struct Exchange {
    connection: Option<Connection>,
    upload: Upload,
    method: Method,
    /// Why writing stopped early, if it did.
    stopped: Option<io::Error>,
    /// The beginning of a head that came in pieces.
    partial: Vec<u8>,
    interim: u8,
}

impl Exchange {
    /// Begins to write `request`, whose body it takes, on `connection`.
    pub(crate) fn start(
        mut connection: Connection,
        request: &mut Request,
        host: &str,
        cx: &mut Context<'_>,
    ) -> Result<Self, Fault> {
        let body = std::mem::replace(&mut request.body, crate::upstream::RequestBody::Empty);
        let length = body.length();
        let mut upload = Upload::new(body);
        let began = HEAD.with_borrow_mut(|bytes| {
            bytes.clear();
            encode::head(
                &request.method,
                &request.path,
                host,
                &request.headers,
                length,
                bytes,
            );
            upload.begin(bytes, &mut connection.io, cx)
        });
        let mut exchange = Exchange {
            connection: Some(connection),
            upload,
            method: request.method.clone(),
            stopped: None,
            partial: Vec::new(),
            interim: 0,
        };
        exchange.note(began)?;
        Ok(exchange)
    }

    /// Whether not a byte of a reply has arrived.
    pub(crate) fn silent(&self) -> bool {
        self.partial.is_empty() && self.interim == 0
    }

    /// How many writes the socket has taken. The time to a reply counts from the last.
    pub(crate) fn progress(&self) -> u32 {
        self.upload.writes()
    }

    /// Writes what is left to write and reads until there is the head of a reply.
    pub(crate) fn poll(
        &mut self,
        pool: &Rc<Pool>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Head, Body), Fault>> {
        loop {
            let Some(connection) = &mut self.connection else {
                return Poll::Ready(Err(Fault::Closed("the exchange is over".into())));
            };
            if !self.upload.done() && self.stopped.is_none() {
                let written = self.upload.poll(&mut connection.io, cx);
                self.note(written)?;
            }
            let Some(connection) = &mut self.connection else {
                continue;
            };
            let (partial, method, interim) = (&mut self.partial, &self.method, &mut self.interim);
            let read = connection
                .io
                .poll_take(cx, |bytes| accept(partial, bytes, method, interim));
            let found = match read {
                Poll::Ready(Ok(Ok(found))) => found,
                Poll::Ready(Ok(Err(fault))) => return Poll::Ready(Err(self.explain(fault))),
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Err(self.explain(Fault::Closed(error.to_string()))));
                }
                Poll::Pending => return Poll::Pending,
            };
            if let Some((head, cursor)) = found {
                let upload = std::mem::replace(
                    &mut self.upload,
                    Upload::new(crate::upstream::RequestBody::Empty),
                );
                let unfinished = (!upload.done()).then(|| Box::new(upload));
                let reusable = head.keep_alive && self.stopped.is_none();
                let body = Body::new(
                    self.connection.take(),
                    reusable.then(|| Rc::clone(pool)),
                    if self.stopped.is_some() {
                        None
                    } else {
                        unfinished
                    },
                    cursor,
                );
                return Poll::Ready(Ok((head, body)));
            }
        }
    }

    /// A broken connection ends the upload alone: a server that refuses a body may reply and close without reading it.
    fn note(&mut self, written: Poll<Result<(), Stopped>>) -> Result<(), Fault> {
        match written {
            Poll::Ready(Err(Stopped::Body(error))) => Err(Fault::RequestBody(error)),
            Poll::Ready(Err(Stopped::Connection(error))) => {
                self.stopped = Some(error);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn explain(&mut self, fault: Fault) -> Fault {
        match (fault, self.stopped.take()) {
            (Fault::Closed(_), Some(error)) => Fault::Closed(error.to_string()),
            (fault, _) => fault,
        }
    }
}

/// Takes what was read: the head once it is whole, with the beginning of the body.
fn accept(
    partial: &mut Vec<u8>,
    bytes: &mut [u8],
    method: &Method,
    interim: &mut u8,
) -> Result<Option<(Head, Cursor)>, Fault> {
    let malformed = |reason: String| Fault::Protocol {
        reason,
        replying: false,
    };
    if bytes.is_empty() {
        if partial.is_empty() {
            return Err(Fault::Closed("end of file".into()));
        }
        // What was not worth parsing before may have been no head at all.
        head::parse(partial, method).map_err(malformed)?;
        return Err(Fault::Closed("end of file within the head".into()));
    }
    // A head grows by a whole line or is as partial as before.
    let grown = bytes.contains(&b'\n') || partial.len() + bytes.len() >= head::MAX_HEAD;
    let joined = !partial.is_empty();
    if joined || !grown {
        partial.extend_from_slice(bytes);
    }
    if !grown {
        return Ok(None);
    }
    let mut whole = if joined {
        std::mem::take(partial)
    } else {
        Vec::new()
    };
    let all: &mut [u8] = if joined { &mut whole } else { bytes };
    let mut at = 0;
    loop {
        match head::parse(&all[at..], method).map_err(malformed)? {
            Parsed::Partial => {
                *partial = all[at..].to_vec();
                return Ok(None);
            }
            Parsed::Interim(length) => {
                at += length;
                *interim += 1;
                if *interim > MAX_INTERIM {
                    return Err(malformed("it has no end of interim replies".into()));
                }
                if at == all.len() {
                    return Ok(None);
                }
            }
            Parsed::Final(head, length) => {
                let cursor = Cursor::begin(head.framing, &mut all[at + length..])?;
                return Ok(Some((head, cursor)));
            }
        }
    }
}
