//! The whole system, driven from outside: the binary with files, and the chart on a real cluster.
//!
//! `make test-standalone` and `make test-cluster` prepare what these need and run them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub,
    reason = "helpers of tests are tests, which fail loudly and print their figures"
)]

mod certificates;
mod cluster;
#[allow(dead_code, reason = "the logbook's own tests share it")]
#[path = "../../../../logbook/tests/it/server.rs"]
mod server;
mod standalone;
