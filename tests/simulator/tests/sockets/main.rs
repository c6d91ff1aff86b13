//! The simulator over real sockets.

mod anthropic;
mod client;
mod records;
mod replies;
mod serving;
