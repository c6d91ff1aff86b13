//! The dialects of servers that one runs oneself: Ollama, TGI, and prompts for servers that take plain text.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may fail loudly, their fixtures too"
)]

mod conversation;
#[path = "../openai/golden.rs"]
#[allow(dead_code)]
mod golden;
mod models;
mod ollama;
mod properties;
mod template;
mod tgi;
mod transcript;
