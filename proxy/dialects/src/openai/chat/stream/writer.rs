//! Writes chunks.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::codec::{Context, StreamWriter};
use crate::form::{Event, Finish, Part, Usage};
use crate::framing::sse;
use crate::json::append;
use crate::openai::chat::reply::{made, word_of};
use crate::openai::{error, usage};

/// Writes events as chunks.
#[derive(Debug)]
pub struct Writer {
    id: String,
    model: String,
    created: i64,
    stream_usage: bool,
    reasoning: bool,
    /// Whether the client said `functions`, and gets `function_call`.
    legacy: bool,
    /// A chunk up to its list of choices, made when the answer begins.
    prefix: Vec<u8>,
    /// A chunk from its list of choices' end on.
    suffix: &'static str,
    choices: Vec<ChoiceState>,
}

#[derive(Debug)]
struct ChoiceState {
    index: u32,
    /// Where each call of a function stands among all calls, and whether it has had arguments.
    calls: Vec<(u32, bool)>,
    /// How many calls there are.
    called: u32,
}

impl Writer {
    /// A writer for one client.
    #[must_use]
    pub fn new(context: &Context) -> Self {
        Self {
            id: made(context),
            model: context.model.clone(),
            created: context.started.as_second(),
            stream_usage: context.stream_usage,
            reasoning: context.reasoning,
            legacy: context.echo.contains_key("functions"),
            prefix: Vec::new(),
            // Those who ask for usage get the field in every chunk.
            suffix: if context.stream_usage {
                "],\"usage\":null}"
            } else {
                "]}"
            },
            choices: Vec::new(),
        }
    }
}

impl StreamWriter for Writer {
    fn write(&mut self, event: Event<'_>, _now: &dyn Fn() -> Timestamp, out: &mut Vec<u8>) {
        match event {
            Event::Start {
                id, model, created, ..
            } => {
                self.model = model.map_or_else(|| std::mem::take(&mut self.model), Into::into);
                self.id = id.map_or_else(|| std::mem::take(&mut self.id), Into::into);
                self.created = created.unwrap_or(self.created);
                self.choice(0, out);
            }
            Event::Text {
                choice,
                text,
                logprobs,
            } => self.text(choice, "content", &text, logprobs.as_ref(), out),
            Event::Reasoning { choice, text } if self.reasoning => {
                self.text(choice, "reasoning_content", &text, None, out);
            }
            Event::Refusal { choice, text } => self.text(choice, "refusal", &text, None, out),
            Event::ToolStart {
                choice,
                call,
                id,
                name,
                ..
            } => self.tool_start(choice, call, &id, &name, out),
            Event::ToolArguments { choice, call, json } => {
                self.tool_arguments(choice, call, &json, out);
            }
            Event::Finish { choice, reason } => self.finish(choice, &reason, out),
            Event::Usage(usage) if self.stream_usage => self.usage(&usage, out),
            Event::Ping => sse::keep_alive(out),
            Event::Failed(failure) => {
                sse::begin(None, out);
                append(&error::object(&failure), out);
                sse::end(out);
            }
            Event::Done => {
                sse::begin(None, out);
                out.extend_from_slice(b"[DONE]");
                sse::end(out);
            }
            Event::Part { choice, part } => {
                if let Part::Other { kind, value } = &*part
                    && kind == "custom"
                {
                    self.custom(choice, value, out);
                }
            }
            Event::Reasoning { .. }
            | Event::ReasoningSignature { .. }
            | Event::ReasoningEncrypted { .. }
            | Event::Usage(_) => {}
        }
    }

    fn has_place_for(&self, part: &Part) -> bool {
        matches!(part, Part::Other { kind, .. } if kind == "custom")
    }
}

impl Writer {
    /// The choice's state. One that is new begins with its role.
    fn choice(&mut self, index: u32, out: &mut Vec<u8>) -> usize {
        if let Some(place) = self.choices.iter().position(|state| state.index == index) {
            return place;
        }
        self.choices.push(ChoiceState {
            index,
            calls: Vec::new(),
            called: 0,
        });
        self.begin(index, out);
        out.extend_from_slice(br#"{"role":"assistant","content":""}"#);
        self.end(None, None, out);
        self.choices.len() - 1
    }

    /// A chunk up to its delta.
    fn begin(&mut self, index: u32, out: &mut Vec<u8>) {
        if self.prefix.is_empty() {
            self.head();
        }
        out.extend_from_slice(&self.prefix);
        out.extend_from_slice(b"{\"index\":");
        append(&index, out);
        out.extend_from_slice(b",\"delta\":");
    }

    fn head(&mut self) {
        let prefix = &mut self.prefix;
        sse::begin(None, prefix);
        prefix.extend_from_slice(b"{\"id\":");
        append(&self.id, prefix);
        prefix.extend_from_slice(b",\"object\":\"chat.completion.chunk\",\"created\":");
        append(&self.created, prefix);
        prefix.extend_from_slice(b",\"model\":");
        append(&self.model, prefix);
        prefix.extend_from_slice(b",\"choices\":[");
    }

    /// A chunk from its delta on.
    fn end(&self, logprobs: Option<&Value>, finish: Option<&str>, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"logprobs\":");
        append(&logprobs, out);
        out.extend_from_slice(b",\"finish_reason\":");
        append(&finish, out);
        out.push(b'}');
        out.extend_from_slice(self.suffix.as_bytes());
        sse::end(out);
    }

