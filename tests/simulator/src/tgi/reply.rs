//! The answer: one object, or an event for each token.
//!
//! Source: `GenerateResponse`, `Details`, `StreamResponse` and `StreamDetails` of `router/src/lib.rs`.

use http::StatusCode;
use serde_json::{Value, json};

use super::{body::Generate, error};
use crate::{
    answer::{Choice, Usage, pieces},
    openai::with_extras,
    wire::{Event, Form, Frame},
    words::Answer,
};

/// The seed of what is drawn, unless the request names one.
const SEED: u64 = 42;

/// How this dialect's streams are written.
pub(super) fn form() -> Form {
    let message = "Request failed during generation: Server error: simulated";
    Form {
        fault: error::event(StatusCode::FAILED_DEPENDENCY, message),
        frame: Frame::Tight,
    }
}

/// An answer, before it is written.
pub(super) struct Written<'a> {
    pub(super) asked: &'a Generate,
    pub(super) choice: &'a Choice,
    pub(super) usage: Option<Usage>,
    pub(super) answer: &'a Answer,
}

impl Written<'_> {
    /// The body of a plain reply.
    pub(super) fn plain(&self) -> String {
        let with = &self.asked.parameters;
        let mut reply = json!({"generated_text": self.whole()});
        if with.details || with.decoder_input_details {
            let mut details = self.details();
            details["prefill"] = self.prefill();
            details["tokens"] = self.tokens().into();
            if with.best_of.unwrap_or(1) > 1 {
                let mut second = details.clone();
                second["generated_text"] = self.whole().into();
                details["best_of_sequences"] = json!([second]);
            }
            reply["details"] = details;
        }
        self.with_extras(&reply)
    }

    /// The events of a stream; without `done` none of them is the last.
    pub(super) fn stream(&self, done: bool) -> Vec<Event> {
        let tokens = self.tokens();
        let last = tokens.len() - 1;
        let details = self.asked.parameters.details && self.usage.is_some();
        let top = self
            .asked
            .parameters
            .top_n_tokens
            .is_some_and(|count| count > 0);
        let events = tokens.into_iter().enumerate().map(|(at, token)| {
            let said = token["special"] == false;
            let mut event = json!({
                "index": at + 1, "token": token, "generated_text": null, "details": null,
            });
            if top {
                event["top_tokens"] = json!([event["token"]]);
            }
            if at == last {
                event["generated_text"] = self.whole().into();
                if details {
                    let mut details = self.details();
                    details["input_length"] = self.asked.words().into();
                    event["details"] = details;
                }
            }
            Event {
                name: None,
                data: self.with_extras(&event),
                token: said,
            }
        });
        let kept = if done { last + 1 } else { last };
        events.take(kept).collect()
    }

    /// What was said; the stop that ended it is part of it.
    fn text(&self) -> String {
        let text = self.choice.text.as_deref().unwrap_or_default();
        let stop = self.choice.stop.as_deref();
        [
            text,
            stop.filter(|_| self.reason() == "stop_sequence")
                .unwrap_or_default(),
        ]
        .concat()
    }

    /// The same, after the prompt if that is asked for.
    fn whole(&self) -> String {
        match self.asked.parameters.return_full_text {
            Some(true) => [&self.asked.inputs, &*self.text()].concat(),
            _ => self.text(),
        }
    }

    fn reason(&self) -> &'static str {
        match (self.choice.finish, &self.choice.stop) {
            ("length", _) => "length",
            (_, Some(_)) => "stop_sequence",
            _ => "eos_token",
        }
    }

    fn details(&self) -> Value {
        let seed = self.asked.parameters.seed;
        let seed = seed.or(self.asked.samples().then_some(SEED));
        let mut details = json!({"finish_reason": self.reason()});
        if let Some(usage) = self.usage {
            details["generated_tokens"] = usage.completion.into();
        }
        details["seed"] = seed.into();
        details
    }

    /// The tokens; that of the end is special, and no part of the text.
    fn tokens(&self) -> Vec<Value> {
        let token = |(at, text): (usize, &String)| json!({"id": at + 10, "text": text, "logprob": -0.125, "special": false});
        let pieces = pieces(&self.text(), self.answer.chunk);
        let mut tokens: Vec<_> = pieces.iter().enumerate().map(token).collect();
        if tokens.is_empty() || self.reason() == "eos_token" {
            tokens.push(json!({"id": 2, "text": "</s>", "logprob": -0.5, "special": true}));
        }
        tokens
    }

    /// The prompt's tokens, if they are asked for; the first has no likelihood.
    fn prefill(&self) -> Value {
        if !self.asked.parameters.decoder_input_details {
            return json!([]);
        }
        let pieces = pieces(&self.asked.inputs, None);
        let tokens = pieces.iter().enumerate().map(|(at, text)| {
            let logprob = if at == 0 { Value::Null } else { json!(-0.25) };
            json!({"id": at + 10, "text": text, "logprob": logprob})
        });
        tokens.collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Behaviour;

    fn with<T>(model: &str, parameters: Value, read: impl FnOnce(&Written) -> T) -> T {
        let body = json!({"inputs": "one <b> two", "parameters": parameters});
        let asked: Generate = serde_json::from_value(body).unwrap();
        let answer = Behaviour::of(model).answer;
        let choice = Choice::of(&answer, &asked.asked());
        read(&Written {
            asked: &asked,
            usage: Some(choice.usage(asked.words(), 1)),
            choice: &choice,
            answer: &answer,
        })
    }

    #[test]
    fn a_stream_says_what_the_plain_reply_says() {
        for (model, parameters, reason) in [
            ("echo", json!({}), "eos_token"),
            ("say", json!({"stop": ["two"]}), "stop_sequence"),
            ("think+extras", json!({}), "eos_token"),
            ("tokens-9", json!({"max_new_tokens": 4}), "length"),
        ] {
            let mut parameters = parameters;
            parameters["details"] = true.into();
            with(model, parameters, |written| {
                let plain: Value = serde_json::from_str(&written.plain()).unwrap();
                let events = written.stream(true);
                let events: Vec<Value> = events
                    .iter()
                    .map(|event| serde_json::from_str(&event.data).unwrap())
                    .collect();
                let said: String = events
                    .iter()
                    .filter(|event| event["token"]["special"] == false)
                    .filter_map(|event| event["token"]["text"].as_str())
                    .collect();
                let last = events.last().unwrap();
                assert_eq!(plain["generated_text"], said);
                assert_eq!(last["generated_text"], said);
                for details in [&plain["details"], &last["details"]] {
                    assert_eq!(details["finish_reason"], reason, "{model}");
                    assert!(details["generated_tokens"].is_u64());
                }
            });
        }
    }

    #[test]
    fn the_stop_stays_at_the_end_and_the_prompt_comes_before_on_request() {
        let text = |parameters| {
            with("echo", parameters, |written| {
                let plain: Value = serde_json::from_str(&written.plain()).unwrap();
                plain["generated_text"].as_str().unwrap().to_owned()
            })
        };
        assert_eq!(text(json!({"stop": ["<b>"]})), "one <b>");
        let full = json!({"stop": ["<b>"], "return_full_text": true});
        assert_eq!(text(full), "one <b> twoone <b>");
    }
}
