//! A stream whose events a Mapper changes, one by one. It holds one event at most.

use bytes::Bytes;
use dragoman_dialects::{Frame, Framing};
use serde_json::Value;

use super::Mapped;
use crate::translate::frames::{Frames, Uncut};
use crate::upstream::{Edit, Fault};

/// The event with which OpenAI's streams end.
const DONE: &[u8] = b"[DONE]";

/// A stream on its way.
pub(super) struct Events {
    frames: Frames,
    writing: Writing,
}

struct Writing {
    mapped: Mapped,
    /// How events are written.
    framing: Framing,
    /// Whether the stream has had its end: whatever still comes is dropped.
    done: bool,
}

impl Events {
    pub(super) fn new(mapped: Mapped, read: Framing, written: Framing) -> Self {
        Self {
            frames: Frames::new(read),
            writing: Writing {
                mapped,
                framing: written,
                done: false,
            },
        }
    }
}

/// Why an event does not go on.
enum Broken {
    Uncut(Uncut),
    Mapper(Fault),
}

impl From<Uncut> for Broken {
    fn from(uncut: Uncut) -> Self {
        Self::Uncut(uncut)
    }
}

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Uncut(uncut) => Self::Protocol {
                reason: uncut.to_string(),
                replying: true,
            },
            Broken::Mapper(fault) => fault,
        }
    }
}

impl Edit for Events {
    fn push(&mut self, chunk: Bytes, out: &mut Vec<u8>) -> Result<(), Fault> {
        let Self { frames, writing } = self;
        let pushed = frames.push(chunk, |frame| writing.take(frame, out));
        pushed.map(drop).map_err(Fault::from)
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        let Self { frames, writing } = self;
        let finished = frames.finish(|frame| writing.take(frame, out));
        finished.map_err(Fault::from)
    }
}

impl Writing {
    fn take(&mut self, frame: Frame<'_>, out: &mut Vec<u8>) -> Result<(), Broken> {
        if self.done || frame.data.trim_ascii().is_empty() {
            return Ok(());
        }
        if frame.data.trim_ascii() == DONE {
            self.end(out);
            return Ok(());
        }
        let body = json_or_text(frame.data);
        let Some(made) = self.mapped.events(&body).map_err(Broken::Mapper)? else {
            self.write(frame.name, frame.data, out);
            return Ok(());
        };
        for event in made.events {
            let name = frame.name.map(|name| named(name, &body, &event));
            self.write(name, event.to_string().as_bytes(), out);
        }
        if made.done {
            self.end(out);
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.done = true;
        if self.framing == Framing::Sse {
            self.write(None, DONE, out);
        }
    }

    fn write(&self, name: Option<&str>, data: &[u8], out: &mut Vec<u8>) {
        if self.framing == Framing::Ndjson {
            out.extend_from_slice(data);
            out.push(b'\n');
            return;
        }
        // What a Custom server calls its events means nothing to OpenAI's clients.
        if let Some(name) = name.filter(|_| !self.mapped.is_custom()) {
            out.extend_from_slice(b"event: ");
            out.extend_from_slice(name.as_bytes());
            out.push(b'\n');
        }
        // A CR ends a line too, and may stand between the words of a line of JSON.
        for line in data.split(|byte| matches!(byte, b'\n' | b'\r')) {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(line);
            out.push(b'\n');
        }
        out.push(b'\n');
    }
}

/// The name of an event that came as `name`: where that was its body's `type`, the new one's, unless it would end the line.
fn named<'e>(name: &'e str, before: &Value, after: &'e Value) -> &'e str {
    match after["type"].as_str() {
        Some(kind) if before["type"] == name && !kind.contains(['\r', '\n']) => kind,
        _ => name,
    }
}

/// What was said, as expressions see it: JSON, or a text.
pub(super) fn json_or_text(said: &[u8]) -> Value {
    serde_json::from_slice(said)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(said).into_owned()))
}
