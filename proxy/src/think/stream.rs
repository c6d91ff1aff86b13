//! Takes the thinking out of a streamed OpenAI reply: chat completions and completions.
//!
//! Source: [the chat completion chunk](https://platform.openai.com/docs/api-reference/chat-streaming).
//!
//! - An event in which nothing changes is passed on as the bytes that came, together with its neighbours.
//! - Otherwise only `choices[].delta.content` (or `choices[].text`) is edited in place; every other byte
//!   stays. What is extracted goes to `reasoning_content` beside it.
//! - A chunk that lost its text and tells nothing else is left out. It tells something else if it has a role, a
//!   `finish_reason`, `usage`, tool calls, logprobs or any other member that is not null, besides
//!   `id`, `object`, `created`, `model`, `system_fingerprint`, `service_tier` and `obfuscation`.
//! - Text that was held back joins the chunk that carries its choice's `finish_reason`; without one it becomes
//!   a chunk of its own before `[DONE]` or at the stream's end.
//! - Stripped text takes its chunk's logprobs with it (they become null), because they spell it out.
//! - What is no JSON, or no such chunk, passes. Only an event that was cut off is left out when it may be
//!   part of a block.

use std::sync::Arc;

use bytes::Bytes;

pub use super::choices::CHOICES;
use super::choices::{CHUNK, Choices, TooMany, Verdict, delta};
use super::rules::Rules;
use crate::json::{scan, string};
use crate::sse::{Event, Framer, Relay, TooLong};

/// Why a stream cannot go on. The upstream's fault; after bytes have gone to the client no retry helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// One event is too long.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// One line is too long.
    #[error(transparent)]
    TooLongLine(#[from] crate::ndjson::TooLong),
    /// A message of an event stream has no length that one can have.
    #[error(transparent)]
    BadLength(#[from] crate::messages::BadLength),
    /// More blocks open at once than anyone reads.
    #[error("the upstream opened more blocks at once than are taken")]
    Blocks,
    /// More than [`CHOICES`] choices.
    #[error("the upstream sent more than {CHOICES} choices")]
    Choices,
}

impl From<TooMany> for Unreadable {
    fn from(_: TooMany) -> Self {
        Self::Choices
    }
}

/// The thinking taken out of one streamed reply.
///
/// ```
/// # use std::sync::Arc;
/// # use bytes::Bytes;
/// use dragoman_proxy::think::{OpenAiStream, Rules};
/// let mut stream = OpenAiStream::new(Arc::new(Rules::default()));
/// let mut out = Vec::new();
/// for text in ["<think>a", "b</thi", "nk>c"] {
///     let chunk = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
///     stream.push(Bytes::from(chunk), &mut out)?;
/// }
/// stream.finish(&mut out)?;
/// assert_eq!(out.concat(), b"data: {\"choices\":[{\"delta\":{\"content\":\"c\"}}]}\n\n");
/// # Ok::<(), dragoman_proxy::think::Unreadable>(())
/// ```
#[derive(Debug)]
pub struct OpenAiStream {
    rules: Arc<Rules>,
    framer: Framer,
    choices: Choices,
    envelope: Option<Envelope>,
}

/// What a chunk of our own is made of: the members that all chunks share, each with its comma.
#[derive(Debug)]
struct Envelope {
    members: Vec<u8>,
    ending: &'static [u8],
}

impl OpenAiStream {
    /// A stream at its start.
    #[must_use]
    pub fn new(rules: Arc<Rules>) -> Self {
        let choices = Choices::new(Arc::clone(&rules));
        Self {
            rules,
            framer: Framer::default(),
            choices,
            envelope: None,
        }
    }

    /// Takes the next chunk of the upstream's body and appends what goes to the client to `out`.
    ///
    /// # Errors
    /// [`Unreadable`]: the stream is to be ended with an error event.
    pub fn push(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), Unreadable> {
        if self.rules.is_inert() {
            out.push(chunk);
            return Ok(());
        }
        let mut relay = Relay::new(chunk.clone(), out);
        self.framer.feed(chunk);
        while let Some(event) = self.framer.next_event()? {
            self.event(event, &mut relay)?;
        }
        Ok(())
    }

    /// Ends the stream: appends all that was held back, of an unfinished event too.
    ///
    /// # Errors
    /// As for [`OpenAiStream::push`].
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<(), Unreadable> {
        let mut relay = Relay::new(Bytes::new(), out);
        if let Some(event) = self.framer.finish() {
            let (complete, ending) = (event.complete, event.line_ending());
            self.event(event, &mut relay)?;
            if !complete && self.choices.hold() {
                relay.pass([ending, ending].concat().into());
            }
        }
        self.flush(&mut relay);
        Ok(())
    }

    fn event(&mut self, event: Event, relay: &mut Relay<'_>) -> Result<(), Unreadable> {
        let Some(data) = event.data() else {
            relay.pass(event.raw);
            return Ok(());
        };
        if data.trim_ascii() == b"[DONE]" {
            self.flush(relay);
            relay.pass(event.raw);
            return Ok(());
        }
        match self.choices.judge(data)? {
            Verdict::Edited(edited) => {
                self.remember(&event);
                relay.pass(event.with_data(&edited).into());
            }
            Verdict::Silent => self.remember(&event),
            Verdict::Malformed if !event.complete && self.may_be_thought(data) => {}
            Verdict::Malformed | Verdict::Untouched => relay.pass(event.raw),
        }
        Ok(())
    }

    fn may_be_thought(&self, data: &[u8]) -> bool {
        self.choices.think() || !self.rules.spares(data)
    }

    /// Keeps what a chunk of our own will need, as soon as some text is held back.
    fn remember(&mut self, event: &Event) {
        if self.envelope.is_some() || !self.choices.hold() {
            return;
        }
        let data = event.data().unwrap_or_default();
        let Ok(chunk) = scan(data, &CHUNK) else {
            return;
        };
        let mut members = Vec::new();
        for name in ["id", "object", "created", "model", "system_fingerprint"] {
            if let Some(value) = chunk.get(name) {
                string::encode(name, &mut members);
                members.push(b':');
                members.extend_from_slice(&data[value]);
                members.push(b',');
            }
        }
        self.envelope = Some(Envelope {
            members,
            ending: event.line_ending(),
        });
    }

    /// Passes on what is held back, as chunks of our own.
    fn flush(&mut self, relay: &mut Relay<'_>) {
        let (members, ending) = match &self.envelope {
            Some(envelope) => (envelope.members.as_slice(), envelope.ending),
            None => (&b""[..], &b"\n"[..]),
        };
        for slot in self.choices.slots() {
            let pieces = slot.stripper.finish();
            if pieces.visible.is_empty() && pieces.reasoning.is_empty() {
                continue;
            }
            let mut event = [b"data: {", members].concat();
            event.extend_from_slice(format!("\"choices\":[{{\"index\":{},", slot.index).as_bytes());
            let delta = delta(&pieces);
            if slot.chat {
                event.extend_from_slice(b"\"delta\":");
                event.extend_from_slice(&delta);
            } else {
                event.extend_from_slice(b"\"text\":");
                event.extend_from_slice(&delta[b"{\"content\":".len()..delta.len() - 1]);
                event.extend_from_slice(b",\"logprobs\":null");
            }
            event.extend_from_slice(b",\"finish_reason\":null}]}");
            event.extend_from_slice(ending);
            event.extend_from_slice(ending);
            relay.pass(event.into());
        }
    }
}
