//! Whole replies.
//!
//! Rules of the reader: of `best_of` answers the best is the answer; the prompt's tokens are counted in `details.prefill`, which newer servers leave
//! empty unless they were started with `--enable-prefill-logprobs`.
//! Rules of the writer: the text of the first choice, a refusal among it, is the answer; reasoning and calls of tools, which
//! TGI has no place for, are left out; every good end but a stop's is `eos_token`; the tokens themselves are not known.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::form::{Choice, Finish, Garbage, Part, Reply, Usage};

/// `GenerateResponse` of TGI's OpenAPI document.
#[derive(Deserialize)]
struct Body {
    generated_text: String,
    #[serde(default)]
    details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    finish_reason: Option<String>,
    #[serde(default)]
    generated_tokens: Option<u64>,
    #[serde(default)]
    prefill: Option<Vec<serde::de::IgnoredAny>>,
    #[serde(default)]
    input_length: Option<u64>,
}

/// `/` answers a list of one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Either {
    One(Body),
    List(Vec<Body>),
}

pub(super) fn read(body: &[u8]) -> Result<Reply, Garbage> {
    let read = match serde_json::from_slice(body) {
        Ok(Either::One(one)) => Some(one),
        Ok(Either::List(list)) => list.into_iter().next(),
        Err(_) => None,
    };
    let Some(read) = read else {
        return Err(Garbage::new("The reply is not TGI's.", body));
    };
    let details = read.details;
    let usage = details.as_ref().and_then(|details| {
        let prefill = details.prefill.as_ref().map(|list| list.len() as u64);
        // Without `decoder_input_details` the list is empty, and says nothing.
        let counted = prefill.filter(|count| *count > 0);
        Some(usage(
            counted.or(details.input_length),
            details.generated_tokens?,
        ))
    });
    let finish = details.and_then(|details| Some(finish(&details.finish_reason?)));
    let text = Some(read.generated_text).filter(|text| !text.is_empty());
    Ok(Reply {
        choices: vec![Choice {
            index: 0,
            parts: text.into_iter().map(Part::text).collect(),
            finish,
            logprobs: None,
        }],
        usage,
        ..Reply::default()
    })
}

/// Tokens as TGI counts them; not every version tells those of the prompt.
pub(super) fn usage(input: Option<u64>, output: u64) -> Usage {
    match input {
        Some(input) => Usage {
            input,
            output,
            ..Usage::default()
        },
        None => Usage::of_output(output),
    }
}

/// The end that TGI's word names.
pub(super) fn finish(word: &str) -> Finish {
    match word {
        "length" => Finish::Length,
        "eos_token" => Finish::Stop,
        "stop_sequence" => Finish::StopSequence(None),
        other => Finish::Other(other.to_owned()),
    }
}

/// Says beside figures of [ours](crate::form::estimate) that they are estimated; TGI's clients pass over what they do not know.
pub(super) const ESTIMATED: &str = "usage_estimated";

/// TGI's word for an end.
pub(super) fn word(finish: Option<&Finish>) -> &str {
    match finish {
        Some(Finish::Length | Finish::Pause) => "length",
        Some(Finish::StopSequence(_)) => "stop_sequence",
        Some(Finish::Other(word)) => word,
        _ => "eos_token",
    }
}

pub(super) fn write(reply: &Reply) -> Vec<u8> {
    let first = reply.choices.first();
    let parts = first
        .map(|choice| choice.parts.as_slice())
        .unwrap_or_default();
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text { text, .. } | Part::Refusal(text) => Some(text.as_str()),
        _ => None,
    });
    let text: String = texts.collect();
    let mut details = Map::new();
    let finish = first.and_then(|choice| choice.finish.as_ref());
    details.insert("finish_reason".into(), word(finish).into());
    let generated = reply.usage.map_or(0, |usage| usage.output);
    details.insert("generated_tokens".into(), generated.into());
    if let Some(usage) = reply.usage.filter(|usage| !usage.lacks_input()) {
        details.insert("input_length".into(), usage.input.into());
    }
    if reply.usage.is_some_and(|usage| usage.estimated) {
        details.insert(ESTIMATED.into(), true.into());
    }
    details.insert("seed".into(), Value::Null);
    details.insert("prefill".into(), json!([]));
    details.insert("tokens".into(), json!([]));
    json!({"generated_text": text, "details": details})
        .to_string()
        .into_bytes()
}

/// The reply as `/` answers it: in a list, which some clients insist on.
#[must_use]
pub fn listed(mut reply: Vec<u8>) -> Vec<u8> {
    reply.insert(0, b'[');
    reply.push(b']');
    reply
}
