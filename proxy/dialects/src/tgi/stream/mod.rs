//! Streams: an event a token, the last one with the whole text and the counts.
//!
//! Source: `StreamResponse` of [TGI's OpenAPI document](https://huggingface.github.io/text-generation-inference/). There is no
//! terminator; the event with `generated_text` is the last.
//!
//! - `read`: from an upstream.
//! - `write`: for a client.

mod read;
mod write;

pub(super) use read::Reader;
pub(super) use write::Writer;
