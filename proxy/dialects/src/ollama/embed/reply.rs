//! Vectors.

use serde::Deserialize;
use serde_json::{Map, Number, Value, json};

use crate::codec::Context;
use crate::form::{EmbeddingReply, Garbage, Usage, Vector};
use crate::ollama::measure;

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    embeddings: Option<Vec<Vec<Number>>>,
    #[serde(default)]
    embedding: Option<Vec<Number>>,
    #[serde(default)]
    prompt_eval_count: Option<u64>,
}

/// Reads both forms: a list of vectors, or one.
pub(super) fn read(body: &[u8]) -> Result<EmbeddingReply, Garbage> {
    let read: Body = serde_json::from_slice(body)
        .map_err(|fault| Garbage::new(format!("The vectors are not Ollama's: {fault}."), body))?;
    let vectors = match (read.embeddings, read.embedding) {
        (Some(all), _) => all,
        (None, Some(one)) if one.is_empty() => Vec::new(),
        (None, Some(one)) => vec![one],
        (None, None) => return Err(Garbage::new("The reply holds no vectors.", body)),
    };
    Ok(EmbeddingReply {
        model: read.model,
        vectors: vectors.into_iter().map(Vector::Numbers).collect(),
        usage: read.prompt_eval_count.map(|input| Usage {
            input,
            ..Usage::default()
        }),
    })
}

pub(super) fn write(reply: &EmbeddingReply, context: &Context) -> Vec<u8> {
    let vectors: Vec<Vec<Number>> = reply.vectors.iter().map(numbers).collect();
    let mut body = Map::new();
    body.insert("model".into(), json!(context.model));
    body.insert("embeddings".into(), json!(vectors));
    let mut figures = measure::fields(reply.usage.as_ref(), None);
    // Vectors have no reply that would be counted.
    figures.retain(|name, _| !name.starts_with("eval_") && name != "prompt_eval_duration");
    body.extend(figures);
    Value::Object(body).to_string().into_bytes()
}

pub(super) fn write_one(reply: &EmbeddingReply) -> Vec<u8> {
    let one = reply.vectors.first().map(numbers).unwrap_or_default();
    json!({"embedding": one}).to_string().into_bytes()
}

/// A vector whose base64 is broken is empty, which no client takes for one.
fn numbers(vector: &Vector) -> Vec<Number> {
    vector.clone().into_numbers().unwrap_or_default()
}
