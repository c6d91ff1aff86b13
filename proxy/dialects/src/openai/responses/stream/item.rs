//! Items that are open: what came of them so far.

use serde_json::{Value, json};

use crate::openai::responses::reply::{function_call, message, reasoning, text_part};

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
        done: Vec<Value>,
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
    pub(super) logprobs: Vec<Value>,
}

impl Piece {
    pub(super) fn value(&self) -> Value {
        if self.refusal {
            json!({"type": "refusal", "refusal": self.text})
        } else {
            text_part(&self.text, Vec::new(), self.logprobs.clone())
        }
    }
}

impl Open {
    /// The item as it stands.
    pub(super) fn value(&self, status: &str) -> Value {
        match &self.kind {
            Kind::Message { done, .. } => message(&self.id, status, done.clone()),
            Kind::Reasoning { text, encrypted } => reasoning(&self.id, text, encrypted.as_deref()),
            Kind::Call {
                call_id,
                name,
                arguments,
                ..
            } => function_call(&self.id, status, call_id, name, arguments),
        }
    }
}
