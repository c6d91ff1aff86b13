//! The body of `POST /v1/chat/completions`.
//!
//! Source: [Create chat completion](https://platform.openai.com/docs/api-reference/chat/create).

use serde_json::{Map, Value};

use super::{
    Checked, boolean, given, integer, known, map, messages, missing, only, required, sampling,
    string, tools, wrong_type, wrong_value,
};
use crate::refusal::Refusal;

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
        Value::Array(told) => messages::check(told, strict)?,
        other => return Err(wrong_type("messages", "an array of objects", other)),
    }
    sampling(fields)?;
    integer(fields, "max_completion_tokens", 1, i32::MAX)?;
    boolean(fields, "logprobs")?;
    integer(fields, "top_logprobs", 0, 20)?;
    map(fields, "metadata")?;
    string(fields, "reasoning_effort")?;
    response_format(fields, strict)?;
    tools::check(fields, strict)
}

fn response_format(fields: &Map<String, Value>, strict: bool) -> Checked {
    const FORMATS: [&str; 3] = ["json_object", "json_schema", "text"];
    map(fields, "response_format")?;
    let Some(Value::Object(format)) = given(fields, "response_format") else {
        return Ok(());
    };
    match given(format, "type").and_then(Value::as_str) {
        Some("json_schema") => schema(format, strict),
        Some(kind) if FORMATS.contains(&kind) => Ok(()),
        Some(kind) => Err(wrong_value("response_format.type", kind, &FORMATS)),
        None => Err(missing("response_format.type")),
    }
}

fn schema(format: &Map<String, Value>, strict: bool) -> Checked {
    const AT: &str = "response_format.json_schema";
    if strict {
        known("response_format", format, &["type", "json_schema"])?;
    }
    let Some(Value::Object(named)) = given(format, "json_schema") else {
        return Err(missing(AT));
    };
    if strict {
        known(AT, named, &["name", "description", "schema", "strict"])?;
    }
    match given(named, "name") {
        Some(Value::String(name)) => tools::name(&format!("{AT}.name"), name)?,
        _ => return Err(missing(&format!("{AT}.name"))),
    }
    match given(named, "schema") {
        Some(Value::Object(_)) => Ok(()),
        None => Err(missing(&format!("{AT}.schema"))),
        Some(other) => Err(wrong_type(&format!("{AT}.schema"), "an object", other)),
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
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
            (
                json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}}),
                "response_format.json_schema.schema",
            ),
            (
                json!({"response_format": {"type": "json_schema", "json_schema": {"name": "a b", "schema": {}}}}),
                "response_format.json_schema.name",
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
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
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
