//! Gemini's list and its entries.
//!
//! Source: [models](https://ai.google.dev/api/models). All models are one page.

use serde_json::{Value, json};

use super::Model;

/// `GET /v1beta/models`.
#[must_use]
pub fn list(models: &[Model]) -> Value {
    let entries: Vec<Value> = models.iter().map(entry).collect();
    json!({"models": entries})
}

/// `GET /v1beta/models/{id}`.
#[must_use]
pub fn entry(model: &Model) -> Value {
    let name = match model.id.strip_prefix("tunedModels/") {
        Some(_) => model.id.clone(),
        None => format!("models/{}", model.id),
    };
    let shown = match (model.word("displayName"), model.word("display_name")) {
        ("", "") => &model.id,
        ("", name) | (name, _) => name,
    };
    let mut entry = json!({
        "name": name,
        "version": model.word("version"),
        "displayName": shown,
        "supportedGenerationMethods": ["generateContent"],
    });
    let limit = |name: &str| model.metadata.get(name).and_then(Value::as_u64);
    let input = limit("inputTokenLimit").or(model.context_length);
    for (name, tokens) in [
        ("inputTokenLimit", input),
        ("outputTokenLimit", limit("outputTokenLimit")),
    ] {
        if let Some(tokens) = tokens {
            entry[name] = tokens.into();
        }
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_says_what_is_known_and_makes_nothing_up() {
        let mut model = Model {
            id: "vllm/llama".into(),
            context_length: Some(8192),
            ..Model::default()
        };
        assert_eq!(
            entry(&model),
            json!({"name": "models/vllm/llama", "version": "", "displayName": "vllm/llama", "supportedGenerationMethods": ["generateContent"], "inputTokenLimit": 8192})
        );
        model.metadata.insert("displayName".into(), "Llama".into());
        model.metadata.insert("outputTokenLimit".into(), 64.into());
        let entry = entry(&model);
        assert_eq!(
            (&entry["displayName"], &entry["outputTokenLimit"]),
            (&json!("Llama"), &json!(64))
        );
    }
}
