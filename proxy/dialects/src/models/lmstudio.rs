//! LM Studio's own list.
//!
//! Source: [LM Studio's REST API](https://lmstudio.ai/docs/api/rest-api).

use serde_json::{Map, Value, json};

use super::Model;

/// `GET /api/v0/models`.
#[must_use]
pub fn list(models: &[Model]) -> Value {
    let entries: Vec<Value> = models.iter().map(entry).collect();
    json!({"object": "list", "data": entries})
}

/// `GET /api/v0/models/{id}`.
#[must_use]
pub fn entry(model: &Model) -> Value {
    let or = |name: &str, otherwise: &str| match model.word(name) {
        "" => json!(otherwise),
        word => json!(word),
    };
    let mut out = Map::new();
    out.insert("id".into(), json!(model.id));
    out.insert("object".into(), json!("model"));
    out.insert("type".into(), or("type", "llm"));
    out.insert(
        "publisher".into(),
        or("publisher", model.owner.as_deref().unwrap_or("unknown")),
    );
    out.insert("arch".into(), or("arch", "unknown"));
    out.insert(
        "compatibility_type".into(),
        or("compatibility_type", "gguf"),
    );
    out.insert("quantization".into(), or("quantization", "unknown"));
    // A proxy's model is ready when it is called.
    out.insert("state".into(), json!("loaded"));
    if let Some(length) = model.context_length {
        out.insert("max_context_length".into(), json!(length));
    }
    Value::Object(out)
}
