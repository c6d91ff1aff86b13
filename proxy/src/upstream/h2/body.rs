//! Bodies of HTTP/2 requests and replies.

use std::{
    cell::Cell,
    error::Error as _,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use super::session::Active;
use crate::upstream::{
    fault::Fault,
    request::{BoxError, RequestBody},
};

/// How much is gathered into one piece.
const PIECE: usize = 64 * 1024;

/// A request's body, which counts what is taken of it.
pub(crate) struct Outgoing {
    body: RequestBody,
    /// The next segment.
    at: usize,
    taken: Rc<Cell<u32>>,
}

impl Outgoing {
    pub(crate) fn new(body: RequestBody, taken: Rc<Cell<u32>>) -> Self {
        Outgoing { body, at: 0, taken }
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let bytes = match &mut self.body {
            RequestBody::Empty => None,
            RequestBody::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                (!bytes.is_empty()).then_some(bytes)
            }
            RequestBody::Segments(all) => {
                let next = all.get(self.at).cloned();
                self.at += 1;
                next
            }
            RequestBody::Stream(stream) => {
                let frame = ready!(stream.as_mut().poll_frame(cx));
                self.taken.set(self.taken.get().wrapping_add(1));
                return Poll::Ready(frame);
            }
        };
        self.taken.set(self.taken.get().wrapping_add(1));
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.get_mut().poll_data(cx)
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            RequestBody::Empty => true,
            RequestBody::Bytes(bytes) => bytes.is_empty(),
            RequestBody::Segments(all) => self.at >= all.len(),
            RequestBody::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            RequestBody::Segments(all) => {
                let rest = all.iter().skip(self.at);
                SizeHint::with_exact(rest.map(|bytes| bytes.len() as u64).sum())
            }
            body => body
                .length()
                .map_or_else(SizeHint::new, SizeHint::with_exact),
        }
    }
}

/// A reply's body. Dropped before its end it resets its stream.
pub(crate) struct Body {
    incoming: Option<Incoming>,
    /// A fault that came after the content that was given out last.
    fault: Option<Fault>,
    active: Option<Active>,
}

impl Body {
    pub(crate) fn new(incoming: Incoming, active: Active) -> Self {
        let mut body = Body {
            incoming: Some(incoming),
            fault: None,
            active: Some(active),
        };
        body.settle();
        body
    }

    /// Whether nothing more will come.
    pub(crate) fn ended(&self) -> bool {
        self.incoming.is_none() && self.fault.is_none()
    }

    /// How many bytes are still to come, where that is known.
    pub(crate) fn left(&self) -> Option<u64> {
        self.incoming
            .as_ref()
            .map_or(Some(0), |incoming| incoming.size_hint().exact())
    }

    /// The next piece: all frames that have arrived, joined, since hyper gives them out one by one.
    pub(crate) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Fault>>> {
        if let Some(fault) = self.fault.take() {
            return Poll::Ready(Some(Err(fault)));
        }
        let first = match ready!(self.poll_data(cx)).transpose() {
            Ok(None) => return Poll::Ready(None),
            Ok(Some(first)) => first,
            Err(fault) => return Poll::Ready(Some(Err(fault))),
        };
        let mut joined = BytesMut::new();
        while joined.len().max(first.len()) < PIECE {
            match self.poll_data(cx) {
                Poll::Ready(Some(Ok(more))) => {
                    if joined.is_empty() {
                        joined.reserve(first.len() + more.len());
                        joined.extend_from_slice(&first);
                    }
                    joined.extend_from_slice(&more);
                }
                Poll::Ready(Some(Err(fault))) => {
                    self.fault = Some(fault);
                    break;
                }
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        Poll::Ready(Some(Ok(if joined.is_empty() {
            first
        } else {
            joined.freeze()
        })))
    }

    /// The next frame that has content.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        while let Some(incoming) = &mut self.incoming {
            let frame = ready!(Pin::new(incoming).poll_frame(cx));
            let data = match frame {
                None => {
                    self.finish();
                    None
                }
                Some(Err(error)) => {
                    self.finish();
                    return Poll::Ready(Some(Err(Fault::Truncated(in_full(&error)))));
                }
                Some(Ok(frame)) => frame.into_data().ok(),
            };
            self.settle();
            if let Some(data) = data.filter(|data| !data.is_empty()) {
                return Poll::Ready(Some(Ok(data)));
            }
        }
        Poll::Ready(None)
    }

    fn settle(&mut self) {
        if self
            .incoming
            .as_ref()
            .is_some_and(http_body::Body::is_end_stream)
        {
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.incoming = None;
        self.active = None;
    }
}

/// An error with its causes, since hyper's own words are few.
pub(crate) fn in_full(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
