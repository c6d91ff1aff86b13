//! How streams are framed on the wire.
//!
//! - [`sse`]: server-sent events, written.

pub mod sse;
