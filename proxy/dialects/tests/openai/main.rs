//! OpenAI's dialects: golden files, servers' quirks, and properties.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may fail loudly, their fixtures too"
)]

mod chat;
mod completions;
mod embeddings;
mod golden;
mod properties;
mod quirks;
mod responses;
