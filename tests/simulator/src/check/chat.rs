//! The body of `POST /v1/chat/completions`.
//!
//! Source: [Create chat completion](https://platform.openai.com/docs/api-reference/chat/create).

use http::StatusCode;
use serde_json::{Map, Value};

use super::{
    Checked, boolean, given, integer, map, missing, only, required, sampling, string, typed,
    wrong_type, wrong_value,
};
use crate::refusal::Refusal;

const ROLES: [&str; 6] = [
    "system",
    "assistant",
    "user",
    "function",
    "tool",
    "developer",
];
const PARTS: [&str; 5] = ["text", "image_url", "input_audio", "file", "refusal"];
const KNOWN: [&str; 35] = [
    "model",
    "messages",
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "metadata",
    "modalities",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
    "prompt_cache_retention",
];

/// Checks the whole body; `strict` refuses unknown fields too.
pub(crate) fn chat(fields: &Map<String, Value>, strict: bool) -> Checked {
    if strict {
        only(fields, &KNOWN)?;
    }
    match required(fields, "messages")? {
        Value::Array(messages) if messages.is_empty() => {
            return Err(Refusal::of(
                "messages",
                "empty_array",
                "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            ));
        }
        Value::Array(messages) => {
            messages
                .iter()
                .enumerate()
                .try_for_each(|(index, value)| message(index, value))?;
        }
        other => return Err(wrong_type("messages", "an array of objects", other)),
    }
    sampling(fields)?;
    integer(fields, "max_completion_tokens", 1, i32::MAX)?;
    boolean(fields, "logprobs")?;
    integer(fields, "top_logprobs", 0, 20)?;
    map(fields, "metadata")?;
    string(fields, "reasoning_effort")?;
    response_format(fields)?;
    tools(fields)
}

fn message(index: usize, value: &Value) -> Checked {
    let at = format!("messages[{index}]");
    let Value::Object(message) = value else {
        return Err(wrong_type(&at, "an object", value));
    };
    let role = match given(message, "role") {
        Some(Value::String(role)) if ROLES.contains(&role.as_str()) => role.as_str(),
        Some(Value::String(role)) => return Err(wrong_value(&format!("{at}.role"), role, &ROLES)),
        Some(other) => return Err(wrong_type(&format!("{at}.role"), "a string", other)),
        None => return Err(missing(&format!("{at}.role"))),
    };
    let calls = given(message, "tool_calls").or_else(|| given(message, "function_call"));
    match given(message, "content") {
        None if role == "assistant" && calls.is_some() => {}
        None if role == "assistant" && given(message, "refusal").is_some() => {}
        None => {
            let param = format!("{at}.content");
            let message =
                format!("Invalid value for 'content': expected a string, got null. ({param})");
            return Err(Refusal::of(&param, "invalid_type", message));
        }
        Some(Value::String(_)) => {}
        Some(Value::Array(parts)) => parts
            .iter()
            .enumerate()
            .try_for_each(|(part, value)| content(&format!("{at}.content[{part}]"), value))?,
        Some(other) => {
            let expected = "one of a string or array of objects";
            return Err(wrong_type(&format!("{at}.content"), expected, other));
        }
    }
    if role == "tool" && !message.get("tool_call_id").is_some_and(Value::is_string) {
        return Err(missing(&format!("{at}.tool_call_id")));
    }
    if let Some(calls) = given(message, "tool_calls") {
        let calls = calls
            .as_array()
            .ok_or_else(|| wrong_type(&format!("{at}.tool_calls"), "an array of objects", calls))?;
        for (call, value) in calls.iter().enumerate() {
            for pointer in ["/id", "/type", "/function/name", "/function/arguments"] {
                if !value.pointer(pointer).is_some_and(Value::is_string) {
                    let field = pointer.replace('/', ".");
                    return Err(missing(&format!("{at}.tool_calls[{call}]{field}")));
                }
            }
        }
    }
    Ok(())
}

fn content(at: &str, part: &Value) -> Checked {
    let kind = match part.get("type") {
        Some(Value::String(kind)) if PARTS.contains(&kind.as_str()) => kind,
        Some(Value::String(kind)) => return Err(wrong_value(&format!("{at}.type"), kind, &PARTS)),
        _ => return Err(missing(&format!("{at}.type"))),
    };
    let holds = match kind.as_str() {
        "text" | "refusal" => part[kind.as_str()].is_string(),
        "image_url" => part["image_url"]["url"].is_string(),
        _ => part[kind.as_str()].is_object(),
    };
    if holds {
        Ok(())
    } else {
        Err(missing(&format!("{at}.{kind}")))
    }
}

fn response_format(fields: &Map<String, Value>) -> Checked {
    const FORMATS: [&str; 3] = ["json_object", "json_schema", "text"];
    map(fields, "response_format")?;
    let Some(format) = given(fields, "response_format") else {
        return Ok(());
    };
    match format["type"].as_str() {
        Some("json_schema") if !format["json_schema"]["name"].is_string() => {
            Err(missing("response_format.json_schema"))
        }
        Some(kind) if FORMATS.contains(&kind) => Ok(()),
        Some(kind) => Err(wrong_value("response_format.type", kind, &FORMATS)),
        None => Err(missing("response_format.type")),
    }
}

fn tools(fields: &Map<String, Value>) -> Checked {
    boolean(fields, "parallel_tool_calls")?;
    typed(fields, "tool_choice", "a string or an object", |value| {
        value.is_string() || value.is_object()
    })?;
    let Some(tools) = given(fields, "tools") else {
        for name in ["tool_choice", "parallel_tool_calls"] {
            if given(fields, name).is_some_and(|value| value != "none") {
                let message = format!(
                    "Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified."
                );
                return Err(Refusal::new(StatusCode::BAD_REQUEST, message).param(name));
            }
        }
        return Ok(());
    };
    let tools = tools
        .as_array()
        .ok_or_else(|| wrong_type("tools", "an array of objects", tools))?;
    if tools.is_empty() {
        let message = "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead.";
        return Err(Refusal::of("tools", "empty_array", message));
    }
    for (index, tool) in tools.iter().enumerate() {
        match tool["type"].as_str() {
            Some("function") if tool["function"]["name"].is_string() => {}
            Some("function") => return Err(missing(&format!("tools[{index}].function.name"))),
            Some("custom") => {}
            Some(kind) => {
                let at = format!("tools[{index}].type");
                return Err(wrong_value(&at, kind, &["function", "custom"]));
            }
            None => return Err(missing(&format!("tools[{index}].type"))),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(change: Value) -> Refusal {
        let mut body = json!({"model": "echo", "messages": [{"role": "user", "content": "hi"}]});
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        chat(body.as_object().unwrap(), false).unwrap_err()
    }

    #[test]
    fn each_refusal_names_its_parameter() {
        for (change, param) in [
            (json!({"messages": null}), "messages"),
            (json!({"messages": []}), "messages"),
            (json!({"messages": "hi"}), "messages"),
            (
                json!({"messages": [{"role": "wizard", "content": ""}]}),
                "messages[0].role",
            ),
            (
                json!({"messages": [{"role": "user"}]}),
                "messages[0].content",
            ),
            (
                json!({"messages": [{"role": "user", "content": 5}]}),
                "messages[0].content",
            ),
            (
                json!({"messages": [{"role": "user", "content": [{"type": "video"}]}]}),
                "messages[0].content[0].type",
            ),
            (
                json!({"messages": [{"role": "tool", "content": ""}]}),
                "messages[0].tool_call_id",
            ),
            (json!({"temperature": 2.1}), "temperature"),
            (json!({"temperature": "hot"}), "temperature"),
            (json!({"top_p": -0.1}), "top_p"),
            (json!({"n": 0}), "n"),
            (json!({"n": 1.5}), "n"),
            (json!({"max_tokens": 0}), "max_tokens"),
            (json!({"stop": ["a", "b", "c", "d", "e"]}), "stop"),
            (json!({"stop": [1]}), "stop"),
            (json!({"stream": "yes"}), "stream"),
            (
                json!({"stream_options": {"include_usage": true}}),
                "stream_options",
            ),
            (json!({"tools": []}), "tools"),
            (
                json!({"tools": [{"type": "function"}]}),
                "tools[0].function.name",
            ),
            (json!({"tool_choice": "auto"}), "tool_choice"),
            (
                json!({"response_format": {"type": "yaml"}}),
                "response_format.type",
            ),
        ] {
            let refusal = refused(change.clone());
            assert_eq!(refusal.param.as_deref(), Some(param), "{change}");
            assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
        }
    }

    #[test]
    fn what_the_api_accepts_is_accepted() {
        let body = json!({
            "model": "echo", "temperature": 0, "top_p": 1, "n": 2, "stop": "x", "seed": null,
            "stream": true, "stream_options": {"include_usage": true}, "top_k": 40,
            "tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "auto",
            "messages": [
                {"role": "system", "content": "s"},
                {"role": "user", "content": [
                    {"type": "text", "text": "t"},
                    {"type": "image_url", "image_url": {"url": "data:,"}},
                ]},
                {"role": "assistant", "content": null, "tool_calls": [
                    {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                ]},
                {"role": "tool", "tool_call_id": "c", "content": "r"},
            ],
        });
        assert_eq!(chat(body.as_object().unwrap(), false), Ok(()));
        let refusal = chat(body.as_object().unwrap(), true).unwrap_err();
        assert!(refusal.message.contains("top_k"));
    }
}
