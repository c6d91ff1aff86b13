//! `tools` and `tool_choice`.
//!
//! Source: [define tools](https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools).

use http::StatusCode;
use serde_json::Value;

use super::{Checked, block::pattern, object::Object, output::closed, refused};
use crate::refusal::Refusal;

/// What the types of Anthropic's own tools begin with; a date follows.
const OWN: [&str; 11] = [
    "advisor_",
    "bash_",
    "browser_",
    "code_execution_",
    "computer_",
    "memory_",
    "text_editor_",
    "tool_search_tool_",
    "web_fetch_",
    "web_search_",
    "mcp_toolset",
];

/// Checks both fields.
pub(super) fn check(body: &Object) -> Checked {
    let tools = body.list("tools")?;
    let mut names: Vec<&str> = vec![];
    for (at, value) in tools.iter().enumerate() {
        let tool = Object::of(format!("tools.{at}"), value)?;
        let kind = match tool.given("type") {
            None | Some(Value::Null) => "custom",
            Some(_) => tool.text("type")?,
        };
        if kind == "custom" {
            custom(&tool)?;
        } else if !OWN.iter().any(|own| kind.starts_with(own)) {
            tool.tag(&["custom"])?;
        }
        if let Some(name) = tool.given("name").and_then(Value::as_str) {
            if names.contains(&name) {
                return Err(refused("tools", "Tool names must be unique."));
            }
            names.push(name);
        }
    }
    choice(body, &names)
}

fn custom(tool: &Object) -> Checked {
    let tool = Object {
        at: tool.place("custom"),
        fields: tool.fields,
    };
    tool.only(&[
        "type",
        "name",
        "description",
        "input_schema",
        "allowed_callers",
        "cache_control",
        "defer_loading",
        "eager_input_streaming",
        "input_examples",
        "strict",
    ])?;
    pattern(&tool, "name", 128)?;
    if tool.given("description").is_some() {
        tool.text("description")?;
    }
    tool.cache()?;
    tool.boolean("strict")?;
    let schema = Object::of(tool.place("input_schema"), tool.required("input_schema")?)?;
    schema.text("type")?;
    schema.word("type", &["object"])?;
    if tool.given("strict") == Some(&Value::Bool(true)) {
        closed(&tool.at, tool.required("input_schema")?)?;
    }
    Ok(())
}

fn choice(body: &Object, names: &[&str]) -> Checked {
    let Some(choice) = body.object("tool_choice")? else {
        return Ok(());
    };
    let kind = choice.tag(&["any", "auto", "none", "tool"])?;
    let choice = Object {
        at: choice.place(kind),
        fields: choice.fields,
    };
    choice.only(match kind {
        "none" => &["type"],
        "tool" => &["type", "name", "disable_parallel_tool_use"],
        _ => &["type", "disable_parallel_tool_use"],
    })?;
    choice.boolean("disable_parallel_tool_use")?;
    let bad = |message: String| Err(Refusal::new(StatusCode::BAD_REQUEST, message));
    if kind == "tool" {
        let name = choice.text("name")?;
        if !names.contains(&name) {
            return bad(format!("Tool '{name}' not found in provided tools"));
        }
    }
    if names.is_empty() && kind != "none" {
        return bad("tool_choice may only be specified while providing tools.".into());
    }
    Ok(())
}
