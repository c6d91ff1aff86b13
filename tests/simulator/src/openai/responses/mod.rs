//! The Responses API.
//!
//! Sources: [the object](https://platform.openai.com/docs/api-reference/responses/object),
//! [its events](https://platform.openai.com/docs/api-reference/responses-streaming), and where they are
//! silent the types of [the Python SDK](https://github.com/openai/openai-python).

mod reply;
mod stream;

use serde_json::{Map, Value};

pub(crate) use reply::Response;
pub(crate) use stream::{events, form};

use crate::answer::{Asked, words};

/// Reads a checked body.
pub(crate) fn asked(fields: &Map<String, Value>) -> Asked {
    let told = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect(),
        _ => String::new(),
    };
    let input = fields.get("input");
    let items = input
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let text = match input {
        Some(Value::String(text)) => text.clone(),
        _ => {
            let user = items.iter().rev().find(|item| item["role"] == "user");
            user.map(|item| told(&item["content"])).unwrap_or_default()
        }
    };
    let before = fields.get("instructions").map(told).unwrap_or_default();
    let prompt: usize = items
        .iter()
        .map(|item| words(&told(&item["content"])))
        .sum();
    let prompt = if items.is_empty() {
        words(&text)
    } else {
        prompt
    };
    let tools = fields.get("tools").and_then(Value::as_array);
    let limit = fields.get("max_output_tokens").and_then(Value::as_u64);
    Asked {
        text,
        prompt: prompt + words(&before),
        max_tokens: limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        n: 1,
        stream: fields.get("stream") == Some(&Value::Bool(true)),
        tools: tools
            .into_iter()
            .flatten()
            .filter_map(|tool| tool["name"].as_str().map(str::to_owned))
            .collect(),
        tool_answered: items
            .last()
            .is_some_and(|item| item["type"] == "function_call_output"),
        ..Asked::default()
    }
}
