//! Requests: one prompt and its parameters.
//!
//! - `read`: from a client.
//! - `write`: for an upstream.

mod read;
mod write;

use std::borrow::Cow;

pub(super) use read::read;
pub(super) use write::write;

use crate::form::Field;

/// The prefix of parameters in `extra`.
const PARAMETERS: &str = "parameters.";

/// What TGI calls a field of the request.
pub(super) fn name_of(field: &Field) -> Cow<'static, str> {
    Cow::Borrowed(match field {
        Field::MaxTokens => "parameters.max_new_tokens",
        Field::N => "n",
        Field::Stop => "parameters.stop",
        Field::Format => "parameters.grammar",
        Field::Reasoning => "reasoning",
        Field::Logprobs => "parameters.details",
        Field::Suffix => "suffix",
        Field::Tools(_) => "tools",
        Field::ToolChoice => "tool_choice",
        Field::ParallelToolCalls => "parallel_tool_calls",
        Field::Temperature => "parameters.temperature",
        Field::TopP => "parameters.top_p",
        Field::TopK => "parameters.top_k",
        Field::MinP => "min_p",
        Field::TypicalP => "parameters.typical_p",
        Field::Seed => "parameters.seed",
        Field::FrequencyPenalty => "parameters.frequency_penalty",
        Field::PresencePenalty => "presence_penalty",
        Field::RepetitionPenalty => "parameters.repetition_penalty",
        Field::LogitBias => "logit_bias",
        Field::Dimensions => "dimensions",
        Field::At(place) | Field::Extra(place) => return Cow::Owned(place.clone()),
    })
}
