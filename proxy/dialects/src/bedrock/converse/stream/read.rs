//! A stream, read.
//!
//! Citations and blocks of the server's own tools have no event and are left out. A call without arguments gets `{}`.

use std::borrow::Cow;

use serde::Deserialize;

use crate::bedrock::converse::reply;
use crate::bedrock::converse::usage::Tokens;
use crate::bedrock::error;
use crate::codec::{Frame, StreamReader};
use crate::form::{Event, Finish, Garbage, Vendor};
use crate::json::Text;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said<'a> {
    content_block_index: Option<u32>,
    #[serde(borrow)]
    start: Option<Start<'a>>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    stop_reason: Option<Text<'a>>,
    #[serde(borrow)]
    additional_model_response_fields: Option<Additional<'a>>,
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start<'a> {
    #[serde(borrow)]
    tool_use: Option<ToolUse<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolUse<'a> {
    #[serde(borrow)]
    tool_use_id: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    input: Option<Text<'a>>,
    /// Whether the server runs it.
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delta<'a> {
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    tool_use: Option<ToolUse<'a>>,
    #[serde(borrow)]
    reasoning_content: Option<Thought<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Thought<'a> {
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    signature: Option<Text<'a>>,
    #[serde(borrow)]
    redacted_content: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Additional<'a> {
    #[serde(borrow)]
    stop_sequence: Option<Text<'a>>,
}

/// A call whose block is open.
#[derive(Clone, Copy, Debug)]
struct Open {
    index: u32,
    call: u32,
    wrote: bool,
}

/// Reads a stream into events.
#[derive(Debug, Default)]
pub struct Reader {
    started: bool,
    finished: bool,
    done: bool,
    open: Vec<Open>,
    calls: u32,
}

impl StreamReader for Reader {
    fn read(&mut self, frame: Frame<'_>, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Garbage> {
        if self.done {
            return Ok(());
        }
        if frame.exception {
            self.done = true;
            emit(Event::Failed(error::of_exception(frame)));
            return Ok(());
        }
        let said: Said<'_> = serde_json::from_slice(frame.data).map_err(|fault| {
            Garbage::new(format!("An event does not read: {fault}."), frame.data)
        })?;
        if !std::mem::replace(&mut self.started, true) {
            emit(Event::Start {
                id: None,
                model: None,
                created: None,
                usage: None,
            });
        }
        let index = said.content_block_index.unwrap_or_default();
        match frame.name {
            // What follows the end of the answer is no part of it.
            Some("contentBlockDelta" | "contentBlockStart") if self.finished => {}
            Some("contentBlockDelta") => self.grow(index, said.delta, emit),
            Some("contentBlockStart") => self.start(index, said.start, emit),
            Some("contentBlockStop") => self.stop(index, emit),
            Some("messageStop") => {
                let sequence = said
                    .additional_model_response_fields
                    .and_then(|fields| fields.stop_sequence);
                let sequence = sequence.map(|text| text.0.into_owned());
                let reason = said.stop_reason.and_then(Text::filled);
                self.finish(reason.map(|reason| reply::finish(&reason, sequence)), emit);
            }
            Some("metadata") => {
                self.finish(None, emit);
                if let Some(usage) = said.usage {
                    emit(Event::Usage(usage.read()));
                }
                self.done = true;
                emit(Event::Done);
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, emit: &mut dyn FnMut(Event<'_>)) -> bool {
        if !self.done && self.finished {
            self.done = true;
            emit(Event::Done);
        }
        self.done
    }
}

impl Reader {
    fn start(&mut self, index: u32, start: Option<Start<'_>>, emit: &mut dyn FnMut(Event<'_>)) {
        let Some(tool) = start
            .and_then(|start| start.tool_use)
            .filter(|tool| tool.kind.is_none())
        else {
            return;
        };
        let call = self.calls;
        self.calls += 1;
        emit(Event::ToolStart {
            choice: 0,
            call,
            id: tool
                .tool_use_id
                .and_then(Text::filled)
                .unwrap_or_else(|| Cow::Owned(format!("call_{call}"))),
            name: tool.name.unwrap_or_default().0,
            signature: None,
        });
        self.open.push(Open {
            index,
            call,
            wrote: false,
        });
    }

    fn grow(&mut self, index: u32, delta: Option<Delta<'_>>, emit: &mut dyn FnMut(Event<'_>)) {
        let Some(delta) = delta else { return };
        if let Some(text) = delta.text.and_then(Text::filled) {
            emit(Event::Text {
                choice: 0,
                text,
                logprobs: None,
            });
        }
        if let Some(json) = delta
            .tool_use
            .and_then(|tool| tool.input)
            .and_then(Text::filled)
            && let Some(open) = self.open.iter_mut().rfind(|open| open.index == index)
        {
            open.wrote = true;
            emit(Event::ToolArguments {
                choice: 0,
                call: open.call,
                json,
            });
        }
        let Some(thought) = delta.reasoning_content else {
            return;
        };
        if let Some(text) = thought.text.and_then(Text::filled) {
            emit(Event::Reasoning { choice: 0, text });
        }
        if let Some(signature) = thought.signature.and_then(Text::filled) {
            emit(Event::ReasoningSignature {
                choice: 0,
                signature,
            });
        }
        if let Some(data) = thought.redacted_content.and_then(Text::filled) {
            emit(Event::ReasoningEncrypted {
                choice: 0,
                vendor: Vendor::Anthropic,
                data,
            });
        }
    }

    fn stop(&mut self, index: u32, emit: &mut dyn FnMut(Event<'_>)) {
        if let Some(place) = self.open.iter().position(|open| open.index == index) {
            let open = self.open.remove(place);
            if !open.wrote {
                emit(Event::ToolArguments {
                    choice: 0,
                    call: open.call,
                    json: Cow::Borrowed("{}"),
                });
            }
        }
    }

    fn finish(&mut self, reason: Option<Finish>, emit: &mut dyn FnMut(Event<'_>)) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        while let Some(open) = self.open.first() {
            self.stop(open.index, emit);
        }
        let plain = if self.calls > 0 {
            Finish::ToolCalls
        } else {
            Finish::Stop
        };
        emit(Event::Finish {
            choice: 0,
            reason: reason.unwrap_or(plain),
        });
    }
}
