//! Writes a request, so that TGI accepts it.
//!
//! Rules, each from what TGI's router checks:
//! - It takes one prompt. A conversation is made one by a template before it comes here. Images stand in it as markdown.
//! - It samples if told so or if any parameter of sampling is there. A temperature or a `top_p` of 0 is greedy: no parameter of
//!   sampling is sent. Otherwise `do_sample` is sent, as TGI's own chat does.
//! - `top_p` and `typical_p` must be below 1; at 1 and above they do nothing and are left out, as is a `top_k` of 0 or below.
//! - A prompt without a limit gets as many tokens as a [conversation](LIMIT): TGI's own default, 20 or 100 by version, would cut most answers.
//! - `best_of` above 1 samples without a seed, never streams, and says nothing when greedy.
//! - Of stops the first four are sent, as many as TGI takes; all of them are trimmed from the reply by [`Stops`](crate::template::Stops).
//! - Counts of tokens are asked for: `details`, and for a whole reply `decoder_input_details`, which holds the prompt's.
//! - A schema's name is left out, since not every version knows it, and so are its description and strictness.
//!   Any JSON object is refused: a grammar needs properties, and without any it admits `{}` alone.
//! - Who asks, reasoning that is off, and tools that may not be called are left out.

use serde_json::{Map, Value, json};

use super::PARAMETERS;
use crate::codec::Target;
use crate::extra;
use crate::form::{Field, Format, Part, Reasoning, Refused, Request, Role, ToolChoice};
use crate::json::to_vec;
use crate::template::LIMIT;
use crate::tgi::{PAGE, image};

/// Parameters of TGI that the form does not know.
const KNOWN: [&str; 6] = [
    "adapter_id",
    "best_of",
    "return_full_text",
    "top_n_tokens",
    "truncate",
    "watermark",
];

/// The most stops that TGI takes unless its server is told otherwise (`--max-stop-sequences`).
const STOPS: usize = 4;

#[derive(serde::Serialize)]
struct Body<'a> {
    inputs: &'a str,
    parameters: Map<String, Value>,
    stream: bool,
}

pub(in crate::tgi) fn write(request: &Request, target: Target<'_>) -> Result<Vec<u8>, Refused> {
    refuse(request)?;
    let prompt = prompt(request)?;
    let mut to = Map::new();
    put(
        &mut to,
        "max_new_tokens",
        Some(request.max_tokens.unwrap_or(LIMIT)),
    );
    sampling(request, &mut to)?;
    if !request.stop.is_empty() {
        let stops = &request.stop[..request.stop.len().min(STOPS)];
        put(&mut to, "stop", Some(json!(stops)));
    }
    put(&mut to, "grammar", grammar(request.format.as_ref()));
    put(&mut to, "return_full_text", Some(false));
    put(&mut to, "details", Some(true));
    put(&mut to, "decoder_input_details", Some(!target.stream));
    unknown(request, target, &mut to)?;
    Ok(to_vec(&Body {
        inputs: &prompt,
        parameters: to,
        stream: target.stream,
    }))
}

fn prompt(request: &Request) -> Result<String, Refused> {
    let [message] = request.messages.as_slice() else {
        let at = request
            .messages
            .get(1)
            .map_or("messages", |message| &message.at);
        let message = "TGI takes one prompt, not a conversation; send one user message.";
        return Err(refused(Field::At(at.to_owned()), message));
    };
    let mut prompt = String::new();
    for part in &message.parts {
        // As templates join them.
        if !prompt.is_empty() {
            prompt.push('\n');
        }
        match part {
            Part::Text { text, .. } if message.role == Role::User => prompt.push_str(text),
            Part::Image { source, .. } if message.role == Role::User => {
                image::push(source, &mut prompt).map_err(|how| {
                    let said = format!("TGI cannot take this image so; {how}");
                    Refused::new(Field::At(message.at.clone()), said, image::PAGE)
                })?;
            }
            other => {
                let said = format!(
                    "TGI takes text and images only, and this is {}; leave it out, or choose another model.",
                    other.described()
                );
                return Err(refused(Field::At(message.at.clone()), said));
            }
        }
    }
    if prompt.is_empty() {
        let said = "TGI takes no empty prompt; send some text.";
        return Err(refused(Field::At(message.at.clone()), said));
    }
    Ok(prompt)
}

/// What TGI's generate has no word for.
fn refuse(request: &Request) -> Result<(), Refused> {
    let callable = request.tool_choice != Some(ToolChoice::None) && !request.tools.is_empty();
    let bias = request.sampling.logit_bias.as_ref();
    let faults = [
        (
            request.n.is_some_and(|n| n > 1),
            Field::N,
            "TGI gives one answer a request; ask once for each.",
        ),
        (
            callable,
            Field::Tools(None),
            "TGI's generate has no tools; leave them out, or give the backend the dialect OpenAI, which TGI speaks too.",
        ),
        (
            request.format == Some(Format::JsonObject),
            Field::Format,
            "TGI constrains replies by a schema with properties only; give a JSON schema.",
        ),
        (
            request.logprobs.is_some(),
            Field::Logprobs,
            "TGI's generate tells the probabilities of all tokens, those of stops among them, which are trimmed from the text here; leave the field out, or give the backend the dialect OpenAI, in which the same server tells of the text alone.",
        ),
        (
            request.suffix.is_some(),
            Field::Suffix,
            "TGI fills no gap; leave the suffix out, or put the model's own marks for it into the prompt.",
        ),
        (
            request.reasoning.as_ref().is_some_and(Reasoning::is_on),
            Field::Reasoning,
            "TGI's generate cannot be told how much to reason; leave the field out.",
        ),
        (
            bias.is_some_and(|bias| !bias.is_empty()),
            Field::LogitBias,
            "TGI has no logit bias; leave the field out.",
        ),
        (
            request.sampling.min_p.is_some_and(|min| min > 0.0),
            Field::MinP,
            "TGI has no min_p; leave the field out, or use top_p.",
        ),
        (
            request
                .sampling
                .presence_penalty
                .is_some_and(|value| value != 0.0),
            Field::PresencePenalty,
            "TGI has no presence penalty; leave the field out, or use frequency_penalty.",
        ),
    ];
    match faults.into_iter().find(|(wrong, ..)| *wrong) {
        Some((_, field, message)) => Err(refused(field, message)),
        None => Ok(()),
    }
}

