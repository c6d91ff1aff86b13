//! Items that are open: what came of them so far.
//!
//! What is said is kept once, as JSON text: the inside of a string, or the elements of a list. The events that say it again share it.

use crate::json::append;
use crate::rope::Rope;

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
        done: Vec<Rope>,
        /// The text or refusal that is going on.
        part: Option<Part>,
    },
    Reasoning {
        text: Rope,
        /// What only the vendor can read of it, with its quotes.
        encrypted: Option<Rope>,
    },
    Call {
        call: u32,
        call_id: String,
        name: String,
        arguments: Rope,
    },
}

/// A message's text or refusal.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) refusal: bool,
    pub(super) text: Rope,
    /// The elements of a JSON list, with commas between them.
    pub(super) logprobs: Rope,
}

impl Part {
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
        let mut text = Vec::new();
        for each in logprobs {
            text.clear();
            if !self.logprobs.is_empty() {
                text.push(b',');
            }
            append(each, &mut text);
            self.logprobs.keep(&text);
        }
        self.logprobs.len() - before
    }

    /// The part as it stands.
    pub(super) fn write(&mut self, out: &mut Rope) {
        if self.refusal {
            between(
                br#"{"type":"refusal","refusal":""#,
                &mut self.text,
                br#""}"#,
                out,
            );
            return;
        }
        let start = br#"{"type":"output_text","text":""#;
        between(start, &mut self.text, br#"","annotations":[]"#, out);
        between(br#","logprobs":["#, &mut self.logprobs, b"]}", out);
    }
}

impl Open {
    /// The item as it stands.
    pub(super) fn write(&mut self, status: &str, out: &mut Rope) {
        let tail = out.tail();
        tail.extend_from_slice(br#"{"id":"#);
        append(&self.id, tail);
        match &mut self.kind {
            Kind::Message { done, .. } => {
                tail.extend_from_slice(br#","type":"message","status":"#);
                append(status, tail);
                tail.extend_from_slice(br#","role":"assistant","content":["#);
                for (number, part) in done.iter_mut().enumerate() {
                    let comma: &[u8] = if number == 0 { b"" } else { b"," };
                    between(comma, part, b"", out);
                }
                out.tail().extend_from_slice(b"]}");
            }
            Kind::Reasoning { text, encrypted } => {
                tail.extend_from_slice(br#","type":"reasoning","summary":["#);
                if !text.is_empty() {
                    summary(text, out);
                }
                out.tail().push(b']');
                if let Some(encrypted) = encrypted {
                    between(br#","encrypted_content":"#, encrypted, b"", out);
                }
                out.tail().push(b'}');
            }
            Kind::Call {
                call_id,
                name,
                arguments,
                ..
            } => {
                tail.extend_from_slice(br#","type":"function_call","status":"#);
                append(status, tail);
                tail.extend_from_slice(br#","call_id":"#);
                append(call_id, tail);
                tail.extend_from_slice(br#","name":"#);
                append(name, tail);
                between(br#","arguments":""#, arguments, br#""}"#, out);
            }
        }
    }
}

/// A summary of reasoning.
pub(super) fn summary(text: &mut Rope, out: &mut Rope) {
    between(br#"{"type":"summary_text","text":""#, text, br#""}"#, out);
}

/// What is kept, between what stands around it.
pub(super) fn between(start: &[u8], kept: &mut Rope, end: &[u8], out: &mut Rope) {
    out.tail().extend_from_slice(start);
    out.share(kept);
    out.tail().extend_from_slice(end);
}
