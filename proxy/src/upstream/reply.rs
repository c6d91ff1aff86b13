//! What an upstream answers: a head, and a body that arrives in pieces.

use std::{
    fmt,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Frame, SizeHint};

use super::{
    address::InFlight,
    deadline::Deadline,
    edit::Edit,
    fault::{Fault, Phase},
    h1, h2,
};

/// A reply, whatever its status.
#[derive(Debug)]
pub struct Reply {
    /// The status, never 1xx.
    pub status: StatusCode,
    /// The end-to-end headers. A `Content-Length` among them is a single valid number.
    pub headers: HeaderMap,
    /// The body.
    pub body: ReplyBody,
    /// Who answered.
    pub address: SocketAddr,
    /// Whether a redirect led to another origin on the way, so that who answered was told no credential.
    pub elsewhere: bool,
}

/// The body of a [`Reply`].
///
/// One chunk is everything that the socket had, so that it can be passed on in one write. Dropped before its end, it
/// closes the connection (or resets the stream), which cancels the request upstream at once; read to its end, the connection serves the next request.
/// Whole trailer sections are read past.
pub struct ReplyBody {
    inner: Inner,
    deadline: Option<Deadline>,
    /// Whether the idle bound is running: it does only while the body is waited for.
    waiting: bool,
    in_flight: Option<InFlight>,
    /// Boxed whole, since few have one and every request keeps room for it.
    edited: Option<Box<Edited>>,
}

/// What changes a body, and how that went.
struct Edited {
    /// None once it has ended.
    edit: Option<Box<dyn Edit>>,
    /// What ended it while something was still to be given out.
    failed: Option<Fault>,
}

pub(crate) enum Inner {
    H1(h1::body::Body),
    H2(h2::body::Body),
    Held(Bytes),
}

impl ReplyBody {
    pub(crate) fn new(inner: Inner, deadline: Deadline, in_flight: InFlight) -> Self {
        let mut body = ReplyBody {
            inner,
            deadline: Some(deadline),
            waiting: false,
            in_flight: Some(in_flight),
            edited: None,
        };
        body.settle();
        body
    }

    /// A body that is already there.
    pub fn held(bytes: Bytes) -> Self {
        ReplyBody {
            inner: Inner::Held(bytes),
            deadline: None,
            waiting: false,
            in_flight: None,
            edited: None,
        }
    }

    /// The same body, changed on its way.
    #[must_use]
    pub fn edited(mut self, edit: Box<dyn Edit>) -> Self {
        self.edited = Some(Box::new(Edited {
            edit: Some(edit),
            failed: None,
        }));
        self
    }

    /// The next piece, never empty; `None` at the end.
    ///
    /// # Errors
    /// [`Fault`]: the reply broke off, or a bound on time passed. Nothing follows it.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, Fault>> {
        std::future::poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// The whole rest, if it is no longer than `limit`; `Ok(None)` if it is.
    ///
    /// # Errors
    /// As [`ReplyBody::chunk`].
    pub async fn collect(mut self, limit: usize) -> Result<Option<Bytes>, Fault> {
        let Some(first) = self.chunk().await.transpose()? else {
            return Ok(Some(Bytes::new()));
        };
        if self.ended() {
            return Ok((first.len() <= limit).then_some(first));
        }
        let known = self
            .left()
            .and_then(|left| usize::try_from(left).ok())
            .unwrap_or(0);
        let mut all = Vec::with_capacity(first.len() + known.min(limit));
        all.extend_from_slice(&first);
        while all.len() <= limit {
            match self.chunk().await.transpose()? {
                Some(chunk) => all.extend_from_slice(&chunk),
                None => return Ok(Some(all.into())),
            }
        }
        Ok(None)
    }

