//! Anthropic's list and its entries.
//!
//! Source: [list models](https://docs.anthropic.com/en/api/models-list). All models are one page.

use serde_json::{Value, json};

use super::Model;

/// `GET /v1/models` with an `anthropic-version`.
#[must_use]
pub fn list(models: &[Model]) -> Value {
    let entries: Vec<Value> = models.iter().map(entry).collect();
    json!({
        "data": entries,
        "has_more": false,
        "first_id": models.first().map(|model| &model.id),
        "last_id": models.last().map(|model| &model.id),
    })
}

/// `GET /v1/models/{id}`.
#[must_use]
pub fn entry(model: &Model) -> Value {
    let name = match model.word("display_name") {
        "" => &model.id,
        name => name,
    };
    json!({
        "type": "model",
        "id": model.id,
        "display_name": name,
        "created_at": model.created_at().to_string(),
    })
}
