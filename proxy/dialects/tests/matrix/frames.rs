//! Streams, cut into frames.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use dragoman_dialects::form::{Event, Garbage};
use dragoman_dialects::framing::{EventStream, Ndjson};
use dragoman_dialects::{Frame, Framing, Wire};
use serde_json::Value;

use super::wires::Side;

/// A frame that owns what it holds.
#[derive(Clone)]
pub(crate) struct Cut {
    name: Option<String>,
    exception: bool,
    data: Vec<u8>,
}

impl fmt::Debug for Cut {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, data) = (self.name.as_deref(), String::from_utf8_lossy(&self.data));
        write!(out, "{} {data}", name.unwrap_or_default())
    }
}

/// A stream's frames.
pub(crate) fn cut(side: &Side, stream: &[u8]) -> Vec<Cut> {
    match side.codec().framing() {
        Framing::Sse => server_sent(stream),
        Framing::Ndjson => lines(stream),
        Framing::EventStream => messages(stream),
    }
}

fn server_sent(stream: &[u8]) -> Vec<Cut> {
    let text = str::from_utf8(stream).unwrap();
    assert!(text.is_empty() || text.ends_with("\n\n"), "{text}");
    let mut frames = Vec::new();
    for event in text.split("\n\n").filter(|event| !event.is_empty()) {
        let (mut name, mut data) = (None, None);
        for line in event.lines() {
            name = name.or(line.strip_prefix("event:"));
            data = data.or(line.strip_prefix("data:"));
        }
        if let Some(data) = data {
            frames.push(Cut {
                name: name.map(|name| name.trim_start().to_owned()),
                exception: false,
                data: data.trim_start().into(),
            });
        }
    }
    frames
}

fn lines(stream: &[u8]) -> Vec<Cut> {
    assert!(stream.is_empty() || stream.ends_with(b"\n"));
    let mut lines = Ndjson::default();
    lines.feed(Bytes::copy_from_slice(stream));
    let mut frames = Vec::new();
    while let Some(line) = lines.next_line().unwrap() {
        frames.push(Cut {
            name: None,
            exception: false,
            data: line.to_vec(),
        });
    }
    frames
}

fn messages(stream: &[u8]) -> Vec<Cut> {
    let mut messages = EventStream::default();
    messages.feed(Bytes::copy_from_slice(stream));
    let mut frames = Vec::new();
    while let Some(message) = messages.next_message().unwrap() {
        let frame = message.frame();
        frames.push(Cut {
            name: frame.name.map(str::to_owned),
            exception: frame.exception,
            data: frame.data.to_vec(),
        });
    }
    assert!(messages.is_between());
    frames
}

/// What a dialect's reader makes of frames; whether the answer was complete.
pub(crate) fn read(
    side: &Side,
    frames: &[Cut],
    emit: &mut dyn FnMut(Event<'_>),
) -> Result<bool, Garbage> {
    let mut reader = side.codec().stream_reader();
    for frame in frames {
        reader.read(frame.frame(), emit)?;
    }
    Ok(reader.end(emit))
}

impl Cut {
    /// As readers take it.
    pub(crate) fn frame(&self) -> Frame<'_> {
        Frame {
            name: self.name.as_deref(),
            exception: self.exception,
            data: &self.data,
        }
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.data).unwrap_or_default()
    }

    /// The event in a chunk of Bedrock's `invoke`.
    fn chunk(&self) -> Value {
        let value = self.json();
        let bytes = STANDARD.decode(value["bytes"].as_str().unwrap_or_default());
        serde_json::from_slice(&bytes.unwrap_or_default()).unwrap_or_default()
    }

    /// Its event, be it in a chunk.
    pub(crate) fn event(&self) -> Value {
        match self.chunk() {
            Value::Null => self.json(),
            chunk => chunk,
        }
    }

    /// A message of an event stream for readers: its name and its payload, or the event in a chunk.
    pub(crate) fn shown(&self) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        format!("{name}\n{}\n\n", self.event())
    }

    /// Whether it says that the answer is complete.
    pub(crate) fn is_terminator(&self, wire: Wire) -> bool {
        let named = |name| self.name.as_deref() == Some(name);
        match wire {
            Wire::Chat | Wire::Completions | Wire::ConversationChat => self.data == b"[DONE]",
            Wire::Responses => named("response.completed") || named("response.incomplete"),
            Wire::Messages => named("message_stop"),
            Wire::BedrockInvoke => self.chunk()["type"] == "message_stop",
            Wire::BedrockText => self.chunk()["stop_reason"].is_string(),
            Wire::BedrockConverse => named("messageStop"),
            Wire::OllamaChat | Wire::OllamaGenerate | Wire::Conversation => {
                self.json()["done"] == true
            }
            Wire::Tgi => self.json()["generated_text"].is_string(),
            // It has none but the reason with which its candidates end.
            Wire::Gemini => self.json().pointer("/candidates/0/finishReason").is_some(),
        }
    }

    /// Whether it says that the answer was broken off.
    pub(crate) fn is_error(&self, wire: Wire) -> bool {
        match wire {
            Wire::Responses => self.name.as_deref() == Some("response.failed"),
            Wire::Messages => self.name.as_deref() == Some("error"),
            Wire::BedrockInvoke | Wire::BedrockText | Wire::BedrockConverse => self.exception,
            _ => self.json().get("error").is_some(),
        }
    }
}
