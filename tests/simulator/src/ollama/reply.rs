//! The answer: one object, or a line for each piece of it.
//!
//! Sources: [chat](https://docs.ollama.com/api/chat), [generate](https://docs.ollama.com/api/generate),
//! [streaming](https://docs.ollama.com/api/streaming).

use serde_json::{Value, json};

use super::{error, models::CREATED};
use crate::{
    answer::{Call, Choice, Usage, pieces},
    openai::with_extras,
    wire::{Event, Form, Frame},
    words::Answer,
};

/// How this dialect's streams are written.
pub(super) fn form() -> Form {
    let message = "an error was encountered while running the model: simulated";
    Form {
        fault: Event {
            name: None,
            data: error(message).to_string(),
            token: false,
        },
        frame: Frame::Lines,
    }
}

/// How long everything took, in nanoseconds.
pub(super) fn durations() -> Value {
    json!({
        "total_duration": 6_000_000,
        "load_duration": 1_000_000,
        "prompt_eval_duration": 2_000_000,
        "eval_duration": 3_000_000,
    })
}

/// What the lines of an answer share.
pub(super) struct Lines<'a> {
    pub(super) id: u64,
    pub(super) model: &'a str,
    /// `/api/chat`, not `/api/generate`.
    pub(super) chat: bool,
    /// Without a template, and so without a context to go on from.
    pub(super) raw: bool,
    pub(super) answer: &'a Answer,
}

impl Lines<'_> {
    /// The reply to a call that asks nothing.
    pub(super) fn loaded(&self, unloads: bool) -> Value {
        let mut line = self.line("", None, &[], true);
        line["done_reason"] = if unloads { "unload" } else { "load" }.into();
        line
    }

    /// The body of a plain reply.
    pub(super) fn plain(&self, choice: &Choice, usage: Option<Usage>) -> String {
        let text = choice.text.as_deref().unwrap_or_default();
        let mut line = self.line(text, choice.reasoning, &choice.calls, true);
        self.end(&mut line, choice, usage);
        self.written(&line)
    }

    /// The lines of a stream; without `done` the last is missing.
    pub(super) fn stream(&self, choice: &Choice, usage: Option<Usage>, done: bool) -> Vec<Event> {
        let mut all = vec![];
        for thought in pieces(choice.reasoning.unwrap_or_default(), None) {
            all.push((self.line("", Some(&thought), &[], false), true));
        }
        for text in pieces(
            choice.text.as_deref().unwrap_or_default(),
            self.answer.chunk,
        ) {
            all.push((self.line(&text, None, &[], false), true));
        }
        if !choice.calls.is_empty() {
            all.push((self.line("", None, &choice.calls, false), true));
        }
        if done {
            let mut line = self.line("", None, &[], true);
            self.end(&mut line, choice, usage);
            all.push((line, false));
        }
        let events = all.into_iter().map(|(line, token)| Event {
            name: None,
            data: self.written(&line),
            token,
        });
        events.collect()
    }

    fn line(&self, text: &str, thinking: Option<&str>, calls: &[Call], done: bool) -> Value {
        let mut line = json!({"model": self.model, "created_at": CREATED});
        if self.chat {
            let mut message = json!({"role": "assistant", "content": text});
            if let Some(thinking) = thinking {
                message["thinking"] = thinking.into();
            }
            if !calls.is_empty() {
                let calls = calls.iter().enumerate();
                message["tool_calls"] = calls.map(|(at, call)| self.call(at, call)).collect();
            }
            line["message"] = message;
        } else {
            line["response"] = text.into();
            if let Some(thinking) = thinking {
                line["thinking"] = thinking.into();
            }
        }
        line["done"] = done.into();
        line
    }

    fn call(&self, at: usize, call: &Call) -> Value {
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
        json!({
            "id": format!("call_sim_{}_{at}", self.id),
            "function": {"index": at, "name": call.name, "arguments": arguments},
        })
    }

    fn end(&self, line: &mut Value, choice: &Choice, usage: Option<Usage>) {
        // A call of a tool is a stop too.
        line["done_reason"] = match choice.finish {
            "length" => "length",
            _ => "stop",
        }
        .into();
        for (name, time) in durations().as_object().into_iter().flatten() {
            line[name] = time.clone();
        }
        if let Some(usage) = usage {
            line["prompt_eval_count"] = usage.prompt.into();
            line["eval_count"] = usage.completion.into();
        }
        if !self.chat && !self.raw {
            line["context"] = json!([1, 2, 3]);
        }
    }

    fn written(&self, line: &Value) -> String {
        let json = line.to_string();
        if self.answer.extras {
            with_extras(&json)
        } else {
            json
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{answer::Asked, words::Behaviour};

    #[test]
    fn a_stream_says_what_the_plain_reply_says() {
        let asked = Asked {
            text: "hi <b> there".into(),
            ..Asked::default()
        };
        for chat in [true, false] {
            for model in [
                "echo",
                "say",
                "reasoning",
                "parallel-tools",
                "echo+tools+extras",
            ] {
                let answer = Behaviour::of(model).answer;
                let choice = Choice::of(&answer, &asked);
                let usage = Some(choice.usage(3, 1));
                let lines = Lines {
                    id: 1,
                    model,
                    chat,
                    raw: false,
                    answer: &answer,
                };
                let mut plain: Value = serde_json::from_str(&lines.plain(&choice, usage)).unwrap();
                let events = lines.stream(&choice, usage, true).into_iter();
                let streamed: Vec<Value> = events
                    .map(|event| serde_json::from_str(&event.data).unwrap())
                    .collect();
                let joined = |pointer: &str| -> String {
                    let parts = streamed
                        .iter()
                        .filter_map(|line| line.pointer(pointer)?.as_str());
                    parts.collect()
                };
                let at = |name: &str| match (chat, name) {
                    (true, "response") => "/message/content".to_owned(),
                    (true, name) => format!("/message/{name}"),
                    (false, name) => format!("/{name}"),
                };
                for name in ["response", "thinking"] {
                    let whole = plain.pointer(&at(name)).and_then(Value::as_str);
                    assert_eq!(joined(&at(name)), whole.unwrap_or_default(), "{model}");
                }
                let mut calls = streamed
                    .iter()
                    .filter_map(|line| line.pointer(&at("tool_calls")));
                assert_eq!(calls.next(), plain.pointer(&at("tool_calls")), "{model}");
                assert_eq!(calls.next(), None);
                let last = streamed.last().unwrap();
                for value in [&mut plain, &mut last.clone()] {
                    assert_eq!(
                        (&value["done"], &value["done_reason"]),
                        (&json!(true), &json!("stop"))
                    );
                    assert_eq!(value["eval_count"], choice.usage(3, 1).completion);
                }
            }
        }
    }
}
