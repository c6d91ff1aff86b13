//! Streams of chat and generate: a JSON text a line, the last one with `done`.
//!
//! Source: [streaming](https://docs.ollama.com/api/streaming).
//!
//! - `read`: from an upstream.
//! - `write`: for a client.
//! - `calls`: calls of tools, gathered until they are whole.

pub(crate) mod calls;
mod read;
mod write;

pub(super) use read::Reader;
pub(super) use write::Writer;
