//! Tokens, in Converse's words: `inputTokens` counts neither what was read from a cache nor what was written to one.
//!
//! Source: [token usage](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html).

use serde::{Deserialize, Serialize};

use crate::form::Usage;

/// The `usage` object.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
    #[serde(default)]
    total_tokens: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_read_input_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_write_input_tokens: Option<u64>,
    /// Marks figures of [ours](crate::form::estimate); AWS's SDKs pass over what they do not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    estimated: Option<bool>,
}

impl Tokens {
    /// The neutral figures.
    #[must_use]
    pub fn read(self) -> Usage {
        let (read, written) = (self.cache_read_input_tokens, self.cache_write_input_tokens);
        let parts = [Some(self.input_tokens), read, written];
        Usage {
            input: parts.into_iter().flatten().fold(0, u64::saturating_add),
            output: self.output_tokens,
            cached_input: read,
            cache_write: written,
            estimated: self.estimated == Some(true),
            ..Usage::default()
        }
    }

    /// Converse's figures; what no server said is zero. How many were reasoning has no place.
    #[must_use]
    pub fn of(usage: Option<&Usage>) -> Self {
        let usage = usage.copied().unwrap_or_default();
        let cached = usage.cached_input.unwrap_or_default();
        let written = usage.cache_write.unwrap_or_default();
        Self {
            input_tokens: usage.input.saturating_sub(cached).saturating_sub(written),
            output_tokens: usage.output,
            total_tokens: usage.input.saturating_add(usage.output),
            cache_read_input_tokens: usage.cached_input,
            cache_write_input_tokens: usage.cache_write,
            estimated: usage.estimated.then_some(true),
        }
    }
}
