//! Reads a list of models, told by its shape.
//!
//! Source: [OpenAI's list](https://platform.openai.com/docs/api-reference/models/list),
//! [Anthropic's](https://docs.anthropic.com/en/api/models-list), [Ollama's](https://docs.ollama.com/api/tags),
//! [Gemini's](https://ai.google.dev/api/models), and TGI's [`/info`](https://huggingface.github.io/text-generation-inference/),
//! which tells of its one model. vLLM says `max_model_len`, OpenRouter `context_length`, LM Studio `max_context_length`.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Model;
use crate::form::Garbage;

/// Reads a list.
///
/// # Errors
/// [`Garbage`] if it is none of the lists that are known.
pub fn read(body: &[u8]) -> Result<Vec<Model>, Garbage> {
    let garbage = || Garbage::new("The list of models is in no known form.", body);
    let value = serde_json::from_slice(body).map_err(|_| garbage())?;
    let entries = match value {
        Value::Array(entries) => entries,
        Value::Object(mut map) => match (map.remove("data"), map.remove("models")) {
            (Some(Value::Array(entries)), _) | (None, Some(Value::Array(entries))) => entries,
            // An Ollama without models.
            (None, Some(Value::Null)) => Vec::new(),
            (None, None) if map.contains_key("model_id") => vec![Value::Object(map)],
            _ => return Err(garbage()),
        },
        _ => return Err(garbage()),
    };
    Ok(entries.into_iter().filter_map(entry).collect())
}

/// An entry; none if it has no name.
fn entry(value: Value) -> Option<Model> {
    let Value::Object(mut map) = value else {
        return None;
    };
    let id = ["id", "model", "name", "model_id"]
        .into_iter()
        .find_map(|name| map.get(name)?.as_str().map(str::to_owned))?;
    // Gemini's names are paths.
    let id = id.strip_prefix("models/").unwrap_or(&id).to_owned();
    let created = map.shift_remove("created").and_then(|value| value.as_i64());
    let lengths = [
        "context_length",
        "max_model_len",
        "max_context_length",
        "inputTokenLimit",
        "max_total_tokens",
    ];
    let context_length = lengths.into_iter().find_map(|name| map.get(name)?.as_u64());
    let created = created
        .or_else(|| time(&map, "created_at"))
        .or_else(|| time(&map, "modified_at"));
    let owner = match map.shift_remove("owned_by") {
        Some(Value::String(owner)) => Some(owner),
        _ => map
            .get("publisher")
            .and_then(Value::as_str)
            .map(str::to_owned),
    };
    for name in [
        "id",
        "object",
        "name",
        "model",
        "model_id",
        "created_at",
        "modified_at",
    ] {
        map.shift_remove(name);
    }
    for name in lengths {
        map.shift_remove(name);
    }
    Some(Model {
        id,
        created,
        owner,
        context_length,
        metadata: map,
    })
}

fn time(map: &Map<String, Value>, name: &str) -> Option<i64> {
    let at: Timestamp = map.get(name)?.as_str()?.parse().ok()?;
    Some(at.as_second())
}
