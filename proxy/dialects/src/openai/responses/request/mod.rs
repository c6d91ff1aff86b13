//! Requests for responses.
//!
//! Read: `instructions` as a system message before the others; items as turns, in which an assistant's reasoning, text and calls in a row are one turn.
//! Items of tools that OpenAI runs are kept as [`crate::form::Part::Other`], which only this dialect writes back. Left out: what `include` asks of
//! such tools, `max_tool_calls`, which counts their calls, and `stream_options.include_obfuscation`. `previous_response_id`, `conversation`,
//! `background`, `prompt` and references to stored items are faults: they need a server that stores.
//!
//! Written: `store: false` unless the client said otherwise, because OpenAI's default here is to keep what is said. Reasoning of earlier turns goes back
//! only as OpenAI gave it: encrypted, with its id. Left out: `keep_alive`, names of speakers, cache marks, a failed tool result's mark, and samplers
//! whose value changes nothing.

mod content;
mod echo;
pub(super) mod items;
mod items_out;
mod out;
mod read;
mod tools;
mod write;

pub(super) use content::part as read_part;
pub(super) use echo::REPEATED;
pub use echo::echo;
pub use read::read;
pub use write::write;
