//! The simulator over real sockets.

mod client;
mod records;
mod replies;
mod serving;
