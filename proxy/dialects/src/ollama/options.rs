//! What chat and generate requests have in common: `options`, `format`, `think`, `logprobs`, `stream`, `keep_alive`.
//!
//! Source: [`Options` of the modelfile reference](https://docs.ollama.com/modelfile#parameter) and
//! [`api/types.go`](https://github.com/ollama/ollama/blob/main/api/types.go).
//!
//! Rules of the reader: a negative `num_predict` is no limit, a `seed` of −1 is none, `""` is no format. Options that the form
//! does not know stay in `extra` as `options.<name>`. Rules of the writer: a disabled `top_k` is 0; a model that
//! thinks at levels is told the nearest of Ollama's three words for an effort or a budget of tokens, any other plain `true`; a
//! schema's name, description and strictness are left out, because Ollama always constrains decoding and names nothing.

use serde_json::{Map, Value, json};

use super::{API, THINKING};
use crate::codec::Path;
use crate::extra;
use crate::fields::Fields;
use crate::form::{Effort, Field, Format, Logprobs, Malformed, Reasoning, Refused, Request};

/// The prefix of options in `extra`.
const OPTIONS: &str = "options.";

/// Top-level fields of Ollama that the form does not know.
const KNOWN: [&str; 2] = ["shift", "truncate"];

/// Takes the common fields into the request; what is left over becomes `extra`.
pub(super) fn read(
    mut fields: Fields,
    path: Path<'_>,
    request: &mut Request,
) -> Result<(), Malformed> {
    request.model = match path.model {
        // What the body says beside it is of no meaning, and no field that is unknown.
        Some(model) => {
            fields.value("model");
            model.to_owned()
        }
        None => fields.required_string("model")?,
    };
    // Ollama streams unless told otherwise, and always says its counts.
    let stream = fields.bool("stream")?;
    request.stream = path.stream.or(stream).unwrap_or(true);
    request.stream_usage = true;
    request.format = format(&mut fields)?;
    request.reasoning = think(&mut fields)?;
    request.logprobs = logprobs(&mut fields)?;
    request.keep_alive = keep_alive(&mut fields)?;
    let unknown = match fields.object("options")? {
        Some(options) => read_options(options, request)?,
        None => Map::new(),
    };
    request.extra = fields.extra();
    for (name, value) in unknown {
        request.extra.insert(format!("{OPTIONS}{name}"), value);
    }
    Ok(())
}

/// Takes how long the model stays loaded.
///
/// # Errors
/// [`Malformed`] where it is neither a text nor a number.
pub fn keep_alive(fields: &mut Fields) -> Result<Option<Value>, Malformed> {
    match fields.value("keep_alive") {
        None => Ok(None),
        Some(value @ (Value::String(_) | Value::Number(_))) => Ok(Some(value)),
        Some(_) => {
            let message = "The field must be a duration such as \"5m\", or a number of seconds.";
            Err(fields.fault("keep_alive", message))
        }
    }
}

/// Takes the options that the form knows into the request; what is left over is returned.
pub(crate) fn read_options(
    mut options: Fields,
    request: &mut Request,
) -> Result<Map<String, Value>, Malformed> {
    let sampling = &mut request.sampling;
    sampling.temperature = options.float("temperature")?;
    sampling.top_p = options.float("top_p")?;
    sampling.top_k = options.integer("top_k")?;
    sampling.min_p = options.float("min_p")?;
    sampling.typical_p = options.float("typical_p")?;
    sampling.seed = options.integer("seed")?.filter(|seed| *seed != -1);
    sampling.frequency_penalty = options.float("frequency_penalty")?;
    sampling.presence_penalty = options.float("presence_penalty")?;
    sampling.repetition_penalty = options.float("repeat_penalty")?;
    request.stop = options.strings("stop")?.unwrap_or_default();
    let limit = options.integer("num_predict")?;
    request.max_tokens = limit.and_then(|limit| u64::try_from(limit).ok());
    Ok(options.rest())
}

