//! The upstream side against servers that play a part, most of them on connections that live in memory so that time can stand still.
//!
//! - [`server`]: the servers
//! - [`framing`]: where replies end
//! - [`reuse`]: which connection a request takes
//! - [`faults`]: addresses, names and bounds
//! - [`timeouts`]: bounds on time
//! - [`redirects`], [`http2`], [`tls`]: what their names say

mod faults;
mod framing;
mod http2;
mod redirects;
mod reuse;
mod server;
mod timeouts;
mod tls;
