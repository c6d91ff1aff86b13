//! Reads events of a response.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::codec::{Frame, StreamReader};
use crate::form::{Event, Finish, Garbage, Vendor};
use crate::json::{Loose, Text};
use crate::openai::chat::reply::seconds;
use crate::openai::error;
use crate::openai::responses::reply::Light;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    delta: Loose<'a>,
    #[serde(borrow, default)]
    logprobs: Option<&'a RawValue>,
    #[serde(default)]
    output_index: Option<u32>,
    #[serde(default)]
    summary_index: Option<u32>,
    #[serde(borrow, default)]
    arguments: Loose<'a>,
    #[serde(borrow, default)]
    item: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    call_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    arguments: Option<Text<'a>>,
    #[serde(borrow, default)]
    encrypted_content: Option<Text<'a>>,
}

/// Reads a response's events.
#[derive(Debug, Default)]
pub struct Reader {
    started: bool,
    ended: bool,
    /// Whether reasoning comes in full; absent: not known yet.
    full: Option<bool>,
    /// Whether a part of the summary was begun before.
    summarised: bool,
    /// The calls so far: place in the output, and whether arguments came.
    calls: Vec<(u32, bool)>,
}

impl StreamReader for Reader {
    fn read(&mut self, frame: Frame<'_>, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Garbage> {
        let data = frame.data.trim_ascii();
        if self.ended || data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        match serde_json::from_slice(data) {
            Ok(line) => {
                self.line(line, data, emit);
                Ok(())
            }
            Err(_) if data.starts_with(b"{\"error\"") || frame.name == Some("error") => {
                self.failed(value(data), emit);
                Ok(())
            }
            Err(fault) => {
                let message = format!("The stream holds what is no event: {fault}.");
                Err(Garbage::new(message, data))
            }
        }
    }

    fn end(&mut self, _emit: &mut dyn FnMut(Event<'_>)) -> bool {
        self.ended
    }
}

/// Whether an event is a piece of the answer.
fn says(kind: &str) -> bool {
    let kinds = [
        "response.output_",
        "response.refusal.",
        "response.reasoning_",
        "response.function_call_arguments.",
    ];
    kinds.iter().any(|start| kind.starts_with(start))
}

fn value(data: &[u8]) -> Value {
    serde_json::from_slice(data)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(data).into_owned()))
}