fn format(fields: &mut Fields) -> Result<Option<Format>, Malformed> {
    match fields.value("format") {
        None => Ok(None),
        Some(Value::String(word)) if word.is_empty() => Ok(None),
        Some(Value::String(word)) if word == "json" => Ok(Some(Format::JsonObject)),
        Some(schema @ Value::Object(_)) => Ok(Some(Format::JsonSchema {
            name: None,
            description: None,
            schema,
            strict: None,
        })),
        Some(_) => Err(fields.fault(
            "format",
            "The field must be \"json\" or a JSON schema (an object).",
        )),
    }
}

fn think(fields: &mut Fields) -> Result<Option<Reasoning>, Malformed> {
    let fault = "The field must be true, false, \"low\", \"medium\" or \"high\".";
    match fields.value("think") {
        None => Ok(None),
        Some(Value::Bool(on)) => Ok(Some(Reasoning {
            enabled: Some(on),
            ..Reasoning::default()
        })),
        Some(Value::String(word)) => {
            let effort = Effort::parse(&word)
                .filter(|effort| (Effort::Low..=Effort::High).contains(effort))
                .ok_or_else(|| fields.fault("think", fault))?;
            Ok(Some(Reasoning {
                effort: Some(effort),
                ..Reasoning::default()
            }))
        }
        Some(_) => Err(fields.fault("think", fault)),
    }
}

fn logprobs(fields: &mut Fields) -> Result<Option<Logprobs>, Malformed> {
    let wanted = fields.bool("logprobs")?;
    let top = fields.small("top_logprobs")?;
    Ok((wanted == Some(true)).then_some(Logprobs { top }))
}

/// Writes the common fields for a model, `model` and `stream` excepted.
pub(super) fn write(
    request: &Request,
    model: &str,
    out: &mut Map<String, Value>,
) -> Result<(), Refused> {
    if request.n.is_some_and(|n| n > 1) {
        return Err(refused(
            Field::N,
            "Ollama gives one answer a request; ask once for each.",
        ));
    }
    match &request.format {
        None | Some(Format::Text) => {}
        Some(Format::JsonObject) => put(out, "format", Some(json!("json"))),
        Some(Format::JsonSchema { schema, .. }) => put(out, "format", Some(schema.clone())),
        Some(Format::Regex(_)) => {
            let message = "Ollama constrains replies by JSON schema, not by regular expression; use a schema with a `pattern`, or another model.";
            return Err(refused(Field::Format, message));
        }
    }
    let reasoning = request.reasoning.as_ref();
    put(
        out,
        "think",
        reasoning.map(|asked| written_think(asked, model)),
    );
    if let Some(logprobs) = request.logprobs {
        put(out, "logprobs", Some(json!(true)));
        put(out, "top_logprobs", logprobs.top.map(Value::from));
    }
    put(out, "keep_alive", request.keep_alive.clone());
    let options = written_options(request)?;
    if !options.is_empty() {
        put(out, "options", Some(Value::Object(options)));
    }
    Ok(())
}

/// Words are for models that have levels: others' requests are refused with "think value … is not supported for this model", or the
/// word is ignored, depending on the server's version.
fn written_think(reasoning: &Reasoning, model: &str) -> Value {
    let budget = reasoning.budget_tokens.map(Effort::of_budget);
    match reasoning.effort.or(budget) {
        _ if !reasoning.is_on() => json!(false),
        _ if !has_levels(model) => json!(true),
        Some(Effort::Minimal | Effort::Low) => json!("low"),
        Some(Effort::Medium) => json!("medium"),
        Some(Effort::High | Effort::XHigh | Effort::Max) => json!("high"),
        Some(Effort::None) | None => json!(true),
    }
}

/// Whether a model thinks at levels, by its name: [gpt-oss](https://docs.ollama.com/capabilities/thinking) alone does so far.
fn has_levels(model: &str) -> bool {
    model.to_ascii_lowercase().contains("gpt-oss")
}

