//! One answer of Ollama's, whole or a line of a stream, borrowed from what was received.
//!
//! Source: `ChatResponse`, `GenerateResponse` and `Metrics` of
//! [`api/types.go`](https://github.com/ollama/ollama/blob/main/api/types.go). Everything may be missing or null.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Number, Value};

use super::shape::Shape;
use crate::form::usage::Durations;
use crate::form::{Finish, Usage};
use crate::json::Text;

#[derive(Debug, Deserialize)]
pub(super) struct Line<'a> {
    #[serde(borrow, default)]
    pub(super) model: Option<Text<'a>>,
    #[serde(borrow, default)]
    created_at: Option<Text<'a>>,
    #[serde(borrow, default)]
    message: Option<Said<'a>>,
    #[serde(borrow, default)]
    response: Option<Text<'a>>,
    #[serde(borrow, default)]
    thinking: Option<Text<'a>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<Call<'a>>>,
    #[serde(default)]
    pub(super) logprobs: Option<Value>,
    #[serde(default)]
    pub(super) done: Option<bool>,
    #[serde(borrow, default)]
    done_reason: Option<Text<'a>>,
    #[serde(default)]
    total_duration: Option<Number>,
    #[serde(default)]
    load_duration: Option<Number>,
    #[serde(default)]
    prompt_eval_count: Option<Number>,
    #[serde(default)]
    prompt_eval_duration: Option<Number>,
    #[serde(default)]
    eval_count: Option<Number>,
    #[serde(default)]
    eval_duration: Option<Number>,
    #[serde(default)]
    pub(super) error: Option<Value>,
}

/// What was said, wherever it stood.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Said<'a> {
    #[serde(borrow, default)]
    pub(super) content: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) thinking: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) tool_calls: Option<Vec<Call<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Call<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    function: Option<Function<'a>>,
}

#[derive(Debug, Deserialize)]
struct Function<'a> {
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
}

impl<'a> Line<'a> {
    /// When it was written.
    pub(super) fn created(&self) -> Option<Timestamp> {
        self.created_at.as_ref()?.0.parse().ok()
    }

    /// Takes what was said.
    pub(super) fn said(&mut self, shape: Shape) -> Said<'a> {
        match shape {
            Shape::Chat => self.message.take().unwrap_or_default(),
            Shape::Generate => Said {
                content: self.response.take(),
                thinking: self.thinking.take(),
                tool_calls: self.tool_calls.take(),
            },
        }
    }

    /// Why it ended, if it has. Servers from before `done_reason` say `done` alone. Ollama has no word for calls of tools.
    pub(super) fn finish(&self, called: bool) -> Option<Finish> {
        let word = self.done_reason.as_ref().map(|text| text.0.as_ref());
        match word.filter(|word| !word.is_empty()) {
            None if self.done != Some(true) => None,
            None | Some("stop" | "tool_calls") if called => Some(Finish::ToolCalls),
            None | Some("stop") => Some(Finish::Stop),
            Some("length") => Some(Finish::Length),
            Some(other) => Some(Finish::Other(other.to_owned())),
        }
    }

    /// Counts and durations, if it says any. A prompt that was read from the cache is not counted by older servers.
    pub(super) fn usage(&self) -> Option<Usage> {
        if self.prompt_eval_count.is_none() && self.eval_count.is_none() {
            return None;
        }
        let durations = self.total_duration.is_some().then(|| Durations {
            total: whole(self.total_duration.as_ref()),
            load: whole(self.load_duration.as_ref()),
            prompt: whole(self.prompt_eval_duration.as_ref()),
            reply: whole(self.eval_duration.as_ref()),
        });
        Some(Usage {
            input: whole(self.prompt_eval_count.as_ref()),
            output: whole(self.eval_count.as_ref()),
            durations,
            ..Usage::default()
        })
    }

    /// OpenAI's `logprobs` object: its entries and Ollama's are the same.
    pub(super) fn logprobs(&mut self) -> Option<Value> {
        let list = self.logprobs.take()?;
        let filled = list.as_array().is_some_and(|list| !list.is_empty());
        filled.then(|| serde_json::json!({"content": list}))
    }
}

impl<'a> Call<'a> {
    /// The id, if the server gave one.
    pub(super) fn id(&mut self) -> Option<Cow<'a, str>> {
        self.id.take()?.filled()
    }

    /// The tool's name, and the JSON text of what it is called with. Some servers send a string that holds the text.
    pub(super) fn take(self) -> (Cow<'a, str>, Cow<'a, str>) {
        let function = self.function.unwrap_or(Function {
            name: None,
            arguments: None,
        });
        let arguments = function.arguments.filter(|raw| raw.get() != "null");
        let arguments = arguments.map(|raw| match Text::of(raw) {
            Some(text) => text.0,
            None => Cow::Borrowed(raw.get()),
        });
        (
            function.name.unwrap_or_default().0,
            arguments
                .filter(|text| !text.is_empty())
                .unwrap_or(Cow::Borrowed("{}")),
        )
    }
}

/// The id of a call that has none: from when it was made and which it is, so that no two turns of a conversation have the same.
pub(super) fn made_id(at: Option<Timestamp>, call: u32) -> String {
    match at {
        Some(at) => format!("call_{:x}_{call}", at.as_nanosecond()),
        None => format!("call_{call}"),
    }
}

fn whole(number: Option<&Number>) -> u64 {
    let Some(number) = number else {
        return 0;
    };
    let of_fraction = || {
        let value = number
            .as_f64()
            .filter(|value| (0.0..9e18).contains(value))?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked in the line above"
        )]
        Some(value as u64)
    };
    number.as_u64().or_else(of_fraction).unwrap_or(0)
}
