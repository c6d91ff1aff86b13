//! The proxy's client side of HTTP/1.1, by its files.

pub(crate) mod h1;
#[path = "../../../src/upstream/hop.rs"]
pub mod hop;
