//! The body of `POST /v1/responses`.
//!
//! Sources: [Create a model response](https://platform.openai.com/docs/api-reference/responses/create),
//! and where it is silent the types of [the Python SDK](https://github.com/openai/openai-python); the
//! words for a tool that is written as chat completions have it are those of
//! [this thread](https://github.com/GCWing/OpenBitFun/issues/806).

use http::StatusCode;
use serde_json::{Map, Value};

use super::{
    Checked, boolean, decimal, given, integer, items, known, map, missing, required, string, tools,
    typed, wrong_type, wrong_value,
};
use crate::refusal::Refusal;

const KNOWN: [&str; 29] = [
    "background",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
    "context_management",
];

/// Checks the whole body; `strict` refuses unknown fields too.
pub(crate) fn responses(fields: &Map<String, Value>, strict: bool) -> Checked {
    if let (true, Some(name)) = (
        strict,
        fields.keys().find(|name| !KNOWN.contains(&name.as_str())),
    ) {
        let message = format!("Unknown parameter: '{name}'.");
        return Err(Refusal::of(name, "unknown_parameter", message));
    }
    // What went before may hold the call of a result.
    let alone = ["previous_response_id", "conversation"]
        .iter()
        .all(|name| given(fields, name).is_none());
    match required(fields, "input")? {
        Value::String(_) => {}
        Value::Array(told) => items::check(told, alone, strict)?,
        other => {
            let expected = "one of a string or array of objects";
            return Err(wrong_type("input", expected, other));
        }
    }
    for name in ["background", "parallel_tool_calls", "store", "stream"] {
        boolean(fields, name)?;
    }
    for name in ["instructions", "previous_response_id", "user"] {
        string(fields, name)?;
    }
    for name in ["metadata", "reasoning", "stream_options", "text"] {
        map(fields, name)?;
    }
    decimal(fields, "temperature", 0.0, 2.0)?;
    decimal(fields, "top_p", 0.0, 1.0)?;
    integer(fields, "max_output_tokens", 16, i32::MAX)?;
    integer(fields, "top_logprobs", 0, 20)?;
    typed(fields, "include", "an array of strings", |value| {
        value
            .as_array()
            .is_some_and(|names| names.iter().all(Value::is_string))
    })?;
    format(fields, strict)?;
    offered(fields, strict)
}

fn format(fields: &Map<String, Value>, strict: bool) -> Checked {
    const FORMATS: [&str; 3] = ["json_object", "json_schema", "text"];
    const AT: &str = "text.format";
    let Some(Value::Object(text)) = given(fields, "text") else {
        return Ok(());
    };
    if strict {
        known("text", text, &["format", "verbosity"])?;
    }
    let Some(Value::Object(format)) = given(text, "format") else {
        return Ok(());
    };
    match given(format, "type").and_then(Value::as_str) {
        Some("json_schema") => {}
        Some(kind) if FORMATS.contains(&kind) => return Ok(()),
        Some(kind) => return Err(wrong_value("text.format.type", kind, &FORMATS)),
        None => return Err(missing("text.format.type")),
    }
    if strict {
        let own = ["type", "name", "description", "schema", "strict"];
        known(AT, format, &own)?;
    }
    match given(format, "name") {
        Some(Value::String(name)) => tools::name("text.format.name", name)?,
        _ => return Err(missing("text.format.name")),
    }
    match given(format, "schema") {
        Some(Value::Object(_)) => Ok(()),
        None => Err(missing("text.format.schema")),
        Some(other) => Err(wrong_type("text.format.schema", "an object", other)),
    }
}

fn offered(fields: &Map<String, Value>, strict: bool) -> Checked {
    let tools = match given(fields, "tools") {
        None => &[][..],
        Some(Value::Array(tools)) => tools,
        Some(other) => return Err(wrong_type("tools", "an array of objects", other)),
    };
    for (index, tool) in tools.iter().enumerate() {
        let at = format!("tools[{index}]");
        match tool["type"].as_str() {
            Some("function") => {}
            Some(_) => continue,
            None => return Err(missing(&format!("{at}.type"))),
        }
        match tool["name"].as_str() {
            Some(name) => tools::name(&format!("{at}.name"), name)?,
            None => return Err(missing(&format!("{at}.name"))),
        }
        if let (true, Value::Object(tool)) = (strict, tool) {
            let own = ["type", "name", "description", "parameters", "strict"];
            known(&at, tool, &own)?;
        }
    }
    let forced = given(fields, "tool_choice").filter(|choice| choice["type"] == "function");
    match forced.map(|choice| &choice["name"]) {
        Some(name) if !tools.iter().any(|tool| &tool["name"] == name) => {
            let message = format!("Tool choice {name} not found in 'tools' parameter.");
            Err(Refusal::new(StatusCode::BAD_REQUEST, message).param("tool_choice"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_refusal_names_its_parameter() {
        let output = json!({"type": "function_call_output", "call_id": "c", "output": "o"});
        for (change, param) in [
            (json!({"input": null}), "input"),
            (json!({"input": [output]}), "input"),
            (json!({"messages": []}), "messages"),
            (json!({"max_output_tokens": 15}), "max_output_tokens"),
            (
                json!({"tools": [{"type": "function", "function": {"name": "f"}}]}),
                "tools[0].name",
            ),
            (
                json!({"tools": [{"type": "function", "name": "a b"}]}),
                "tools[0].name",
            ),
            (
                json!({"tool_choice": {"type": "function", "name": "f"}}),
                "tool_choice",
            ),
            (
                json!({"text": {"format": {"type": "json_schema", "name": "n"}}}),
                "text.format.schema",
            ),
            (
                json!({"text": {"format": {"type": "json_schema", "json_schema": {}}}}),
                "text.format.json_schema",
            ),
        ] {
            let mut body = json!({"model": "echo", "input": "hi"});
            for (name, value) in change.as_object().unwrap() {
                body[name] = value.clone();
            }
            let refusal = responses(body.as_object().unwrap(), true).unwrap_err();
            assert_eq!(refusal.param.as_deref(), Some(param), "{change}");
        }
    }
}
