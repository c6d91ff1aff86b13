//! The dialects of language model servers, and translation between them.
//!
//! Every dialect is read into one neutral form and written from it: N readers and N writers, not N×N mappings. Nothing here
//! does I/O, keeps a clock or knows a proxy: bytes in, bytes out.
//!
//! - [`form`]: the neutral form of requests, replies, streamed events, errors and vectors.
//! - [`codec`]: what every dialect implements; [`again`]: streams that say the same around every token; [`bounds`]: how much of one is kept apart.
//! - [`ends`]: answers that do not come to an end.
//! - [`fields`]: a JSON object taken apart field by field, with faults that name the place.
//! - [`extra`]: what becomes of fields that the form does not know.
//! - [`framing`]: how streams are framed.
//! - [`jinja`]: templates within bounds, whoever wrote them.
//! - [`json`]: strings borrowed when read, values appended when written.
//! - [`models`]: lists of models.
//! - [`rope`]: bytes that are shared instead of copied.
//! - [`template`]: conversations as prompts, for servers that take plain text.
//! - [`wire`]: the table of dialects.
//!
//! One folder a dialect, with the same file names in each: `request`, `reply`, `stream`, `error`.

pub mod again;
pub mod anthropic;
pub mod bedrock;
pub mod bounds;
pub mod codec;
pub mod conversation;
pub mod ends;
pub mod extra;
pub mod fields;
pub mod form;
pub mod framing;
pub mod gemini;
pub mod jinja;
pub mod json;
pub mod models;
pub mod ollama;
pub mod openai;
pub mod rope;
pub mod template;
pub mod tgi;
pub mod wire;

pub use codec::{
    Codec, Context, EmbeddingCodec, Frame, Framing, Path, StreamReader, StreamWriter, Target,
};
pub use rope::Rope;
pub use wire::Wire;
