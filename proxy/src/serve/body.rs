//! The body of a reply to a client.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::metered::Metered;
use super::pipe::Pipe;
use super::stream::Stream;
use super::tracked::Tracked;
use crate::log::End;
use crate::upstream::{Fault, ReplyBody};

/// A reply's body, and what is noted when it ends.
pub(crate) struct Body {
    inner: Inner,
    tracked: Option<Tracked>,
    metered: Option<Box<Metered>>,
    /// What lasts as long as the reply.
    held: Vec<Metered>,
}

enum Inner {
    /// Pieces that are there already.
    Held(VecDeque<Bytes>),
    /// One piece that is there already, or none when it is empty.
    Whole(Bytes),
    /// The upstream's, as it comes.
    Relay(Box<ReplyBody>),
    /// The upstream's, looked into event by event.
    Stream(Box<Stream>),
    /// The upstream's, put into the client's dialect event by event.
    Translated(Box<Pipe>),
}

/// A reply that cannot be completed: the client sees the connection close (or the stream reset) before the end.
#[derive(Debug, thiserror::Error)]
#[error("the upstream's reply cannot be completed: {0}")]
pub(crate) struct Cut(#[from] Fault);

impl Body {
    fn new(inner: Inner) -> Self {
        Self {
            inner,
            tracked: None,
            metered: None,
            held: Vec::new(),
        }
    }

    pub(crate) fn empty() -> Self {
        Self::whole(Bytes::new())
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self::new(Inner::Whole(bytes))
    }

    /// Segments, written one after another.
    pub(crate) fn segments(segments: Vec<Bytes>) -> Self {
        Self::new(Inner::Held(segments.into()))
    }

    pub(crate) fn relay(body: ReplyBody) -> Self {
        Self::new(Inner::Relay(Box::new(body)))
    }

    pub(crate) fn stream(stream: Stream) -> Self {
        Self::new(Inner::Stream(Box::new(stream)))
    }

    pub(crate) fn translated(pipe: Pipe) -> Self {
        Self::new(Inner::Translated(Box::new(pipe)))
    }

    /// Looked into for what limits count.
    pub(crate) fn metered(mut self, metered: Option<Metered>) -> Self {
        // Of two, the first is held until the end, and the second looks into the reply.
        self.held.extend(self.metered.take().map(|first| *first));
        self.metered = metered.map(Box::new);
        self
    }

    /// With what is to be noted at its end.
    pub(crate) fn tracked(mut self, tracked: Tracked) -> Self {
        self.tracked = Some(tracked);
        self
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        loop {
            let chunk = match &mut self.inner {
                Inner::Whole(bytes) if bytes.is_empty() => None,
                Inner::Whole(bytes) => Some(Ok(std::mem::take(bytes))),
                Inner::Held(pieces) => pieces.pop_front().map(Ok),
                Inner::Relay(body) => ready!(body.poll_chunk(cx)),
                Inner::Stream(stream) => ready!(stream.poll_chunk(cx)).map(Ok),
                Inner::Translated(pipe) => ready!(pipe.poll_chunk(cx)).map(Ok),
            };
            let chunk = match (chunk, &mut self.metered) {
                (Some(Ok(piece)), Some(metered)) => {
                    let piece = metered.pass(piece);
                    // Nothing of it is for the client.
                    if piece.is_empty() {
                        continue;
                    }
                    Some(Ok(piece))
                }
                (None, Some(metered)) => Some(Ok(metered.end()))
                    .filter(|rest| !matches!(rest, Ok(rest) if rest.is_empty())),
                (chunk, _) => chunk,
            };
            if let Some(tracked) = &mut self.tracked {
                match &chunk {
                    Some(Ok(piece)) => tracked.deliver(piece),
                    Some(Err(fault)) => tracked.ended(End::Broke(fault.to_string())),
                    None => tracked.ended(End::Complete),
                }
            }
            return Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data).map_err(Cut)));
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Whole(bytes) => bytes.is_empty(),
            Inner::Held(pieces) => pieces.is_empty(),
            Inner::Relay(body) => body.ended(),
            Inner::Stream(_) | Inner::Translated(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Inner::Held(pieces) => {
                SizeHint::with_exact(pieces.iter().map(|piece| piece.len() as u64).sum())
            }
            Inner::Relay(body) => body.left().map_or_else(SizeHint::new, SizeHint::with_exact),
            Inner::Stream(_) | Inner::Translated(_) => SizeHint::new(),
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        // Nobody asks for the end of what says where it is.
        if http_body::Body::is_end_stream(self)
            && let Some(tracked) = &mut self.tracked
        {
            tracked.ended(End::Complete);
        }
    }
}
