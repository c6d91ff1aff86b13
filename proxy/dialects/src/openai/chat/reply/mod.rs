//! Whole chat completions.
//!
//! Read: content as a string, null or Mistral's parts; reasoning in `reasoning_content` or `reasoning`; the older `function_call`; calls without ids
//! or with objects for arguments. A call that ends with `stop`, as OpenAI itself ends a call of a named function, ends with
//! [`Finish::ToolCalls`]. Audio and calls of custom tools are kept as [`crate::form::Part::Other`].
//!
//! Written: reasoning in `reasoning_content`, the field that most clients know, if it was asked for; sources that are OpenAI's as `annotations`.
//! Left out: signatures and encrypted reasoning, for which there is no field.

mod read;
mod write;

pub use read::read;
pub(crate) use read::{seconds, stopped_by};
pub(crate) use write::made;
pub use write::write;

use crate::form::Finish;

/// Why a reply ended, from OpenAI's word or a compatible server's; none for `""` and `"null"`, which some send instead of null.
///
/// Sources, besides OpenAI's: [Mistral](https://docs.mistral.ai/api/#tag/chat) (`model_length`, `error`),
/// [DeepSeek](https://api-docs.deepseek.com/api/create-chat-completion) (`insufficient_system_resource`),
/// [Z.ai](https://docs.z.ai/api-reference/llm/chat-completion) (`sensitive`, `model_context_window_exceeded`, `network_error`),
/// [vLLM](https://github.com/vllm-project/vllm/blob/main/vllm/v1/engine/__init__.py) (`abort`, `error`), and the words that gateways leave of
/// the vendors' own. What interrupts an answer and what nobody knows is [`Finish::Other`].
#[must_use]
pub fn finish_of(word: &str) -> Option<Finish> {
    // Gateways leave some vendors' words in capitals.
    Some(match word.to_ascii_lowercase().as_str() {
        "" | "null" => return None,
        "stop" | "eos" | "eos_token" | "end_turn" | "complete" | "normal" => Finish::Stop,
        "stop_sequence" => Finish::StopSequence(None),
        "length"
        | "max_tokens"
        | "max_output_tokens"
        | "model_length"
        | "model_context_window_exceeded" => Finish::Length,
        "tool_calls" | "tool_call" | "function_call" | "tool_use" => Finish::ToolCalls,
        "content_filter" | "sensitive" | "safety" => Finish::ContentFilter,
        _ => Finish::Other(word.to_owned()),
    })
}

/// OpenAI's word for why a reply ended. A refusal is a filter's work.
#[must_use]
pub fn word_of(finish: &Finish) -> &str {
    match finish {
        Finish::Stop | Finish::StopSequence(_) => "stop",
        Finish::Length | Finish::Pause => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter | Finish::Refusal => "content_filter",
        Finish::Other(word) => word,
    }
}

/// An id for a call that came without one: of the reply's id, so that no other turn's call has it, and the call's place.
#[must_use]
pub(crate) fn made_id(reply: Option<&str>, choice: u32, call: u32) -> String {
    let kept: String = reply
        .unwrap_or_default()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    // OpenAI takes 40 characters.
    let tail = &kept[kept.len().saturating_sub(20)..];
    match (tail, choice) {
        ("", 0) => format!("call_{call}"),
        ("", choice) => format!("call_{choice}_{call}"),
        (tail, 0) => format!("call_{tail}_{call}"),
        (tail, choice) => format!("call_{tail}_{choice}_{call}"),
    }
}
