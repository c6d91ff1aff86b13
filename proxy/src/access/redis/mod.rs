//! The Redis that counts for all proxies of an LLMProxy, and remembers their bans.
//!
//! - [`url`]: where it is
//! - [`link`]: a connection to it, of whatever kind
//! - [`service`]: the connection kept, and asked within a bounded time
//! - [`scripts`]: what it is asked
//! - [`leases`]: places among the requests under way, which a proxy that dies gives back
//! - [`bans`]: bans that any of the proxies found
//!
//! It is the platform team's, as the operator is: the networks that upstreams may not be in do not matter here.

mod bans;
mod leases;
mod link;
mod scripts;
mod service;
mod url;

pub(crate) use bans::Failure;
pub(crate) use leases::LASTS;
pub(crate) use scripts::{PREFIX, Script, number};
pub(crate) use service::{Asking, DEADLINE, Redis};

#[cfg(test)]
mod server;
#[cfg(test)]
mod tests;
