//! `toolConfig`.
//!
//! Rules of ours: of `allowed_tools` only those that are allowed are sent; "call none" sends no tools, for Converse has no word for it.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use super::PAGE;
use super::blocks::{CachePoint, cache_point};
use super::parts::cache_mark;
use crate::anthropic::request::tools::schema;
use crate::fields::Fields;
use crate::form::{Field, Malformed, Part, Refused, Request, Tool, ToolChoice};

/// Takes `toolConfig`.
///
/// # Errors
/// [`Malformed`] if it is not what the dialect says.
pub fn read(body: &mut Fields) -> Result<(Vec<Tool>, Option<ToolChoice>), Malformed> {
    let Some(mut config) = body.object("toolConfig")? else {
        return Ok((Vec::new(), None));
    };
    let mut tools = Vec::new();
    for mut tool in config.objects("tools")?.unwrap_or_default() {
        if let Some(point) = tool.value("cachePoint") {
            if let Some(Tool::Function { cache, .. }) = tools.last_mut() {
                *cache = Some(cache_mark(&point));
            }
        } else if let Some(spec) = tool.object("toolSpec")? {
            tools.push(function(spec)?);
        } else {
            let at = tool.at().to_owned();
            let map = tool.rest();
            let Some(kind) = map.keys().next().cloned() else {
                return Err(Malformed::new(
                    at,
                    "A tool must have a member that says what it is.",
                ));
            };
            tools.push(Tool::Other {
                kind,
                value: Value::Object(map),
            });
        }
    }
    let Some(mut choice) = config.object("toolChoice")? else {
        return Ok((tools, None));
    };
    let read = if choice.has("auto") {
        ToolChoice::Auto
    } else if choice.has("any") {
        ToolChoice::Required
    } else if let Some(mut tool) = choice.object("tool")? {
        ToolChoice::Named(tool.required_string("name")?)
    } else {
        return Err(config.fault("toolChoice", "The field must hold auto, any or tool."));
    };
    Ok((tools, Some(read)))
}

fn function(mut spec: Fields) -> Result<Tool, Malformed> {
    let mut schema = spec
        .object("inputSchema")?
        .ok_or_else(|| spec.missing("inputSchema"))?;
    Ok(Tool::Function {
        name: spec.required_string("name")?,
        description: spec.string("description")?,
        parameters: schema.schema("json")?,
        strict: spec.bool("strict")?,
        cache: None,
    })
}

/// `toolConfig`, to be written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Config<'a> {
    tools: Vec<ToolBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
enum ToolBody<'a> {
    ToolSpec {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        input_schema: Schema<'a>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        strict: bool,
    },
    CachePoint(CachePoint<'a>),
    #[serde(untagged)]
    Own(&'a Value),
}

#[derive(Serialize)]
struct Schema<'a> {
    json: Cow<'a, Value>,
}

/// Writes the tools and the choice.
///
/// # Errors
/// [`Refused`] for a tool that only another dialect knows, and for what Converse has no word for.
pub fn write(request: &Request) -> Result<Option<Config<'_>>, Refused> {
    let parts = || request.messages.iter().flat_map(|message| &message.parts);
    let called = parts().any(|part| matches!(part, Part::ToolCall(_) | Part::ToolResult(_)));
    if request.tools.is_empty() || request.tool_choice == Some(ToolChoice::None) {
        return without(request, called).map(|()| None);
    }
    if request.parallel_tool_calls == Some(false) {
        let message = "Bedrock's Converse cannot forbid parallel calls; remove the field, or choose another model.";
        return Err(Refused::new(Field::ParallelToolCalls, message, PAGE));
    }
    let mut tools = Vec::with_capacity(request.tools.len());
    for (index, tool) in request.tools.iter().enumerate() {
        match &request.tool_choice {
            Some(ToolChoice::Allowed { names, .. })
                if !names.iter().any(|name| name == tool.name()) => {}
            _ => write_one(tool, index, &mut tools)?,
        }
    }
    let tool_choice = match &request.tool_choice {
        None | Some(ToolChoice::None) => None,
        Some(
            ToolChoice::Auto
            | ToolChoice::Allowed {
                required: false, ..
            },
        ) => Some(json!({"auto": {}})),
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => {
            Some(json!({"any": {}}))
        }
        Some(ToolChoice::Named(name)) => Some(json!({"tool": {"name": name}})),
    };
    Ok(Some(Config { tools, tool_choice }))
}

fn without(request: &Request, called: bool) -> Result<(), Refused> {
    if called && request.tools.is_empty() {
        let message = "Bedrock's Converse wants the tools that a conversation calls to be defined; send them again.";
        return Err(Refused::new(Field::Tools(None), message, PAGE));
    }
    if called {
        let message = "Bedrock's Converse cannot forbid calls in a conversation that holds some; ask for auto, or choose another model.";
        return Err(Refused::new(Field::ToolChoice, message, PAGE));
    }
    match &request.tool_choice {
        None
        | Some(
            ToolChoice::Auto
            | ToolChoice::None
            | ToolChoice::Allowed {
                required: false, ..
            },
        ) => Ok(()),
        Some(_) => {
            let message =
                "Bedrock's Converse cannot call a tool where none is defined; send tools with it.";
            Err(Refused::new(Field::ToolChoice, message, PAGE))
        }
    }
}

fn write_one<'a>(
    tool: &'a Tool,
    index: usize,
    tools: &mut Vec<ToolBody<'a>>,
) -> Result<(), Refused> {
    match tool {
        Tool::Function {
            name,
            description,
            parameters,
            strict,
            cache,
        } => {
            tools.push(ToolBody::ToolSpec {
                name,
                description: description.as_deref().filter(|text| !text.is_empty()),
                input_schema: Schema {
                    json: schema(parameters.as_ref()),
                },
                strict: *strict == Some(true),
            });
            tools.extend(
                cache
                    .as_ref()
                    .map(|mark| ToolBody::CachePoint(cache_point(mark))),
            );
            Ok(())
        }
        Tool::Other { kind, value } if kind == "systemTool" => {
            tools.push(ToolBody::Own(value));
            Ok(())
        }
        Tool::Other { kind, .. } => Err(Refused::new(
            Field::Tools(Some(index)),
            format!(
                "Bedrock's Converse has no tool of type {kind:?}; remove it, or call a model whose backend speaks your dialect."
            ),
            PAGE,
        )),
    }
}
