//! The simulator over real sockets.

mod anthropic;
mod client;
mod ollama;
mod records;
mod replies;
mod serving;
