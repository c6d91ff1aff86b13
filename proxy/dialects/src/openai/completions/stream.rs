//! Text completions in chunks, written.

use jiff::Timestamp;
use serde_json::Value;

use super::reply::{ended, made};
use crate::codec::{Context, StreamWriter};
use crate::form::Event;
use crate::framing::sse;
use crate::json::append;
use crate::openai::{error, logprobs, usage};

/// Writes events as chunks.
#[derive(Debug)]
pub struct Writer {
    id: String,
    model: String,
    created: i64,
    stream_usage: bool,
    /// The prompt, if it is to be echoed.
    echo: Option<String>,
    /// A chunk up to its list of choices, made when the answer begins.
    prefix: Vec<u8>,
    /// Each choice's characters so far, of which probabilities tell.
    choices: Vec<(u32, usize)>,
}

impl Writer {
    /// A writer for one client.
    #[must_use]
    pub fn new(context: &Context) -> Self {
        let echo = context.echo.get("prompt").and_then(Value::as_str);
        Self {
            id: made(context),
            model: context.model.clone(),
            created: context.started.as_second(),
            stream_usage: context.stream_usage,
            echo: echo.map(str::to_owned),
            prefix: Vec::new(),
            choices: Vec::new(),
        }
    }

    fn head(&mut self, out: &mut Vec<u8>) {
        if self.prefix.is_empty() {
            let prefix = &mut self.prefix;
            sse::begin(None, prefix);
            prefix.extend_from_slice(b"{\"id\":");
            append(&self.id, prefix);
            prefix.extend_from_slice(b",\"object\":\"text_completion\",\"created\":");
            append(&self.created, prefix);
            prefix.extend_from_slice(b",\"model\":");
            append(&self.model, prefix);
            prefix.extend_from_slice(b",\"choices\":[");
        }
        out.extend_from_slice(&self.prefix);
    }

    fn piece(
        &mut self,
        choice: u32,
        text: &str,
        logprobs: Option<&Value>,
        finish: Option<&str>,
        out: &mut Vec<u8>,
    ) {
        let known = self.choices.iter().position(|(index, _)| *index == choice);
        let place = known.unwrap_or_else(|| {
            self.choices.push((choice, 0));
            self.choices.len() - 1
        });
        if known.is_none()
            && let Some(prompt) = self.echo.clone()
        {
            self.choices[place].1 = prompt.chars().count();
            self.chunk(choice, &prompt, None, None, out);
        }
        let offset = &mut self.choices[place].1;
        let logprobs = logprobs.map(|value| logprobs::to_legacy(value, offset));
        self.chunk(choice, text, logprobs.as_ref(), finish, out);
    }

    fn chunk(
        &mut self,
        choice: u32,
        text: &str,
        logprobs: Option<&Value>,
        finish: Option<&str>,
        out: &mut Vec<u8>,
    ) {
        self.head(out);
        out.extend_from_slice(b"{\"text\":");
        append(text, out);
        out.extend_from_slice(b",\"index\":");
        append(&choice, out);
        out.extend_from_slice(b",\"logprobs\":");
        append(&logprobs, out);
        out.extend_from_slice(b",\"finish_reason\":");
        append(&finish, out);
        out.extend_from_slice(if self.stream_usage {
            b"}],\"usage\":null}"
        } else {
            b"}]}"
        });
        sse::end(out);
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
            }
            Event::Text {
                choice,
                text,
                logprobs,
            } => self.piece(choice, &text, logprobs.as_ref(), None, out),
            Event::Refusal { choice, text } => self.piece(choice, &text, None, None, out),
            Event::Finish { choice, reason } => {
                self.piece(choice, "", None, Some(ended(&reason)), out);
            }
            Event::Usage(figures) if self.stream_usage => {
                self.head(out);
                out.extend_from_slice(b"],\"usage\":");
                append(&usage::object(&figures), out);
                out.push(b'}');
                sse::end(out);
            }
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
            Event::Reasoning { .. }
            | Event::ReasoningSignature { .. }
            | Event::ReasoningEncrypted { .. }
            | Event::ToolStart { .. }
            | Event::ToolArguments { .. }
            | Event::Part { .. }
            | Event::Usage(_) => {}
        }
    }
}
