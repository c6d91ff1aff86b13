//! Requests.
//!
//! - [`mod@read`], [`parts`], [`tools`], [`thinking`], [`mod@format`]: out of the body.
//! - [`mod@write`], [`turns`], [`block`], [`tools`], [`thinking`], [`mod@format`], [`limits`]: into one.

pub mod block;
pub mod format;
pub mod limits;
pub mod parts;
pub mod read;
pub mod thinking;
pub mod tools;
pub mod turns;
pub mod write;

use std::borrow::Cow;

use crate::form::Field;

pub use read::read;
pub use write::write;

/// The vendor's page that shows what a request can hold.
pub const PAGE: &str = "https://platform.claude.com/docs/en/api/messages/create";

/// Where such a body is sent, which decides what stands around the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/v1/messages`: the body names the model and says whether to stream.
    Messages,
    /// `/v1/messages/count_tokens`: no limit, no sampling, no stream.
    CountTokens,
    /// Bedrock's `invoke`: the path names the model, the body the version of the format
    /// ([Bedrock](https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html)).
    Bedrock,
}

/// What a client of this dialect calls a field.
#[must_use]
pub fn name_of(field: &Field) -> Cow<'static, str> {
    Cow::Borrowed(match field {
        Field::MaxTokens => "max_tokens",
        Field::N => "n",
        Field::Stop => "stop_sequences",
        Field::Format => "output_config.format",
        Field::Reasoning => "thinking",
        Field::Logprobs => "logprobs",
        Field::Suffix => "suffix",
        Field::Tools(None) => "tools",
        Field::Tools(Some(index)) => return Cow::Owned(format!("tools[{index}]")),
        Field::ToolChoice => "tool_choice",
        Field::ParallelToolCalls => "tool_choice.disable_parallel_tool_use",
        Field::Temperature => "temperature",
        Field::TopP => "top_p",
        Field::TopK => "top_k",
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
