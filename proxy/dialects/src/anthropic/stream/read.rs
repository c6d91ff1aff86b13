//! A stream, read.
//!
//! Blocks of the vendor's own tools (`server_tool_use`, their results) and citations have no event and are left out; events of
//! types that are not known are passed over, as the vendor asks. A call without arguments gets `{}`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::anthropic::usage::Tokens;
use crate::anthropic::{error, reply};
use crate::codec::{Frame, StreamReader};
use crate::form::event::CALLS;
use crate::form::{Event, Finish, Garbage, Vendor};
use crate::json::{self, Text};

/// An event. What few of them have is boxed: the rest is moved for every token.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    index: Option<u32>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    content_block: Option<Box<Block<'a>>>,
    #[serde(borrow)]
    message: Option<Box<Message<'a>>>,
    usage: Option<Box<Tokens>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
}

/// The types that are read; what others hold may have any shape.
const KNOWN: [&str; 8] = [
    "content_block_delta",
    "content_block_start",
    "content_block_stop",
    "message_start",
    "message_delta",
    "message_stop",
    "ping",
    "error",
];

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    thinking: Option<Text<'a>>,
    #[serde(borrow)]
    signature: Option<Text<'a>>,
    #[serde(borrow)]
    partial_json: Option<Text<'a>>,
    #[serde(borrow)]
    stop_reason: Option<Text<'a>>,
    stop_sequence: Option<String>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    thinking: Option<Text<'a>>,
    #[serde(borrow)]
    data: Option<Text<'a>>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    model: Option<Text<'a>>,
    usage: Option<Tokens>,
}

/// A block that is open.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    Thinking,
    Call {
        call: u32,
        wrote: bool,
        /// Whether the arguments came with the start, so that none follow.
        whole: bool,
    },
    Other,
}

/// Reads a stream into events.
#[derive(Debug, Default)]
pub struct Reader {
    started: bool,
    finished: bool,
    done: bool,
    id: Option<String>,
    tokens: Option<Tokens>,
    open: Vec<(u32, Kind)>,
    calls: u32,
}

impl StreamReader for Reader {
    fn read(&mut self, frame: Frame<'_>, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Garbage> {
        let data = frame.data.trim_ascii();
        if self.done || data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        let said: Said<'_> = match json::read(data) {
            Ok(said) => said,
            Err(_) if frame.name == Some("error") => {
                self.fail(data, emit);
                return Ok(());
            }
            Err(_) if is_unknown(frame) => return Ok(()),
            Err(fault) => {
                return Err(Garbage::new(
                    format!("An event does not read: {fault}."),
                    data,
                ));
            }
        };
        match said
            .kind
            .as_ref()
            .map(|kind| kind.0.as_ref())
            .or(frame.name)
        {
            // What follows the end of the answer is no part of it.
            Some("content_block_delta" | "content_block_start") if self.finished => {}
            Some("content_block_delta") => self.grow(said.index, said.delta, emit),
            Some("content_block_start") => self.open(said.index, said.content_block, emit),
            Some("content_block_stop") => self.close(said.index.unwrap_or_default(), emit),
            Some("message_start") => self.start(said.message, emit),
            Some("message_delta") => {
                self.count(said.usage);
                self.finish(said.delta, emit);
            }
            Some("message_stop") => self.stop(emit),
            Some("ping") => emit(Event::Ping),
            Some("error") => self.fail(data, emit),
            Some(_) => {}
            // As servers send it that have no name for it.
            None if said.error.is_some() => self.fail(data, emit),
            None => return Err(Garbage::new("An event has no type.", data)),
        }
        if self.open.len() > CALLS {
            return Err(Garbage::too_many(data));
        }
        Ok(())
    }

    fn end(&mut self, emit: &mut dyn FnMut(Event<'_>)) -> bool {
        if !self.done && self.finished {
            self.stop(emit);
        }
        self.done
    }
}

/// Whether an event is of a type that is not known.
fn is_unknown(frame: Frame<'_>) -> bool {
    let typed: Option<Typed<'_>> = serde_json::from_slice(frame.data).ok();
    let kind = typed.and_then(|typed| typed.kind);
    let kind = kind.as_ref().map(|kind| kind.0.as_ref()).or(frame.name);
    kind.is_some_and(|kind| !KNOWN.contains(&kind))
}

