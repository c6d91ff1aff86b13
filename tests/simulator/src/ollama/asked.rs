//! What a checked request asks.

use serde_json::{Map, Value};

use crate::answer::{Asked, words};

/// Reads a checked body of `/api/chat`, or of `/api/generate`.
pub(super) fn asked(fields: &Map<String, Value>, chat: bool) -> Asked {
    let options = fields.get("options").unwrap_or(&Value::Null);
    let limit = options["num_predict"].as_f64().filter(|count| *count > 0.0);
    let stops = options["stop"].as_array().into_iter().flatten();
    let asked = Asked {
        stop: stops.filter_map(Value::as_str).map(str::to_owned).collect(),
        max_tokens: limit.map(|count| count as usize),
        n: 1,
        stream: fields.get("stream") != Some(&Value::Bool(false)),
        include_usage: true,
        ..Asked::default()
    };
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    if !chat {
        return Asked {
            text: text("prompt").into(),
            prompt: words(text("prompt")) + words(text("system")),
            ..asked
        };
    }
    let messages = list(fields, "messages");
    let content = |message: &Value| message["content"].as_str().unwrap_or_default().to_owned();
    let user = messages.iter().rfind(|message| message["role"] == "user");
    let tools = list(fields, "tools").iter();
    Asked {
        text: user.map(content).unwrap_or_default(),
        prompt: messages
            .iter()
            .map(|message| words(&content(message)))
            .sum(),
        tools: tools
            .filter_map(|tool| tool["function"]["name"].as_str().map(str::to_owned))
            .collect(),
        tool_answered: messages
            .last()
            .is_some_and(|message| message["role"] == "tool"),
        ..asked
    }
}

/// Whether nothing is asked, so that the model is only loaded.
pub(super) fn empty(fields: &Map<String, Value>, chat: bool) -> bool {
    if chat {
        return list(fields, "messages").is_empty();
    }
    let prompt = fields.get("prompt").and_then(Value::as_str);
    prompt.is_none_or(str::is_empty)
}

/// Whether the model is to go at once.
pub(super) fn unloads(fields: &Map<String, Value>) -> bool {
    match fields.get("keep_alive") {
        Some(Value::Number(seconds)) => seconds.as_f64() == Some(0.0),
        Some(Value::String(time)) => {
            time.trim_end_matches(|c: char| c.is_ascii_alphabetic()) == "0"
        }
        _ => false,
    }
}

fn list<'a>(fields: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    fields
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}
