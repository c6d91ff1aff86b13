//! The dialects of servers that one runs oneself: Ollama, TGI, and prompts for servers that take plain text.

#[path = "../openai/golden.rs"]
#[allow(dead_code)]
mod golden;
mod models;
mod ollama;
mod template;
mod tgi;
mod transcript;
