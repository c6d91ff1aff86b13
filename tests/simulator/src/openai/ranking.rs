//! Moderations ([OpenAI](https://platform.openai.com/docs/api-reference/moderations)) and
//! reranking ([as vLLM has it](https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html)).

use serde_json::{Map, Value, json};

use super::needs;
use crate::refusal::Refusal;

/// Nothing is flagged but what says `flag me`.
pub(crate) fn moderation(
    id: u64,
    model: &str,
    fields: &Map<String, Value>,
) -> Result<Value, Refusal> {
    needs(fields, &["input"])?;
    let judged = |input: &Value| {
        let flagged = input.to_string().contains("flag me");
        let score = if flagged { 1.0 } else { 0.0 };
        json!({
            "flagged": flagged,
            "categories": {"violence": flagged},
            "category_scores": {"violence": score},
        })
    };
    let results: Vec<_> = match &fields["input"] {
        Value::Array(inputs) => inputs.iter().map(judged).collect(),
        input => vec![judged(input)],
    };
    Ok(json!({"id": format!("modr-sim-{id}"), "model": model, "results": results}))
}

/// Documents in the order in which they came.
pub(crate) fn rerank(id: u64, model: &str, fields: &Map<String, Value>) -> Result<Value, Refusal> {
    needs(fields, &["query", "documents"])?;
    let documents = fields["documents"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let result = |(index, document): (usize, &Value)| {
        let score = 1.0 / 2_f64.powi(i32::try_from(index).unwrap_or(i32::MAX));
        json!({"index": index, "document": {"text": document}, "relevance_score": score})
    };
    let results: Vec<_> = documents.iter().enumerate().map(result).collect();
    Ok(json!({"id": format!("rerank-sim-{id}"), "model": model, "results": results}))
}
