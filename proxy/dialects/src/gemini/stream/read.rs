//! A stream, read.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::codec::{Frame, StreamReader};
use crate::fields::Fields;
use crate::form::event::CHOICES;
use crate::form::{Event, Finish, Garbage, Part, Usage};
use crate::gemini::usage::Tokens;
use crate::gemini::{error, finish, logprobs, parts};
use crate::json::Loose;
use crate::openai::chat::reply::made_id;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk<'a> {
    #[serde(borrow, default)]
    candidates: Option<Vec<Candidate<'a>>>,
    #[serde(borrow, default, alias = "prompt_feedback")]
    prompt_feedback: Option<Feedback<'a>>,
    #[serde(default, alias = "usage_metadata")]
    usage_metadata: Option<Tokens>,
    #[serde(borrow, default, alias = "model_version")]
    model_version: Loose<'a>,
    #[serde(borrow, default, alias = "response_id")]
    response_id: Loose<'a>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback<'a> {
    #[serde(borrow, default, alias = "block_reason")]
    block_reason: Loose<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    #[serde(default)]
    index: Option<u32>,
    #[serde(borrow, default)]
    content: Option<Content<'a>>,
    #[serde(borrow, default, alias = "finish_reason")]
    finish_reason: Loose<'a>,
    #[serde(borrow, default, alias = "logprobs_result")]
    logprobs_result: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow, default)]
    parts: Option<Vec<Piece<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Piece<'a> {
    #[serde(borrow, default)]
    text: Loose<'a>,
    #[serde(default)]
    thought: Option<bool>,
    #[serde(borrow, default, alias = "thought_signature")]
    thought_signature: Loose<'a>,
    #[serde(borrow, default, alias = "function_call")]
    function_call: Option<Call<'a>>,
    #[serde(borrow, default, alias = "inline_data")]
    inline_data: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "file_data")]
    file_data: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "executable_code")]
    executable_code: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "code_execution_result")]
    code_execution_result: Option<&'a RawValue>,
}

impl Piece<'_> {
    /// What it holds that is neither text nor a call.
    fn other(&self) -> Option<Part> {
        let named = [
            ("inlineData", self.inline_data),
            ("fileData", self.file_data),
            ("executableCode", self.executable_code),
            ("codeExecutionResult", self.code_execution_result),
        ];
        let (name, raw) = named
            .into_iter()
            .find_map(|(name, raw)| Some((name, raw?)))?;
        let value: Value = serde_json::from_str(raw.get()).ok()?;
        let fields = Fields::of(json!({name: value}), String::new()).ok()?;
        parts::media(fields, self.thought == Some(true), None).ok()
    }
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    id: Loose<'a>,
    #[serde(borrow, default)]
    name: Loose<'a>,
    #[serde(borrow, default)]
    args: Option<&'a RawValue>,
}

/// Reads a stream into events.
#[derive(Debug, Default)]
pub struct Reader {
    started: bool,
    ended: bool,
    /// The reply's id, for ids of calls.
    id: Option<String>,
    usage: Option<Usage>,
    choices: Vec<State>,
}

#[derive(Debug)]
struct State {
    index: u32,
    calls: u32,
    finish: Option<String>,
}

impl StreamReader for Reader {
    fn read(&mut self, frame: Frame<'_>, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Garbage> {
        let data = frame.data.trim_ascii();
        if self.ended || data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        let chunk: Chunk<'_> = serde_json::from_slice(data).map_err(|fault| {
            let message = format!("The stream holds what is no piece of a reply: {fault}.");
            Garbage::new(message, data)
        })?;
        if let Some(raw) = chunk.error {
            self.ended = true;
            let object: Value = serde_json::from_str(raw.get()).unwrap_or_default();
            emit(Event::Failed(error::in_stream(object)));
            return Ok(());
        }
        let candidates = chunk.candidates.as_deref().unwrap_or_default();
        if candidates.len() > CHOICES {
            return Err(Garbage::too_many(data));
        }
        self.chunk(chunk, emit);
        if self.choices.len() > CHOICES {
            return Err(Garbage::too_many(data));
        }
        Ok(())
    }

    fn end(&mut self, emit: &mut dyn FnMut(Event<'_>)) -> bool {
        let complete =
            !self.choices.is_empty() && self.choices.iter().all(|choice| choice.finish.is_some());
        if self.ended || !complete {
            return self.ended;
        }
        self.ended = true;
        for choice in &self.choices {
            let word = choice.finish.as_deref().unwrap_or_default();
            emit(Event::Finish {
                choice: choice.index,
                reason: finish::read(word, choice.calls > 0).unwrap_or(Finish::Stop),
            });
        }
        if let Some(usage) = self.usage {
            emit(Event::Usage(usage));
        }
        emit(Event::Done);
        true
    }
}

