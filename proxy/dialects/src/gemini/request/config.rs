//! `generationConfig`.
//!
//! Source: [generation config](https://ai.google.dev/api/generate-content#v1beta.GenerationConfig). Rules of ours:
//!
//! - A seed that does not fit 32 bits is folded into them: it stays the same for the same draw. `top_k` of 0 or less says nothing and is left out.
//! - A penalty of 2, at which Gemini's range ends without it, is sent as the most that is in it.
//! - A schema's name and description are left out, and so is the wish for strictness: Gemini always keeps to a schema.
//! - Left out too: `user`, `keep_alive`, and values that say what happens anyway (no penalty, every token allowed).

use serde_json::{Map, Value};

use super::schema::{json_schema, schema};
use super::{CONFIG, PAGE, field_of, thinking};
use crate::codec::Target;
use crate::fields::Fields;
use crate::form::{Field, Format, Logprobs, Malformed, Refused, Request};
use crate::gemini::spelling::object;

/// The most texts that an answer can end at.
const STOPS: usize = 5;
/// The most answers to one request.
const CANDIDATES: u32 = 8;

/// Takes `generationConfig` into the request.
///
/// # Errors
/// [`Malformed`] if it is not what the dialect says.
pub fn read(body: &mut Fields, request: &mut Request) -> Result<(), Malformed> {
    let Some(mut config) = object(body, "generationConfig")? else {
        return Ok(());
    };
    let sampling = &mut request.sampling;
    sampling.temperature = config.float("temperature")?;
    sampling.top_p = config.float("topP")?;
    sampling.top_k = config.integer("topK")?;
    sampling.seed = config.integer("seed")?;
    sampling.presence_penalty = config.float("presencePenalty")?;
    sampling.frequency_penalty = config.float("frequencyPenalty")?;
    // Protocol Buffers have no other word for absent.
    request.n = config.small("candidateCount")?.filter(|count| *count > 0);
    request.max_tokens = config.count("maxOutputTokens")?;
    request.stop = config.strings("stopSequences")?.unwrap_or_default();
    let top = config.small("logprobs")?;
    if config.bool("responseLogprobs")? == Some(true) {
        request.logprobs = Some(Logprobs { top });
    }
    if let Some(thinking) = object(&mut config, "thinkingConfig")? {
        request.reasoning = thinking::read(thinking)?;
    }
    request.format = format(&mut config)?;
    let mut rest = config.rest();
    rest.retain(|name, value| !value.is_null() && !says_nothing(name, value));
    let rest = rest.into_iter();
    request
        .extra
        .extend(rest.map(|(name, value)| (format!("{CONFIG}{name}"), value)));
    Ok(())
}

fn says_nothing(name: &str, value: &Value) -> bool {
    let text = |list: &Vec<Value>| list.iter().all(|word| word == "TEXT");
    name == "responseModalities" && value.as_array().is_some_and(text)
}

fn format(config: &mut Fields) -> Result<Option<Format>, Malformed> {
    let media_type = config.peek("responseMimeType").and_then(Value::as_str);
    let media_type = media_type.map(str::to_owned);
    let json = match media_type.as_deref() {
        None => false,
        Some("application/json") => true,
        Some("text/plain") => {
            config.value("responseMimeType");
            return Ok(Some(Format::Text));
        }
        // Enumerations, and what is not known yet, stay with their schema for this dialect only.
        Some(_) => return Ok(None),
    };
    config.value("responseMimeType");
    let google = schema(config, "responseSchema")?.map(json_schema);
    Ok(match schema(config, "responseJsonSchema")?.or(google) {
        Some(schema) => Some(Format::JsonSchema {
            name: None,
            description: None,
            schema,
            strict: None,
        }),
        None => json.then_some(Format::JsonObject),
    })
}

