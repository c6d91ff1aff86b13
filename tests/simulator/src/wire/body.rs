//! Plays a reply's steps as the body of an HTTP message.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http_body::{Body, Frame, SizeHint};

use super::{Cut, steps::Step};
use crate::record::{Guard, State};

/// How long before a break the last write leaves.
const FLUSHED: Duration = Duration::from_millis(20);

/// What a reply's body says.
pub(crate) enum Content {
    /// All of it, in one write.
    Whole(Bytes),
    /// Step by step.
    Steps(Pin<Box<dyn Stream<Item = Result<Bytes, Cut>> + Send>>),
}

impl Content {
    pub(crate) fn steps(steps: Box<dyn Iterator<Item = Step> + Send>) -> Self {
        let stream = stream::unfold(Some((steps, false)), async |state| {
            let (mut steps, written) = state?;
            if written {
                // A body that is not ready for a moment makes hyper flush what it has, so that
                // each write is one on the wire.
                tokio::task::yield_now().await;
            }
            loop {
                match steps.next()? {
                    Step::Pause(time) => tokio::time::sleep(time).await,
                    Step::Write(bytes) => return Some((Ok(bytes), Some((steps, true)))),
                    Step::Stall => std::future::pending().await,
                    Step::Cut => {
                        // HTTP/2 forgets what it has queued when a stream is reset.
                        tokio::time::sleep(if written { FLUSHED } else { Duration::ZERO }).await;
                        return Some((Err(Cut), None));
                    }
                }
            }
        });
        Self::Steps(Box::pin(stream))
    }
}

/// A body that tells the record how it ended: sent, cut by us, or left by the client.
pub(crate) struct ReplyBody {
    content: Content,
    guard: Option<Guard>,
}

impl ReplyBody {
    pub(crate) fn new(content: Content, guard: Option<Guard>) -> Self {
        let mut body = Self { content, guard };
        if body.is_end_stream() {
            body.end(State::Finished);
        }
        body
    }

    fn end(&mut self, state: State) {
        if let Some(guard) = self.guard.take() {
            guard.end(state);
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let next = match &mut self.content {
            Content::Whole(bytes) if bytes.is_empty() => None,
            Content::Whole(bytes) => Some(Ok(std::mem::take(bytes))),
            Content::Steps(steps) => match steps.poll_next_unpin(context) {
                Poll::Ready(next) => next,
                Poll::Pending => return Poll::Pending,
            },
        };
        match &next {
            Some(Ok(bytes)) => {
                if let Some(guard) = &self.guard {
                    guard.sent(bytes.len());
                }
                if self.is_end_stream() {
                    self.end(State::Finished);
                }
            }
            Some(Err(Cut)) => self.end(State::Cut),
            None => self.end(State::Finished),
        }
        Poll::Ready(next.map(|result| result.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Content::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Steps(_) => SizeHint::default(),
        }
    }
}
