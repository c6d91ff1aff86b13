//! A request, read.

use serde_json::{Map, Value};

use super::{Endpoint, parts, thinking, tools};
use crate::codec::Path;
use crate::fields::Fields;
use crate::form::message::begun;
use crate::form::{Malformed, Message, Part, Request, Role, Sampling};

/// Reads a request, whose body is taken apart.
///
/// # Errors
/// [`Malformed`] if it is not what the dialect says. `max_tokens` must be there, as the vendor requires.
pub fn read(mut body: Fields, endpoint: Endpoint, path: Path<'_>) -> Result<Request, Malformed> {
    let (model, stream) = match endpoint {
        Endpoint::Messages => (named(&mut body, path)?, said_stream(&mut body, path)?),
        Endpoint::CountTokens => (named(&mut body, path)?, false),
        Endpoint::Bedrock => {
            // AWS documents one version; newer clients send dates.
            body.required_string("anthropic_version")?;
            let model = path.model.ok_or_else(|| body.missing("model"))?;
            (model.to_owned(), path.stream.unwrap_or(false))
        }
    };
    let max_tokens = body.count("max_tokens")?;
    if max_tokens.is_none() && endpoint != Endpoint::CountTokens {
        return Err(body.missing("max_tokens"));
    }
    let messages = conversation(&mut body)?;
    let continued = begun(&messages);
    let sampling = Sampling {
        temperature: body.float("temperature")?,
        top_p: body.float("top_p")?,
        top_k: body.integer("top_k")?,
        ..Sampling::default()
    };
    let stop = body.strings("stop_sequences")?.unwrap_or_default();
    let tools = tools::read(&mut body)?;
    let (tool_choice, parallel_tool_calls) = tools::read_choice(&mut body)?;
    let output = thinking::read(&mut body)?;
    let (user, metadata) = metadata(&mut body)?;
    let mut extra = body.extra();
    extra.extend(output.extra);
    extra.extend(metadata);
    Ok(Request {
        model,
        stream,
        stream_usage: true,
        messages,
        tools,
        tool_choice,
        parallel_tool_calls,
        sampling,
        max_tokens,
        stop,
        format: output.format,
        reasoning: output.reasoning,
        effort: output.effort,
        user,
        continued,
        extra,
        ..Request::default()
    })
}

fn named(body: &mut Fields, path: Path<'_>) -> Result<String, Malformed> {
    let said = body.string("model")?;
    let model = path.model.map(str::to_owned).or(said);
    model
        .filter(|model| !model.is_empty())
        .ok_or_else(|| body.missing("model"))
}

fn said_stream(body: &mut Fields, path: Path<'_>) -> Result<bool, Malformed> {
    let said = body.bool("stream")?;
    Ok(path.stream.or(said).unwrap_or(false))
}

fn conversation(body: &mut Fields) -> Result<Vec<Message>, Malformed> {
    let mut messages = Vec::new();
    let system = parts::content(body, "system")?.unwrap_or_default();
    if !system.is_empty() {
        messages.push(of_texts(system, "system")?);
    }
    let turns = body
        .objects("messages")?
        .ok_or_else(|| body.missing("messages"))?;
    if turns.is_empty() {
        return Err(body.fault("messages", "At least one message is required."));
    }
    for mut turn in turns {
        let at = turn.at().to_owned();
        let role = match turn.required_string("role")?.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            other => {
                let message = format!("The role must be user or assistant, not {other:?}.");
                return Err(turn.fault("role", message));
            }
        };
        let parts = parts::content(&mut turn, "content")?.ok_or_else(|| turn.missing("content"))?;
        match role {
            Role::System => messages.push(of_texts(parts, &at)?),
            Role::User => user(parts, &at, &mut messages)?,
            _ => messages.push(assistant(parts, at)?),
        }
    }
    Ok(messages)
}

fn of_texts(parts: Vec<Part>, at: &str) -> Result<Message, Malformed> {
    let only_text = parts.iter().all(|part| matches!(part, Part::Text { .. }));
    if !only_text {
        return Err(Malformed::new(at, "A system prompt can hold text only."));
    }
    Ok(Message {
        role: Role::System,
        name: None,
        parts,
        at: at.to_owned(),
    })
}

/// A user's turn may hold results of tools among what the person says: one message for each run of either.
pub(crate) fn user(
    parts: Vec<Part>,
    at: &str,
    messages: &mut Vec<Message>,
) -> Result<(), Malformed> {
    let message = |role| Message {
        role,
        name: None,
        parts: Vec::new(),
        at: at.to_owned(),
    };
    let mut run: Option<Message> = None;
    for part in parts {
        let role = match part {
            Part::ToolResult(_) => Role::Tool,
            Part::ToolCall(_) | Part::Reasoning { .. } => {
                let fault = format!("A user's message cannot hold {}.", part.described());
                return Err(Malformed::new(at, fault));
            }
            _ => Role::User,
        };
        if run.as_ref().is_some_and(|run| run.role != role) {
            messages.extend(run.take());
        }
        run.get_or_insert_with(|| message(role)).parts.push(part);
    }
    messages.push(run.unwrap_or_else(|| message(Role::User)));
    Ok(())
}

fn assistant(parts: Vec<Part>, at: String) -> Result<Message, Malformed> {
    if parts.iter().any(|part| matches!(part, Part::ToolResult(_))) {
        let fault = "The model's message cannot hold a tool result; it belongs into the user's message that follows.";
        return Err(Malformed::new(at, fault));
    }
    Ok(Message {
        role: Role::Assistant,
        name: None,
        parts,
        at,
    })
}

fn metadata(body: &mut Fields) -> Result<(Option<String>, Map<String, Value>), Malformed> {
    let mut extra = Map::new();
    let Some(mut metadata) = body.object("metadata")? else {
        return Ok((None, extra));
    };
    let user = metadata.string("user_id")?;
    let rest = metadata.rest();
    if rest.values().any(|value| !value.is_null()) {
        extra.insert("metadata".into(), rest.into());
    }
    Ok((user, extra))
}