/// Writes `generationConfig`.
///
/// # Errors
/// [`Refused`] for what Gemini cannot do.
pub fn write(request: &Request, target: Target<'_>) -> Result<Map<String, Value>, Refused> {
    check(request)?;
    let sampling = &request.sampling;
    let mut config = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        config.extend(value.map(|value| (name.to_owned(), value)));
    };
    put("temperature", sampling.temperature.map(Value::from));
    put("topP", sampling.top_p.map(Value::from));
    let top_k = sampling.top_k.filter(|count| *count > 0);
    put("topK", top_k.map(Value::from));
    put("candidateCount", request.n.map(Value::from));
    put("maxOutputTokens", request.max_tokens.map(Value::from));
    let stops = Some(&request.stop).filter(|stops| !stops.is_empty());
    put("stopSequences", stops.map(|stops| stops.as_slice().into()));
    put("seed", sampling.seed.map(|seed| folded(seed).into()));
    put("presencePenalty", sampling.presence_penalty.map(penalty));
    put("frequencyPenalty", sampling.frequency_penalty.map(penalty));
    put("responseLogprobs", request.logprobs.map(|_| true.into()));
    let top = request.logprobs.and_then(|logprobs| logprobs.top);
    put("logprobs", top.filter(|top| *top > 0).map(Value::from));
    let media_type = request.format.as_ref().map(|format| match format {
        Format::JsonObject | Format::JsonSchema { .. } => "application/json".into(),
        Format::Text | Format::Regex(_) => "text/plain".into(),
    });
    put("responseMimeType", media_type);
    if let Some(Format::JsonSchema { schema, .. }) = &request.format {
        put("responseJsonSchema", Some(schema.clone()));
    }
    let thinking = thinking::write(request.reasoning.as_ref(), request.max_tokens, target.model)?;
    put("thinkingConfig", thinking);
    for (name, value) in &request.extra {
        if let Some(name) = field_of(CONFIG, name) {
            put(name, Some(value.clone()));
        }
    }
    Ok(config)
}

fn penalty(value: f64) -> Value {
    let most = 1.99;
    Value::from(if value == 2.0 { most } else { value })
}

/// The same seed in 32 bits.
fn folded(seed: i64) -> i64 {
    if i32::try_from(seed).is_ok() {
        seed
    } else {
        seed.rem_euclid(i64::from(i32::MAX))
    }
}

fn check(request: &Request) -> Result<(), Refused> {
    let sampling = &request.sampling;
    let not = |value: Option<f64>, nothing: f64| value.is_some_and(|value| value != nothing);
    let bias = sampling.logit_bias.as_ref();
    let faults = [
        (
            request.suffix.is_some(),
            Field::Suffix,
            "does not fill a gap in a text; remove the field, or choose another model.",
        ),
        (
            not(sampling.min_p, 0.0),
            Field::MinP,
            "has no min_p; remove the field, or choose another model.",
        ),
        (
            not(sampling.typical_p, 1.0),
            Field::TypicalP,
            "has no typical_p; remove the field, or choose another model.",
        ),
        (
            not(sampling.repetition_penalty, 1.0),
            Field::RepetitionPenalty,
            "has no repetition penalty; remove the field, or choose another model.",
        ),
        (
            bias.is_some_and(|bias| !bias.is_empty()),
            Field::LogitBias,
            "has no logit bias; remove the field, or choose another model.",
        ),
        (
            matches!(request.format, Some(Format::Regex(_))),
            Field::Format,
            "does not follow regular expressions; send a JSON schema, or choose another model.",
        ),
        (
            request.n.is_some_and(|n| n > CANDIDATES),
            Field::N,
            "gives at most 8 answers at a time; ask for fewer.",
        ),
        (
            request.stop.len() > STOPS,
            Field::Stop,
            "stops at no more than 5 texts; send fewer.",
        ),
        (
            request.stop.iter().any(String::is_empty),
            Field::Stop,
            "does not stop at an empty text; remove it.",
        ),
        (
            sampling
                .temperature
                .is_some_and(|value| !(0.0..=2.0).contains(&value)),
            Field::Temperature,
            "takes temperatures from 0 to 2; change it.",
        ),
    ];
    for (fault, field, lack) in faults {
        if fault {
            return Err(Refused::new(field, format!("Gemini {lack}"), PAGE));
        }
    }
    Ok(())
}
