//! The proxy's client side of HTTP/1.1, and what changes bodies on their way, by their files.

#[path = "../../../src/upstream/edit.rs"]
mod edit;
#[path = "../../../src/upstream/fault.rs"]
mod fault;
pub(crate) mod h1;
#[path = "../../../src/upstream/hop.rs"]
pub mod hop;

pub use edit::Edit;
pub use fault::Fault;

/// In the place of requests: what faults know of them.
mod request {
    pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;
}
