//! OpenAI's list and its entries.
//!
//! Source: [list models](https://platform.openai.com/docs/api-reference/models/list). `max_model_len` is vLLM's word.

use serde_json::{Map, Value, json};

use super::Model;

/// `GET /v1/models`.
#[must_use]
pub fn list(models: &[Model]) -> Value {
    let entries: Vec<Value> = models.iter().map(entry).collect();
    json!({"object": "list", "data": entries})
}

/// `GET /v1/models/{id}`.
#[must_use]
pub fn entry(model: &Model) -> Value {
    let mut out = Map::new();
    out.insert("id".into(), json!(model.id));
    out.insert("object".into(), json!("model"));
    out.insert("created".into(), json!(model.created.unwrap_or(0)));
    out.insert(
        "owned_by".into(),
        json!(model.owner.as_deref().unwrap_or("unknown")),
    );
    if let Some(length) = model.context_length {
        out.insert("max_model_len".into(), json!(length));
    }
    for (name, value) in &model.metadata {
        out.entry(name.as_str()).or_insert_with(|| value.clone());
    }
    Value::Object(out)
}