impl Reader {
    fn chunk(&mut self, chunk: Chunk<'_>, emit: &mut dyn FnMut(Event<'_>)) {
        if !std::mem::replace(&mut self.started, true) {
            let id = chunk.response_id.filled();
            self.id = id.as_deref().map(str::to_owned);
            emit(Event::Start {
                id,
                model: chunk.model_version.filled(),
                created: None,
                usage: None,
            });
        }
        self.usage = chunk.usage_metadata.and_then(Tokens::read).or(self.usage);
        for (place, candidate) in (0..).zip(chunk.candidates.unwrap_or_default()) {
            self.candidate(candidate, place, emit);
        }
        let blocked = chunk
            .prompt_feedback
            .and_then(|feedback| feedback.block_reason.filled());
        if blocked.is_some() && self.choices.is_empty() {
            self.choices.push(State {
                index: 0,
                calls: 0,
                finish: Some("SAFETY".into()),
            });
        }
    }

    fn state(&mut self, index: u32) -> usize {
        let found = self.choices.iter().position(|state| state.index == index);
        found.unwrap_or_else(|| {
            self.choices.push(State {
                index,
                calls: 0,
                finish: None,
            });
            self.choices.len() - 1
        })
    }

    fn candidate(&mut self, candidate: Candidate<'_>, at: u32, emit: &mut dyn FnMut(Event<'_>)) {
        let choice = candidate.index.unwrap_or(at);
        let place = self.state(choice);
        let reply = self.id.as_deref();
        let Some(state) = self.choices.get_mut(place) else {
            return;
        };
        let logprobs = candidate.logprobs_result;
        let mut logprobs = logprobs
            .and_then(|raw| serde_json::from_str(raw.get()).ok())
            .and_then(logprobs::read);
        let parts = candidate.content.and_then(|content| content.parts);
        for piece in parts.unwrap_or_default() {
            if let Some(call) = piece.function_call {
                let signature = piece.thought_signature.filled();
                state.call(call, signature, reply, emit);
                continue;
            }
            if let Some(part) = piece.other() {
                let part = Box::new(part);
                emit(Event::Part { choice, part });
                continue;
            }
            let Some(text) = piece.text.filled() else {
                continue;
            };
            emit(if piece.thought == Some(true) {
                Event::Reasoning { choice, text }
            } else {
                let logprobs = logprobs.take();
                Event::Text {
                    choice,
                    text,
                    logprobs,
                }
            });
        }
        let reason = candidate.finish_reason.filled();
        if let Some(reason) = reason.filter(|word| finish::read(word, false).is_some()) {
            state.finish = Some(reason.into_owned());
        }
    }
}

impl State {
    fn call(
        &mut self,
        call: Call<'_>,
        signature: Option<Cow<'_, str>>,
        reply: Option<&str>,
        emit: &mut dyn FnMut(Event<'_>),
    ) {
        let (choice, number) = (self.index, self.calls);
        self.calls += 1;
        let made = || Cow::Owned(made_id(reply, choice, number));
        emit(Event::ToolStart {
            choice,
            call: number,
            id: call.id.filled().unwrap_or_else(made),
            name: call.name.filled().unwrap_or_default(),
            signature,
        });
        let json = call.args.map_or("{}", RawValue::get);
        emit(Event::ToolArguments {
            choice,
            call: number,
            json: Cow::Borrowed(if json == "null" { "{}" } else { json }),
        });
    }
}