impl Reader {
    fn line(&mut self, line: Line<'_>, data: &[u8], emit: &mut dyn FnMut(Event<'_>)) {
        let choice = 0;
        if says(&line.kind.0) {
            // Whatever announces the response may be missing.
            self.start(None, emit);
        }
        match line.kind.0.as_ref() {
            "response.output_text.delta" => {
                let logprobs = line.logprobs.and_then(logprobs);
                let said = line.delta.filled();
                if said.is_some() || logprobs.is_some() {
                    emit(Event::Text {
                        choice,
                        text: said.unwrap_or_default(),
                        logprobs,
                    });
                }
            }
            "response.refusal.delta" => {
                if let Some(text) = line.delta.filled() {
                    emit(Event::Refusal { choice, text });
                }
            }
            "response.reasoning_text.delta" => self.reasoning(true, line.delta, emit),
            "response.reasoning_summary_text.delta" => self.reasoning(false, line.delta, emit),
            // Parts of a summary are paragraphs.
            "response.reasoning_summary_part.added"
                if self.summarised && line.summary_index != Some(0) && self.full != Some(true) =>
            {
                let text = Cow::Borrowed("\n\n");
                emit(Event::Reasoning { choice, text });
            }
            "response.function_call_arguments.delta" => {
                let place = self.place(line.output_index);
                let json = line.delta.filled();
                if let (Some(place), Some(json)) = (place, json) {
                    self.calls[place].1 = true;
                    let call = u32::try_from(place).unwrap_or(u32::MAX);
                    emit(Event::ToolArguments { choice, call, json });
                }
            }
            "response.function_call_arguments.done" => {
                let json = line.arguments.filled().map(Cow::into_owned);
                self.whole(line.output_index, json, emit);
            }
            "response.output_item.added" | "response.output_item.done" => {
                let item = line
                    .item
                    .and_then(|raw| serde_json::from_str(raw.get()).ok());
                if let Some(item) = item {
                    let done = line.kind.0 == "response.output_item.done";
                    self.item(item, line.output_index, done, emit);
                }
            }
            "response.created" | "response.in_progress" => {
                self.start(light(line.response).as_ref(), emit);
            }
            "response.completed" | "response.incomplete" | "response.done" => {
                let incomplete = line.kind.0 == "response.incomplete";
                self.finish(light(line.response), incomplete, emit);
            }
            "response.failed" => {
                let error = light(line.response).and_then(|response| response.error);
                self.failed(error.unwrap_or_else(|| value(data)), emit);
            }
            "error" => self.failed(value(data), emit),
            _ => {}
        }
    }

    fn start(&mut self, response: Option<&Light>, emit: &mut dyn FnMut(Event<'_>)) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let id = response.and_then(|response| response.id.as_deref());
        let model = response.and_then(|response| response.model.as_deref());
        let model = model.filter(|model| !model.is_empty());
        emit(Event::Start {
            id: id.map(Cow::Borrowed),
            model: model.map(Cow::Borrowed),
            created: response
                .and_then(|response| response.created_at)
                .map(seconds),
            usage: None,
        });
    }

    /// Servers that send both send the same; what came first goes on.
    fn reasoning(&mut self, full: bool, delta: Loose<'_>, emit: &mut dyn FnMut(Event<'_>)) {
        let text = delta.filled();
        if let Some(text) = text.filter(|_| *self.full.get_or_insert(full) == full) {
            self.summarised = true;
            emit(Event::Reasoning { choice: 0, text });
        }
    }

    /// Which call a place in the output is.
    fn place(&self, output: Option<u32>) -> Option<usize> {
        match output {
            Some(output) => self.calls.iter().position(|(place, _)| *place == output),
            None => self.calls.len().checked_sub(1),
        }
    }

    /// All arguments of a call, from servers that send no pieces.
    fn whole(
        &mut self,
        output: Option<u32>,
        json: Option<String>,
        emit: &mut dyn FnMut(Event<'_>),
    ) {
        let Some(place) = self.place(output).filter(|place| !self.calls[*place].1) else {
            return;
        };
        if let Some(json) = json.filter(|json| !json.is_empty()) {
            self.calls[place].1 = true;
            emit(Event::ToolArguments {
                choice: 0,
                call: u32::try_from(place).unwrap_or(u32::MAX),
                json: json.into(),
            });
        }
    }

    fn item(
        &mut self,
        item: Item<'_>,
        output: Option<u32>,
        done: bool,
        emit: &mut dyn FnMut(Event<'_>),
    ) {
        match item.kind.as_ref().map(|kind| kind.0.as_ref()) {
            Some("function_call") => {
                let output = output.unwrap_or_default();
                if self.place(Some(output)).is_none() {
                    let call = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
                    self.calls.push((output, false));
                    let id = item.call_id.and_then(Text::filled);
                    let id = id.or_else(|| item.id.and_then(Text::filled));
                    emit(Event::ToolStart {
                        choice: 0,
                        call,
                        id: id.unwrap_or_else(|| format!("call_{call}").into()),
                        name: item.name.unwrap_or_default().0,
                        signature: None,
                    });
                }
                if done {
                    let json = item.arguments.map(|text| text.0.into_owned());
                    self.whole(Some(output), json, emit);
                }
            }
            Some("reasoning") if done => {
                if let Some(data) = item.encrypted_content.and_then(Text::filled) {
                    emit(Event::ReasoningEncrypted {
                        choice: 0,
                        vendor: Vendor::OpenAi,
                        data,
                    });
                }
            }
            _ => {}
        }
    }

    fn finish(
        &mut self,
        response: Option<Light>,
        incomplete: bool,
        emit: &mut dyn FnMut(Event<'_>),
    ) {
        self.start(response.as_ref(), emit);
        self.ended = true;
        let (details, usage) = match response {
            Some(response) => (response.incomplete_details, response.usage),
            None => (None, None),
        };
        let reason = if incomplete {
            details.map_or(Finish::Length, |details| details.finish())
        } else if self.calls.is_empty() {
            Finish::Stop
        } else {
            Finish::ToolCalls
        };
        emit(Event::Finish { choice: 0, reason });
        if let Some(usage) = usage {
            emit(Event::Usage(usage.usage()));
        }
        emit(Event::Done);
    }

    fn failed(&mut self, error: Value, emit: &mut dyn FnMut(Event<'_>)) {
        self.ended = true;
        let mut failure = error::in_stream(error);
        let code = failure.code.as_ref().and_then(Value::as_str);
        let status = match code {
            Some("rate_limit_exceeded" | "insufficient_quota") => 429,
            Some(code) if code.starts_with("invalid_") => 400,
            _ => failure.status,
        };
        if failure.type_.as_deref() == Some("error") {
            // That is the event's type.
            failure.type_ = None;
        }
        failure.status = status;
        failure.kind = crate::form::ErrorKind::of_status(status);
        emit(Event::Failed(failure));
    }
}

fn light(raw: Option<&RawValue>) -> Option<Light> {
    serde_json::from_str(raw?.get()).ok()
}

/// What is said of tokens. Pieces leave out the bytes, which the whole has.
fn logprobs(raw: &RawValue) -> Option<Value> {
    let mut list: Vec<Value> = serde_json::from_str(raw.get()).ok()?;
    for each in &mut list {
        fill(each);
        let top = each.get_mut("top_logprobs").and_then(Value::as_array_mut);
        top.into_iter().flatten().for_each(fill);
    }
    (!list.is_empty()).then(|| json!({"content": list}))
}

fn fill(value: &mut Value) {
    if let Some(object) = value.as_object_mut()
        && !object.contains_key("bytes")
        && let Some(token) = object.get("token").and_then(Value::as_str)
    {
        let bytes = json!(token.as_bytes());
        object.insert("bytes".into(), bytes);
    }
}
