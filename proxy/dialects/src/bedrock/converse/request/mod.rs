//! Requests.
//!
//! - [`mod@read`], [`parts`], [`tools`]: out of the body.
//! - [`mod@write`], [`turns`], [`blocks`], [`tools`], [`additional`]: into one.
//! - [`media`]: formats of images, documents and sound, and their media types.

pub mod additional;
pub mod blocks;
pub mod media;
pub mod parts;
pub mod read;
pub mod tools;
pub mod turns;
pub mod write;

use std::borrow::Cow;

use crate::form::Field;

/// The vendor's page that shows what a request can hold.
pub const PAGE: &str =
    "https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html";

/// The longest id of a tool call that is taken, in characters.
pub const LONGEST_ID: usize = 64;

/// What a client of this dialect calls a field.
#[must_use]
pub fn name_of(field: &Field) -> Cow<'static, str> {
    Cow::Borrowed(match field {
        Field::MaxTokens => "inferenceConfig.maxTokens",
        Field::N => "n",
        Field::Stop => "inferenceConfig.stopSequences",
        Field::Format => "outputConfig.textFormat",
        Field::Reasoning => "additionalModelRequestFields.thinking",
        Field::Logprobs => "logprobs",
        Field::Suffix => "suffix",
        // Marks for the cache stand among its tools, so that the place in the form is none of its own.
        Field::Tools(_) => "toolConfig.tools",
        Field::ToolChoice => "toolConfig.toolChoice",
        Field::ParallelToolCalls => "parallel_tool_calls",
        Field::Temperature => "inferenceConfig.temperature",
        Field::TopP => "inferenceConfig.topP",
        Field::TopK => "additionalModelRequestFields.top_k",
        Field::MinP => "min_p",
        Field::TypicalP => "typical_p",
        Field::Seed => "seed",
        Field::FrequencyPenalty => "frequency_penalty",
        Field::PresencePenalty => "presence_penalty",
        Field::RepetitionPenalty => "repetition_penalty",
        Field::LogitBias => "logit_bias",
        Field::Dimensions => "dimensions",
        Field::At(place) | Field::Extra(place) => return Cow::Owned(place.clone()),
    })
}
