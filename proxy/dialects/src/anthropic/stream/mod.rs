//! Streamed replies: `message_start`, blocks that open, grow and close, `message_delta`, `message_stop`.
//!
//! Source: [streaming](https://platform.claude.com/docs/en/build-with-claude/streaming).
//!
//! - [`mod@read`]: into events. - [`mod@write`]: from them. - [`envelope`]: what stands around each event's JSON.

pub mod envelope;
pub mod read;
pub mod write;

pub use envelope::{Envelope, Sse};
pub use read::Reader;
pub use write::Writer;
