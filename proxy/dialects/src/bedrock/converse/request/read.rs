//! A request, read.

use serde_json::{Map, Value};

use super::{parts, tools};
use crate::anthropic::betas;
use crate::anthropic::request::read::user;
use crate::anthropic::request::thinking;
use crate::codec::Path;
use crate::fields::Fields;
use crate::form::message::begun;
use crate::form::{Effort, Format, Malformed, Message, Part, Request, Role, Sampling};

/// Reads a request.
///
/// # Errors
/// [`Malformed`] if it is not what the dialect says, or the path names no model.
pub fn read(body: &[u8], path: Path<'_>) -> Result<Request, Malformed> {
    let mut body = Fields::of_request(body)?;
    let model = path
        .model
        .ok_or_else(|| body.missing("modelId"))?
        .to_owned();
    let messages = conversation(&mut body)?;
    let continued = begun(&messages);
    let (tools, tool_choice) = tools::read(&mut body)?;
    let mut sampling = Sampling::default();
    let (mut max_tokens, mut stop) = (None, Vec::new());
    if let Some(mut config) = body.object("inferenceConfig")? {
        max_tokens = config.count("maxTokens")?;
        sampling.temperature = config.float("temperature")?;
        sampling.top_p = config.float("topP")?;
        stop = config.strings("stopSequences")?.unwrap_or_default();
    }
    let (said_of_model, mut additional) = additional(&mut body, &mut sampling)?;
    let (mut reasoning, mut effort) = (said_of_model.reasoning, said_of_model.effort);
    let (format, said) = output(&mut body)?;
    match &mut reasoning {
        Some(reasoning) if reasoning.is_on() => reasoning.effort = said.or(reasoning.effort),
        _ => effort = said.or(effort),
    }
    let mut extra = body.extra();
    extra.extend(additional.shift_remove_entry(betas::FIELD));
    if !additional.is_empty() {
        extra.insert("additionalModelRequestFields".into(), additional.into());
    }
    Ok(Request {
        model,
        stream: path.stream.unwrap_or(false),
        stream_usage: true,
        messages,
        tools,
        tool_choice,
        sampling,
        max_tokens,
        stop,
        format,
        reasoning,
        effort,
        continued,
        extra,
        ..Request::default()
    })
}

fn conversation(body: &mut Fields) -> Result<Vec<Message>, Malformed> {
    let mut messages = Vec::new();
    let system = parts::content(body, "system")?.unwrap_or_default();
    if !system.is_empty() {
        messages.push(Message {
            role: Role::System,
            name: None,
            parts: system,
            at: "system".into(),
        });
    }
    for mut turn in body.objects("messages")?.unwrap_or_default() {
        let at = turn.at().to_owned();
        let role = turn.required_string("role")?;
        let content =
            parts::content(&mut turn, "content")?.ok_or_else(|| turn.missing("content"))?;
        match role.as_str() {
            "user" => user(content, &at, &mut messages)?,
            "assistant"
                if content
                    .iter()
                    .any(|part| matches!(part, Part::ToolResult(_))) =>
            {
                return Err(Malformed::new(
                    at,
                    "The model's message cannot hold a tool result.",
                ));
            }
            "assistant" => messages.push(Message {
                role: Role::Assistant,
                name: None,
                parts: content,
                at,
            }),
            other => {
                let message = format!("The role must be user or assistant, not {other:?}.");
                return Err(turn.fault("role", message));
            }
        }
    }
    if messages.iter().all(|message| message.role == Role::System) {
        return Err(body.fault("messages", "At least one message is required."));
    }
    Ok(messages)
}

/// What clients say of Claude's thinking, of its effort and of `top_k` in the model's own fields; and what else is there.
fn additional(
    body: &mut Fields,
    sampling: &mut Sampling,
) -> Result<(thinking::Output, Map<String, Value>), Malformed> {
    let Some(mut fields) = body.object("additionalModelRequestFields")? else {
        return Ok((thinking::Output::default(), Map::new()));
    };
    sampling.top_k = fields.integer("top_k")?;
    let mut output = thinking::read(&mut fields)?;
    let mut rest = fields.rest();
    rest.retain(|_, value| !value.is_null());
    rest.append(&mut output.extra);
    Ok((output, rest))
}

fn output(body: &mut Fields) -> Result<(Option<Format>, Option<Effort>), Malformed> {
    let Some(mut config) = body.object("outputConfig")? else {
        return Ok((None, None));
    };
    let effort = thinking::effort(&mut config)?;
    let Some(mut format) = config.object("textFormat")? else {
        return Ok((None, effort));
    };
    // There is only one.
    format.ignore(&["type"]);
    let mut structure = format
        .object("structure")?
        .ok_or_else(|| format.missing("structure"))?;
    let mut schema = structure
        .object("jsonSchema")?
        .ok_or_else(|| structure.missing("jsonSchema"))?;
    let text = schema.required_string("schema")?;
    let parsed: Map<String, Value> = serde_json::from_str(&text).map_err(|fault| {
        schema.fault(
            "schema",
            format!("The schema is not a JSON object: {fault}."),
        )
    })?;
    let format = Format::JsonSchema {
        name: schema.string("name")?,
        description: schema.string("description")?,
        schema: parsed.into(),
        strict: Some(true),
    };
    Ok((Some(format), effort))
}
