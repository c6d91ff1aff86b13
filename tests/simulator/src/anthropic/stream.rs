//! A streamed message: `message_start`, its blocks in deltas, `message_delta`, `message_stop`.
//!
//! Source: [streaming](https://platform.claude.com/docs/en/build-with-claude/streaming).

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    error, reply,
    reply::{Message, figures},
};
use crate::{
    answer::pieces,
    openai::with_extras,
    wire::{Event, Form, Frame},
};

/// Characters of a streamed piece of a tool's input.
const FRAGMENT: usize = 6;

/// How this dialect's streams are written.
pub(super) fn form() -> Form {
    let status = StatusCode::from_u16(529).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    Form {
        fault: Event {
            name: Some("error"),
            data: error(status, "Overloaded", None).to_string(),
            token: false,
        },
        frame: Frame::Pinged,
    }
}

/// The events of a message; without `done` there is no `message_stop`.
pub(super) fn events(message: &Message, chunk: Option<usize>, done: bool) -> Vec<Event> {
    let mut events = Events {
        all: vec![],
        extras: message.extras,
        blocks: 0,
    };
    let start = message.start(vec![], Value::Null, Value::Null);
    events.all.push(Event {
        name: Some("message_start"),
        data: format!("{{\"type\":\"message_start\",\"message\":{start}}}"),
        token: false,
    });
    if let Some(thought) = message.choice.reasoning {
        let block = json!({"type": "thinking", "thinking": "", "signature": ""});
        let shown = if message.omitted { "" } else { thought };
        let deltas = pieces(shown, None).into_iter();
        let signature = json!({"type": "signature_delta", "signature": reply::signature(thought)});
        events.block(
            &block,
            deltas
                .map(|text| json!({"type": "thinking_delta", "thinking": text}))
                .chain([signature]),
        );
    }
    if let Some(text) = message.text() {
        let deltas = pieces(text, chunk).into_iter();
        events.block(
            &json!({"type": "text", "text": ""}),
            deltas.map(|text| json!({"type": "text_delta", "text": text})),
        );
    }
    for (at, call) in message.choice.calls.iter().enumerate() {
        let fragments = pieces(&call.arguments, Some(FRAGMENT)).into_iter();
        events.block(
            &message.tool_use(at, call, json!({})),
            [String::new()]
                .into_iter()
                .chain(fragments)
                .map(|part| json!({"type": "input_json_delta", "partial_json": part})),
        );
    }
    let (reason, stop) = message.end();
    let mut delta = json!({
        "type": "message_delta",
        "delta": {"stop_reason": reason, "stop_sequence": stop},
    });
    if let Some(usage) = message.usage {
        delta["usage"] = figures(usage);
    }
    events.push("message_delta", &delta, false);
    if done {
        events.push("message_stop", &json!({"type": "message_stop"}), false);
    }
    events.all
}

struct Events {
    all: Vec<Event>,
    extras: bool,
    blocks: usize,
}

impl Events {
    fn push(&mut self, name: &'static str, data: &Value, token: bool) {
        let data = data.to_string();
        self.all.push(Event {
            name: Some(name),
            data: if self.extras {
                with_extras(&data)
            } else {
                data
            },
            token,
        });
    }

    fn block(&mut self, block: &Value, deltas: impl Iterator<Item = Value>) {
        let index = self.blocks;
        self.blocks += 1;
        let start = json!({"type": "content_block_start", "index": index, "content_block": block});
        self.push("content_block_start", &start, false);
        for delta in deltas {
            let delta = json!({"type": "content_block_delta", "index": index, "delta": delta});
            self.push("content_block_delta", &delta, true);
        }
        let stop = json!({"type": "content_block_stop", "index": index});
        self.push("content_block_stop", &stop, false);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        answer::{Asked, Choice},
        words::Behaviour,
    };

    fn with<T>(model: &str, read: impl FnOnce(&Message) -> T) -> T {
        let asked = Asked {
            text: "hi <b> there".into(),
            stop: vec!["there".into()],
            ..Asked::default()
        };
        let choice = Choice::of(&Behaviour::of(model).answer, &asked);
        read(&Message {
            id: 1,
            model,
            choice: &choice,
            usage: Some(choice.usage(3, 1)),
            omitted: false,
            extras: false,
        })
    }

    /// The message that the events build up, as an SDK does it.
    fn built(events: &[Event]) -> Value {
        let mut message = Value::Null;
        let mut inputs = BTreeMap::<usize, String>::new();
        for event in events {
            let data: Value = serde_json::from_str(&event.data).unwrap();
            assert_eq!(Some(data["type"].as_str().unwrap()), event.name);
            let index = data["index"]
                .as_u64()
                .map(|index| usize::try_from(index).unwrap());
            match (event.name.unwrap(), index) {
                ("message_start", _) => message = data["message"].clone(),
                ("content_block_start", Some(index)) => {
                    let content = message["content"].as_array_mut().unwrap();
                    assert_eq!(content.len(), index);
                    content.push(data["content_block"].clone());
                }
                ("content_block_delta", Some(index)) => {
                    let block = &mut message["content"][index];
                    for name in ["text", "thinking", "signature"] {
                        if let Some(more) = data["delta"][name].as_str() {
                            block[name] = (block[name].as_str().unwrap().to_owned() + more).into();
                        }
                    }
                    if let Some(more) = data["delta"]["partial_json"].as_str() {
                        inputs.entry(index).or_default().push_str(more);
                    }
                }
                ("message_delta", _) => {
                    for (name, value) in data["delta"].as_object().unwrap() {
                        message[name] = value.clone();
                    }
                    message["usage"] = data["usage"].clone();
                }
                _ => {}
            }
        }
        for (index, input) in inputs {
            message["content"][index]["input"] = serde_json::from_str(&input).unwrap();
        }
        message
    }

    #[test]
    fn a_stream_builds_the_plain_message() {
        for model in [
            "echo",
            "say",
            "think",
            "reasoning",
            "parallel-tools",
            "reasoning+echo+tools",
        ] {
            with(model, |message| {
                let events = events(message, Some(3), true);
                let plain: Value = serde_json::from_str(&message.plain()).unwrap();
                assert_eq!(built(&events), plain, "{model}");
                assert_eq!(events.last().unwrap().name, Some("message_stop"));
            });
        }
    }

    #[test]
    fn the_reason_of_the_end_is_the_dialects_own() {
        for (model, reason, stop) in [
            ("tools", "tool_use", Value::Null),
            ("echo", "stop_sequence", json!("there")),
            ("tokens-3", "end_turn", Value::Null),
        ] {
            assert_eq!(
                with(model, |message| message.end()),
                (reason, stop),
                "{model}"
            );
        }
    }
}
