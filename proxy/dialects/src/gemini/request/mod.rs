//! Requests.
//!
//! - [`mod@read`], [`contents`], [`tools`], [`config`], [`schema`]: out of the body.
//! - [`mod@write`], [`turns`], [`tools`], [`config`]: into one.
//! - [`thinking`]: how models are asked to think, by their names.

pub mod config;
pub mod contents;
pub mod read;
pub mod schema;
pub mod thinking;
pub mod tools;
pub mod turns;
pub mod write;

use std::borrow::Cow;

use crate::form::Field;

/// The vendor's page that shows what a request can hold.
pub const PAGE: &str = "https://ai.google.dev/api/generate-content";

/// What fields of `generationConfig` that the form does not know are called in [`crate::form::Request::extra`].
pub const CONFIG: &str = "generationConfig.";

/// The same for fields of `toolConfig`.
pub const TOOL_CONFIG: &str = "toolConfig.";

/// The field of an object such as [`CONFIG`] that an unknown one is, if it stands there and not deeper.
fn field_of<'a>(object: &str, name: &'a str) -> Option<&'a str> {
    let name = name.strip_prefix(object);
    name.filter(|name| !name.contains(['.', '[']))
}

/// What a client of this dialect calls a field.
#[must_use]
pub fn name_of(field: &Field) -> Cow<'static, str> {
    Cow::Borrowed(match field {
        Field::MaxTokens => "generationConfig.maxOutputTokens",
        Field::N => "generationConfig.candidateCount",
        Field::Stop => "generationConfig.stopSequences",
        Field::Format => "generationConfig.responseMimeType",
        Field::Reasoning => "generationConfig.thinkingConfig",
        Field::Logprobs => "generationConfig.responseLogprobs",
        Field::Suffix => "suffix",
        // One of its tools declares several functions, so that the place in the form is none of its own.
        Field::Tools(_) => "tools",
        Field::ToolChoice => "toolConfig.functionCallingConfig",
        Field::ParallelToolCalls => "parallel_tool_calls",
        Field::Temperature => "generationConfig.temperature",
        Field::TopP => "generationConfig.topP",
        Field::TopK => "generationConfig.topK",
        Field::MinP => "min_p",
        Field::TypicalP => "typical_p",
        Field::Seed => "generationConfig.seed",
        Field::FrequencyPenalty => "generationConfig.frequencyPenalty",
        Field::PresencePenalty => "generationConfig.presencePenalty",
        Field::RepetitionPenalty => "repetition_penalty",
        Field::LogitBias => "logit_bias",
        Field::Dimensions => "outputDimensionality",
        Field::At(place) | Field::Extra(place) => return Cow::Owned(place.clone()),
    })
}
