//! Reads a response.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::fields::Fields;
use crate::form::{Arguments, Choice, Finish, Garbage, Malformed, Part, Reply, ToolCall, Usage};
use crate::openai::chat::reply::seconds;
use crate::openai::error;
use crate::openai::responses::request::{items, read_part};

/// What a stream needs of a response, without its output.
#[derive(Debug, Deserialize)]
pub(crate) struct Light {
    #[serde(default)]
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) model: Option<String>,
    #[serde(default)]
    pub(crate) created_at: Option<f64>,
    #[serde(default)]
    pub(crate) usage: Option<Usages>,
    #[serde(default)]
    pub(crate) incomplete_details: Option<Incomplete>,
    #[serde(default)]
    pub(crate) error: Option<Value>,
}

/// Why a response is incomplete.
#[derive(Debug, Deserialize)]
pub(crate) struct Incomplete {
    #[serde(default)]
    reason: Option<String>,
}

impl Incomplete {
    /// In the neutral form.
    pub(crate) fn finish(self) -> Finish {
        match self.reason.as_deref() {
            Some("max_output_tokens") | None => Finish::Length,
            Some("content_filter") => Finish::ContentFilter,
            Some(other) => Finish::Other(other.to_owned()),
        }
    }
}

/// The Responses API's usage.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Usages {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
    #[serde(default)]
    input_tokens_details: Option<InputDetails>,
    #[serde(default)]
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct InputDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
    #[serde(default)]
    cache_write_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct OutputDetails {
    #[serde(default)]
    reasoning_tokens: Option<u64>,
}

impl Usages {
    /// In the neutral form.
    pub(crate) fn usage(self) -> Usage {
        let input = self.input_tokens_details.unwrap_or_default();
        let output = self.output_tokens_details.unwrap_or_default();
        Usage {
            input: self.input_tokens,
            output: self.output_tokens,
            cached_input: input.cached_tokens,
            cache_write: input.cache_write_tokens,
            reasoning: output.reasoning_tokens,
            ..Usage::default()
        }
    }
}

/// Reads a reply.
///
/// # Errors
/// [`Garbage`] if it is no response, or one that failed.
pub fn read(body: &[u8]) -> Result<Reply, Garbage> {
    let garbage = |message: String| Garbage::new(message, body);
    let mut fields = Fields::of_body(body)
        .map_err(|fault| garbage(format!("The reply is no response: {}", fault.message)))?;
    if let Some(fault) = fields.value("error") {
        let message = error::of_value(500, fault).message;
        return Err(garbage(format!(
            "The upstream answered 200 with an error: {message}"
        )));
    }
    reply(&mut fields).map_err(|fault| garbage(format!("The reply is no response, at {fault}")))
}

fn reply(fields: &mut Fields) -> Result<Reply, Malformed> {
    let list = fields.objects("output")?;
    let list = list.ok_or_else(|| fields.missing("output"))?;
    let (mut parts, mut probabilities) = (Vec::new(), Vec::new());
    for object in list {
        item(object, &mut parts, &mut probabilities)?;
    }
    let called = parts.iter().any(|part| match part {
        Part::ToolCall(_) => true,
        Part::Other { kind, .. } => kind == "custom_tool_call",
        _ => false,
    });
    let finish = match fields.string("status")?.as_deref() {
        Some("incomplete") => {
            let details = fields.value("incomplete_details");
            let details: Option<Incomplete> =
                details.and_then(|value| serde_json::from_value(value).ok());
            details.map_or(Finish::Length, Incomplete::finish)
        }
        None | Some("completed") if called => Finish::ToolCalls,
        None | Some("completed") => Finish::Stop,
        Some(other) => {
            let message = format!("The response is not complete: its status is {other:?}.");
            return Err(fields.fault("status", message));
        }
    };
    let usage = fields.value("usage");
    let usage: Option<Usages> = usage.and_then(|value| serde_json::from_value(value).ok());
    let tier = fields.value("service_tier");
    Ok(Reply {
        id: fields.string("id")?,
        model: fields.string("model")?,
        created: fields.float("created_at")?.map(seconds),
        choices: vec![Choice {
            index: 0,
            parts,
            finish: Some(finish),
            logprobs: (!probabilities.is_empty()).then(|| json!({"content": probabilities})),
        }],
        usage: usage.map(Usages::usage),
        extra: tier
            .map(|tier| ("service_tier".to_owned(), tier))
            .into_iter()
            .collect(),
    })
}

fn item(
    mut fields: Fields,
    parts: &mut Vec<Part>,
    probabilities: &mut Vec<Value>,
) -> Result<(), Malformed> {
    let kind = fields.required_string("type")?;
    match kind.as_str() {
        "message" => {
            for mut inner in fields.objects("content")?.unwrap_or_default() {
                probabilities.append(&mut inner.list("logprobs")?.unwrap_or_default());
                parts.push(read_part(inner)?);
            }
        }
        "reasoning" => parts.push(items::reasoning(fields)?),
        "function_call" => {
            let given = match fields.string("call_id")? {
                Some(id) => Some(id),
                None => fields.string("id")?,
            };
            let arguments = fields.string("arguments")?.unwrap_or_default();
            parts.push(Part::ToolCall(ToolCall {
                id: given
                    .filter(|id| !id.is_empty())
                    .unwrap_or_else(|| format!("call_{}", parts.len())),
                name: fields.required_string("name")?,
                arguments: Arguments::from_text(arguments),
                signature: None,
            }));
        }
        _ => {
            let mut value = fields.rest();
            value.shift_insert(0, "type".into(), kind.clone().into());
            let value = value.into();
            parts.push(Part::Other { kind, value });
        }
    }
    Ok(())
}
