//! Bodies and streams as text for readers.

use dragoman_dialects::Framing;
use serde_json::Value;

use crate::frames::cut;
use crate::wires::Side;

/// A body, indented.
pub(super) fn json(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).unwrap();
    format!("{value:#}\n")
}

/// A stream as it is, or the messages of an event stream: a line with the name, one with the payload, and a blank one.
pub(super) fn stream(side: &Side, stream: &[u8]) -> String {
    match side.codec().framing() {
        Framing::EventStream => cut(side, stream)
            .iter()
            .map(|frame| frame.shown())
            .collect(),
        _ => str::from_utf8(stream).unwrap().to_owned(),
    }
}
