//! Streamed replies: `messageStart`, blocks, `messageStop`, `metadata`.
//!
//! Source: [converse stream](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html). The event's name stands in a header.
//!
//! - [`mod@read`]: into events.
//! - [`mod@write`]: from them.

pub mod read;
pub mod write;

use jiff::Timestamp;

pub use read::Reader;
pub use write::Writer;

/// How long it took, in milliseconds; zero if the clock was set back.
#[must_use]
pub fn milliseconds(started: Timestamp, now: Timestamp) -> u64 {
    let took = now
        .as_millisecond()
        .saturating_sub(started.as_millisecond());
    u64::try_from(took).unwrap_or_default()
}
