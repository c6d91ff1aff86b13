//! Bedrock's replies: Converse, `invoke` with Anthropic's bodies, and with the text of Claude 2; streamed or whole.
//!
//! Sources: [ConverseStream](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html),
//! [Converse](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html),
//! [Claude's text completions](https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-text-completion.html).
//!
//! - A message in which nothing changes is passed on as the bytes that came; one that changes keeps its headers, and its lengths and checksums are made anew.
//! - Converse: every block is a text of its own, as with Anthropic's, but that no event opens one. A delta that lost its text is left out; a block that lost all of it
//!   stays, empty. Where thinking is extracted and the client asked for thinking, it becomes a `reasoningContent` block before what follows it, without a signature.
//! - `invoke` with Anthropic's bodies: what holds for [messages](super::messages), within the chunks.
//! - The text of Claude 2: one text, beside which there is no place for what is extracted.
//! - Where the fields of thinking are dropped, blocks of reasoning go, and those that follow get other numbers.
//! - What is no such message, or is damaged, passes. One that was cut off does not: nobody could read it.
//!
//! Contents: [`converse`] and [`block`] streams of Converse; [`invoke`], [`text`] those of `invoke`; [`whole`] replies that are not streamed.

mod block;
mod converse;
mod invoke;
#[cfg(test)]
mod tests;
mod text;
mod whole;

pub use converse::ConverseStream;
pub use invoke::InvokeStream;
pub use text::TextStream;
pub(super) use whole::{converse as whole_converse, text as whole_text};
