//! Chunks: `{"bytes": "…"}`, the base64 of an event of Anthropic's.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;

use crate::again::Again;
use crate::anthropic;
use crate::anthropic::stream::Envelope;
use crate::anthropic::usage::Tokens;
use crate::bedrock::error;
use crate::codec::{Frame, StreamReader};
use crate::form::{Event, Failure, Garbage};
use crate::framing::event_stream::write;
use crate::json::Text;

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    bytes: Option<Text<'a>>,
}

/// Decodes a chunk into a buffer; whether it is one.
///
/// # Errors
/// [`Garbage`] if it does not read.
pub fn decode(frame: Frame<'_>, decoded: &mut Vec<u8>) -> Result<bool, Garbage> {
    if frame.name.is_some_and(|name| name != "chunk") {
        return Ok(false);
    }
    let chunk: Chunk<'_> = serde_json::from_slice(frame.data)
        .map_err(|fault| Garbage::new(format!("A chunk does not read: {fault}."), frame.data))?;
    let Some(bytes) = chunk.bytes else {
        return Ok(false);
    };
    decoded.clear();
    STANDARD
        .decode_vec(bytes.0.as_bytes(), decoded)
        .map_err(|fault| Garbage::new(format!("A chunk is not base64: {fault}."), frame.data))?;
    Ok(true)
}

/// Appends what a chunk's `bytes` says: a JSON string, of base64.
pub fn encode(event: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + event.len().div_ceil(3) * 4, 0);
    // The length is the one that base64 has; it cannot fail.
    let _ = STANDARD.encode_slice(event, &mut out[start..]);
    out.push(b'"');
}

/// Reads chunks.
#[derive(Debug, Default)]
pub struct Reader {
    inner: Again<anthropic::stream::Reader>,
    decoded: Vec<u8>,
    failed: bool,
}

impl StreamReader for Reader {
    fn read(&mut self, frame: Frame<'_>, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Garbage> {
        if self.failed {
            return Ok(());
        }
        if frame.exception {
            self.failed = true;
            emit(Event::Failed(error::of_exception(frame)));
            return Ok(());
        }
        if !decode(frame, &mut self.decoded)? {
            return Ok(());
        }
        let frame = Frame {
            name: None,
            exception: false,
            data: &self.decoded,
        };
        self.inner.read(frame, emit)
    }

    fn end(&mut self, emit: &mut dyn FnMut(Event<'_>)) -> bool {
        self.failed || self.inner.end(emit)
    }
}

/// Puts events of Anthropic's into chunks.
#[derive(Debug)]
pub struct Chunks {
    started: Timestamp,
    json: Vec<u8>,
}

impl Chunks {
    /// For an answer to a request that came at `started`.
    #[must_use]
    pub fn new(started: Timestamp) -> Self {
        Self {
            started,
            json: Vec::new(),
        }
    }
}

impl Envelope for Chunks {
    fn event(&mut self, _name: &'static str, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
        self.json.clear();
        body(&mut self.json);
        write::event("chunk", out, |out| {
            out.extend_from_slice(br#"{"bytes":"#);
            encode(&self.json, out);
            out.push(b'}');
        });
    }

    fn failed(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        error::write_exception(failure, true, out);
    }

    fn metrics(&mut self, usage: &Tokens, now: &dyn Fn() -> Timestamp, out: &mut Vec<u8>) {
        let took = super::super::converse::stream::milliseconds(self.started, now());
        let (input, output) = (
            usage.input_tokens.unwrap_or(0),
            usage.output_tokens.unwrap_or(0),
        );
        // A vector takes every byte.
        let _ = write!(
            out,
            r#","amazon-bedrock-invocationMetrics":{{"inputTokenCount":{input},"outputTokenCount":{output},"invocationLatency":{took}"#
        );
        for (name, count) in [
            ("cacheReadInputTokenCount", usage.cache_read_input_tokens),
            (
                "cacheWriteInputTokenCount",
                usage.cache_creation_input_tokens,
            ),
        ] {
            if let Some(count) = count {
                let _ = write!(out, r#","{name}":{count}"#);
            }
        }
        out.push(b'}');
    }
}
