//! What a reply and each chunk of it begin and end with.

use http::StatusCode;
use serde_json::{Value, json};

use super::{CREATED, error, filter};
use crate::{
    answer::Usage,
    wire::{Event, Form, Frame},
};

/// Fields that no schema knows, in an unusual spelling: `extras` adds them to see them survive.
const EXTRAS: &str = r#""x_extra" : {"kept": [1.0, 1e2, "\u0041\/"],  "null": null},"#;

/// The fields that all chunks of a reply share.
pub(crate) struct Head {
    /// Unique in the simulator's life.
    pub(crate) id: String,
    /// As it was asked for.
    pub(crate) model: String,
    /// The simulator's name.
    pub(crate) fingerprint: String,
    /// Whether unknown fields are added.
    pub(crate) extras: bool,
    /// Whether Azure's content filter has its say.
    pub(crate) filtered: bool,
}

/// What ends a stream, after its choices.
pub(crate) struct Tail {
    /// A last chunk with usage, and `"usage":null` in those before it.
    pub(crate) usage: Option<Usage>,
    /// `[DONE]`.
    pub(crate) done: bool,
}

/// The JSON of one chunk's choice, and whether it carries a piece of the answer.
pub(super) struct Piece {
    pub(super) choice: String,
    pub(super) token: bool,
}

impl Head {
    /// The body of a plain reply.
    pub(super) fn reply(&self, object: &str, choices: &[Value], usage: Option<Usage>) -> String {
        let usage = usage.map(|usage| format!(",\"usage\":{}", figures(usage)));
        let mut choices = Value::from(choices);
        let mut prompt = String::new();
        if self.filtered {
            for choice in choices.as_array_mut().into_iter().flatten() {
                let stopped = choice["finish_reason"] == "content_filter";
                choice["content_filter_results"] = filter::results(stopped);
            }
            prompt = format!(",\"prompt_filter_results\":{}", filter::prompt());
        }
        format!(
            "{}\"choices\":{choices}{}{prompt}}}",
            self.start(object),
            usage.unwrap_or_default()
        )
    }

    /// The events of a stream: a chunk for each piece, then the tail.
    pub(super) fn events(
        &self,
        object: &str,
        pieces: impl Iterator<Item = Piece> + Send + 'static,
        tail: &Tail,
    ) -> Box<dyn Iterator<Item = Event> + Send> {
        let start = self.start(object);
        let last = tail
            .usage
            .map(|usage| format!("{start}\"choices\":[],\"usage\":{}}}", figures(usage)));
        let end = if last.is_some() {
            "],\"usage\":null}"
        } else {
            "]}"
        };
        let found = self.filtered.then(|| filter::results(false).to_string());
        let stopped = filter::results(true).to_string();
        let chunks = pieces.map(move |Piece { choice, token }| {
            let choice = match &found {
                // Only what is said is searched.
                Some(found) => {
                    let found = if token {
                        found.as_str()
                    } else if choice.contains(r#""finish_reason":"content_filter""#) {
                        &stopped
                    } else {
                        "{}"
                    };
                    let open = choice.strip_suffix('}').unwrap_or(&choice);
                    format!("{open},\"content_filter_results\":{found}}}")
                }
                None => choice,
            };
            Event {
                name: None,
                data: [start.as_str(), "\"choices\":[", &choice, end].concat(),
                token,
            }
        });
        let first = self.filtered.then(|| Event {
            name: None,
            data: filter::first(),
            token: false,
        });
        let done = tail.done.then(|| "[DONE]".to_owned());
        let late = (self.filtered && self.extras).then(filter::late);
        let tail = late.into_iter().chain(last).chain(done).map(|data| Event {
            name: None,
            data,
            token: false,
        });
        Box::new(first.into_iter().chain(chunks).chain(tail))
    }

    fn start(&self, object: &str) -> String {
        format!(
            "{{\"id\":\"{}\",\"object\":\"{object}\",\"created\":{CREATED},\"model\":{},\"system_fingerprint\":{},{}",
            self.id,
            Value::from(self.model.as_str()),
            Value::from(self.fingerprint.as_str()),
            if self.extras { EXTRAS } else { "" },
        )
    }
}

fn figures(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    })
}

/// Adds the fields that no schema knows to a JSON object that has others.
pub(crate) fn with_extras(json: &str) -> String {
    ["{", EXTRAS, &json[1..]].concat()
}

/// How OpenAI's streams are written.
pub(crate) fn form() -> Form {
    let message = "The server had an error while processing your request. Sorry about that!";
    let fault = error(StatusCode::INTERNAL_SERVER_ERROR, message, None, None);
    Form {
        fault: Event {
            name: None,
            data: fault.to_string(),
            token: false,
        },
        frame: Frame::Events,
    }
}

/// Takes one of each in turn, so that the choices of a stream interleave.
pub(super) fn interleaved<T>(choices: Vec<Vec<T>>) -> impl Iterator<Item = T> {
    let mut choices: Vec<_> = choices.into_iter().map(Vec::into_iter).collect();
    let mut turn = 0;
    std::iter::from_fn(move || {
        for _ in 0..choices.len() {
            let next = choices[turn].next();
            turn = (turn + 1) % choices.len();
            if next.is_some() {
                return next;
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_take_turns() {
        let mixed: String = interleaved(vec![vec!["a", "b", "c"], vec!["1"], vec![]]).collect();
        assert_eq!(mixed, "a1bc");
    }
}
