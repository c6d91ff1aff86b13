//! A translated stream on its way to the client.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};

use bytes::Bytes;
use dragoman_dialects::Rope;
use http::StatusCode;

use super::dispatch::Asked;
use super::error::{Blame, Refusal};
use super::judged;
use super::request_id::RequestId;
use crate::access::response::ContentDenied;
use crate::state::Shared;
use crate::translate::{Broken, Stream};
use crate::upstream::ReplyBody;

/// How much of a translated chunk is made room for at once.
const ROOM: usize = 4 << 10;

/// A translated stream on its way to the client.
pub(crate) struct Pipe {
    /// None once it is over.
    body: Option<ReplyBody>,
    stream: Stream,
    /// What was written and has not been taken yet.
    pieces: VecDeque<Bytes>,
    id: RequestId,
    shared: Arc<Shared>,
    /// The backend's name within the route, for an error event.
    backend: Box<str>,
}

impl Pipe {
    pub(crate) fn new(body: ReplyBody, stream: Stream, asked: &Asked, backend: &str) -> Self {
        Self {
            body: Some(body),
            stream,
            pieces: VecDeque::new(),
            id: asked.id,
            shared: Arc::clone(&asked.worker.shared),
            backend: backend.into(),
        }
    }

    /// Waits until rules let something pass: before that a refusal can still be an error of its own.
    ///
    /// # Errors
    /// [`ContentDenied`], where they refuse the reply.
    pub(crate) async fn begin(&mut self) -> Result<(), ContentDenied> {
        let mut ready = VecDeque::new();
        while let Some(piece) = poll_fn(|cx| self.poll_chunk(cx)).await {
            ready.push_back(piece);
            if self.stream.has_said() {
                break;
            }
            if let Some(denied) = self.stream.denied() {
                return Err(denied.clone());
            }
        }
        ready.append(&mut self.pieces);
        self.pieces = ready;
        Ok(())
    }

    /// The next piece; none at the end. What breaks becomes the dialect's error event, and nothing follows it.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Task<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                return Poll::Ready(Some(piece));
            }
            let Some(body) = &mut self.body else {
                return Poll::Ready(None);
            };
            let chunk = ready!(body.poll_chunk(cx));
            let mut out = Rope::default();
            let ended = chunk.is_none();
            let outcome = match chunk {
                Some(Ok(chunk)) => {
                    out.tail().reserve(chunk.len() + ROOM);
                    let pushed = self.stream.push(chunk, &mut out);
                    pushed.map_err(|broken| broken_off(&self.backend, &broken))
                }
                Some(Err(fault)) => {
                    tracing::warn!(request_id = %self.id, backend = &*self.backend, kind = fault.kind(), "{fault}");
                    Err(Refusal::upstream(&self.backend, &fault))
                }
                None => {
                    let finished = self.stream.finish(&mut out);
                    finished.map_err(|broken| broken_off(&self.backend, &broken))
                }
            };
            if let Err(refusal) = &outcome {
                self.stream.fail(refusal.failure(), &mut out);
            }
            if let Some(denied) = self.stream.denied() {
                judged::note(denied, self.id, &self.shared);
                self.body = None;
            }
            // A stream that has had its end is read on, so that the connection can serve again; what it says is dropped.
            if ended || outcome.is_err() {
                self.body = None;
            }
            self.pieces.extend(out.into_pieces());
        }
    }
}

pub(crate) fn broken_off(backend: &str, broken: &Broken) -> Refusal {
    let message = format!("The stream of backend {backend:?} cannot be read on: {broken}.");
    let code = match broken {
        Broken::Cut => "upstream_cut",
        Broken::Uncut(_) | Broken::Garbage(_) | Broken::TooLong => "upstream_failed",
    };
    Refusal {
        blame: Blame::Upstream,
        retry: true,
        ..Refusal::client(StatusCode::BAD_GATEWAY, code, message)
    }
}
