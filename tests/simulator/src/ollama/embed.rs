//! `/api/embed`, and the older `/api/embeddings`.
//!
//! Source: [embed](https://docs.ollama.com/api/embed).

use serde_json::{Map, Value, json};

use super::reply::durations;
use crate::{answer::words, openai::vector};

/// Dimensions of a vector unless the request asks for fewer.
const DIMENSIONS: usize = 8;

/// Vectors of length 1, as this endpoint gives them.
pub(super) fn embed(model: &str, fields: &Map<String, Value>) -> Value {
    let inputs: Vec<&str> = match fields.get("input") {
        Some(Value::String(text)) if !text.is_empty() => vec![text],
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect(),
        _ => return json!({"model": model, "embeddings": []}),
    };
    let asked = fields.get("dimensions").and_then(Value::as_u64);
    let asked = asked.and_then(|count| usize::try_from(count).ok());
    let dimensions = asked.filter(|count| (1..DIMENSIONS).contains(count));
    let embeddings: Vec<Vec<f32>> = inputs
        .iter()
        .map(|text| {
            let vector = vector(text, dimensions.unwrap_or(DIMENSIONS));
            let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
            vector
                .iter()
                .map(|value| value / length.max(1e-12))
                .collect()
        })
        .collect();
    let count: usize = inputs.iter().map(|text| words(text)).sum();
    let mut reply = json!({"model": model, "embeddings": embeddings, "prompt_eval_count": count});
    for name in ["total_duration", "load_duration"] {
        reply[name] = durations()[name].clone();
    }
    reply
}

/// One vector, as it is.
pub(super) fn embeddings(fields: &Map<String, Value>) -> Value {
    match fields.get("prompt").and_then(Value::as_str) {
        None | Some("") => json!({"embedding": []}),
        Some(text) => json!({"embedding": vector(text, DIMENSIONS)}),
    }
}
