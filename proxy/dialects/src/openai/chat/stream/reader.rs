//! Reads chunks.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

use super::calls::Calls;
use super::chunk::{CallDelta, Chunk, ChunkChoice, Content, Delta, FunctionDelta};
use crate::codec::{Frame, StreamReader};
use crate::form::event::{CALLS, CHOICES};
use crate::form::{Event, Finish, Garbage, Usage};
use crate::json::{self, Loose};
use crate::openai::chat::reply::{finish_of, seconds};
use crate::openai::{error, logprobs};

/// Reads chunks into events, of text completions too.
#[derive(Debug, Default)]
pub struct Reader {
    started: bool,
    ended: bool,
    /// The reply's id, for ids of calls.
    id: Option<String>,
    usage: Option<Usage>,
    choices: Vec<ChoiceState>,
}

#[derive(Debug)]
struct ChoiceState {
    index: u32,
    finished: bool,
    calls: Calls,
}

impl StreamReader for Reader {
    fn read(&mut self, frame: Frame<'_>, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Garbage> {
        let data = frame.data.trim_ascii();
        if self.ended || data.is_empty() {
            return Ok(());
        }
        if data == b"[DONE]" {
            // The end of no answer is not the end of one.
            if !self.choices.is_empty() {
                self.finish(emit);
            }
            return Ok(());
        }
        let chunk: Chunk<'_> = match json::read(data) {
            Ok(chunk) if frame.name != Some("error") => chunk,
            Ok(_) => return self.failed(data, emit),
            Err(fault) => {
                let bare = frame.name == Some("error") || data.starts_with(b"{\"error\"");
                if bare {
                    return self.failed(data, emit);
                }
                let message = format!("The stream holds what is no chunk: {fault}.");
                return Err(Garbage::new(message, data));
            }
        };
        if chunk.error.is_some() || (chunk.choices.is_none() && is_bare_error(data)) {
            return self.failed(data, emit);
        }
        let many = |choice: &ChunkChoice<'_>| {
            let calls = choice
                .delta
                .as_ref()
                .and_then(|delta| delta.tool_calls.as_ref());
            calls.is_some_and(|calls| calls.len() > CALLS)
        };
        let choices = chunk.choices.as_deref().unwrap_or_default();
        if choices.len() > CHOICES || choices.iter().any(many) {
            return Err(Garbage::too_many(data));
        }
        self.chunk(chunk, emit);
        if self.choices.iter().any(|state| state.calls.is_too_long()) {
            return Err(Garbage::new(
                "The input of a custom tool is longer than 4 MiB.",
                data,
            ));
        }
        let many = |state: &ChoiceState| state.calls.len() > CALLS;
        if self.choices.len() > CHOICES || self.choices.iter().any(many) {
            return Err(Garbage::too_many(data));
        }
        Ok(())
    }

    fn end(&mut self, emit: &mut dyn FnMut(Event<'_>)) -> bool {
        if !self.ended
            && !self.choices.is_empty()
            && self.choices.iter().all(|choice| choice.finished)
        {
            self.finish(emit);
        }
        self.ended
    }
}

