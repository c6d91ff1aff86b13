//! What is known of a model by its name.

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

#[cfg(test)]
mod tests {
    use super::*;

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
