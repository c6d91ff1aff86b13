//! The simulator over real sockets.

mod anthropic;
mod azure;
mod bedrock;
mod client;
mod gemini;
mod ollama;
mod records;
mod replies;
mod serving;
mod tgi;
