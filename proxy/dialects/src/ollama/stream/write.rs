//! Writes a stream.
//!
//! Rules: those of a whole reply. Counts and durations come in the last line; the server's signs of life, signatures and
//! encrypted reasoning are left out, since Ollama has no line for them.

use jiff::Timestamp;
use serde_json::Value;

use super::calls::{Calls, Whole};
use crate::codec::{Context, StreamWriter};
use crate::form::{Event, Finish, Usage};
use crate::json::append;
use crate::ollama::shape::Shape;
use crate::ollama::{error, measure, reply};

/// What the last line will say, and what every line begins with.
pub(in crate::ollama) struct Writer {
    shape: Shape,
    /// `{"model":"…","created_at":"`
    head: Vec<u8>,
    reasoning: bool,
    started: Timestamp,
    first: Option<Timestamp>,
    finish: Option<Finish>,
    usage: Option<Usage>,
    calls: Calls,
    called: usize,
}

/// A line up to its time.
fn head_of(model: &str) -> Vec<u8> {
    let mut head = b"{\"model\":".to_vec();
    append(model, &mut head);
    head.extend_from_slice(b",\"created_at\":\"");
    head
}

impl Writer {
    pub(in crate::ollama) fn new(context: &Context, shape: Shape) -> Self {
        Self {
            shape,
            head: head_of(&context.model),
            reasoning: context.reasoning,
            started: context.started,
            first: None,
            finish: None,
            usage: None,
            calls: Calls::default(),
            called: 0,
        }
    }

    fn head(&mut self, now: Timestamp, out: &mut Vec<u8>) {
        self.first.get_or_insert(now);
        out.extend_from_slice(&self.head);
        out.extend_from_slice(measure::time(now).as_bytes());
        out.extend_from_slice(b"\",");
    }

    fn text(&mut self, text: &str, logprobs: Option<&Value>, now: Timestamp, out: &mut Vec<u8>) {
        self.head(now, out);
        out.extend_from_slice(match self.shape {
            Shape::Chat => b"\"message\":{\"role\":\"assistant\",\"content\":",
            Shape::Generate => b"\"response\":".as_slice(),
        });
        append(text, out);
        out.extend_from_slice(match self.shape {
            Shape::Chat => b"},\"done\":false",
            Shape::Generate => b",\"done\":false".as_slice(),
        });
        if let Some(list) = logprobs.and_then(|object| object.get("content")) {
            out.extend_from_slice(b",\"logprobs\":");
            append(list, out);
        }
        out.extend_from_slice(b"}\n");
    }

    fn thinking(&mut self, text: &str, now: Timestamp, out: &mut Vec<u8>) {
        self.head(now, out);
        out.extend_from_slice(match self.shape {
            Shape::Chat => b"\"message\":{\"role\":\"assistant\",\"content\":\"\",\"thinking\":",
            Shape::Generate => b"\"response\":\"\",\"thinking\":".as_slice(),
        });
        append(text, out);
        out.extend_from_slice(match self.shape {
            Shape::Chat => b"},\"done\":false}\n",
            Shape::Generate => b",\"done\":false}\n".as_slice(),
        });
    }

    fn call(&mut self, whole: &Whole, now: Timestamp, out: &mut Vec<u8>) {
        // Generate has no tools, so none can be called.
        if self.shape == Shape::Generate {
            return;
        }
        let call = reply::written_call(&whole.id, self.called, &whole.name, &whole.json);
        self.called += 1;
        self.head(now, out);
        out.extend_from_slice(
            b"\"message\":{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[",
        );
        append(&call, out);
        out.extend_from_slice(b"]},\"done\":false}\n");
    }

    fn done(&mut self, now: Timestamp, out: &mut Vec<u8>) {
        let first = self.first;
        self.head(now, out);
        out.extend_from_slice(match self.shape {
            Shape::Chat => b"\"message\":{\"role\":\"assistant\",\"content\":\"\"}",
            Shape::Generate => b"\"response\":\"\"".as_slice(),
        });
        out.extend_from_slice(b",\"done\":true,\"done_reason\":");
        append(reply::word(self.finish.as_ref()), out);
        let measured = measure::streamed(self.started, first, now);
        for (name, value) in measure::fields(self.usage.as_ref(), Some(measured)) {
            out.push(b',');
            append(&name, out);
            out.push(b':');
            append(&value, out);
        }
        out.extend_from_slice(b"}\n");
    }
}

impl StreamWriter for Writer {
    fn write(&mut self, event: Event<'_>, now: &dyn Fn() -> Timestamp, out: &mut Vec<u8>) {
        match event {
            Event::Start {
                model: Some(model), ..
            } => self.head = head_of(&model),
            Event::Text {
                choice: 0,
                text,
                logprobs,
            } => self.text(&text, logprobs.as_ref(), now(), out),
            Event::Refusal { choice: 0, text } => self.text(&text, None, now(), out),
            Event::Reasoning { choice: 0, text } if self.reasoning => {
                self.thinking(&text, now(), out);
            }
            Event::ToolStart {
                choice: 0,
                call,
                id,
                name,
                ..
            } => self.calls.start(call, &id, &name),
            Event::ToolArguments {
                choice: 0,
                call,
                json,
            } => {
                if let Some(whole) = self.calls.piece(call, &json) {
                    self.call(&whole, now(), out);
                }
            }
            Event::Finish { choice: 0, reason } => {
                let rest: Vec<Whole> = self.calls.rest().collect();
                for whole in &rest {
                    self.call(whole, now(), out);
                }
                self.finish = Some(reason);
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Failed(failure) => {
                out.extend_from_slice(&error::body(&failure));
                out.push(b'\n');
            }
            Event::Done => self.done(now(), out),
            _ => {}
        }
    }

    fn kept(&self) -> usize {
        self.calls.kept()
    }
}
