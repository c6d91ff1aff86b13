//! The operator's half: keys that sign.

use super::keys::{Jwk, id_of};
use super::{ALGORITHM, Claims, Header, encode};
use ring::signature::{Ed25519KeyPair, KeyPair};
use ring::{hkdf, rand};

/// What the key is derived for, so that no other use of the same secret gives the same one.
const PURPOSE: &[u8] = b"dragoman.dev logbook tickets, Ed25519 seed, version 1";

/// No key follows from the secret. Ours; a retry does not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no key for tickets can be derived")]
pub struct Unusable;

/// A key that signs tickets.
pub struct Signer {
    pair: Ed25519KeyPair,
    id: String,
}

impl std::fmt::Debug for Signer {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.id)
    }
}

impl Signer {
    /// The key that follows from a secret of at least 128 bits of randomness, in whatever form: always the same one
    /// (HKDF-SHA256, [RFC 5869](https://www.rfc-editor.org/rfc/rfc5869)).
    ///
    /// # Errors
    /// [`Unusable`]; with ring, never.
    pub fn derive(secret: &[u8]) -> Result<Self, Unusable> {
        let mut seed = [0; 32];
        hkdf::Salt::new(hkdf::HKDF_SHA256, &[])
            .extract(secret)
            .expand(&[PURPOSE], hkdf::HKDF_SHA256)
            .and_then(|key| key.fill(&mut seed))
            .map_err(|_| Unusable)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| Unusable)?;
        let id = id_of(pair.public_key().as_ref());
        Ok(Self { pair, id })
    }

    /// A key from fresh randomness, for tests and trials.
    ///
    /// # Errors
    /// [`Unusable`] when there is no randomness.
    pub fn generate() -> Result<Self, Unusable> {
        let secret: [u8; 32] = rand::generate(&rand::SystemRandom::new())
            .map_err(|_| Unusable)?
            .expose();
        Self::derive(&secret)
    }

    /// Signs a ticket.
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> String {
        let header = Header {
            alg: ALGORITHM.into(),
            typ: "JWT".into(),
            kid: self.id.clone(),
        };
        // Both are strings and numbers alone, which are always JSON.
        let part = |json: serde_json::Result<Vec<u8>>| encode(json.unwrap_or_default());
        let signed = format!(
            "{}.{}",
            part(serde_json::to_vec(&header)),
            part(serde_json::to_vec(claims))
        );
        let signature = encode(self.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// The key's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The half that verifies.
    #[must_use]
    pub fn public(&self) -> Jwk {
        Jwk::new(self.pair.public_key().as_ref())
    }
}
