//! Ollama's replies: chat and generate, streamed as JSON lines or whole.
//!
//! Source: [the API](https://github.com/ollama/ollama/blob/main/docs/api.md) and its
//! [types](https://github.com/ollama/ollama/blob/main/api/types.go).
//!
//! - A line in which nothing changes is passed on as the bytes that came, together with its neighbours.
//! - Otherwise only the text is edited in place: `message.content` of a chat, `response` of generate. What is extracted joins
//!   `thinking` beside it, which is also the field that is dropped.
//! - A line that lost its text and tells nothing else is left out. It tells something else if it is the `done` line, or has thinking,
//!   tool calls or any other member that is not null, besides `model`, `created_at` and `role`.
//! - Text that was held back joins the `done` line; without one it becomes a line of its own at the stream's end, or before an error.
//! - Stripped text takes its line's logprobs with it, because they spell it out.
//! - What is no such line passes. Only a line that was cut off is left out when it may be part of a block.
//!
//! Contents: [`line`] one line or whole reply; [`stream`] the lines of a stream.

mod line;
mod stream;
#[cfg(test)]
mod tests;

pub(super) use line::whole;
pub use stream::OllamaStream;
