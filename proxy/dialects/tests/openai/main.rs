//! OpenAI's dialects: golden files, servers' quirks, and properties.

mod chat;
mod golden;