/// Whether nothing is drawn.
fn greedy(request: &Request) -> bool {
    let sampling = &request.sampling;
    sampling.temperature == Some(0.0) || sampling.top_p == Some(0.0)
}

fn sampling(request: &Request, to: &mut Map<String, Value>) -> Result<(), Refused> {
    let sampling = &request.sampling;
    check(
        sampling.temperature,
        0.0..,
        Field::Temperature,
        "TGI's temperature is 0 or above.",
    )?;
    check(
        sampling.top_p,
        0.0..,
        Field::TopP,
        "TGI's top_p is between 0 and 1.",
    )?;
    check(
        sampling.frequency_penalty,
        -2.0..=2.0,
        Field::FrequencyPenalty,
        "TGI's frequency_penalty is between -2 and 2.",
    )?;
    let above = f64::MIN_POSITIVE..;
    let message = "TGI's repetition_penalty is above 0; 1 is none.";
    check(
        sampling.repetition_penalty,
        above.clone(),
        Field::RepetitionPenalty,
        message,
    )?;
    check(
        sampling.typical_p,
        above,
        Field::TypicalP,
        "TGI's typical_p is above 0.",
    )?;
    let greedy = greedy(request);
    put(to, "do_sample", Some(!greedy));
    if !greedy {
        put(to, "temperature", sampling.temperature);
        put(to, "top_k", sampling.top_k.filter(|top| *top > 0));
        put(to, "top_p", sampling.top_p.filter(|mass| *mass < 1.0));
        put(
            to,
            "typical_p",
            sampling.typical_p.filter(|mass| *mass < 1.0),
        );
        // TGI's seed has no sign: the same bits are the same draw.
        put(to, "seed", sampling.seed.map(i64::cast_unsigned));
    }
    put(to, "repetition_penalty", sampling.repetition_penalty);
    put(to, "frequency_penalty", sampling.frequency_penalty);
    Ok(())
}

fn check(
    value: Option<f64>,
    range: impl std::ops::RangeBounds<f64>,
    field: Field,
    message: &str,
) -> Result<(), Refused> {
    match value {
        Some(value) if !range.contains(&value) => Err(refused(field, message)),
        _ => Ok(()),
    }
}

fn grammar(format: Option<&Format>) -> Option<Value> {
    match format? {
        // The latter was refused.
        Format::Text | Format::JsonObject => None,
        Format::JsonSchema { schema, .. } => Some(json!({"type": "json", "value": schema})),
        Format::Regex(regex) => Some(json!({"type": "regex", "value": regex})),
    }
}

/// Writes `extra`: TGI's own parameters, and `best_of`, which OpenAI's completions have too.
fn unknown(
    request: &Request,
    target: Target<'_>,
    to: &mut Map<String, Value>,
) -> Result<(), Refused> {
    let mut others = Map::new();
    for (name, value) in &request.extra {
        let own = name
            .strip_prefix(PARAMETERS)
            .filter(|name| KNOWN.contains(name));
        match own.or(Some(name.as_str()).filter(|name| *name == "best_of")) {
            Some("best_of") => best_of(request, target, value, to)?,
            Some(name) => {
                to.insert(name.to_owned(), value.clone());
            }
            None => {
                others.insert(name.clone(), value.clone());
            }
        }
    }
    extra::carry(&others, &[], &[], ("TGI", PAGE), &mut Map::new())
}

fn best_of(
    request: &Request,
    target: Target<'_>,
    value: &Value,
    to: &mut Map<String, Value>,
) -> Result<(), Refused> {
    let field = || Field::Extra("best_of".into());
    if value.is_null() || value.as_u64() == Some(1) || greedy(request) {
        return Ok(());
    }
    if target.stream {
        return Err(refused(
            field(),
            "TGI streams no best_of; leave one of the two out.",
        ));
    }
    if request.sampling.seed.is_some() {
        return Err(refused(
            field(),
            "TGI takes no seed with best_of; leave one of the two out.",
        ));
    }
    to.insert("best_of".into(), value.clone());
    Ok(())
}

fn put<T: Into<Value>>(to: &mut Map<String, Value>, name: &str, value: Option<T>) {
    if let Some(value) = value {
        to.insert(name.to_owned(), value.into());
    }
}

fn refused(field: Field, message: impl Into<String>) -> Refused {
    Refused::new(field, message, PAGE)
}
