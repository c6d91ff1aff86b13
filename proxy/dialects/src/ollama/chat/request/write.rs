//! Writes a chat request.
//!
//! Rules: a developer's message is a system message; speakers' names, cache marks, image details, citations, a tool's strictness
//! and `is_error` of a tool's result, which Ollama has no place for, are left out, and so is reasoning that only a vendor can
//! read. Texts of one message are joined with a line break between them (as they stand, if the model wrote them), its images
//! stand beside them. A document that is plain text is written into the message. `tool_choice: none` leaves the tools out, and a
//! choice among some of them the others.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::codec::Target;
use crate::form::message::inline_bytes;
use crate::form::{
    Field, Message, Part, Refused, Request, Role, Source, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::json;
use crate::ollama::images;
use crate::ollama::options::{self, refused};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Written<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    stream: bool,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// A message, borrowed: images are copied once, into the body.
#[derive(Default, Serialize)]
struct Written<'a> {
    role: &'static str,
    content: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    thinking: Cow<'a, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

pub(in crate::ollama::chat) fn write(
    request: &Request,
    target: Target<'_>,
) -> Result<Vec<u8>, Refused> {
    if request.suffix.is_some() {
        let message =
            "Ollama's chat fills no gap; leave the suffix out, or use a completions model.";
        return Err(refused(Field::Suffix, message));
    }
    let mut rest = Map::new();
    options::write(request, target.model, &mut rest)?;
    options::write_extra(request, &[], &mut rest)?;
    let body = Body {
        model: target.model,
        messages: messages(&request.messages)?,
        tools: tools(request)?,
        stream: target.stream,
        rest,
    };
    Ok(json::to_vec_of(&body, inline_bytes(&request.messages)))
}

fn messages(messages: &[Message]) -> Result<Vec<Written<'_>>, Refused> {
    // Ids and names of calls, for results that do not name their tool.
    let mut names = HashMap::new();
    let mut out = Vec::with_capacity(messages.len());
    for message in messages {
        let mut written = Written {
            role: match message.role {
                Role::System | Role::Developer => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
                Role::Tool => "tool",
            },
            ..Written::default()
        };
        let results = out.len();
        for part in &message.parts {
            match part {
                Part::ToolResult(result) => out.push(tool_result(result, &names, &message.at)?),
                Part::ToolCall(call) => {
                    names.insert(call.id.as_str(), call.name.as_str());
                    let place = written.tool_calls.len();
                    written
                        .tool_calls
                        .push(tool_call(call, place, &message.at)?);
                }
                other => said(other, message.role, &message.at, &mut written)?,
            }
        }
        if out.len() == results {
            out.push(written);
        }
    }
    Ok(out)
}

fn said<'a>(part: &'a Part, role: Role, at: &str, out: &mut Written<'a>) -> Result<(), Refused> {
    match part {
        Part::Text { text, .. } | Part::Refusal(text) => add(&mut out.content, text, role),
        Part::Reasoning { text, .. } => add(&mut out.thinking, text, role),
        Part::Image { source, .. } => out.images.push(images::written(source, at)?),
        Part::Document {
            source: Source::Text(text),
            name,
            ..
        } => {
            if let Some(name) = name {
                add(&mut out.content, name, role);
            }
            add(&mut out.content, text, role);
        }
        other => {
            let message = format!(
                "Ollama takes text and images, and this is {}; put its text into the message, or choose another model.",
                other.described()
            );
            return Err(refused(Field::At(at.to_owned()), &message));
        }
    }
    Ok(())
}

fn add<'a>(place: &mut Cow<'a, str>, text: &'a str, role: Role) {
    if place.is_empty() {
        *place = Cow::Borrowed(text);
    } else if !text.is_empty() {
        let place = place.to_mut();
        if role != Role::Assistant {
            place.push('\n');
        }
        place.push_str(text);
    }
}

fn tool_result<'a>(
    result: &'a ToolResult,
    names: &HashMap<&'a str, &'a str>,
    at: &str,
) -> Result<Written<'a>, Refused> {
    let known = names.get(result.call.as_str()).copied();
    let mut written = Written {
        role: "tool",
        tool_name: result.name.as_deref().or(known),
        tool_call_id: Some(&result.call),
        ..Written::default()
    };
    for part in &result.parts {
        said(part, Role::Tool, at, &mut written)?;
    }
    Ok(written)
}

fn tool_call(call: &ToolCall, place: usize, at: &str) -> Result<Value, Refused> {
    let Some(arguments) = call.arguments.object() else {
        let message = format!(
            "Ollama takes a call's arguments as an object, and those of `{}` are none; correct them, or leave the call out.",
            call.name
        );
        return Err(refused(
            Field::At(format!("{at}.tool_calls[{place}]")),
            &message,
        ));
    };
    Ok(serde_json::json!({
        "id": call.id,
        "function": {"index": place, "name": call.name, "arguments": arguments},
    }))
}

fn tools(request: &Request) -> Result<Vec<Value>, Refused> {
    if request.tools.is_empty() {
        return Ok(Vec::new());
    }
    let allowed = match &request.tool_choice {
        None | Some(ToolChoice::Auto) => None,
        Some(ToolChoice::None) => return Ok(Vec::new()),
        Some(ToolChoice::Allowed {
            names,
            required: false,
        }) => Some(names),
        Some(
            ToolChoice::Required
            | ToolChoice::Named(_)
            | ToolChoice::Allowed { required: true, .. },
        ) => {
            let message = "Ollama cannot be made to call a tool; leave the choice to the model (`auto`), or choose another model.";
            return Err(refused(Field::ToolChoice, message));
        }
    };
    if request.parallel_tool_calls == Some(false) {
        let message = "Ollama cannot be kept from calling several tools in one turn; remove the field, or choose another model.";
        return Err(refused(Field::ParallelToolCalls, message));
    }
    let wanted = request.tools.iter().enumerate().filter(|(_, tool)| {
        allowed.is_none_or(|names| names.iter().any(|name| name == tool.name()))
    });
    wanted
        .map(|(number, tool)| written_tool(number, tool))
        .collect()
}

fn written_tool(number: usize, tool: &Tool) -> Result<Value, Refused> {
    let Tool::Function {
        name,
        description,
        parameters,
        ..
    } = tool
    else {
        let message = format!(
            "Ollama has no tool of the type `{}`, only functions; remove it, or choose another model.",
            tool.name()
        );
        return Err(refused(Field::Tools(Some(number)), &message));
    };
    let mut function = Map::new();
    function.insert("name".into(), name.clone().into());
    options::put(
        &mut function,
        "description",
        description.clone().map(Value::from),
    );
    options::put(&mut function, "parameters", parameters.clone());
    Ok(serde_json::json!({"type": "function", "function": function}))
}