    fn text(
        &mut self,
        choice: u32,
        field: &str,
        text: &str,
        logprobs: Option<&Value>,
        out: &mut Vec<u8>,
    ) {
        self.choice(choice, out);
        self.begin(choice, out);
        out.extend_from_slice(b"{\"");
        out.extend_from_slice(field.as_bytes());
        out.extend_from_slice(b"\":");
        append(text, out);
        out.push(b'}');
        self.end(logprobs, None, out);
    }

    fn tool_start(&mut self, choice: u32, call: u32, id: &str, name: &str, out: &mut Vec<u8>) {
        let place = self.choice(choice, out);
        let state = &mut self.choices[place];
        while state.calls.len() <= call as usize {
            state.calls.push((state.called, false));
            state.called += 1;
        }
        let number = state.calls[call as usize].0;
        if self.legacy && call > 0 {
            // There is room for one.
            return;
        }
        self.begin(choice, out);
        if self.legacy {
            out.extend_from_slice(b"{\"function_call\":{\"name\":");
            append(name, out);
            out.extend_from_slice(b",\"arguments\":\"\"}}");
        } else {
            out.extend_from_slice(b"{\"tool_calls\":[{\"index\":");
            append(&number, out);
            out.extend_from_slice(b",\"id\":");
            append(id, out);
            out.extend_from_slice(b",\"type\":\"function\",\"function\":{\"name\":");
            append(name, out);
            out.extend_from_slice(b",\"arguments\":\"\"}}]}");
        }
        self.end(None, None, out);
    }

    fn tool_arguments(&mut self, choice: u32, call: u32, json: &str, out: &mut Vec<u8>) {
        let place = self.choice(choice, out);
        let mut number = call;
        if let Some((at, had)) = self.choices[place].calls.get_mut(call as usize) {
            (number, *had) = (*at, true);
        }
        if self.legacy && call > 0 {
            return;
        }
        self.begin(choice, out);
        if self.legacy {
            out.extend_from_slice(b"{\"function_call\":{\"arguments\":");
            append(json, out);
            out.extend_from_slice(b"}}");
        } else {
            out.extend_from_slice(b"{\"tool_calls\":[{\"index\":");
            append(&number, out);
            out.extend_from_slice(b",\"function\":{\"arguments\":");
            append(json, out);
            out.extend_from_slice(b"}}]}");
        }
        self.end(None, None, out);
    }

    /// A call of a custom tool, whole.
    fn custom(&mut self, choice: u32, value: &Value, out: &mut Vec<u8>) {
        let Value::Object(call) = value else { return };
        let place = self.choice(choice, out);
        let number = &mut self.choices[place].called;
        let mut written = Map::from_iter([("index".to_owned(), (*number).into())]);
        *number += 1;
        written.extend(call.clone());
        self.begin(choice, out);
        out.extend_from_slice(b"{\"tool_calls\":[");
        append(&written, out);
        out.extend_from_slice(b"]}");
        self.end(None, None, out);
    }

    fn finish(&mut self, choice: u32, reason: &Finish, out: &mut Vec<u8>) {
        let place = self.choice(choice, out);
        let calls = self.choices[place].calls.clone();
        for (call, _) in (0..).zip(calls).filter(|(_, (_, had))| !had) {
            self.tool_arguments(choice, call, "{}", out);
        }
        self.begin(choice, out);
        out.extend_from_slice(b"{}");
        let word = match reason {
            Finish::ToolCalls if self.legacy => "function_call",
            reason => word_of(reason),
        };
        self.end(None, Some(word), out);
    }

    fn usage(&mut self, figures: &Usage, out: &mut Vec<u8>) {
        if self.prefix.is_empty() {
            self.head();
        }
        out.extend_from_slice(&self.prefix);
        out.extend_from_slice(b"],\"usage\":");
        append(&usage::object(figures), out);
        out.push(b'}');
        sse::end(out);
    }
}
