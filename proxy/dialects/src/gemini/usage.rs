//! Tokens. `candidatesTokenCount` leaves reasoning out, and `promptTokenCount` what the server's own tools brought in.
//!
//! Source: [usage metadata](https://ai.google.dev/api/generate-content#UsageMetadata).

use serde::{Deserialize, Serialize};

use crate::form::Usage;

/// The `usageMetadata` object.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Tokens {
    #[serde(alias = "prompt_token_count")]
    prompt_token_count: Option<u64>,
    #[serde(
        alias = "cached_content_token_count",
        skip_serializing_if = "Option::is_none"
    )]
    cached_content_token_count: Option<u64>,
    #[serde(alias = "candidates_token_count")]
    candidates_token_count: Option<u64>,
    #[serde(
        alias = "thoughts_token_count",
        skip_serializing_if = "Option::is_none"
    )]
    thoughts_token_count: Option<u64>,
    #[serde(
        alias = "tool_use_prompt_token_count",
        skip_serializing_if = "Option::is_none"
    )]
    tool_use_prompt_token_count: Option<u64>,
    #[serde(alias = "total_token_count")]
    total_token_count: Option<u64>,
}

impl Tokens {
    /// The neutral figures; none if it says nothing.
    #[must_use]
    pub fn read(self) -> Option<Usage> {
        let sum = |one: Option<u64>, other: Option<u64>| {
            one.unwrap_or_default()
                .saturating_add(other.unwrap_or_default())
        };
        self.prompt_token_count.or(self.total_token_count)?;
        Some(Usage {
            input: sum(self.prompt_token_count, self.tool_use_prompt_token_count),
            output: sum(self.candidates_token_count, self.thoughts_token_count),
            cached_input: self.cached_content_token_count,
            reasoning: self.thoughts_token_count,
            ..Usage::default()
        })
    }

    /// Gemini's figures. How many were written to a cache has no place.
    #[must_use]
    pub fn of(usage: &Usage) -> Self {
        let reasoning = usage.reasoning.unwrap_or_default();
        Self {
            prompt_token_count: Some(usage.input),
            cached_content_token_count: usage.cached_input,
            candidates_token_count: Some(usage.output.saturating_sub(reasoning)),
            thoughts_token_count: usage.reasoning,
            tool_use_prompt_token_count: None,
            total_token_count: Some(usage.input.saturating_add(usage.output)),
        }
    }
}
