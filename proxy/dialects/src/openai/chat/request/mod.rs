//! Requests for chat completions.
//!
//! Read: `max_completion_tokens` before `max_tokens`; `functions` and `function_call` as tools; the samplers of vLLM, SGLang and llama.cpp; OpenRouter's
//! `reasoning`. What a message holds besides its documented fields is kept as a [`crate::form::Part::Other`] that only this dialect writes back.
//!
//! Written: `max_tokens`, which every compatible server knows, but `max_completion_tokens` (and the role `developer`) for OpenAI's own reasoning models
//! ([`crate::openai::models`]). Left out, because the answer is as good without it: reasoning of earlier turns (but see [`with_reasoning`]), cache marks, citations, a failed
//! tool result's mark (its text says it), `keep_alive`, the bare wish to reason or not to reason without an effort. Several texts of one message are joined by line
//! ends, an assistant's as they stand, because many servers take strings only.

pub(crate) mod content;
mod legacy;
mod messages;
mod messages_out;
mod out;
pub(crate) mod read;
mod reasoning;
mod tools;
pub(crate) mod write;

use std::borrow::Cow;

pub(super) use content::content as read_content;
pub use legacy::echo;
pub use read::read;
pub use reasoning::with_reasoning;
pub(crate) use tools::{FunctionOut, tool_calls as read_tool_calls};
pub use write::write;

use crate::form::Field;

/// What chat completions call a field.
#[must_use]
pub fn name_of(field: &Field) -> Cow<'static, str> {
    let name = match field {
        Field::MaxTokens => "max_completion_tokens",
        Field::N => "n",
        Field::Stop => "stop",
        Field::Format => "response_format",
        Field::Reasoning => "reasoning_effort",
        Field::Logprobs => "logprobs",
        Field::Suffix => "suffix",
        Field::Tools(None) => "tools",
        Field::Tools(Some(number)) => return format!("tools[{number}]").into(),
        Field::ToolChoice => "tool_choice",
        Field::ParallelToolCalls => "parallel_tool_calls",
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
        Field::At(place) => return place.clone().into(),
        Field::Extra(name) => return name.clone().into(),
    };
    name.into()
}
