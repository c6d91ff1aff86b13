//! The `usage` of chat and text completions.
//!
//! Source: [the completion object](https://platform.openai.com/docs/api-reference/chat/object). DeepSeek says what its cache held in
//! `prompt_cache_hit_tokens`, SGLang what was reasoned beside the other figures, where 0 says that it did not look. Figures of [ours](crate::form::estimate) are marked by `"estimated": true`, which OpenAI's SDKs pass on as they pass on all that they do not know.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::form::Usage;

/// Usage as servers send it: any figure may be missing or null.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Figures {
    #[serde(default)]
    prompt_tokens: Option<f64>,
    #[serde(default)]
    completion_tokens: Option<f64>,
    #[serde(default)]
    prompt_cache_hit_tokens: Option<f64>,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(default)]
    completion_tokens_details: Option<CompletionDetails>,
    #[serde(default)]
    reasoning_tokens: Option<f64>,
    #[serde(default)]
    estimated: Option<bool>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<f64>,
    #[serde(default)]
    cache_write_tokens: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct CompletionDetails {
    #[serde(default)]
    reasoning_tokens: Option<f64>,
}

impl Figures {
    /// In the neutral form; none if no figure was there, as in chunks before the last.
    #[must_use]
    pub fn usage(self) -> Option<Usage> {
        if self.prompt_tokens.is_none() && self.completion_tokens.is_none() {
            return None;
        }
        let prompt = self.prompt_tokens_details.unwrap_or_default();
        let completion = self.completion_tokens_details.unwrap_or_default();
        let reasoned = self.reasoning_tokens.filter(|count| *count > 0.0);
        Some(Usage {
            input: whole(self.prompt_tokens).unwrap_or_default(),
            output: whole(self.completion_tokens).unwrap_or_default(),
            cached_input: whole(prompt.cached_tokens.or(self.prompt_cache_hit_tokens)),
            cache_write: whole(prompt.cache_write_tokens),
            reasoning: whole(completion.reasoning_tokens.or(reasoned)),
            estimated: self.estimated == Some(true),
            ..Usage::default()
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float is cut to what fits"
)]
fn whole(figure: Option<f64>) -> Option<u64> {
    figure.map(|figure| figure as u64)
}

/// As OpenAI's clients read it.
#[must_use]
pub fn object(usage: &Usage) -> Value {
    let mut object = json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input.saturating_add(usage.output),
    });
    if let Some(cached) = usage.cached_input {
        object["prompt_tokens_details"] = json!({"cached_tokens": cached});
    }
    if let Some(written) = usage.cache_write {
        object["prompt_tokens_details"]["cache_write_tokens"] = json!(written);
    }
    if let Some(reasoning) = usage.reasoning {
        object["completion_tokens_details"] = json!({"reasoning_tokens": reasoning});
    }
    if usage.estimated {
        object["estimated"] = true.into();
    }
    object
}
