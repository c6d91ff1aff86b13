//! The answer: one object, or one for each piece of it.
//!
//! Source: [`GenerateContentResponse`](https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse).

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    answer::{Call, Choice, Usage, pieces},
    openai::with_extras,
    wire::Event,
    words::{Answer, Filter},
};

/// What a signature says, before what it signs.
pub(super) const SIGNED: &str = "simulated:";

/// An answer, before it is written.
pub(super) struct Written<'a> {
    pub(super) id: u64,
    pub(super) model: &'a str,
    pub(super) choice: &'a Choice,
    /// How many candidates say it.
    pub(super) n: usize,
    pub(super) usage: Option<Usage>,
    pub(super) answer: &'a Answer,
    /// Thoughts are shown, not only counted.
    pub(super) shown: bool,
}

impl Written<'_> {
    /// The body of a plain reply.
    pub(super) fn plain(&self) -> String {
        if self.answer.filter == Some(Filter::Prompt) {
            return self.blocked();
        }
        let mut parts = vec![];
        if let Some(thought) = self.thought() {
            parts.push(json!({"text": thought, "thought": true}));
        }
        if let Some(text) = self.text() {
            parts.push(self.signed(json!({"text": text}), text));
        }
        parts.extend(
            self.choice
                .calls
                .iter()
                .enumerate()
                .map(|call| self.call(call)),
        );
        let candidates = (0..self.n).map(|index| self.candidate(index, &parts, true));
        self.reply(candidates.collect())
    }

    /// The pieces of a stream, the candidates in turn; without `done` none of them is the last.
    pub(super) fn stream(&self, done: bool) -> Vec<Event> {
        if self.answer.filter == Some(Filter::Prompt) {
            return vec![Event {
                name: None,
                data: self.blocked(),
                token: false,
            }];
        }
        let mut all = vec![];
        for thought in pieces(self.thought().unwrap_or_default(), None) {
            all.push((json!({"text": thought, "thought": true}), true));
        }
        for text in pieces(self.text().unwrap_or_default(), self.answer.chunk) {
            all.push((json!({"text": text}), true));
        }
        for call in self.choice.calls.iter().enumerate() {
            all.push((self.call(call), true));
        }
        if done {
            let last = match self.text() {
                Some(text) => self.signed(json!({"text": ""}), text),
                None => json!({"text": ""}),
            };
            all.push((last, false));
        }
        let whole = all.len();
        let events = all.iter().enumerate().flat_map(|(at, (part, token))| {
            let last = done && at + 1 == whole;
            (0..self.n).map(move |index| Event {
                name: None,
                data: self.reply(vec![self.candidate(
                    index,
                    std::slice::from_ref(part),
                    last,
                )]),
                token: *token,
            })
        });
        events.collect()
    }

    fn thought(&self) -> Option<&'static str> {
        self.choice.reasoning.filter(|_| self.shown)
    }

    /// The text, unless it is empty.
    fn text(&self) -> Option<&str> {
        self.choice.text.as_deref().filter(|text| !text.is_empty())
    }

    /// A call; the first of them is signed where there were thoughts. It has no id.
    fn call(&self, (at, call): (usize, &Call)) -> Value {
        let args: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
        let part = json!({"functionCall": {"name": call.name, "args": args}});
        if at == 0 {
            self.signed(part, &call.name)
        } else {
            part
        }
    }

    /// The part with its signature, where there were thoughts.
    fn signed(&self, mut part: Value, what: &str) -> Value {
        if self.choice.reasoning.is_some() {
            let signature = BASE64_STANDARD.encode([SIGNED, what].concat());
            part["thoughtSignature"] = signature.into();
        }
        part
    }

    fn candidate(&self, index: usize, parts: &[Value], last: bool) -> Value {
        let mut candidate = json!({"content": {"parts": parts, "role": "model"}});
        if last {
            let reason = match self.choice.finish {
                "length" => "MAX_TOKENS",
                "content_filter" => "SAFETY",
                _ => "STOP",
            };
            candidate["finishReason"] = reason.into();
            if reason == "SAFETY" {
                candidate["safetyRatings"] = ratings();
            }
        }
        candidate["index"] = index.into();
        candidate
    }

    fn reply(&self, candidates: Vec<Value>) -> String {
        self.with_figures(json!({"candidates": candidates}), self.usage)
    }

    /// The reply to a prompt that is blocked: no candidate at all.
    fn blocked(&self) -> String {
        let usage = self.usage.map(|usage| Usage {
            completion: 0,
            reasoning: 0,
            ..usage
        });
        let feedback = json!({"blockReason": "SAFETY", "safetyRatings": ratings()});
        self.with_figures(json!({"promptFeedback": feedback}), usage)
    }

    fn with_figures(&self, mut reply: Value, usage: Option<Usage>) -> String {
        if let Some(usage) = usage {
            let said = usage.completion - usage.reasoning;
            let mut figures = json!({
                "promptTokenCount": usage.prompt,
                "candidatesTokenCount": said,
                "totalTokenCount": usage.prompt + usage.completion,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.prompt}],
            });
            if usage.reasoning > 0 {
                figures["thoughtsTokenCount"] = usage.reasoning.into();
            }
            reply["usageMetadata"] = figures;
        }
        reply["modelVersion"] = self.model.into();
        reply["responseId"] = format!("resp_sim_{}", self.id).into();
        let json = reply.to_string();
        if self.answer.extras {
            with_extras(&json)
        } else {
            json
        }
    }
}

