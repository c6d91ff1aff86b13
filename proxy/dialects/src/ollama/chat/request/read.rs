//! Reads a chat request.
//!
//! A speaker's name is left out, since Ollama knows none. So are `num_predict` and `system` beside the messages: Ollama reads neither there, and
//! [Open WebUI](https://github.com/open-webui/open-webui/blob/main/backend/open_webui/utils/payload.py) writes them here, a limit for
//! each title that it asks for, and the system message a second time.

use super::calls::Calls;
use crate::codec::Path;
use crate::fields::Fields;
use crate::form::message::begun;
use crate::form::{Arguments, Malformed, Message, Part, Request, Role, Tool, ToolCall, ToolResult};
use crate::ollama::{images, options};

pub(in crate::ollama::chat) fn read(body: &[u8], path: Path<'_>) -> Result<Request, Malformed> {
    let mut fields = Fields::of_request(body)?;
    let messages = fields.objects("messages")?.unwrap_or_default();
    let mut calls = Calls::of(&messages);
    let mut request = Request {
        messages: messages
            .into_iter()
            .map(|fields| message(fields, &mut calls))
            .collect::<Result<_, _>>()?,
        tools: tools(&mut fields)?,
        ..Request::default()
    };
    for ignored in ["num_predict", "system"] {
        fields.value(ignored);
    }
    request.continued = begun(&request.messages);
    options::read(fields, path, &mut request)?;
    Ok(request)
}

fn message(mut fields: Fields, calls: &mut Calls) -> Result<Message, Malformed> {
    let at = fields.at().to_owned();
    let role = match fields
        .required_string("role")?
        .to_ascii_lowercase()
        .as_str()
    {
        "system" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        _ => {
            let message = "The field must be \"system\", \"user\", \"assistant\" or \"tool\".";
            return Err(fields.fault("role", message));
        }
    };
    let mut parts = Vec::new();
    if let Some(text) = fields.string("thinking")?.filter(|text| !text.is_empty()) {
        parts.push(Part::Reasoning {
            text,
            signature: None,
            encrypted: None,
            id: None,
        });
    }
    parts.extend(images::read(&mut fields)?);
    let content = fields.string("content")?.unwrap_or_default();
    if !content.is_empty() {
        parts.push(Part::text(content));
    }
    if role == Role::Tool {
        let given = fields.string("tool_call_id")?;
        // Clients from before `tool_name` say `name`.
        let name = match fields.string("tool_name")? {
            Some(name) => Some(name),
            None => fields.string("name")?,
        };
        let (call, name) = calls.answered(given, name.filter(|name| !name.is_empty()));
        parts = vec![Part::ToolResult(ToolResult {
            call,
            name,
            parts,
            is_error: false,
            cache: None,
        })];
    }
    fields.ignore(&["name", "tool_name", "tool_call_id"]);
    for call in fields.objects("tool_calls")?.unwrap_or_default() {
        parts.push(Part::ToolCall(tool_call(call, calls)?));
    }
    Ok(Message {
        role,
        name: None,
        parts,
        at,
    })
}

fn tool_call(mut fields: Fields, calls: &mut Calls) -> Result<ToolCall, Malformed> {
    let given = fields.string("id")?;
    fields.ignore(&["type", "index"]);
    let mut function = fields
        .object("function")?
        .ok_or_else(|| fields.missing("function"))?;
    function.ignore(&["index"]);
    let name = function.required_string("name")?;
    let arguments = match function.object("arguments")? {
        Some(arguments) => Arguments::from_object(&arguments.rest()),
        None => Arguments::from_text(""),
    };
    Ok(ToolCall {
        id: calls.called(given, &name),
        name,
        arguments,
        signature: None,
    })
}

fn tools(fields: &mut Fields) -> Result<Vec<Tool>, Malformed> {
    let tools = fields.objects("tools")?.unwrap_or_default();
    tools.into_iter().map(tool).collect()
}

fn tool(mut fields: Fields) -> Result<Tool, Malformed> {
    match fields.peek("type").and_then(serde_json::Value::as_str) {
        None | Some("function") => {}
        Some(kind) => {
            return Ok(Tool::Other {
                kind: kind.to_owned(),
                value: fields.rest().into(),
            });
        }
    }
    fields.ignore(&["type"]);
    let mut function = fields
        .object("function")?
        .ok_or_else(|| fields.missing("function"))?;
    // Applications that speak OpenAI's dialect too say it everywhere.
    function.ignore(&["strict"]);
    Ok(Tool::Function {
        name: function.required_string("name")?,
        description: function.string("description")?,
        parameters: function.schema("parameters")?,
        strict: None,
        cache: None,
    })
}
