//! The logbook's half: keys that verify.

use super::{ALGORITHM, AUDIENCE, Claims, Header, LONGEST, SKEW, decode, encode};
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

/// Why a ticket says nothing. The proxy's fault, save [`Rejection::UnknownKey`] and [`Rejection::NotYet`], which pass by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It is none of ours.
    #[error("it is no ticket of this kind")]
    Malformed,
    /// None of our keys has this id.
    #[error("it is signed with a key that is not known here")]
    UnknownKey,
    /// The signature does not fit.
    #[error("its signature is wrong")]
    Signature,
    /// For somebody else.
    #[error("it is for another audience")]
    Audience,
    /// Too old.
    #[error("it has expired")]
    Expired,
    /// Too young.
    #[error("it does not hold yet")]
    NotYet,
}

/// A set of keys that cannot be read. Of whoever wrote it.
#[derive(Debug, thiserror::Error)]
pub enum BadKeys {
    /// It is no set of keys.
    #[error("no JSON Web Key Set: {0}")]
    Json(#[from] serde_json::Error),
    /// There is no key for tickets in it.
    #[error("no Ed25519 key is among them")]
    None,
}

/// A public key ([RFC 8037](https://www.rfc-editor.org/rfc/rfc8037#section-2)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    kty: String,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    kid: String,
    #[serde(default)]
    x: String,
}

impl Jwk {
    pub(super) fn new(public: &[u8]) -> Self {
        Self {
            kty: "OKP".into(),
            crv: "Ed25519".into(),
            kid: id_of(public),
            x: encode(public),
        }
    }

    fn key(&self) -> Option<Vec<u8>> {
        let ours = self.kty == "OKP" && self.crv == "Ed25519";
        decode(&self.x).filter(|key| ours && key.len() == 32)
    }
}

/// A key's id: what it is, in short.
pub(super) fn id_of(public: &[u8]) -> String {
    encode(&digest(&SHA256, public).as_ref()[..9])
}

#[derive(Serialize, Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

/// Keys that tickets are verified with: those of the operator's authority, its successor and its predecessor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    keys: Vec<(String, Vec<u8>)>,
}

impl Keys {
    /// Reads a JSON Web Key Set ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517#section-5)). Keys of other kinds are passed over.
    ///
    /// # Errors
    /// [`BadKeys`].
    pub fn read(set: &[u8]) -> Result<Self, BadKeys> {
        let set: Set = serde_json::from_slice(set)?;
        let keys = set
            .keys
            .iter()
            .filter_map(|jwk| Some((jwk.kid.clone(), jwk.key()?)));
        let keys: Vec<_> = keys.collect();
        if keys.is_empty() {
            return Err(BadKeys::None);
        }
        Ok(Self { keys })
    }

    /// A set as [`Self::read`] takes it.
    #[must_use]
    pub fn write(keys: impl IntoIterator<Item = Jwk>) -> String {
        let set = Set {
            keys: keys.into_iter().collect(),
        };
        serde_json::to_string(&set).unwrap_or_default()
    }

    /// What a ticket says, at `now` in seconds since 1970.
    ///
    /// # Errors
    /// [`Rejection`].
    pub fn verify(&self, ticket: &str, now: i64) -> Result<Claims, Rejection> {
        if ticket.len() > LONGEST {
            return Err(Rejection::Malformed);
        }
        let (signed, signature) = ticket.rsplit_once('.').ok_or(Rejection::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Rejection::Malformed)?;
        let header: Header = part(header)?;
        let signature = decode(signature).ok_or(Rejection::Malformed)?;
        if header.alg != ALGORITHM {
            return Err(Rejection::Malformed);
        }
        let named = |(id, _): &&(String, Vec<u8>)| *id == header.kid;
        let (_, key) = self.keys.iter().find(named).ok_or(Rejection::UnknownKey)?;
        UnparsedPublicKey::new(&ED25519, key)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| Rejection::Signature)?;
        let claims: Claims = part(claims)?;
        if claims.aud != AUDIENCE {
            return Err(Rejection::Audience);
        }
        if now >= claims.exp.saturating_add(SKEW) {
            return Err(Rejection::Expired);
        }
        if now < claims.nbf.saturating_sub(SKEW) {
            return Err(Rejection::NotYet);
        }
        Ok(claims)
    }
}

fn part<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, Rejection> {
    let json = decode(text).ok_or(Rejection::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| Rejection::Malformed)
}
