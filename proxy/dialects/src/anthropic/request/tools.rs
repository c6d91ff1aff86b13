//! Tools, and which of them the model may or must call.
//!
//! A function keeps what the form knows of it; `eager_input_streaming` is left out, since it changes when its arguments come and
//! not what they are. One with other members (`input_examples`, `defer_loading`, `allowed_callers`), and the tools that the vendor
//! defines, stay as they stood, for this dialect only.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::PAGE;
use crate::fields::Fields;
use crate::form::{Field, Malformed, Refused, Request, Tool, ToolChoice};

/// The members of a function that the form knows or that may be left out.
const KNOWN: [&str; 7] = [
    "type",
    "name",
    "description",
    "input_schema",
    "strict",
    "cache_control",
    "eager_input_streaming",
];

/// Takes `tools`.
///
/// # Errors
/// [`Malformed`] if one is not what the dialect says.
pub fn read(body: &mut Fields) -> Result<Vec<Tool>, Malformed> {
    let tools = body.objects("tools")?.unwrap_or_default();
    tools.into_iter().map(read_one).collect()
}

fn read_one(mut tool: Fields) -> Result<Tool, Malformed> {
    let kind = match tool.peek("type") {
        None => "custom".to_owned(),
        Some(Value::String(kind)) => kind.clone(),
        Some(_) => return Err(tool.fault("type", "The field must be a string.")),
    };
    tool.leave_out(|_, _| false);
    let function = kind == "custom" && tool.names().all(|name| KNOWN.contains(&name));
    if !function {
        let value = tool.rest().into();
        return Ok(Tool::Other { kind, value });
    }
    tool.ignore(&["type", "eager_input_streaming"]);
    Ok(Tool::Function {
        name: tool.required_string("name")?,
        description: tool.string("description")?,
        parameters: tool.schema("input_schema")?,
        strict: tool.bool("strict")?,
        cache: tool.value("cache_control"),
    })
}

/// Takes `tool_choice`, which says too whether calls may come side by side.
///
/// # Errors
/// [`Malformed`] if it is not what the dialect says.
pub fn read_choice(body: &mut Fields) -> Result<(Option<ToolChoice>, Option<bool>), Malformed> {
    let Some(mut choice) = body.object("tool_choice")? else {
        return Ok((None, None));
    };
    let parallel = choice
        .bool("disable_parallel_tool_use")?
        .map(|disabled| !disabled);
    let read = match choice.required_string("type")?.as_str() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(choice.required_string("name")?),
        other => {
            let message = format!("The type must be auto, any, tool or none, not {other:?}.");
            return Err(choice.fault("type", message));
        }
    };
    Ok((Some(read), parallel))
}

/// A tool, to be written.
#[derive(Serialize)]
#[serde(untagged)]
pub enum ToolBody<'a> {
    /// A function.
    Function {
        /// Its name.
        name: &'a str,
        /// What it does.
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        /// Its arguments.
        input_schema: Cow<'a, Value>,
        /// Whether they are constrained.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        strict: bool,
        /// Whether the prompt up to here is worth caching.
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a Value>,
    },
    /// A tool of the vendor's.
    Own(&'a Value),
}

/// Writes the tools. Of `allowed_tools` only those that are allowed are sent, which says the same. `strict: false` is the default and
/// left out: older models refuse the member.
///
/// # Errors
/// [`Refused`] for a tool that only another dialect knows.
pub fn write(request: &Request) -> Result<Vec<ToolBody<'_>>, Refused> {
    let mut bodies = Vec::with_capacity(request.tools.len());
    for (index, tool) in request.tools.iter().enumerate() {
        match &request.tool_choice {
            Some(ToolChoice::Allowed { names, .. })
                if !names.iter().any(|name| name == tool.name()) => {}
            _ => bodies.push(write_one(tool, index)?),
        }
    }
    Ok(bodies)
}

fn write_one(tool: &Tool, index: usize) -> Result<ToolBody<'_>, Refused> {
    match tool {
        Tool::Function {
            name,
            description,
            parameters,
            strict,
            cache,
        } => Ok(ToolBody::Function {
            name,
            description: description.as_deref().filter(|text| !text.is_empty()),
            input_schema: schema(parameters.as_ref()),
            strict: *strict == Some(true),
            cache_control: cache.as_ref(),
        }),
        Tool::Other { kind, value } if is_own(kind, value) => Ok(ToolBody::Own(value)),
        Tool::Other { kind, .. } => Err(Refused::new(
            Field::Tools(Some(index)),
            format!(
                "Anthropic has no tool of type {kind:?}; remove it, or call a model whose backend speaks your dialect."
            ),
            "https://platform.claude.com/docs/en/agents-and-tools/tool-use/tool-reference",
        )),
    }
}

/// A schema as the vendor takes it: of an object, and said to be.
pub(crate) fn schema(parameters: Option<&Value>) -> Cow<'_, Value> {
    match parameters {
        Some(Value::Object(map)) if !map.contains_key("type") => {
            let mut typed = Map::new();
            typed.insert("type".into(), "object".into());
            typed.extend(map.clone());
            Cow::Owned(typed.into())
        }
        Some(schema) => Cow::Borrowed(schema),
        None => Cow::Owned(json!({"type": "object", "properties": {}})),
    }
}

/// Whether it is a tool of this dialect's: a function with members of its own, or a type with its date, as the vendor names them.
fn is_own(kind: &str, value: &Value) -> bool {
    let dated = || {
        let date = kind.rsplit_once('_').map(|(_, date)| date);
        date.is_some_and(|date| date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit()))
    };
    match kind {
        "custom" => value.get("input_schema").is_some(),
        "mcp_toolset" => true,
        _ => dated(),
    }
}

/// `tool_choice`, to be written.
#[derive(Debug, PartialEq, Serialize)]
pub struct Choice<'a> {
    /// `auto`, `any`, `tool` or `none`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The tool's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// Whether at most one call may come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_parallel_tool_use: Option<bool>,
}

impl Choice<'_> {
    /// Whether a call is forced.
    #[must_use]
    pub fn is_forced(&self) -> bool {
        matches!(self.kind, "any" | "tool")
    }
}

/// Writes the choice. Without tools there is nothing to choose, and the vendor refuses the field: `auto`, `none` and
/// `parallel_tool_calls` are left out then.
///
/// # Errors
/// [`Refused`] if a call is required and there is no tool.
pub fn write_choice(request: &Request) -> Result<Option<Choice<'_>>, Refused> {
    let (kind, name) = match &request.tool_choice {
        None if request.parallel_tool_calls == Some(false) => ("auto", None),
        None => return Ok(None),
        Some(
            ToolChoice::Auto
            | ToolChoice::Allowed {
                required: false, ..
            },
        ) => ("auto", None),
        Some(ToolChoice::None) => ("none", None),
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => ("any", None),
        Some(ToolChoice::Named(name)) => ("tool", Some(name.as_str())),
    };
    let choice = Choice {
        kind,
        name,
        disable_parallel_tool_use: request
            .parallel_tool_calls
            .filter(|_| kind != "none")
            .map(|parallel| !parallel),
    };
    if !request.tools.is_empty() {
        return Ok(Some(choice));
    }
    if choice.is_forced() {
        let message = "Anthropic cannot call a tool where none is defined; send tools with it.";
        return Err(Refused::new(Field::ToolChoice, message, PAGE));
    }
    Ok(None)
}
