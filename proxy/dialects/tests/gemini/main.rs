//! Gemini's dialect: golden files, translation from Anthropic's and OpenAI's, and properties.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "tests may fail loudly, their fixtures too, which several of them share"
)]

mod embed;
mod generate;
#[path = "../openai/golden.rs"]
mod golden;
mod properties;
mod quirks;
mod translated;
