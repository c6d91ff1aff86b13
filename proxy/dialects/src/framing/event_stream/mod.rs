//! AWS event streams: messages of headers and a payload, each with two checksums.
//!
//! Sources: [event stream encoding](https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html),
//! [its meaning in responses](https://smithy.io/2.0/aws/amazon-eventstream.html).
//!
//! - [`cut`]: a stream cut into messages, wherever its chunks are split.
//! - [`message`]: one message, read.
//! - [`mod@write`]: messages, written.

pub mod cut;
pub mod message;
pub mod write;

#[cfg(test)]
mod properties;

pub use cut::EventStream;
pub use message::{Broken, Message};