fn written_options(request: &Request) -> Result<Map<String, Value>, Refused> {
    let sampling = &request.sampling;
    if sampling
        .logit_bias
        .as_ref()
        .is_some_and(|bias| !bias.is_empty())
    {
        return Err(refused(
            Field::LogitBias,
            "Ollama has no logit bias; remove the field or choose another model.",
        ));
    }
    let mut options = Map::new();
    put(
        &mut options,
        "temperature",
        sampling.temperature.map(Value::from),
    );
    put(&mut options, "top_p", sampling.top_p.map(Value::from));
    put(
        &mut options,
        "top_k",
        sampling.top_k.map(|top| Value::from(top.max(0))),
    );
    put(&mut options, "min_p", sampling.min_p.map(Value::from));
    put(
        &mut options,
        "typical_p",
        sampling.typical_p.map(Value::from),
    );
    put(&mut options, "seed", sampling.seed.map(Value::from));
    put(
        &mut options,
        "frequency_penalty",
        sampling.frequency_penalty.map(Value::from),
    );
    put(
        &mut options,
        "presence_penalty",
        sampling.presence_penalty.map(Value::from),
    );
    put(
        &mut options,
        "repeat_penalty",
        sampling.repetition_penalty.map(Value::from),
    );
    put(
        &mut options,
        "num_predict",
        // Ollama's is a signed number of 64 bits.
        request
            .max_tokens
            .map(|most| Value::from(most.min(i64::MAX.cast_unsigned()))),
    );
    if !request.stop.is_empty() {
        put(&mut options, "stop", Some(json!(request.stop)));
    }
    Ok(options)
}

/// Writes `extra`: options into `options`, known fields beside it; refuses the rest.
pub(super) fn write_extra(
    request: &Request,
    known: &[&str],
    out: &mut Map<String, Value>,
) -> Result<(), Refused> {
    let (options, others): (Map<_, _>, Map<_, _>) = request
        .extra
        .clone()
        .into_iter()
        .partition(|(name, _)| name.starts_with(OPTIONS));
    let known: Vec<&str> = KNOWN.iter().chain(known).copied().collect();
    extra::carry(&others, &known, &[], ("Ollama", API), out)?;
    if options.is_empty() {
        return Ok(());
    }
    let place = out.entry("options").or_insert_with(|| json!({}));
    if let Value::Object(place) = place {
        for (name, value) in options {
            let name = name.strip_prefix(OPTIONS).unwrap_or(&name).to_owned();
            place.entry(name).or_insert(value);
        }
    }
    Ok(())
}

/// Sets a field if there is a value.
pub(super) fn put(out: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        out.insert(name.to_owned(), value);
    }
}

/// A refusal that shows Ollama's page.
pub(super) fn refused(field: Field, message: &str) -> Refused {
    let page = if field == Field::Reasoning {
        THINKING
    } else {
        API
    };
    Refused::new(field, message, page)
}

/// What Ollama calls a field of the request.
pub(super) fn name_of(field: &Field) -> std::borrow::Cow<'static, str> {
    use std::borrow::Cow;
    Cow::Borrowed(match field {
        Field::MaxTokens => "options.num_predict",
        Field::N => "n",
        Field::Stop => "options.stop",
        Field::Format => "format",
        Field::Reasoning => "think",
        Field::Logprobs => "logprobs",
        Field::Suffix => "suffix",
        Field::Tools(None) => "tools",
        Field::Tools(Some(number)) => return Cow::Owned(format!("tools[{number}]")),
        Field::ToolChoice => "tool_choice",
        Field::ParallelToolCalls => "parallel_tool_calls",
        Field::Temperature => "options.temperature",
        Field::TopP => "options.top_p",
        Field::TopK => "options.top_k",
        Field::MinP => "options.min_p",
        Field::TypicalP => "options.typical_p",
        Field::Seed => "options.seed",
        Field::FrequencyPenalty => "options.frequency_penalty",
        Field::PresencePenalty => "options.presence_penalty",
        Field::RepetitionPenalty => "options.repeat_penalty",
        Field::LogitBias => "logit_bias",
        Field::Dimensions => "dimensions",
        Field::At(place) | Field::Extra(place) => return Cow::Owned(place.clone()),
    })
}
