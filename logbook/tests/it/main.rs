//! The log on real databases: the same promises on SQLite and on Postgres.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests may fail loudly, their fixtures too, which all of them share"
)]

mod fixture;
mod keeping;
mod outage;
mod postgres;
mod questions;
mod relay;
mod rows;
#[allow(dead_code, reason = "tests of the whole system start servers too")]
mod server;
mod ship;
mod sqlite;
mod web;
