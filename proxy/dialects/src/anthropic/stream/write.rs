//! A stream, written.
//!
//! Blocks come one after another, as the vendor's do: one that begins closes the one before. Arguments for a call whose block is
//! closed, which only a server sends that mixes its calls, go to it by its index. Reasoning, refusals and the reason of the end follow [`super::super::reply`]'s rules.

use std::io::Write as _;

use jiff::Timestamp;
use serde_json::json;

use super::envelope::Envelope;
use crate::anthropic::usage::Tokens;
use crate::anthropic::{ids, reply};
use crate::codec::{Context, StreamWriter};
use crate::form::{Event, Finish, Usage, Vendor};
use crate::json::append;

/// The block that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
    Call(u32),
}

/// Writes events as a stream.
#[derive(Debug)]
pub struct Writer<E> {
    envelope: E,
    context: Context,
    started: bool,
    open: Option<Open>,
    /// The index of the next block.
    next: u32,
    /// The index of each call's block.
    calls: Vec<u32>,
    finish: Option<Finish>,
    usage: Option<Usage>,
    closed: bool,
}

impl<E: Envelope> Writer<E> {
    /// A writer for one client.
    #[must_use]
    pub fn new(context: &Context, envelope: E) -> Self {
        Self {
            envelope,
            context: context.clone(),
            started: false,
            open: None,
            next: 0,
            calls: Vec::new(),
            finish: None,
            usage: None,
            closed: false,
        }
    }
}

