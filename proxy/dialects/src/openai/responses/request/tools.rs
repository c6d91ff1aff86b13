//! Tools and the choice among them, read and written.

use serde_json::{Value, json};

use crate::fields::Fields;
use crate::form::{Malformed, Tool, ToolChoice};

/// Types of tools that OpenAI runs, or that only this dialect has.
pub(super) const OWN: [&str; 16] = [
    "apply_patch",
    "code_interpreter",
    "computer",
    "computer_use",
    "computer_use_preview",
    "file_search",
    "image_generation",
    "local_shell",
    "mcp",
    "namespace",
    "shell",
    "tool_search",
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
];

/// Reads `tools`.
pub(super) fn read(fields: &mut Fields) -> Result<Vec<Tool>, Malformed> {
    let list = fields.objects("tools")?.unwrap_or_default();
    list.into_iter().map(tool).collect()
}

fn tool(mut fields: Fields) -> Result<Tool, Malformed> {
    let kind = fields.required_string("type")?;
    if kind != "function" {
        let mut value = fields.rest();
        value.shift_insert(0, "type".into(), kind.clone().into());
        let value = value.into();
        return Ok(Tool::Other { kind, value });
    }
    // That it is offered at once, and to the model itself, is what happens anyway.
    fields.leave_out(|name, value| match name {
        "defer_loading" => *value == false,
        "allowed_callers" => *value == json!(["direct"]),
        _ => false,
    });
    Ok(Tool::Function {
        name: fields.required_string("name")?,
        description: fields.string("description")?,
        parameters: fields.schema("parameters")?,
        strict: fields.bool("strict")?,
        cache: None,
    })
}

/// Reads `tool_choice`. A tool that OpenAI runs is named by its type.
pub(super) fn choice(fields: &mut Fields) -> Result<Option<ToolChoice>, Malformed> {
    if fields.peek("tool_choice").is_some_and(Value::is_string) {
        let word = fields.required_string("tool_choice")?;
        let choice = match word.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Required,
            _ => {
                let message =
                    format!("The choice must be auto, none, required or an object, not {word:?}.");
                return Err(fields.fault("tool_choice", message));
            }
        };
        return Ok(Some(choice));
    }
    let Some(mut object) = fields.object("tool_choice")? else {
        return Ok(None);
    };
    let kind = object.required_string("type")?;
    let read = match kind.as_str() {
        "function" | "custom" => ToolChoice::Named(object.required_string("name")?),
        "allowed_tools" => {
            let required = match object.required_string("mode")?.as_str() {
                "auto" => false,
                "required" => true,
                word => {
                    let message = format!("The mode must be auto or required, not {word:?}.");
                    return Err(object.fault("mode", message));
                }
            };
            let list = object.objects("tools")?;
            let list = list.ok_or_else(|| object.missing("tools"))?;
            let names = list.into_iter().map(|mut tool| {
                let kind = tool.required_string("type")?;
                Ok(tool.string("name")?.unwrap_or(kind))
            });
            let names = names.collect::<Result<_, Malformed>>()?;
            ToolChoice::Allowed { names, required }
        }
        _ => ToolChoice::Named(kind),
    };
    Ok(Some(read))
}

/// Writes `tool_choice`.
pub(super) fn choice_out(choice: &ToolChoice, tools: &[Tool]) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Named(name) => named(name, tools),
        ToolChoice::Allowed { names, required } => {
            let tools: Vec<Value> = names.iter().map(|name| named(name, tools)).collect();
            let mode = if *required { "required" } else { "auto" };
            json!({"type": "allowed_tools", "mode": mode, "tools": tools})
        }
    }
}

fn named(name: &str, tools: &[Tool]) -> Value {
    for tool in tools {
        if let Tool::Other { kind, value } = tool {
            if kind == name {
                return json!({"type": kind});
            }
            if value.get("name").is_some_and(|of| of == name) {
                return json!({"type": kind, "name": name});
            }
        }
    }
    json!({"type": "function", "name": name})
}
