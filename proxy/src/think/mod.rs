//! A model's thinking taken out of its replies, and switched off in requests.
//!
//! - [`rules`]: what counts as thinking, and what happens to it.
//! - [`lines`]: fenced code, inside which no block starts.
//! - [`stripper`]: the state machine over the text of one choice.
//! - [`parts`]: the edits that a stripped text makes in a choice's JSON.
//! - [`shape`]: chunks that differ only in their text, known without being parsed.
//! - [`choices`]: a streamed chunk's choices, each with its stripper.
//! - [`stream`]: OpenAI chat completions and completions, streamed.
//! - [`reply`]: the same, not streamed.
//! - [`messages`]: Anthropic's messages, streamed or not.
//! - [`ollama`]: Ollama's chat and generate, streamed or not.
//! - [`gemini`]: Gemini's replies, streamed or not.
//! - [`bedrock`]: Bedrock's Converse and `invoke`, streamed or not.
//! - [`tgi`]: TGI's own replies, streamed or not.
//! - [`wire`]: whichever of these a reply is.
//! - [`disable`]: requests that ask the model not to think at all.

mod bedrock;
mod choices;
pub mod disable;
mod gemini;
pub mod lines;
mod messages;
mod ollama;
mod parts;
pub mod reply;
pub mod rules;
mod shape;
pub mod stream;
pub mod stripper;
mod tgi;
pub mod wire;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod split;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod texts;

pub use bedrock::{ConverseStream, InvokeStream, TextStream};
pub use gemini::GeminiStream;
pub use messages::{MessagesStream, wants_thinking};
pub use ollama::OllamaStream;
pub use reply::reply;
pub use rules::{Rules, Tag, Text};
pub use stream::{OpenAiStream, Unreadable};
pub use stripper::{Pieces, Stripper};
pub use tgi::TgiStream;
pub use wire::{ReplyStream, edits, whole};
