//! The answer of a conversation: one object, or an event for each piece of it.
//!
//! Sources: [Converse](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html),
//! [its stream](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html).

use serde_json::{Value, json};

use crate::{
    answer::{Call, Choice, Usage, pieces},
    anthropic::signature,
    openai::with_extras,
    wire::Event,
    words::{Answer, Filter},
};

/// Characters of a streamed piece of a tool's input.
const FRAGMENT: usize = 6;
/// What the service adds to events, so that their lengths tell nothing.
const PADDING: &str = "abcdefghijklm";

/// An answer, before it is written.
pub(super) struct Written<'a> {
    pub(super) id: u64,
    pub(super) choice: &'a Choice,
    pub(super) usage: Option<Usage>,
    pub(super) answer: &'a Answer,
    /// `/stop_sequence` was asked for.
    pub(super) tells_stop: bool,
}

impl Written<'_> {
    /// The body of a plain reply.
    pub(super) fn plain(&self) -> String {
        let mut content = vec![];
        if let Some(thought) = self.choice.reasoning {
            let signed = json!({"text": thought, "signature": signature(thought)});
            content.push(json!({"reasoningContent": {"reasoningText": signed}}));
        }
        if let Some(text) = self.text() {
            content.push(json!({"text": text}));
        }
        for (at, call) in self.choice.calls.iter().enumerate() {
            let mut named = self.named(at, call);
            named["input"] = serde_json::from_str(&call.arguments).unwrap_or_default();
            content.push(json!({"toolUse": named}));
        }
        let mut reply = json!({
            "metrics": {"latencyMs": 1},
            "output": {"message": {"content": content, "role": "assistant"}},
            "stopReason": self.reason(),
        });
        self.add_stop(&mut reply);
        if let Some(usage) = self.usage {
            reply["usage"] = figures(usage);
        }
        self.with_extras(&reply)
    }

    /// The events of a stream; without `done` the message does not stop.
    pub(super) fn stream(&self, done: bool) -> Vec<Event> {
        let mut all = vec![];
        self.push(
            &mut all,
            "messageStart",
            json!({"role": "assistant"}),
            false,
        );
        let mut index = 0;
        let mut block = |start: Option<Value>, deltas: Vec<Value>| {
            if let Some(start) = start {
                let start = json!({"contentBlockIndex": index, "start": start});
                self.push(&mut all, "contentBlockStart", start, false);
            }
            for delta in deltas {
                let delta = json!({"contentBlockIndex": index, "delta": delta});
                self.push(&mut all, "contentBlockDelta", delta, true);
            }
            let stop = json!({"contentBlockIndex": index});
            self.push(&mut all, "contentBlockStop", stop, false);
            index += 1;
        };
        if let Some(thought) = self.choice.reasoning {
            let deltas = pieces(thought, None).into_iter();
            let deltas = deltas.map(|text| json!({"reasoningContent": {"text": text}}));
            let signed = json!({"reasoningContent": {"signature": signature(thought)}});
            block(None, deltas.chain([signed]).collect());
        }
        if let Some(text) = self.text() {
            let deltas = pieces(text, self.answer.chunk).into_iter();
            block(None, deltas.map(|text| json!({"text": text})).collect());
        }
        for (at, call) in self.choice.calls.iter().enumerate() {
            let deltas = pieces(&call.arguments, Some(FRAGMENT)).into_iter();
            let deltas = deltas.map(|part| json!({"toolUse": {"input": part}}));
            block(
                Some(json!({"toolUse": self.named(at, call)})),
                deltas.collect(),
            );
        }
        if done {
            let mut stop = json!({"stopReason": self.reason()});
            self.add_stop(&mut stop);
            self.push(&mut all, "messageStop", stop, false);
            let mut metadata = json!({"metrics": {"latencyMs": 1}});
            if let Some(usage) = self.usage {
                metadata["usage"] = figures(usage);
            }
            self.push(&mut all, "metadata", metadata, false);
        }
        all
    }

    fn push(&self, all: &mut Vec<Event>, name: &'static str, mut data: Value, token: bool) {
        data["p"] = PADDING[..=all.len() % 12].into();
        all.push(Event {
            name: Some(name),
            data: self.with_extras(&data),
            token,
        });
    }

    /// The text, unless it is empty: no block is.
    fn text(&self) -> Option<&str> {
        self.choice.text.as_deref().filter(|text| !text.is_empty())
    }

    fn named(&self, at: usize, call: &Call) -> Value {
        json!({"name": call.name, "toolUseId": format!("tooluse_sim_{}_{at}", self.id)})
    }

    fn reason(&self) -> &'static str {
        match (self.choice.finish, &self.choice.stop) {
            ("length", _) => "max_tokens",
            ("tool_calls", _) => "tool_use",
            ("content_filter", _) => match self.answer.filter {
                Some(Filter::Prompt) => "guardrail_intervened",
                _ => "content_filtered",
            },
            (_, Some(_)) => "stop_sequence",
            _ => "end_turn",
        }
    }

    fn add_stop(&self, to: &mut Value) {
        if self.tells_stop {
            let stop = self.choice.stop.as_deref();
            let stop = stop.filter(|_| self.reason() == "stop_sequence");
            to["additionalModelResponseFields"] = json!({"stop_sequence": stop});
        }
    }

    fn with_extras(&self, value: &Value) -> String {
        let json = value.to_string();
        if self.answer.extras {
            with_extras(&json)
        } else {
            json
        }
    }
}

