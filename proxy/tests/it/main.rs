//! The proxy as its clients see it: real sockets, a simulated LLM, no mocks.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests may fail loudly, their fixtures too, which all of them share"
)]

mod calls;
mod control_files;
mod control_kubernetes;
mod control_logbook;
mod control_operator;
mod control_process;
mod control_push;
mod control_trouble;
mod control_versions;
mod failures;
mod framing;
mod harness;
mod https;
mod models;
mod publishing;
mod relays;
mod thinking;
