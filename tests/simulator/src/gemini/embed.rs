//! Vectors, of one text or of many.
//!
//! Source: [embeddings](https://ai.google.dev/api/embeddings).

use serde_json::{Map, Value, json};

use super::{
    asked::{list, said},
    check::bad,
};
use crate::{openai::vector, refusal::Refusal};

/// Dimensions of a vector unless the request says otherwise.
const DIMENSIONS: usize = 8;

/// Checks a request for one vector.
pub(super) fn check(fields: &Map<String, Value>) -> Result<(), Refusal> {
    let content = fields.get("content");
    if content.is_none_or(|content| said(content).is_empty()) {
        return Err(bad("* EmbedContentRequest.content: content is empty.\n"));
    }
    let size = fields.get("output_dimensionality").and_then(Value::as_i64);
    if size.is_some_and(|size| !(1..=3072).contains(&size)) {
        return Err(bad(
            "* EmbedContentRequest.output_dimensionality: must be in the range [1, 3072].\n",
        ));
    }
    Ok(())
}

/// Checks a request for many, all of the model that the path names.
pub(super) fn check_batch(fields: &Map<String, Value>, model: &str) -> Result<(), Refusal> {
    let requests = list(fields.get("requests"));
    if requests.is_empty() {
        return Err(bad(
            "* BatchEmbedContentsRequest.requests: at least one request is required.\n",
        ));
    }
    for (at, request) in requests.iter().enumerate() {
        if request["model"].as_str() != Some(&format!("models/{model}")) {
            return Err(bad(format!(
                "* BatchEmbedContentsRequest.requests[{at}].model: model must match the one of the path.\n"
            )));
        }
        request.as_object().map_or(Ok(()), check)?;
    }
    Ok(())
}

/// The answer to a checked request for one.
pub(super) fn embed(fields: &Map<String, Value>) -> Value {
    json!({"embedding": {"values": values(fields)}})
}

/// The answer to a checked request for many.
pub(super) fn batch(fields: &Map<String, Value>) -> Value {
    let requests = list(fields.get("requests")).iter();
    let vectors = requests.filter_map(Value::as_object);
    let vectors = vectors.map(|request| json!({"values": values(request)}));
    json!({"embeddings": vectors.collect::<Vec<_>>()})
}

fn values(fields: &Map<String, Value>) -> Vec<f32> {
    let size = fields.get("output_dimensionality").and_then(Value::as_u64);
    let size = size.and_then(|size| usize::try_from(size).ok());
    let text = fields.get("content").map(said).unwrap_or_default();
    vector(&text, size.unwrap_or(DIMENSIONS))
}