    /// As [`ReplyBody::chunk`], polled.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        match self.edited.take() {
            None => self.poll_as_it_came(cx),
            Some(edited) => self.poll_edited(edited, cx),
        }
    }

    fn poll_edited(
        &mut self,
        mut edited: Box<Edited>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Fault>>> {
        if let Some(fault) = edited.failed {
            return Poll::Ready(Some(Err(fault)));
        }
        while let Some(edit) = &mut edited.edit {
            let mut out = Vec::new();
            let outcome = match self.poll_as_it_came(cx) {
                Poll::Pending => {
                    self.edited = Some(edited);
                    return Poll::Pending;
                }
                Poll::Ready(Some(Ok(chunk))) => edit.push(chunk, &mut out),
                Poll::Ready(Some(Err(fault))) => return Poll::Ready(Some(Err(fault))),
                Poll::Ready(None) => {
                    let finished = edit.finish(&mut out);
                    edited.edit = None;
                    finished
                }
            };
            if let Err(fault) = outcome {
                edited.edit = None;
                self.inner = Inner::Held(Bytes::new());
                self.settle();
                if out.is_empty() {
                    return Poll::Ready(Some(Err(fault)));
                }
                edited.failed = Some(fault);
            }
            if !out.is_empty() {
                if edited.edit.is_some() || edited.failed.is_some() {
                    self.edited = Some(edited);
                }
                return Poll::Ready(Some(Ok(out.into())));
            }
        }
        Poll::Ready(None)
    }

    fn poll_as_it_came(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        let polled = match &mut self.inner {
            Inner::H1(body) => body.poll_chunk(cx),
            Inner::H2(body) => body.poll_chunk(cx),
            Inner::Held(bytes) if bytes.is_empty() => Poll::Ready(None),
            Inner::Held(bytes) => Poll::Ready(Some(Ok(std::mem::take(bytes)))),
        };
        let chunk = match (polled, &mut self.deadline) {
            (Poll::Pending, Some(deadline)) => {
                if !self.waiting {
                    deadline.enter(Phase::Idle);
                    self.waiting = true;
                }
                Some(Err(ready!(deadline.poll(cx))))
            }
            (Poll::Pending, None) => return Poll::Pending,
            (Poll::Ready(chunk), _) => {
                self.waiting = false;
                chunk
            }
        };
        self.settle();
        // A client that takes little at a time never waits for its upstream, and is bounded too.
        let over = match (&chunk, &self.deadline) {
            (Some(Ok(_)), Some(deadline)) => deadline.over(),
            _ => None,
        };
        let chunk = over.map_or(chunk, |fault| Some(Err(fault)));
        if matches!(chunk, Some(Err(_))) {
            self.inner = Inner::Held(Bytes::new());
            self.settle();
        }
        Poll::Ready(chunk)
    }

    /// Whether nothing more will come.
    pub fn ended(&self) -> bool {
        if self.edited.is_some() {
            return false;
        }
        match &self.inner {
            Inner::H1(body) => body.ended(),
            Inner::H2(body) => body.ended(),
            Inner::Held(bytes) => bytes.is_empty(),
        }
    }

    /// How many bytes are still to come, where that is known.
    pub fn left(&self) -> Option<u64> {
        if self.edited.is_some() {
            return None;
        }
        match &self.inner {
            Inner::H1(body) => body.left(),
            Inner::H2(body) => body.left(),
            Inner::Held(bytes) => Some(bytes.len() as u64),
        }
    }

    /// Once all has arrived the request is no longer in flight, however long the body itself is kept.
    fn settle(&mut self) {
        let arrived = match &self.inner {
            Inner::H1(body) => body.arrived(),
            Inner::H2(body) => body.ended(),
            Inner::Held(_) => true,
        };
        if arrived {
            self.in_flight = None;
            self.deadline = None;
        }
    }
}

impl http_body::Body for ReplyBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        self.poll_chunk(cx)
            .map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.ended()
    }

    fn size_hint(&self) -> SizeHint {
        self.left().map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

impl fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.left() {
            Some(left) => write!(f, "ReplyBody({left} bytes)"),
            None => f.write_str("ReplyBody(stream)"),
        }
    }
}
