//! A streamed reply: passed on as it comes, and ended with an error event when the upstream breaks it off.

use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::error::Refusal;
use crate::upstream::{Fault, ReplyBody};

/// An event stream on its way to the client.
pub(crate) struct Stream {
    body: Option<ReplyBody>,
    /// The backend's name within the route, for an error event.
    backend: Box<str>,
}

impl Stream {
    pub(crate) fn new(body: ReplyBody, backend: &str) -> Self {
        Self { body: Some(body), backend: backend.into() }
    }

    /// The next piece; none at the end. What breaks becomes the last event, and nothing follows it.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        match ready!(body.poll_chunk(cx)) {
            Some(Ok(chunk)) => Poll::Ready(Some(chunk)),
            None => {
                self.body = None;
                Poll::Ready(None)
            }
            Some(Err(fault)) => {
                self.body = None;
                Poll::Ready(Some(self.broken(&fault)))
            }
        }
    }

    fn broken(&self, fault: &Fault) -> Bytes {
        Refusal::upstream(&self.backend, fault).event()
    }
}
