//! Doors: what tells from a token who somebody is.

use crate::web::viewer::Viewer;
use futures::future::{BoxFuture, FutureExt as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Tells from a token what its bearer may see.
pub trait Door: Send + Sync {
    /// Asked again every half minute for as long as somebody is signed in, so that what was taken back does not stay open. A door that asks somebody else may believe them for
    /// half a minute.
    fn open<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Viewer, Refusal>>;
}

/// Why a door stays shut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The token is none of this door's, or over. Another door is tried; the answer is 401 if none knows it.
    Unknown,
    /// The token is good, and its bearer may see nothing: 403. Says what would have to be granted.
    Nothing(String),
    /// Whether the token is good cannot be found out now: 503. Says who is away.
    Away(String),
}

/// The door of the admin token, which opens everything.
pub struct AdminToken([u8; 32]);

impl AdminToken {
    /// None for an empty token, which is none. Only the token's digest is kept.
    #[must_use]
    pub fn new(token: &str) -> Option<Self> {
        let token = token.trim();
        (!token.is_empty()).then(|| Self(Sha256::digest(token).into()))
    }
}

impl std::fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdminToken")
    }
}

impl Door for AdminToken {
    fn open<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Viewer, Refusal>> {
        let brought: [u8; 32] = Sha256::digest(token).into();
        let same: bool = self.0.ct_eq(&brought).into();
        let opened = if same {
            Ok(Viewer::All)
        } else {
            Err(Refusal::Unknown)
        };
        std::future::ready(opened).boxed()
    }
}
