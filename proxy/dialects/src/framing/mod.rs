//! How streams are framed on the wire.
//!
//! - [`event_stream`]: AWS event streams, cut and written.
//! - [`ndjson`]: JSON lines, cut.
//! - [`sse`]: server-sent events, written.

pub mod event_stream;
pub mod ndjson;
pub mod sse;

pub use event_stream::EventStream;
pub use ndjson::Ndjson;
