//! What servers say of tokens, in any dialect, as the neutral figures.

use dragoman_dialects::form::Usage;
use dragoman_dialects::openai::usage::Figures;
use serde_json::Value;

/// Reads the members that tell it of a reply or an event; none where they tell nothing.
///
/// Sources: those that the dialects' own readers name.
pub(super) fn read(said: &Value) -> Option<Usage> {
    let usage = &said["usage"];
    openai(usage)
        .or_else(|| tokens(usage, &BY_INPUT_TOKENS))
        .or_else(|| tokens(usage, &CONVERSE))
        .or_else(|| total(usage))
        .or_else(|| gemini(&said["usageMetadata"]))
        .or_else(|| gemini(&said["usage_metadata"]))
        .or_else(|| tokens(said, &OLLAMA))
        .or_else(|| tokens(&said["details"], &TGI))
        .or_else(|| tokens(&said["amazon-bedrock-invocationMetrics"], &INVOCATION))
        .or_else(|| tokens(said, &TITAN))
}

/// The names of figures that stand side by side.
struct Names {
    input: &'static str,
    output: &'static str,
    /// Read from a cache, and not among the input.
    beside: &'static str,
    /// Written to a cache, and not among the input.
    written: &'static str,
}

/// Anthropic's, and those of OpenAI's Responses, which tell of the cache elsewhere.
const BY_INPUT_TOKENS: Names = Names {
    input: "input_tokens",
    output: "output_tokens",
    beside: "cache_read_input_tokens",
    written: "cache_creation_input_tokens",
};
const CONVERSE: Names = Names {
    input: "inputTokens",
    output: "outputTokens",
    beside: "cacheReadInputTokens",
    written: "cacheWriteInputTokens",
};
const INVOCATION: Names = Names {
    input: "inputTokenCount",
    output: "outputTokenCount",
    beside: "cacheReadInputTokenCount",
    written: "cacheWriteInputTokenCount",
};
const OLLAMA: Names = Names {
    input: "prompt_eval_count",
    output: "eval_count",
    beside: "",
    written: "",
};
const TGI: Names = Names {
    input: "input_length",
    output: "generated_tokens",
    beside: "",
    written: "",
};
/// Amazon's own models that make vectors.
const TITAN: Names = Names {
    input: "inputTextTokenCount",
    output: "",
    beside: "",
    written: "",
};

fn openai(said: &Value) -> Option<Usage> {
    let figures: Figures = serde::Deserialize::deserialize(said).ok()?;
    figures.usage()
}

fn tokens(said: &Value, names: &Names) -> Option<Usage> {
    let figure = |name: &str| said[name].as_u64();
    let (input, output) = (figure(names.input), figure(names.output));
    if input.is_none() && output.is_none() {
        return None;
    }
    let (beside, written) = (figure(names.beside), figure(names.written));
    let parts = [input, beside, written];
    Some(Usage {
        input: parts.into_iter().flatten().fold(0, u64::saturating_add),
        output: output.unwrap_or_default(),
        cached_input: beside.or_else(|| said["input_tokens_details"]["cached_tokens"].as_u64()),
        cache_write: written,
        ..Usage::default()
    })
}

/// Of rerankers and the like, which tell one sum.
fn total(said: &Value) -> Option<Usage> {
    Some(Usage {
        input: said["total_tokens"].as_u64()?,
        ..Usage::default()
    })
}

fn gemini(said: &Value) -> Option<Usage> {
    let tokens: dragoman_dialects::gemini::usage::Tokens =
        serde::Deserialize::deserialize(said).ok()?;
    tokens.read()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_server_is_understood() {
        for (said, input, output, cached) in [
            (
                json!({"usage": {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}}),
                10,
                2,
                Some(4),
            ),
            (
                json!({"usage": {"input_tokens": 10, "output_tokens": 2, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 1}}),
                15,
                2,
                Some(4),
            ),
            (
                json!({"usage": {"input_tokens": 10, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 4}}}),
                10,
                2,
                Some(4),
            ),
            (json!({"usage": {"output_tokens": 2}}), 0, 2, None),
            (
                json!({"usage": {"inputTokens": 10, "outputTokens": 2, "cacheReadInputTokens": 4}}),
                14,
                2,
                Some(4),
            ),
            (json!({"usage": {"total_tokens": 7}}), 7, 0, None),
            (
                json!({"usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 2, "thoughtsTokenCount": 3, "cachedContentTokenCount": 4}}),
                10,
                5,
                Some(4),
            ),
            (
                json!({"prompt_eval_count": 10, "eval_count": 2}),
                10,
                2,
                None,
            ),
            (
                json!({"details": {"generated_tokens": 2, "input_length": 10}}),
                10,
                2,
                None,
            ),
            (
                json!({"amazon-bedrock-invocationMetrics": {"inputTokenCount": 10, "outputTokenCount": 2}}),
                10,
                2,
                None,
            ),
            (json!({"inputTextTokenCount": 10}), 10, 0, None),
        ] {
            let usage = read(&said).unwrap_or_else(|| unreachable!("{said}"));
            assert_eq!(
                (usage.input, usage.output, usage.cached_input),
                (input, output, cached),
                "{said}"
            );
        }
        for said in [
            json!({}),
            json!({"usage": null}),
            json!({"usage": {"seconds": 3}}),
            json!({"details": {}}),
            json!({"usage": {"prompt_tokens": null}}),
        ] {
            assert_eq!(read(&said), None, "{said}");
        }
    }
}
