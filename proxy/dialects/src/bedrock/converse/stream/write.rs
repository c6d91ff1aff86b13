//! A stream, written: blocks one after another, of which only a tool's has a start.
//!
//! The rules are those of [Anthropic's writer](crate::anthropic::stream::write).

use std::io::Write as _;

use jiff::Timestamp;
use serde_json::json;

use super::milliseconds;
use crate::anthropic::ids;
use crate::bedrock::converse::request::LONGEST_ID;
use crate::bedrock::converse::usage::Tokens;
use crate::bedrock::converse::{error, reply};
use crate::codec::{Context, StreamWriter};
use crate::form::{Event, Finish, Usage, Vendor};
use crate::framing::event_stream::write::event;
use crate::json::append;

/// The block that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Text,
    Reasoning,
    Call(u32),
}

/// Writes events as a stream.
#[derive(Debug)]
pub struct Writer {
    reasoning: bool,
    began: Timestamp,
    started: bool,
    open: Option<Open>,
    /// The index of the next block.
    next: u32,
    /// The index of each call's block.
    calls: Vec<u32>,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

impl Writer {
    /// A writer for one client.
    #[must_use]
    pub fn new(context: &Context) -> Self {
        Self {
            reasoning: context.reasoning,
            began: context.started,
            started: false,
            open: None,
            next: 0,
            calls: Vec::new(),
            finish: None,
            usage: None,
        }
    }
}

impl StreamWriter for Writer {
    fn write(&mut self, event: Event<'_>, now: &dyn Fn() -> Timestamp, out: &mut Vec<u8>) {
        match event {
            Event::Text {
                choice: 0, text, ..
            }
            | Event::Refusal { choice: 0, text }
                if !text.is_empty() =>
            {
                self.begin(Open::Text, out);
                delta(self.next, r#"{"text":"#, &text, "}", out);
            }
            Event::Reasoning { choice: 0, text } if self.reasoning && !text.is_empty() => {
                self.begin(Open::Reasoning, out);
                delta(
                    self.next,
                    r#"{"reasoningContent":{"text":"#,
                    &text,
                    "}}",
                    out,
                );
            }
            Event::ReasoningSignature {
                choice: 0,
                signature,
            } => {
                self.begin(Open::Reasoning, out);
                delta(
                    self.next,
                    r#"{"reasoningContent":{"signature":"#,
                    &signature,
                    "}}",
                    out,
                );
                self.close(out);
            }
            Event::ReasoningEncrypted {
                choice: 0,
                vendor: Vendor::Anthropic,
                data,
            } => {
                self.close(out);
                self.begin(Open::Reasoning, out);
                delta(
                    self.next,
                    r#"{"reasoningContent":{"redactedContent":"#,
                    &data,
                    "}}",
                    out,
                );
                self.close(out);
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
            Event::Start { .. } => self.start(out),
            Event::Finish { choice: 0, reason } => {
                self.close(out);
                self.finish = Some(reason);
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Failed(failure) => error::write_exception(&failure, false, out),
            Event::Done => self.done(now, out),
            _ => {}
        }
    }
}

/// A delta: `start` and `end` stand around the text.
fn delta(index: u32, start: &str, text: &str, end: &str, out: &mut Vec<u8>) {
    event("contentBlockDelta", out, |out| {
        // A vector takes every byte.
        let _ = write!(out, r#"{{"contentBlockIndex":{index},"delta":{start}"#);
        append(text, out);
        out.extend_from_slice(end.as_bytes());
        out.push(b'}');
    });
}

impl Writer {
    fn start(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.started, true) {
            event("messageStart", out, |out| {
                out.extend_from_slice(br#"{"role":"assistant"}"#)
            });
        }
    }

    fn begin(&mut self, kind: Open, out: &mut Vec<u8>) {
        self.start(out);
        if self.open != Some(kind) {
            self.close(out);
            self.open = Some(kind);
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            let index = self.next;
            self.next += 1;
            event("contentBlockStop", out, |out| {
                let _ = write!(out, r#"{{"contentBlockIndex":{index}}}"#);
            });
        }
    }

    fn call(&mut self, call: u32, id: &str, name: &str, out: &mut Vec<u8>) {
        self.close(out);
        self.begin(Open::Call(call), out);
        let start = json!({
            "contentBlockIndex": self.next,
            "start": {"toolUse": {"toolUseId": ids::short(id, LONGEST_ID), "name": name}},
        });
        event("contentBlockStart", out, |out| append(&start, out));
        if self.calls.len() == call as usize {
            self.calls.push(self.next);
        }
    }

    fn arguments(&mut self, call: u32, piece: &str, out: &mut Vec<u8>) {
        let index = match self.open {
            Some(Open::Call(open)) if open == call => Some(self.next),
            _ => self.calls.get(call as usize).copied(),
        };
        if let Some(index) = index.filter(|_| !piece.is_empty()) {
            delta(index, r#"{"toolUse":{"input":"#, piece, "}}", out);
        }
    }

    fn done(&mut self, now: &dyn Fn() -> Timestamp, out: &mut Vec<u8>) {
        self.start(out);
        self.close(out);
        let reason = reply::stop_reason(self.finish.as_ref(), !self.calls.is_empty());
        let stop = json!({"stopReason": reason});
        event("messageStop", out, |out| append(&stop, out));
        let metadata = json!({
            "usage": Tokens::of(self.usage.as_ref()),
            "metrics": {"latencyMs": milliseconds(self.began, now())},
        });
        event("metadata", out, |out| append(&metadata, out));
    }
}
