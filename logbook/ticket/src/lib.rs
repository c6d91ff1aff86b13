//! The ticket with which a proxy writes its rows into the request log: signed by the operator, verified by the logbook without asking anybody.
//!
//! A JWT ([RFC 7519](https://www.rfc-editor.org/rfc/rfc7519)) signed with Ed25519 ([RFC 8037](https://www.rfc-editor.org/rfc/rfc8037)); no other algorithm is known here.
//! A crate of its own, so that the operator signs without linking a database.

mod keys;
mod sign;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

pub use keys::{BadKeys, Jwk, Keys, Rejection};
pub use sign::{Signer, Unusable};

/// Whom tickets are for.
pub const AUDIENCE: &str = "logbook.dragoman.dev";
/// The longest ticket that is looked at, in bytes: some eight thousand namespaces.
pub const LONGEST: usize = 256 << 10;
/// How many seconds the clocks of operator and logbook may be apart.
pub const SKEW: i64 = 300;

/// What a ticket says. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Whom it is for: [`AUDIENCE`].
    pub aud: String,
    /// The LLMProxy whose rows these are, `namespace/name`.
    pub sub: String,
    /// The pod that it was given to.
    pub pod: String,
    /// The namespaces whose rows may be written.
    pub namespaces: BTreeSet<String>,
    /// From when on it holds.
    pub nbf: i64,
    /// Until when.
    pub exp: i64,
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

/// The algorithm's name, in tickets and in keys.
const ALGORITHM: &str = "EdDSA";

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests;
