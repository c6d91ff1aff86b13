//! A stream, written.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::anthropic::request::turns::object;
use crate::codec::{Context, StreamWriter};
use crate::form::{Event, Finish, Part, Usage};
use crate::gemini::usage::Tokens;
use crate::gemini::{bytes, error, finish, logprobs, reply};
use crate::json::append;
use crate::ollama::stream::calls::{Calls, Whole};

use super::frames::Frames;

/// Writes events as a stream.
#[derive(Debug)]
pub struct Writer {
    frames: Frames,
    id: String,
    model: String,
    reasoning: bool,
    /// A piece from its candidates' end on, made when the answer begins.
    tail: Vec<u8>,
    choices: Vec<State>,
    usage: Option<Usage>,
}

#[derive(Debug)]
struct State {
    index: u32,
    calls: Calls,
    finish: Option<Finish>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FunctionCall<'a> {
    function_call: Call<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<&'a str>,
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    name: &'a str,
    args: Args<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Args<'a> {
    Raw(&'a RawValue),
    Value(Value),
    Unparsed { unparsed_arguments: &'a str },
}

impl Writer {
    /// A writer for one client, of server-sent events.
    #[must_use]
    pub fn new(context: &Context) -> Self {
        Self::framed(Frames::Events, context)
    }

    /// A writer for a client that did not ask for events: of one JSON array.
    #[must_use]
    pub fn array(context: &Context) -> Self {
        Self::framed(Frames::Array { begun: false }, context)
    }

    fn framed(frames: Frames, context: &Context) -> Self {
        Self {
            frames,
            id: context.request_id.clone(),
            model: context.model.clone(),
            reasoning: context.reasoning,
            tail: Vec::new(),
            choices: Vec::new(),
            usage: None,
        }
    }

    fn state(&mut self, index: u32) -> &mut State {
        let found = self.choices.iter().position(|state| state.index == index);
        let place = found.unwrap_or(self.choices.len());
        if found.is_none() {
            self.choices.push(State {
                index,
                calls: Calls::default(),
                finish: None,
            });
        }
        &mut self.choices[place]
    }

    /// A piece up to the part that it holds.
    fn begin(&mut self, choice: u32, out: &mut Vec<u8>) {
        self.state(choice);
        self.frames.begin(out);
        out.extend_from_slice(br#"{"candidates":[{"content":{"parts":["#);
    }

    /// A piece from the part's end on.
    fn end(&mut self, choice: u32, logprobs: Option<&Value>, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"],"role":"model"},"index":"#);
        append(&choice, out);
        if let Some(result) = logprobs.and_then(logprobs::write) {
            out.extend_from_slice(br#","logprobsResult":"#);
            append(&result, out);
        }
        out.extend_from_slice(b"}]");
        if self.tail.is_empty() {
            self.tail = self.tail();
        }
        out.extend_from_slice(&self.tail);
    }

    fn tail(&self) -> Vec<u8> {
        let mut tail = br#","modelVersion":"#.to_vec();
        append(&self.model, &mut tail);
        tail.extend_from_slice(br#","responseId":"#);
        append(&self.id, &mut tail);
        tail.push(b'}');
        self.frames.end(&mut tail);
        tail
    }

    fn text(&mut self, choice: u32, text: &str, logprobs: Option<&Value>, out: &mut Vec<u8>) {
        self.begin(choice, out);
        out.extend_from_slice(br#"{"text":"#);
        append(text, out);
        out.push(b'}');
        self.end(choice, logprobs, out);
    }

    fn thought(&mut self, choice: u32, text: &str, signature: Option<&str>, out: &mut Vec<u8>) {
        self.begin(choice, out);
        out.extend_from_slice(br#"{"text":"#);
        append(text, out);
        out.extend_from_slice(br#","thought":true"#);
        if let Some(signature) = signature {
            out.extend_from_slice(br#","thoughtSignature":"#);
            append(signature, out);
        }
        out.push(b'}');
        self.end(choice, None, out);
    }

    fn call(&mut self, choice: u32, whole: &Whole, out: &mut Vec<u8>) {
        let call = FunctionCall {
            function_call: Call {
                id: &whole.id,
                name: &whole.name,
                args: args(&whole.json),
            },
            thought_signature: whole.signature.as_deref(),
        };
        self.begin(choice, out);
        append(&call, out);
        self.end(choice, None, out);
    }

    fn done(&mut self, out: &mut Vec<u8>) {
        self.frames.begin(out);
        out.extend_from_slice(br#"{"candidates":["#);
        self.state(0);
        for (number, state) in self.choices.iter().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            out.extend_from_slice(
                br#"{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"#,
            );
            append(finish::word(state.finish.as_ref()), out);
            out.extend_from_slice(br#","index":"#);
            append(&state.index, out);
            out.push(b'}');
        }
        out.push(b']');
        if let Some(usage) = &self.usage {
            out.extend_from_slice(br#","usageMetadata":"#);
            append(&Tokens::of(usage), out);
        }
        let tail = self.tail();
        out.extend_from_slice(&tail);
    }
}

/// Arguments, on one line, as an event must be.
fn args(json: &str) -> Args<'_> {
    let json = if json.trim().is_empty() { "{}" } else { json };
    match object(json) {
        Some(raw) if !json.contains(['\n', '\r']) => Args::Raw(raw),
        Some(raw) => Args::Value(serde_json::from_str(raw.get()).unwrap_or_default()),
        None => Args::Unparsed {
            unparsed_arguments: json,
        },
    }
}

impl StreamWriter for Writer {
    fn write(&mut self, event: Event<'_>, _now: &dyn Fn() -> Timestamp, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model, .. } => {
                self.id = id.map_or_else(|| std::mem::take(&mut self.id), Into::into);
                self.model = model.map_or_else(|| std::mem::take(&mut self.model), Into::into);
            }
            Event::Text {
                choice,
                text,
                logprobs,
            } if !text.is_empty() || logprobs.is_some() => {
                self.text(choice, &text, logprobs.as_ref(), out);
            }
            Event::Refusal { choice, text } if !text.is_empty() => {
                self.text(choice, &text, None, out);
            }
            Event::Reasoning { choice, text } if self.reasoning && !text.is_empty() => {
                self.thought(choice, &text, None, out);
            }
            Event::ReasoningSignature { choice, signature } => {
                if let Some(signature) = bytes::marked(&signature) {
                    self.thought(choice, "", Some(&signature), out);
                }
            }
            Event::ToolStart {
                choice,
                call,
                id,
                name,
                signature,
            } => {
                let signature = signature.map(Into::into);
                let calls = &mut self.state(choice).calls;
                calls.signed(call, &id, &name, signature);
            }
            Event::ToolArguments { choice, call, json } => {
                if let Some(whole) = self.state(choice).calls.piece(call, &json) {
                    self.call(choice, &whole, out);
                }
            }
            Event::Finish { choice, reason } => {
                let state = self.state(choice);
                state.finish = Some(reason);
                let rest: Vec<Whole> = state.calls.rest().collect();
                for whole in &rest {
                    self.call(choice, whole, out);
                }
            }
            Event::Part { choice, part } => {
                if let Some(written) = reply::write::written(&part, self.reasoning) {
                    self.begin(choice, out);
                    append(&written, out);
                    self.end(choice, None, out);
                }
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Failed(failure) => {
                self.frames.begin(out);
                append(&error::object(&failure), out);
                self.frames.end(out);
                self.frames.close(out);
            }
            Event::Done => {
                self.done(out);
                self.frames.close(out);
            }
            _ => {}
        }
    }

    fn has_place_for(&self, part: &Part) -> bool {
        reply::write::has_place_for(part)
    }

    fn kept(&self) -> usize {
        let state = size_of::<State>();
        self.choices
            .iter()
            .map(|choice| state + choice.calls.kept())
            .sum()
    }
}
