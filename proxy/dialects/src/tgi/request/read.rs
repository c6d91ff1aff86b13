//! Reads a request.
//!
//! Rules: without sampling parameters TGI is greedy, which is a temperature of 0. What says nothing (`best_of: 1`,
//! `return_full_text: false`, `watermark: false`, `null`) is left out; parameters that the form does not know stay in
//! `extra` as `parameters.<name>`. Answers come with `details` always, so wishes for them are
//! left out too.

use serde_json::{Map, Value};

use super::PARAMETERS;
use crate::codec::Path;
use crate::fields::Fields;
use crate::form::{Format, Malformed, Message, Request, Role};

pub(in crate::tgi) fn read(body: &[u8], path: Path<'_>) -> Result<Request, Malformed> {
    let mut fields = Fields::of_request(body)?;
    let inputs = fields.required_string("inputs")?;
    let stream = fields.bool("stream")?;
    let mut request = Request {
        model: path.model.unwrap_or_default().to_owned(),
        stream: path.stream.or(stream).unwrap_or(false),
        stream_usage: true,
        messages: vec![Message::text(Role::User, inputs, "inputs")],
        raw: true,
        ..Request::default()
    };
    // The model is no part of TGI's requests; a client that names one means it.
    if let Some(model) = fields.string("model")?.filter(|_| path.model.is_none()) {
        request.model = model;
    }
    let none = || Fields::of(Value::Object(Map::new()), PARAMETERS);
    let parameters = fields.object("parameters")?.map_or_else(none, Ok)?;
    let unknown = parameters_of(parameters, &mut request)?;
    request.extra = fields.extra();
    for (name, value) in unknown {
        let name = match name.as_str() {
            // OpenAI's completions have it too.
            "best_of" => name,
            _ => format!("{PARAMETERS}{name}"),
        };
        request.extra.insert(name, value);
    }
    Ok(request)
}

fn parameters_of(mut from: Fields, request: &mut Request) -> Result<Map<String, Value>, Malformed> {
    let sampling = &mut request.sampling;
    sampling.temperature = from.float("temperature")?;
    sampling.top_p = from.float("top_p")?;
    sampling.top_k = from.integer("top_k")?;
    sampling.typical_p = from.float("typical_p")?;
    // The writer undoes it: the same bits are the same draw.
    sampling.seed = from.count("seed")?.map(u64::cast_signed);
    sampling.frequency_penalty = from.float("frequency_penalty")?;
    sampling.repetition_penalty = from.float("repetition_penalty")?;
    request.max_tokens = from.count("max_new_tokens")?;
    request.stop = from.strings("stop")?.unwrap_or_default();
    request.format = format(&mut from)?;
    let sampled = sampling.temperature.is_some()
        || sampling.top_p.is_some()
        || sampling.top_k.is_some()
        || sampling.typical_p.is_some();
    if from.peek("do_sample") != Some(&Value::Bool(true)) && !sampled {
        sampling.temperature = Some(0.0);
    }
    let mut rest = from.rest();
    rest.retain(|name, value| {
        let default = match name.as_str() {
            "best_of" => value.as_u64() == Some(1),
            "return_full_text" | "watermark" => *value == Value::Bool(false),
            "do_sample" | "details" | "decoder_input_details" => true,
            _ => false,
        };
        !(default || value.is_null())
    });
    Ok(rest)
}

fn format(from: &mut Fields) -> Result<Option<Format>, Malformed> {
    let Some(mut grammar) = from.object("grammar")? else {
        return Ok(None);
    };
    let kind = grammar.required_string("type")?;
    let missing = grammar.missing("value");
    match (kind.as_str(), grammar.value("value").ok_or(missing)?) {
        ("regex", Value::String(regex)) => Ok(Some(Format::Regex(regex))),
        ("json", schema @ Value::Object(_)) => Ok(Some(schema_of(None, schema))),
        ("json", Value::String(text)) => match serde_json::from_str(&text) {
            Ok(schema @ Value::Object(_)) => Ok(Some(schema_of(None, schema))),
            _ => Err(grammar.fault("value", "The field must be a JSON schema.")),
        },
        ("json_schema", Value::Object(mut named)) => match named.shift_remove("schema") {
            Some(schema @ Value::Object(_)) => {
                let name = named.get("name").and_then(Value::as_str).map(str::to_owned);
                Ok(Some(schema_of(name, schema)))
            }
            _ => Err(grammar.fault("value.schema", "The field must be a JSON schema.")),
        },
        ("regex" | "json" | "json_schema", _) => Err(grammar.fault(
            "value",
            "The field must be a schema (an object), or for `regex` a string.",
        )),
        _ => Err(grammar.fault(
            "type",
            "The field must be \"json\", \"json_schema\" or \"regex\".",
        )),
    }
}

fn schema_of(name: Option<String>, schema: Value) -> Format {
    Format::JsonSchema {
        name,
        description: None,
        schema,
        strict: None,
    }
}
