//! Server-sent events read as bytes: a stream is cut into events, whose bytes stay as they came.
//!
//! - [`framer`]: the stream cut into events, wherever its chunks are split.
//! - [`event`]: one event: its raw bytes, its name, its data.
//! - [`relay`]: neighbouring bytes of one chunk passed on in one piece.

pub mod event;
pub mod framer;
pub mod relay;

#[cfg(test)]
mod properties;

pub use event::Event;
pub use framer::{Framer, TooLong};
pub use relay::Relay;
