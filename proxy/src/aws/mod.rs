//! Requests signed for AWS, whose keys never travel.
//!
//! - [`sign`]: a request, signed by Signature Version 4.
//! - [`identity`]: the keys of the proxy itself, found as AWS's SDKs find them.

pub mod identity;
pub mod sign;

pub use identity::Identity;
pub use sign::{Signer, Unsigned};