impl Reader {
    fn start(&mut self, message: Option<Box<Message<'_>>>, emit: &mut dyn FnMut(Event<'_>)) {
        if self.started {
            return;
        }
        self.started = true;
        let Some(message) = message else {
            emit(Event::Start {
                id: None,
                model: None,
                created: None,
                usage: None,
            });
            return;
        };
        self.tokens = message.usage;
        let id = message.id.and_then(Text::filled);
        self.id = id.as_deref().map(str::to_owned);
        emit(Event::Start {
            id,
            model: message.model.and_then(Text::filled),
            created: None,
            usage: message.usage.map(Tokens::read),
        });
    }

    fn ready(&mut self, emit: &mut dyn FnMut(Event<'_>)) {
        if !self.started {
            self.start(None, emit);
        }
    }

    fn open(
        &mut self,
        index: Option<u32>,
        block: Option<Box<Block<'_>>>,
        emit: &mut dyn FnMut(Event<'_>),
    ) {
        self.ready(emit);
        let (Some(block), index) = (block, index.unwrap_or_default()) else {
            return;
        };
        let kind = match block.kind.as_ref().map(|kind| kind.0.as_ref()) {
            Some("text") => {
                if let Some(text) = block.text.and_then(Text::filled) {
                    emit(Event::Text {
                        choice: 0,
                        text,
                        logprobs: None,
                    });
                }
                Kind::Text
            }
            Some("thinking") => {
                if let Some(text) = block.thinking.and_then(Text::filled) {
                    emit(Event::Reasoning { choice: 0, text });
                }
                Kind::Thinking
            }
            Some("redacted_thinking") => {
                if let Some(data) = block.data.and_then(Text::filled) {
                    emit(Event::ReasoningEncrypted {
                        choice: 0,
                        vendor: Vendor::Anthropic,
                        data,
                    });
                }
                Kind::Other
            }
            Some("tool_use") => self.call(*block, emit),
            _ => Kind::Other,
        };
        self.open.retain(|(open, _)| *open != index);
        self.open.push((index, kind));
    }

    fn call(&mut self, block: Block<'_>, emit: &mut dyn FnMut(Event<'_>)) -> Kind {
        let call = self.calls;
        self.calls += 1;
        let made_up = || Cow::Owned(reply::made_up(self.id.as_deref(), call as usize));
        emit(Event::ToolStart {
            choice: 0,
            call,
            id: block.id.and_then(Text::filled).unwrap_or_else(made_up),
            name: block.name.unwrap_or_default().0,
            signature: None,
        });
        let input = block.input.map(RawValue::get).unwrap_or_default();
        let inner = input
            .trim()
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        let whole = inner.is_some_and(|inner| !inner.trim().is_empty());
        if whole {
            emit(Event::ToolArguments {
                choice: 0,
                call,
                json: Cow::Borrowed(input),
            });
        }
        Kind::Call {
            call,
            wrote: whole,
            whole,
        }
    }

    fn grow(
        &mut self,
        index: Option<u32>,
        delta: Option<Delta<'_>>,
        emit: &mut dyn FnMut(Event<'_>),
    ) {
        self.ready(emit);
        let Some(delta) = delta else { return };
        if let Some(text) = delta.text.and_then(Text::filled) {
            emit(Event::Text {
                choice: 0,
                text,
                logprobs: None,
            });
        } else if let Some(text) = delta.thinking.and_then(Text::filled) {
            emit(Event::Reasoning { choice: 0, text });
        } else if let Some(json) = delta.partial_json.and_then(Text::filled) {
            let block = match index {
                Some(index) => self.open.iter_mut().rfind(|(open, _)| *open == index),
                None => self.open.last_mut(),
            };
            if let Some((
                _,
                Kind::Call {
                    call,
                    wrote,
                    whole: false,
                },
            )) = block
            {
                *wrote = true;
                emit(Event::ToolArguments {
                    choice: 0,
                    call: *call,
                    json,
                });
            }
        } else if let Some(signature) = delta.signature.and_then(Text::filled) {
            emit(Event::ReasoningSignature {
                choice: 0,
                signature,
            });
        }
    }

    fn close(&mut self, index: u32, emit: &mut dyn FnMut(Event<'_>)) {
        let Some(place) = self.open.iter().position(|(open, _)| *open == index) else {
            return;
        };
        if let (
            _,
            Kind::Call {
                call, wrote: false, ..
            },
        ) = self.open.remove(place)
        {
            emit(Event::ToolArguments {
                choice: 0,
                call,
                json: Cow::Borrowed("{}"),
            });
        }
    }

    fn finish(&mut self, delta: Option<Delta<'_>>, emit: &mut dyn FnMut(Event<'_>)) {
        self.ready(emit);
        let Some(delta) = delta else { return };
        let Some(reason) = delta.stop_reason.and_then(Text::filled) else {
            return;
        };
        if !std::mem::replace(&mut self.finished, true) {
            self.close_all(emit);
            let reason = reply::finish(&reason, delta.stop_sequence);
            emit(Event::Finish { choice: 0, reason });
        }
    }

    fn close_all(&mut self, emit: &mut dyn FnMut(Event<'_>)) {
        while let Some((index, _)) = self.open.first() {
            self.close(*index, emit);
        }
    }

    fn count(&mut self, now: Option<Box<Tokens>>) {
        if let Some(now) = now {
            self.tokens = Some(self.tokens.unwrap_or_default().then(*now));
        }
    }

    fn stop(&mut self, emit: &mut dyn FnMut(Event<'_>)) {
        self.ready(emit);
        if !std::mem::replace(&mut self.finished, true) {
            self.close_all(emit);
            let reason = if self.calls > 0 {
                Finish::ToolCalls
            } else {
                Finish::Stop
            };
            emit(Event::Finish { choice: 0, reason });
        }
        if let Some(tokens) = self.tokens {
            emit(Event::Usage(tokens.read()));
        }
        self.done = true;
        emit(Event::Done);
    }

    fn fail(&mut self, data: &[u8], emit: &mut dyn FnMut(Event<'_>)) {
        self.done = true;
        let value = serde_json::from_slice(data)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(data).into_owned()));
        emit(Event::Failed(error::in_stream(value)));
    }
}
