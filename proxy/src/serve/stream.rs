//! A streamed reply: passed on as it comes, edited where the route says so, and ended with an error event when the
//! upstream breaks it off.

use std::collections::VecDeque;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use dragoman_dialects::Wire;

use super::error::{Blame, Refusal};
use super::masked::Masked;
use super::reply_model::Renamer;
use super::request_id::RequestId;
use crate::think::ReplyStream;
use crate::upstream::ReplyBody;

/// An event stream on its way to the client.
pub(crate) struct Stream {
    /// None once it is over.
    body: Option<ReplyBody>,
    masked: Option<Masked>,
    think: Option<ReplyStream>,
    renamer: Option<Renamer>,
    /// Pieces that are ready to go.
    ready: VecDeque<Bytes>,
    /// What the stages write to, kept for its memory.
    scratch: Vec<Bytes>,
    /// What the client speaks, for an error event.
    client: Wire,
    id: RequestId,
    /// The backend's name within the route, for an error event.
    backend: Box<str>,
}

impl Stream {
    pub(crate) fn new(body: ReplyBody, client: Wire, id: RequestId, backend: &str) -> Self {
        Self {
            client,
            id,
            body: Some(body),
            masked: None,
            think: None,
            renamer: None,
            ready: VecDeque::new(),
            scratch: Vec::new(),
            backend: backend.into(),
        }
    }

    /// Without what is masked.
    pub(crate) fn masked(mut self, masked: Option<Masked>) -> Self {
        self.masked = masked;
        self
    }

    /// With thinking treated as the route says, and the model's name as the map says.
    pub(crate) fn edited(mut self, think: Option<ReplyStream>, renamer: Option<Renamer>) -> Self {
        self.think = think;
        self.renamer = renamer;
        self
    }

    /// The next piece; none at the end. What breaks becomes the last event, and nothing follows it.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Poll::Ready(Some(piece));
            }
            let Some(body) = &mut self.body else {
                return Poll::Ready(None);
            };
            let mut chunk = ready!(body.poll_chunk(cx));
            if let (Some(masked), Some(Ok(piece))) = (&mut self.masked, &mut chunk) {
                *piece = masked.push(std::mem::take(piece));
                if piece.is_empty() {
                    continue;
                }
            }
            if self.think.is_none()
                && self.renamer.is_none()
                && let Some(Ok(chunk)) = chunk
            {
                return Poll::Ready(Some(chunk));
            }
            let fault = match chunk {
                Some(Ok(chunk)) => self.push(chunk).err().inspect(|fault| self.note(fault)),
                Some(Err(fault)) => {
                    tracing::warn!(request_id = %self.id, backend = &*self.backend, kind = fault.kind(), "{fault}");
                    self.body = None;
                    // What was held back belongs to what had arrived.
                    let unreadable = self.finish(true).err();
                    let unreadable = unreadable.inspect(|fault| self.note(fault));
                    Some(unreadable.unwrap_or_else(|| Refusal::upstream(&self.backend, &fault)))
                }
                None => {
                    self.body = None;
                    self.finish(false).err().inspect(|fault| self.note(fault))
                }
            };
            if let Some(fault) = fault {
                self.body = None;
                let error = self.think.as_ref();
                let error =
                    error.and_then(|think| think.error(&fault.said(self.client, self.id).1));
                let error = error.unwrap_or_else(|| fault.event(self.client, self.id));
                self.ready.push_back(error);
            }
        }
    }

    /// Once, when it is met: what the client is told quotes nothing.
    fn note(&self, unreadable: &Refusal) {
        tracing::warn!(
            request_id = %self.id, backend = &*self.backend, kind = "unreadable", "{}", unreadable.message
        );
    }

    fn push(&mut self, chunk: Bytes) -> Result<(), Refusal> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let pushed = match &mut self.think {
            Some(think) => think
                .push(chunk, &mut scratch)
                .map_err(|fault| unreadable(&fault)),
            None => {
                scratch.push(chunk);
                Ok(())
            }
        };
        self.pass(scratch)?;
        pushed
    }

    /// Hands over what was held back, of a stream that was `cut` off what an error can follow.
    fn finish(&mut self, cut: bool) -> Result<(), Refusal> {
        let rest = self.masked.as_mut().map(Masked::rest);
        if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
            self.push(rest)?;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let finished = match &mut self.think {
            Some(think) if cut => think.cut(&mut scratch),
            Some(think) => think.finish(&mut scratch),
            None => Ok(()),
        };
        let finished = finished.map_err(|fault| unreadable(&fault));
        self.pass(scratch)?;
        if let Some(renamer) = &mut self.renamer {
            let mut last = Vec::new();
            renamer.finish(&mut last);
            self.ready.extend(last);
        }
        finished
    }

    /// Through the second stage, or straight on.
    fn pass(&mut self, mut pieces: Vec<Bytes>) -> Result<(), Refusal> {
        match &mut self.renamer {
            None => self.ready.extend(pieces.drain(..)),
            Some(renamer) => {
                let mut renamed = Vec::new();
                let mut pieces = pieces.drain(..);
                let passed = pieces.try_for_each(|piece| renamer.push(piece, &mut renamed));
                // What came before the fault is sound.
                self.ready.extend(renamed);
                passed.map_err(|fault| unreadable(&fault))?;
            }
        }
        self.scratch = pieces;
        Ok(())
    }
}

fn unreadable(fault: &dyn std::error::Error) -> Refusal {
    let message = format!("The upstream's stream cannot be read: {fault}.");
    Refusal {
        blame: Blame::Upstream,
        ..Refusal::client(http::StatusCode::BAD_GATEWAY, "upstream_failed", message)
    }
}
