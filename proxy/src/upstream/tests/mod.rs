//! The upstream side against servers that play a part, on connections that live in memory so that time can stand still.
//!
//! - [`server`]: the servers

mod faults;
mod framing;
mod reuse;
mod server;
mod timeouts;
