//! The models: tags, ps, show.
//!
//! Sources: [tags](https://docs.ollama.com/api/tags), [ps](https://docs.ollama.com/api/ps),
//! [show](https://docs.ollama.com/api-reference/show-model-details).

use serde_json::{Value, json};

/// When everything was made and changed.
pub(super) const CREATED: &str = "2023-11-14T22:13:20Z";

/// The name without the tag that stands for none.
pub(super) fn bare(name: &str) -> &str {
    name.strip_suffix(":latest").unwrap_or(name)
}

/// The entry of a model, whose tag may be left out where it is `latest`.
pub(super) fn find(entries: &[Value], name: &str) -> Option<Value> {
    let mut entries = entries.iter();
    let found = entries.find(|entry| entry["id"].as_str().map(bare) == Some(bare(name)));
    found.cloned()
}

/// All models; `loaded`: with what `ps` adds.
pub(super) fn list(entries: &[Value], loaded: bool) -> Value {
    let entries = entries.iter().map(|listed| {
        let id = listed["id"].as_str().unwrap_or_default();
        let name = if id.contains(':') {
            id.to_owned()
        } else {
            format!("{id}:latest")
        };
        let mut entry = json!({
            "name": name,
            "model": name,
            "modified_at": CREATED,
            "size": 1_000_000,
            "digest": "0".repeat(64),
            "details": details(),
        });
        if loaded {
            entry["expires_at"] = CREATED.into();
            entry["size_vram"] = 1_000_000.into();
            entry["context_length"] = 8192.into();
        }
        with_own(&mut entry, listed);
        entry
    });
    json!({"models": entries.collect::<Vec<_>>()})
}

/// What there is to say of one model.
pub(super) fn show(name: &str, listed: Option<&Value>) -> Value {
    let mut shown = json!({
        "license": "none",
        "modelfile": format!("FROM {name}"),
        "parameters": "",
        "template": "{{ .Prompt }}",
        "details": details(),
        "model_info": {"general.architecture": "simulator", "simulator.context_length": 8192},
        "capabilities": ["completion", "tools", "thinking", "vision"],
        "modified_at": CREATED,
    });
    if let Some(listed) = listed {
        with_own(&mut shown, listed);
    }
    shown
}

fn details() -> Value {
    json!({
        "parent_model": "",
        "format": "gguf",
        "family": "simulator",
        "families": ["simulator"],
        "parameter_size": "1B",
        "quantization_level": "Q4_0",
    })
}

/// Adds what an entry has beyond OpenAI's fields.
fn with_own(entry: &mut Value, listed: &Value) {
    for (name, value) in listed.as_object().into_iter().flatten() {
        if !["id", "object", "created", "owned_by"].contains(&name.as_str()) {
            entry[name] = value.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai;

    #[test]
    fn a_name_without_a_tag_is_that_of_the_latest() {
        let entries = [openai::entry("a"), openai::entry("b:7b")];
        for (name, found) in [
            ("a", true),
            ("a:latest", true),
            ("b", false),
            ("b:7b", true),
        ] {
            assert_eq!(find(&entries, name).is_some(), found, "{name}");
        }
        let list = list(&entries, false);
        assert_eq!(
            (&list["models"][0]["name"], &list["models"][1]["model"]),
            (&json!("a:latest"), &json!("b:7b"))
        );
    }
}
