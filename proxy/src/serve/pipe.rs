//! A translated stream on its way to the client.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use dragoman_dialects::Rope;

use super::dispatch::Asked;
use super::judged;
use super::request_id::RequestId;
use super::unreadable::Whose;
use crate::access::response::Stopped;
use crate::state::Shared;
use crate::state::backend::Backend;
use crate::translate::Stream;
use crate::upstream::ReplyBody;

/// How much of a translated chunk is made room for at once.
const ROOM: usize = 4 << 10;

/// How long, and how many bytes, an upstream is read on that has told its answer's end: so much is worth the connection, which can serve again then.
const PATIENCE: Duration = Duration::from_secs(1);
const REST: usize = 64 << 10;

async fn read_on(mut body: ReplyBody) {
    let rest = async {
        let mut read = 0;
        while let Some(Ok(chunk)) = body.chunk().await {
            read += chunk.len();
            if read > REST {
                break;
            }
        }
    };
    let _ended = tokio::time::timeout(PATIENCE, rest).await;
}

/// A translated stream on its way to the client.
pub(crate) struct Pipe {
    /// None once it is over.
    body: Option<ReplyBody>,
    stream: Stream,
    /// What was written and has not been taken yet.
    pieces: VecDeque<Bytes>,
    id: RequestId,
    shared: Arc<Shared>,
    backend: Arc<Backend>,
    /// Its name within the route, for an error event.
    name: Box<str>,
}

impl Pipe {
    pub(crate) fn new(
        body: ReplyBody,
        stream: Stream,
        asked: &Asked,
        name: &str,
        backend: &Arc<Backend>,
    ) -> Self {
        Self {
            body: Some(body),
            stream,
            pieces: VecDeque::new(),
            id: asked.id,
            shared: Arc::clone(&asked.worker.shared),
            backend: Arc::clone(backend),
            name: name.into(),
        }
    }

    /// Waits until rules let something pass: before that a refusal can still be an error of its own.
    ///
    /// # Errors
    /// [`Stopped`], where they refuse the reply, which was told in the log.
    pub(crate) async fn begin(&mut self) -> Result<(), Stopped> {
        let mut ready = VecDeque::new();
        while let Some(piece) = poll_fn(|cx| self.poll_chunk(cx)).await {
            ready.push_back(piece);
            if self.stream.has_said() {
                break;
            }
            if let Some(stopped) = self.stream.stopped() {
                return Err(stopped.clone());
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
            let whose = Whose {
                backend: &self.backend,
                name: &self.name,
                id: self.id,
            };
            let outcome = match chunk {
                Some(Ok(chunk)) => {
                    out.tail().reserve(chunk.len() + ROOM);
                    let pushed = self.stream.push(chunk, &mut out);
                    pushed.map_err(|broken| whose.broken(&broken))
                }
                Some(Err(fault)) => Err(whose.fault(&fault)),
                None => {
                    let finished = self.stream.finish(&mut out);
                    finished.map_err(|broken| whose.broken(&broken))
                }
            };
            if let Err(refusal) = &outcome {
                self.stream.fail(refusal.failure(), &mut out);
            }
            if let Some(stopped) = self.stream.stopped() {
                judged::note_stopped(stopped, self.id, &self.shared);
                self.body = None;
            }
            if ended || outcome.is_err() {
                self.body = None;
            }
            // Who has had the answer is not kept waiting for the upstream's end.
            if self.stream.has_ended()
                && let Some(body) = self.body.take()
            {
                tokio::task::spawn_local(read_on(body));
            }
            self.pieces.extend(out.into_pieces());
        }
    }
}
