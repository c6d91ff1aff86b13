//! Anthropic's messages, streamed or whole.
//!
//! Source: [the events of a stream](https://docs.claude.com/en/docs/build-with-claude/streaming) and
//! [the message](https://docs.claude.com/en/api/messages).
//!
//! - An event in which nothing changes is passed on as the bytes that came, together with its neighbours.
//! - Every text block is a text of its own. Otherwise only `delta.text` (or `content_block.text`) is edited in place. A delta that lost
//!   its text is left out; a block that lost all of it stays, empty, so that no other block changes its number.
//! - Where thinking is extracted and the client asked for thinking, it becomes a thinking block of its own before what follows it,
//!   without a signature, and the start of a text block waits for its first text. A client that did not ask gets the text alone.
//! - Where the fields of thinking are dropped, thinking blocks go. Blocks that follow one that came or went get other numbers.
//! - Text that was held back becomes a delta of its own before the block's end.
//! - The input of tools is never looked at. What is no such event passes; only one that was cut off is left out when it may be part of
//!   a block.
//!
//! Contents: [`asked`] what the client asked for; [`stream`] the events; [`block`] the blocks that are open; [`own`] events of our own; [`whole`] replies that are not streamed.

mod asked;
mod block;
mod own;
mod stream;
#[cfg(test)]
mod tests;
mod whole;

pub use asked::wants_thinking;
pub(super) use block::{Numbers, Shown};
pub use stream::MessagesStream;
pub(super) use stream::OPEN;
pub(super) use whole::whole;

/// Blocks of the model's own thinking.
const THOUGHT: [&str; 2] = ["thinking", "redacted_thinking"];
