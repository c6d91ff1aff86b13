//! The upstream side of the data plane: sends a request to one backend, gives back a head and a body of byte chunks.
//!
//! It knows nothing of routes, dialects or JSON. Everything here belongs to one thread (`!Send`) and runs in a
//! `LocalSet` or `LocalRuntime`, since it spawns local tasks.
//!
//! - [`request`], [`reply`], [`edit`], [`fault`]: the interface
//! - [`endpoint`]: where a URL leads
//! - [`cluster`]: one backend's addresses, pools and health; [`Cluster::send`] is the way in
//! - [`names`], [`lookup`]: its name as addresses, and the system's resolver
//! - [`redirect`]: whether and where to a redirect is followed
//! - [`guard`]: addresses that must not be called
//! - [`address`]: one address, its connections, its health
//! - [`attempt`]: a request at one address
//! - [`dial`], [`tls`], [`io`]: connections
//! - [`h1`], [`h2`]: HTTP/1.1 and HTTP/2
//! - [`hop`]: headers that stay on a connection
//! - [`deadline`], [`concurrency`]: bounds

mod address;
mod attempt;
mod cluster;
mod concurrency;
mod deadline;
mod dial;
mod edit;
mod endpoint;
mod fault;
mod guard;
mod h1;
mod h2;
pub mod hop;
mod io;
mod lookup;
mod names;
pub mod redirect;
mod reply;
mod request;
#[cfg(test)]
mod tests;
mod tls;

pub use cluster::{Cluster, Settings};
pub use concurrency::Concurrency;
pub use deadline::Timeouts;
pub use dial::Http2;
pub use edit::Edit;
pub use endpoint::{BadUrl, Endpoint};
pub use fault::{Blame, Fault, Phase};
pub use guard::Denied;
pub use lookup::{Answer, Lookup};
pub use reply::{Reply, ReplyBody};
pub use request::{BodyStream, BoxError, Request, RequestBody};
pub use tls::{BadTls, TlsSettings};
