//! How streams are framed on the wire.
//!
//! - [`ndjson`]: JSON lines, cut.
//! - [`sse`]: server-sent events, written.

pub mod ndjson;
pub mod sse;

pub use ndjson::Ndjson;
