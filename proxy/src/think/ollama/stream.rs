//! The lines of a stream.

use std::sync::Arc;

use bytes::Bytes;

use super::line::Line;
use crate::json::{splice::splice_into, string};
use crate::ndjson::{Lines, TooLong};
use crate::sse::Relay;
use crate::think::rules::Rules;
use crate::think::stripper::Stripper;

/// The thinking taken out of one streamed reply of Ollama's. Rules that change nothing still see to it that only whole lines pass, so
/// that an error can follow them.
///
/// ```
/// # use std::sync::Arc;
/// # use bytes::Bytes;
/// use dragoman_proxy::think::{OllamaStream, Rules};
/// let mut stream = OllamaStream::new(Arc::new(Rules::default()));
/// let mut out = Vec::new();
/// for text in ["<think>a", "b</thi", "nk>c"] {
///     let line = format!("{{\"response\":\"{text}\",\"done\":false}}\n");
///     stream.push(Bytes::from(line), &mut out)?;
/// }
/// stream.finish(&mut out);
/// assert_eq!(out.concat(), b"{\"response\":\"c\",\"done\":false}\n");
/// # Ok::<(), dragoman_proxy::ndjson::TooLong>(())
/// ```
#[derive(Debug)]
pub struct OllamaStream {
    rules: Arc<Rules>,
    lines: Lines,
    stripper: Stripper,
    /// What a line of our own is made of; known while text is held back.
    envelope: Vec<u8>,
    chat: bool,
}

impl OllamaStream {
    /// A stream at its start.
    #[must_use]
    pub fn new(rules: Arc<Rules>) -> Self {
        Self {
            stripper: Stripper::new(Arc::clone(&rules)),
            rules,
            lines: Lines::default(),
            envelope: Vec::new(),
            chat: true,
        }
    }

    /// Takes the next chunk of the upstream's body and appends what goes to the client to `out`.
    ///
    /// # Errors
    /// [`TooLong`]: the stream is to be ended with an error line.
    pub fn push(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), TooLong> {
        let mut relay = Relay::new(chunk.clone(), out);
        self.lines.feed(chunk);
        while let Some(line) = self.lines.next_line()? {
            self.line(line, &mut relay);
        }
        Ok(())
    }

    /// Ends the stream: appends all that was held back, of a line without its end too.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) {
        let mut relay = Relay::new(Bytes::new(), out);
        let unended = match self.lines.finish() {
            Some(line) => self.line(line, &mut relay),
            None => false,
        };
        if let Some(rest) = self.rest() {
            if unended {
                relay.pass(Bytes::from_static(b"\n"));
            }
            relay.pass(rest);
        }
    }

    /// Ends a stream that broke off: as [`OllamaStream::finish`], but a line that was cut is left out.
    pub fn cut(&mut self, out: &mut Vec<Bytes>) {
        self.lines = Lines::default();
        out.extend(self.rest());
    }

    /// Passes a line on as it is to be. Says whether anything of it was.
    fn line(&mut self, raw: Bytes, relay: &mut Relay<'_>) -> bool {
        let data = raw.trim_ascii_end();
        if self.rules.is_inert() || data.is_empty() {
            relay.pass(raw);
            return true;
        }
        let Some(line) = Line::read(data) else {
            let cut = !raw.ends_with(b"\n");
            let leaks = cut && (self.stripper.is_thinking() || !self.rules.spares(data));
            if !leaks {
                relay.pass(raw);
            }
            return !leaks;
        };
        let done = line.is_done();
        if line.has_text() {
            self.chat = line.is_chat();
        } else if done || line.is_error() {
            relay.pass(self.rest().unwrap_or_default());
        }
        let edited = line.strip(&self.rules, &mut self.stripper, done);
        if self.stripper.holds() {
            self.envelope = line.envelope();
        }
        if !edited.tells {
            return false;
        }
        if edited.edits.is_empty() {
            relay.pass(raw);
            return true;
        }
        let mut out = Vec::with_capacity(raw.len());
        splice_into(data, edited.edits, &mut out);
        out.extend_from_slice(&raw[data.len()..]);
        relay.pass(out.into());
        true
    }

    /// What is held back, as a line of our own.
    fn rest(&mut self) -> Option<Bytes> {
        let pieces = self.stripper.finish();
        if pieces.visible.is_empty() && pieces.reasoning.is_empty() {
            return None;
        }
        let mut line = [b"{", self.envelope.as_slice()].concat();
        line.extend_from_slice(if self.chat {
            b"\"message\":{\"role\":\"assistant\",\"content\":"
        } else {
            b"\"response\":".as_slice()
        });
        string::encode(&pieces.visible, &mut line);
        if !pieces.reasoning.is_empty() {
            line.extend_from_slice(b",\"thinking\":");
            string::encode(&pieces.reasoning, &mut line);
        }
        line.extend_from_slice(if self.chat { b"}" } else { b"" });
        line.extend_from_slice(b",\"done\":false}\n");
        Some(line.into())
    }
}