fn figures(usage: Usage) -> Value {
    json!({
        "cacheReadInputTokenCount": 0,
        "cacheReadInputTokens": 0,
        "cacheWriteInputTokenCount": 0,
        "cacheWriteInputTokens": 0,
        "inputTokens": usage.prompt,
        "outputTokens": usage.completion,
        "serverToolUsage": {},
        "totalTokens": usage.prompt + usage.completion,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{answer::Asked, words::Behaviour};

    /// The content that the events build up, as an SDK does it.
    fn built(events: &[Event]) -> Vec<Value> {
        let mut content = BTreeMap::<u64, Value>::new();
        let mut inputs = BTreeMap::<u64, String>::new();
        for event in events {
            let data: Value = serde_json::from_str(&event.data).unwrap();
            let Some(index) = data["contentBlockIndex"].as_u64() else {
                continue;
            };
            let block = content.entry(index).or_insert(json!({}));
            if let Some(start) = data.get("start") {
                *block = start.clone();
            }
            let delta = &data["delta"];
            if let Some(text) = delta["text"].as_str() {
                let before = block["text"].as_str().unwrap_or_default().to_owned();
                block["text"] = (before + text).into();
            }
            for name in ["text", "signature"] {
                if let Some(text) = delta["reasoningContent"][name].as_str() {
                    let place = &mut block["reasoningContent"]["reasoningText"];
                    let before = place[name].as_str().unwrap_or_default().to_owned();
                    place[name] = (before + text).into();
                }
            }
            if let Some(part) = delta["toolUse"]["input"].as_str() {
                inputs.entry(index).or_default().push_str(part);
            }
        }
        for (index, input) in inputs {
            content.get_mut(&index).unwrap()["toolUse"]["input"] =
                serde_json::from_str(&input).unwrap();
        }
        content.into_values().collect()
    }

    #[test]
    fn a_stream_builds_the_plain_message() {
        let asked = Asked {
            text: "hi <b> there".into(),
            stop: vec!["there".into()],
            ..Asked::default()
        };
        for (model, reason) in [
            ("echo", "stop_sequence"),
            ("think+say", "stop_sequence"),
            ("reasoning+tokens-3", "end_turn"),
            ("parallel-tools", "tool_use"),
            ("filtered", "content_filtered"),
            ("blocked", "guardrail_intervened"),
            ("reasoning+echo+tools+extras", "tool_use"),
        ] {
            let answer = Behaviour::of(model).answer;
            let choice = Choice::of(&answer, &asked);
            let written = Written {
                id: 1,
                choice: &choice,
                usage: Some(choice.usage(3, 1)),
                answer: &answer,
                tells_stop: true,
            };
            let plain: Value = serde_json::from_str(&written.plain()).unwrap();
            let events = written.stream(true);
            let content = &plain["output"]["message"]["content"];
            assert_eq!(&json!(built(&events)), content, "{model}");
            let [.., stop, metadata] = &events[..] else {
                panic!("too short")
            };
            let read = |event: &Event| -> Value { serde_json::from_str(&event.data).unwrap() };
            assert_eq!(read(stop)["stopReason"], reason);
            assert_eq!(plain["stopReason"], reason);
            assert_eq!(read(metadata)["usage"], plain["usage"]);
            let told = &plain["additionalModelResponseFields"]["stop_sequence"];
            assert_eq!(told == "there", reason == "stop_sequence");
        }
    }
}
