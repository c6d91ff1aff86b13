//! A request, written.
//!
//! `user` and `keep_alive` are left out. `top_p: 1` says nothing and is left out too, since newer models refuse it beside a temperature.

use serde::Serialize;
use serde_json::{Map, Value};

use super::blocks::{Block, Turn};
use super::{PAGE, additional, tools, turns};
use crate::anthropic::request::{limits, thinking};
use crate::codec::Target;
use crate::extra;
use crate::form::message::inline_bytes;
use crate::form::{Field, Format, Refused, Request};
use crate::json;

/// Fields of the dialect's own that the form does not know.
const KNOWN: [&str; 6] = [
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
    "serviceTier",
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'a>>,
    inference_config: Inference<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<tools::Config<'a>>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    additional_model_request_fields: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<Value>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Inference<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
}

/// Writes a request.
///
/// # Errors
/// [`Refused`] if the dialect cannot express it.
pub fn write(request: &Request, target: Target<'_>) -> Result<Vec<u8>, Refused> {
    limits::check(request, "Bedrock's Converse", PAGE)?;
    let (fields, plan) = additional::write(request, target.model)?;
    if plan.is_on() {
        limits::beside_thinking(request)?;
    }
    let conversation = turns::write(&request.messages)?;
    let mut extra = Map::new();
    extra::carry(
        &request.extra,
        &KNOWN,
        &["additionalModelRequestFields"],
        ("Bedrock's Converse", PAGE),
        &mut extra,
    )?;
    let body = Body {
        messages: conversation.turns,
        system: conversation.system,
        inference_config: Inference {
            max_tokens: request
                .max_tokens
                .or_else(|| plan.is_on().then(|| thinking::max_tokens(request, &plan))),
            temperature: request.sampling.temperature,
            top_p: request.sampling.top_p.filter(|mass| *mass != 1.0),
            stop_sequences: &request.stop,
        },
        tool_config: tools::write(request)?,
        additional_model_request_fields: fields,
        output_config: format(request.format.as_ref())?,
        extra,
    };
    Ok(json::to_vec_of(&body, inline_bytes(&request.messages)))
}

fn format(format: Option<&Format>) -> Result<Option<Value>, Refused> {
    let refused = |message: &str| Err(Refused::new(Field::Format, message, PAGE));
    match format {
        None | Some(Format::Text) => Ok(None),
        Some(Format::JsonSchema {
            name,
            description,
            schema,
            ..
        }) => {
            let mut definition = Map::new();
            definition.insert("schema".into(), schema.to_string().into());
            definition.extend(name.as_deref().map(|name| ("name".to_owned(), name.into())));
            definition.extend(
                description
                    .as_deref()
                    .map(|text| ("description".to_owned(), text.into())),
            );
            let structure = serde_json::json!({"jsonSchema": definition});
            Ok(Some(
                serde_json::json!({"textFormat": {"type": "json_schema", "structure": structure}}),
            ))
        }
        Some(Format::JsonObject) => refused(
            "Bedrock's Converse promises JSON of a schema only; send the schema, or ask for JSON in the prompt alone.",
        ),
        Some(Format::Regex(_)) => refused(
            "Bedrock's Converse does not follow regular expressions; send a JSON schema, or choose another model.",
        ),
    }
}