impl Reader {
    fn failed(&mut self, data: &[u8], emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Garbage> {
        self.ended = true;
        let value = serde_json::from_slice(data)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(data).into_owned()));
        emit(Event::Failed(error::in_stream(value)));
        Ok(())
    }

    /// The server says that it is done: so is every choice.
    fn finish(&mut self, emit: &mut dyn FnMut(Event<'_>)) {
        self.ended = true;
        for state in &mut self.choices {
            if !state.finished {
                let calls = state.calls.any();
                let reason = if calls {
                    Finish::ToolCalls
                } else {
                    Finish::Stop
                };
                let choice = state.index;
                state.calls.end(self.id.as_deref(), choice, emit);
                emit(Event::Finish { choice, reason });
            }
        }
        if let Some(usage) = self.usage.take() {
            emit(Event::Usage(usage));
        }
        emit(Event::Done);
    }

    fn chunk<'a>(&mut self, chunk: Chunk<'a>, emit: &mut dyn FnMut(Event<'_>)) {
        let mut choices = chunk.choices.unwrap_or_default();
        let id = chunk.id.filled();
        // Azure opens with a chunk of its filter's findings alone.
        if !self.started && (id.is_some() || !choices.is_empty()) {
            self.started = true;
            self.id = id.as_deref().map(str::to_owned);
            emit(Event::Start {
                id,
                model: chunk.model.filled(),
                created: chunk.created.map(seconds).filter(|created| *created > 0),
                usage: None,
            });
        }
        let mut figures = chunk.usage;
        for choice in &mut choices {
            figures = figures.or_else(|| choice.usage.take());
            self.choice(choice, emit);
        }
        if let Some(usage) = figures.and_then(|figures| figures.usage()) {
            self.usage = Some(usage);
        }
    }

    fn choice<'a>(&mut self, choice: &mut ChunkChoice<'a>, emit: &mut dyn FnMut(Event<'_>)) {
        let index = choice.index.unwrap_or_default();
        let place = self.choices.iter().position(|state| state.index == index);
        let place = place.unwrap_or_else(|| {
            self.choices.push(ChoiceState {
                index,
                finished: false,
                calls: Calls::default(),
            });
            self.choices.len() - 1
        });
        let state = &mut self.choices[place];
        if state.finished {
            // Some servers say the reason again beside the usage.
            return;
        }
        let logprobs = choice.logprobs.and_then(read_logprobs);
        let message = || choice.message.take().map(|message| *message);
        if let Some(delta) = choice.delta.take().or_else(message) {
            state.delta(delta, logprobs, self.id.as_deref(), emit);
        } else {
            state.content(std::mem::take(&mut choice.text), logprobs, emit);
        }
        let Some(mut reason) = choice.finish_reason.0.as_deref().and_then(finish_of) else {
            return;
        };
        if reason == Finish::Stop {
            let stop = choice
                .stop_reason
                .0
                .take()
                .or_else(|| choice.matched_stop.0.take());
            if state.calls.any() {
                reason = Finish::ToolCalls;
            } else if let Some(stop) = stop {
                reason = Finish::StopSequence(Some(stop.into_owned()));
            }
        }
        state.finished = true;
        state.calls.end(self.id.as_deref(), index, emit);
        emit(Event::Finish {
            choice: index,
            reason,
        });
    }
}

impl ChoiceState {
    fn delta<'a>(
        &mut self,
        delta: Delta<'a>,
        logprobs: Option<Value>,
        id: Option<&str>,
        emit: &mut dyn FnMut(Event<'_>),
    ) {
        let choice = self.index;
        let reasoning = [delta.reasoning_content, delta.reasoning];
        let reasoning = reasoning.into_iter().find_map(Loose::filled);
        if let Some(text) = reasoning {
            emit(Event::Reasoning { choice, text });
        }
        self.content(delta.content, logprobs, emit);
        if let Some(text) = delta.refusal.filled() {
            emit(Event::Refusal { choice, text });
        }
        for call in delta.tool_calls.into_iter().flatten() {
            self.calls.read(call, id, choice, emit);
        }
        if let Some(function) = delta.function_call {
            let call = older(*function);
            self.calls.read(call, id, choice, emit);
        }
    }

    fn content<'a>(
        &mut self,
        content: Content<'a>,
        logprobs: Option<Value>,
        emit: &mut dyn FnMut(Event<'_>),
    ) {
        let choice = self.index;
        let (text, parts) = match content {
            Content::Text(text) => (text, Vec::new()),
            Content::Parts(parts) => (Cow::default(), parts),
            Content::None => (Cow::default(), Vec::new()),
        };
        if !text.is_empty() || logprobs.is_some() {
            emit(Event::Text {
                choice,
                text,
                logprobs,
            });
        }
        for part in parts {
            for text in part.thinking.0.into_iter().filter(|text| !text.is_empty()) {
                emit(Event::Reasoning { choice, text });
            }
            if let Some(text) = part.text.filled() {
                let logprobs = None;
                emit(Event::Text {
                    choice,
                    text,
                    logprobs,
                });
            }
        }
    }
}

/// An error as vLLM and SGLang send it: the object itself, not in a field.
fn is_bare_error(data: &[u8]) -> bool {
    let value: Value = serde_json::from_slice(data).unwrap_or_default();
    value.get("object").is_some_and(|object| object == "error")
}

/// The older way to call, which had no ids and one call.
fn older(function: FunctionDelta<'_>) -> CallDelta<'_> {
    CallDelta {
        index: Some(0),
        id: Loose::default(),
        function: Some(function),
        custom: None,
    }
}

/// What is said of tokens; a bare `{"content": null}` or `{"content": []}` says nothing.
fn read_logprobs(raw: &RawValue) -> Option<Value> {
    let value: Value = serde_json::from_str(raw.get()).ok()?;
    if value.get("tokens").is_some() {
        return logprobs::of_legacy(&value);
    }
    let said = |name: &str| {
        let list = value.get(name).and_then(Value::as_array);
        list.is_some_and(|list| !list.is_empty())
    };
    (said("content") || said("refusal")).then_some(value)
}
