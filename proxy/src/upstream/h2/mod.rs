//! HTTP/2, many exchanges at a time on one connection, by hyper's client connections.
//!
//! - [`session`]: the connections of one address
//! - [`exchange`]: one request and the head of its reply
//! - [`body`]: bodies in both directions

pub(crate) mod body;
pub(crate) mod exchange;
pub(crate) mod session;
