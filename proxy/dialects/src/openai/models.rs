//! What is known of a model by its name, and of words that other vendors use otherwise.

use serde_json::{Map, Value};

/// Whether it is one of OpenAI's own reasoning models (`o3-mini`, `gpt-5.1`, also behind a vendor's prefix: `openai/o1`). They refuse `max_tokens` and
/// ask for `max_completion_tokens` and `developer`, which most compatible servers do not know.
///
/// Source: [reasoning models](https://platform.openai.com/docs/guides/reasoning).
#[must_use]
pub fn openai_reasoning(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or_default();
    let o_series = name
        .strip_prefix('o')
        .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    o_series || name.starts_with("gpt-5")
}

/// Takes out of a body what bears the name of a field of OpenAI's and means another vendor's: Anthropic's `standard_only` for a service tier and its
/// object of edits for the management of the context. Both say how the request is run, not what is answered.
pub(crate) fn drop_foreign(body: &mut Map<String, Value>) {
    let tiers = ["auto", "default", "flex", "scale", "priority"];
    let tier = body.get("service_tier").and_then(Value::as_str);
    if tier.is_none_or(|tier| !tiers.contains(&tier)) {
        body.shift_remove("service_tier");
    }
    if body.get("context_management").is_some_and(Value::is_object) {
        body.shift_remove("context_management");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_vendors_words_do_not_stay() {
        let mut body = Map::from_iter([
            ("service_tier".to_owned(), "standard_only".into()),
            ("context_management".to_owned(), Map::new().into()),
            ("store".to_owned(), true.into()),
        ]);
        drop_foreign(&mut body);
        assert_eq!(body.keys().collect::<Vec<_>>(), ["store"]);
        body.insert("service_tier".into(), "flex".into());
        drop_foreign(&mut body);
        assert_eq!(body["service_tier"], "flex");
    }

    #[test]
    fn openais_reasoning_models_are_told_from_others() {
        for name in [
            "o1",
            "o3-mini",
            "o4-mini-2025-04-16",
            "gpt-5",
            "gpt-5.1-mini",
            "openai/o1",
        ] {
            assert!(openai_reasoning(name), "{name}");
        }
        for name in [
            "gpt-4o",
            "olmo-2",
            "o",
            "qwen3",
            "openai/gpt-oss-120b",
            "llama-o1",
        ] {
            assert!(!openai_reasoning(name), "{name}");
        }
    }
}
