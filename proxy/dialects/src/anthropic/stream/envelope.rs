//! What stands around the JSON of a streamed event: server-sent events at Anthropic, frames at Bedrock.

use jiff::Timestamp;

use crate::anthropic::{error, usage::Tokens};
use crate::form::Failure;
use crate::framing::sse;
use crate::json;

/// Puts events into a stream.
pub trait Envelope: Send {
    /// Appends an event whose JSON text `body` appends.
    fn event(&mut self, name: &'static str, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>));

    /// Appends the error that ends the stream.
    fn failed(&mut self, failure: &Failure, out: &mut Vec<u8>);

    /// Appends members of the last event's object, each after a comma.
    fn metrics(&mut self, _usage: &Tokens, _now: &dyn Fn() -> Timestamp, _out: &mut Vec<u8>) {}
}

/// `event: …`, `data: …`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sse;

impl Envelope for Sse {
    fn event(&mut self, name: &'static str, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
        sse::begin(Some(name), out);
        body(out);
        sse::end(out);
    }

    fn failed(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        let error = serde_json::json!({
            "type": "error",
            "error": {"type": error::type_of(failure), "message": error::message(failure)},
        });
        self.event("error", out, |out| json::append(&error, out));
    }
}
