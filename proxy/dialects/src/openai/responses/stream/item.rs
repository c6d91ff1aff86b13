//! Items that are open: what came of them so far.
//!
//! What is done is kept as JSON text, of which the last event is made: a tree of it, of probabilities above all, takes many times
//! the memory.

use serde::Serialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use crate::json::append;
use crate::openai::responses::reply::{function_call, reasoning};

/// An item and its place in the output.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) place: usize,
    pub(super) id: String,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Message {
        /// Content that is whole.
        done: Vec<Box<RawValue>>,
        /// The text or refusal that is going on.
        part: Option<Piece>,
    },
    Reasoning {
        text: String,
        encrypted: Option<String>,
    },
    Call {
        call: u32,
        call_id: String,
        name: String,
        arguments: String,
    },
}

/// A message's text or refusal.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) refusal: bool,
    pub(super) text: String,
    /// The elements of a JSON list, with commas between them.
    logprobs: Vec<u8>,
}

/// A message, in the order of its fields.
#[derive(Serialize)]
struct Message<'a> {
    id: &'a str,
    r#type: &'static str,
    status: &'a str,
    role: &'static str,
    content: &'a [Box<RawValue>],
}

/// A text of a message, in the order of its fields.
#[derive(Serialize)]
struct Text<'a> {
    r#type: &'static str,
    text: &'a str,
    annotations: [(); 0],
    logprobs: &'a RawValue,
}

impl Piece {
    /// One that begins.
    pub(super) fn new(refusal: bool) -> Self {
        Self {
            refusal,
            ..Self::default()
        }
    }

    /// Adds probabilities; how many bytes of them.
    pub(super) fn add(&mut self, logprobs: &[serde_json::Value]) -> usize {
        let before = self.logprobs.len();
        for each in logprobs {
            if !self.logprobs.is_empty() {
                self.logprobs.push(b',');
            }
            append(each, &mut self.logprobs);
        }
        self.logprobs.len() - before
    }

    /// The list of probabilities.
    pub(super) fn logprobs(&self) -> Box<RawValue> {
        let list = [b"[", self.logprobs.as_slice(), b"]"].concat();
        let list = String::from_utf8(list).unwrap_or_default();
        RawValue::from_string(list).unwrap_or_default()
    }

    pub(super) fn value(&self) -> Box<RawValue> {
        if self.refusal {
            return raw(&json!({"type": "refusal", "refusal": self.text}));
        }
        raw(&Text {
            r#type: "output_text",
            text: &self.text,
            annotations: [],
            logprobs: &self.logprobs(),
        })
    }
}

impl Open {
    /// The item as it stands.
    pub(super) fn value(&self, status: &str) -> Box<RawValue> {
        match &self.kind {
            Kind::Message { done, .. } => raw(&Message {
                id: &self.id,
                r#type: "message",
                status,
                role: "assistant",
                content: done,
            }),
            Kind::Reasoning { text, encrypted } => {
                raw(&reasoning(&self.id, text, encrypted.as_deref()))
            }
            Kind::Call {
                call_id,
                name,
                arguments,
                ..
            } => raw(&function_call(&self.id, status, call_id, name, arguments)),
        }
    }
}

/// A value's JSON text. Only a map whose keys are no strings would have none, and nothing here is one.
pub(super) fn raw<T: Serialize>(value: &T) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_default()
}