/// What the filter found.
fn ratings() -> Value {
    json!([{"category": "HARM_CATEGORY_HARASSMENT", "probability": "HIGH", "blocked": true}])
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
        for model in [
            "echo",
            "say",
            "reasoning",
            "parallel-tools",
            "echo+tools+extras",
        ] {
            let answer = Behaviour::of(model).answer;
            let choice = Choice::of(&answer, &asked);
            let written = Written {
                id: 1,
                model,
                choice: &choice,
                n: 2,
                usage: Some(choice.usage(3, 2)),
                answer: &answer,
                shown: true,
            };
            let plain: Value = serde_json::from_str(&written.plain()).unwrap();
            let events = written.stream(true);
            let events: Vec<Value> = events
                .iter()
                .map(|event| serde_json::from_str(&event.data).unwrap())
                .collect();
            for index in 0..2 {
                let mine: Vec<_> = events
                    .iter()
                    .map(|event| &event["candidates"][0])
                    .filter(|candidate| candidate["index"] == index)
                    .collect();
                let whole = &plain["candidates"][index];
                assert_eq!(mine.last().unwrap()["finishReason"], "STOP");
                assert_eq!(whole["finishReason"], "STOP");
                let joined = |parts: Vec<&Value>, thought: bool| -> (String, Vec<Value>) {
                    let texts = parts
                        .iter()
                        .filter(|part| (part["thought"] == true) == thought);
                    let texts = texts.filter_map(|part| part["text"].as_str());
                    let calls = parts.iter().filter_map(|part| part.get("functionCall"));
                    (texts.collect(), calls.cloned().collect())
                };
                let streamed = || mine.iter().map(|one| &one["content"]["parts"][0]).collect();
                let whole = || {
                    whole["content"]["parts"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .collect()
                };
                for thought in [true, false] {
                    assert_eq!(
                        joined(streamed(), thought),
                        joined(whole(), thought),
                        "{model}"
                    );
                }
            }
            let usage = &plain["usageMetadata"];
            let sum = |names: &[&str]| -> u64 {
                names.iter().filter_map(|name| usage[*name].as_u64()).sum()
            };
            let parts = [
                "promptTokenCount",
                "candidatesTokenCount",
                "thoughtsTokenCount",
            ];
            assert_eq!(sum(&parts), sum(&["totalTokenCount"]));
        }
    }
}