impl<E: Envelope> StreamWriter for Writer<E> {
    fn write(&mut self, event: Event<'_>, now: &dyn Fn() -> Timestamp, out: &mut Vec<u8>) {
        match event {
            Event::Text {
                choice: 0, text, ..
            }
            | Event::Refusal { choice: 0, text }
                if !text.is_empty() =>
            {
                self.begin(Open::Text, br#"{"type":"text","text":""}"#, out);
                self.delta(r#"{"type":"text_delta","text":"#, &text, out);
            }
            Event::Reasoning { choice: 0, text } if self.context.reasoning && !text.is_empty() => {
                self.begin(Open::Thinking, THINKING, out);
                self.delta(r#"{"type":"thinking_delta","thinking":"#, &text, out);
            }
            Event::ReasoningSignature {
                choice: 0,
                signature,
            } => {
                self.begin(Open::Thinking, THINKING, out);
                self.delta(r#"{"type":"signature_delta","signature":"#, &signature, out);
                self.close(out);
            }
            Event::ReasoningEncrypted {
                choice: 0,
                vendor: Vendor::Anthropic,
                data,
            } => {
                let block = json!({"type": "redacted_thinking", "data": data}).to_string();
                self.close(out);
                self.start_block(block.as_bytes(), out);
                self.stop_block(out);
            }
            Event::ToolStart {
                choice: 0,
                call,
                id,
                name,
                ..
            } => self.call(call, &id, &name, out),
            Event::ToolArguments {
                choice: 0,
                call,
                json,
            } => self.arguments(call, &json, out),
            Event::Start {
                id, model, usage, ..
            } => {
                if let Some(model) = model {
                    self.context.model = model.into();
                }
                self.start(id.as_deref(), usage.as_ref(), out);
            }
            Event::Finish { choice: 0, reason } => {
                self.close(out);
                self.finish = Some(reason);
            }
            Event::Usage(usage) => {
                self.usage = Some(usage);
                if self.finish.is_some() {
                    self.message_delta(out);
                }
            }
            Event::Ping => self.envelope.event("ping", out, |out| {
                out.extend_from_slice(br#"{"type":"ping"}"#)
            }),
            Event::Failed(failure) => self.envelope.failed(&failure, out),
            Event::Done => self.done(now, out),
            _ => {}
        }
    }
}

const THINKING: &[u8] = br#"{"type":"thinking","thinking":"","signature":""}"#;

impl<E: Envelope> Writer<E> {
    fn start(&mut self, id: Option<&str>, usage: Option<&Usage>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let start = json!({
            "type": "message_start",
            "message": {
                "id": reply::message_id(id, &self.context),
                "type": "message",
                "role": "assistant",
                "model": self.context.model,
                "content": [],
                "stop_reason": null,
                "stop_sequence": null,
                "usage": Tokens::of(usage),
            },
        });
        self.envelope
            .event("message_start", out, |out| append(&start, out));
    }

    fn begin(&mut self, kind: Open, block: &[u8], out: &mut Vec<u8>) {
        if self.open != Some(kind) {
            self.close(out);
            self.start_block(block, out);
            self.open = Some(kind);
        }
    }

    fn start_block(&mut self, block: &[u8], out: &mut Vec<u8>) {
        if !self.started {
            self.start(None, None, out);
        }
        let index = self.next;
        self.envelope.event("content_block_start", out, |out| {
            // A vector takes every byte.
            let _ = write!(
                out,
                r#"{{"type":"content_block_start","index":{index},"content_block":"#
            );
            out.extend_from_slice(block);
            out.push(b'}');
        });
    }

    fn stop_block(&mut self, out: &mut Vec<u8>) {
        let index = self.next;
        self.next += 1;
        self.envelope.event("content_block_stop", out, |out| {
            let _ = write!(out, r#"{{"type":"content_block_stop","index":{index}}}"#);
        });
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            self.stop_block(out);
        }
    }

    /// A delta of the open block: `start` is the delta's object up to the text.
    fn delta(&mut self, start: &str, text: &str, out: &mut Vec<u8>) {
        self.delta_of(self.next, start, text, out);
    }

    fn delta_of(&mut self, index: u32, start: &str, text: &str, out: &mut Vec<u8>) {
        self.envelope.event("content_block_delta", out, |out| {
            out.extend_from_slice(br#"{"type":"content_block_delta","index":"#);
            append(&index, out);
            out.extend_from_slice(br#","delta":"#);
            out.extend_from_slice(start.as_bytes());
            append(text, out);
            out.extend_from_slice(b"}}");
        });
    }

    fn call(&mut self, call: u32, id: &str, name: &str, out: &mut Vec<u8>) {
        self.close(out);
        let block = json!({"type": "tool_use", "id": ids::plain(id), "name": name, "input": {}})
            .to_string();
        self.start_block(block.as_bytes(), out);
        self.open = Some(Open::Call(call));
        let place = call as usize;
        if self.calls.len() == place {
            self.calls.push(self.next);
        }
    }

    fn arguments(&mut self, call: u32, piece: &str, out: &mut Vec<u8>) {
        let index = match self.open {
            Some(Open::Call(open)) if open == call => Some(self.next),
            _ => self.calls.get(call as usize).copied(),
        };
        if let Some(index) = index.filter(|_| !piece.is_empty()) {
            self.delta_of(
                index,
                r#"{"type":"input_json_delta","partial_json":"#,
                piece,
                out,
            );
        }
    }

    fn message_delta(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        let (stop_reason, stop_sequence) =
            reply::stop_reason(self.finish.as_ref(), !self.calls.is_empty());
        let delta = json!({
            "type": "message_delta",
            "delta": {"stop_reason": stop_reason, "stop_sequence": stop_sequence},
            "usage": Tokens::of(self.usage.as_ref()),
        });
        self.envelope
            .event("message_delta", out, |out| append(&delta, out));
    }

    fn done(&mut self, now: &dyn Fn() -> Timestamp, out: &mut Vec<u8>) {
        if !self.started {
            self.start(None, None, out);
        }
        self.close(out);
        self.message_delta(out);
        let mut metrics = Vec::new();
        self.envelope
            .metrics(&Tokens::of(self.usage.as_ref()), now, &mut metrics);
        self.envelope.event("message_stop", out, |out| {
            out.extend_from_slice(br#"{"type":"message_stop""#);
            out.extend_from_slice(&metrics);
            out.push(b'}');
        });
    }
}
