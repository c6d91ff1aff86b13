//! How much may be asked: requests, tokens and cost within a time, and requests at once.
//!
//! - [`bound`]: the limits of one policy, and whose counts a request falls under
//! - [`span`]: windows that slide, days, months
//! - [`count`]: what was counted within a span
//! - [`counters`]: all counts of this process
//! - [`reserve`]: a request counted under all its limits, or under none
//! - [`counted`]: what was counted for a request already
//! - [`headers`]: what the client is told of them
//! - [`tally`]: the same counts in Redis

mod bound;
mod count;
mod counted;
mod counters;
mod headers;
mod reserve;
mod span;
mod tally;

pub use bound::{Ask, Limits};
pub use counted::Counted;
pub use counters::Counters;
pub use reserve::{Exceeded, Reservation, Used, reserve};
#[cfg(test)]
pub(crate) use span::{Now, Span};
pub use tally::Shared;

#[cfg(test)]
mod tests;
