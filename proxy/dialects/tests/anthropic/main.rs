//! Anthropic's dialect: golden files, servers' quirks, translation from and to OpenAI's, and properties.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "tests may fail loudly, their fixtures too, which several of them share"
)]

mod from_openai;
#[path = "../openai/golden.rs"]
mod golden;
mod messages;
mod properties;
mod quirks;
mod to_openai;
