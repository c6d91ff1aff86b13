//! What the whole-system tests share: programs under test, started and stopped, and ways to wait for what is true.
//!
//! A failed expectation panics: that is what a test is for.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "these are tests, whose failures are panics"
)]

mod kubectl;
mod program;
mod redis;
mod sdk;
mod wait;

pub use kubectl::Kubectl;
pub use program::{Program, programs, root};
pub use redis::Redis;
pub use sdk::{browse, fuzz, node_walk, python_walk};
pub use wait::{eventually, eventually_within};
