//! Tokens, in Anthropic's words: `input_tokens` counts neither what was read from a cache nor what was written to one.
//! Figures of [ours](crate::form::estimate) are marked by `"estimated": true`, which Anthropic's SDKs pass on as they pass on all that they do not know.
//!
//! Source: [prompt caching](https://platform.claude.com/docs/en/build-with-claude/prompt-caching#tracking-cache-performance).

use serde::{Deserialize, Serialize};

use crate::form::Usage;

/// The `usage` object. In streams its figures are running totals; what a message does not say is absent.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Tokens {
    /// Of the prompt, without the cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Written to the cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_creation_input_tokens: Option<u64>,
    /// Read from the cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read_input_tokens: Option<u64>,
    /// Of the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Of the reply, by kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens_details: Option<Details>,
    /// Whether the figures are estimated, by who says them; absent: they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated: Option<bool>,
}

/// The reply's tokens by kind.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Details {
    /// Spent on thinking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking_tokens: Option<u64>,
}

impl Tokens {
    /// The neutral figures.
    #[must_use]
    pub fn read(self) -> Usage {
        let (written, read) = (
            self.cache_creation_input_tokens,
            self.cache_read_input_tokens,
        );
        let parts = [self.input_tokens, written, read];
        Usage {
            input: parts.into_iter().flatten().fold(0, u64::saturating_add),
            output: self.output_tokens.unwrap_or_default(),
            cached_input: read,
            cache_write: written,
            reasoning: self
                .output_tokens_details
                .and_then(|details| details.thinking_tokens),
            estimated: self.estimated == Some(true),
            ..Usage::default()
        }
    }

    /// What was said before and what is said now, for figures that are running totals. Servers that know the prompt's tokens
    /// only at the end say zero at the start, and some say zero at the end.
    #[must_use]
    pub fn then(self, now: Self) -> Self {
        let later = |before: Option<u64>, now: Option<u64>| {
            now.filter(|count| *count > 0).or(before).or(now)
        };
        Self {
            input_tokens: later(self.input_tokens, now.input_tokens),
            cache_creation_input_tokens: later(
                self.cache_creation_input_tokens,
                now.cache_creation_input_tokens,
            ),
            cache_read_input_tokens: later(
                self.cache_read_input_tokens,
                now.cache_read_input_tokens,
            ),
            output_tokens: later(self.output_tokens, now.output_tokens),
            output_tokens_details: now.output_tokens_details.or(self.output_tokens_details),
            estimated: now.estimated.or(self.estimated),
        }
    }

    /// Anthropic's figures. Clients require both totals; what no server said is zero.
    #[must_use]
    pub fn of(usage: Option<&Usage>) -> Self {
        let usage = usage.copied().unwrap_or_default();
        let cached = usage.cached_input.unwrap_or_default();
        let written = usage.cache_write.unwrap_or_default();
        Self {
            input_tokens: Some(usage.input.saturating_sub(cached).saturating_sub(written)),
            cache_creation_input_tokens: usage.cache_write,
            cache_read_input_tokens: usage.cached_input,
            output_tokens: Some(usage.output),
            output_tokens_details: usage.reasoning.map(|tokens| Details {
                thinking_tokens: Some(tokens),
            }),
            estimated: usage.estimated.then_some(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prompt_counts_what_the_cache_gave_and_took() {
        let said = r#"{"input_tokens":3,"cache_creation_input_tokens":20,"cache_read_input_tokens":100,"output_tokens":7,"output_tokens_details":{"thinking_tokens":5}}"#;
        let tokens: Tokens = serde_json::from_str(said).unwrap();
        let usage = tokens.read();
        assert_eq!(
            (usage.input, usage.output, usage.reasoning),
            (123, 7, Some(5))
        );
        assert_eq!(
            serde_json::to_string(&Tokens::of(Some(&usage))).unwrap(),
            said
        );
    }
}
