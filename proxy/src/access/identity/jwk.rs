//! The public keys of an issuer, and whether one of them signed something.
//!
//! Sources: [RFC 7517](https://www.rfc-editor.org/rfc/rfc7517), [RFC 7518](https://www.rfc-editor.org/rfc/rfc7518), [RFC 8037](https://www.rfc-editor.org/rfc/rfc8037), and the
//! attacks of [RFC 8725](https://www.rfc-editor.org/rfc/rfc8725). The key says by which algorithms it may be used, never the token: there is no way to `none` or to an HMAC whose
//! secret would be a public key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;

/// The most keys of a set that are kept.
const MOST_KEYS: usize = 256;
/// The most keys that one token is tried with: where it names none, or several bear the name.
const MOST_TRIED: usize = 8;

/// An algorithm of signatures that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    /// By the name that tokens and keys use. There is no other: `none` and the `HS` family are none.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            // Ed25519 is its fully specified name: RFC 9864.
            "EdDSA" | "Ed25519" => Self::EdDsa,
            _ => return None,
        })
    }

    fn rsa(self) -> Option<&'static RsaParameters> {
        Some(match self {
            Self::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Self::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            Self::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
            Self::Es256 | Self::Es384 | Self::EdDsa => return None,
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Debug, PartialEq, Eq)]
struct Key {
    id: Option<String>,
    /// The only algorithm that it may be used with, where it names one.
    only: Option<Algorithm>,
    material: Material,
}

/// An issuer's keys.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Keys(Vec<Key>);

/// What came of the search for the key that signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    /// One of the keys did.
    Yes,
    /// The key that the token names did not.
    No,
    /// None of them bears the name, or none without a name did. Newer keys may cure it.
    UnknownKey,
}

/// Why a text is no JSON Web Key Set.
#[derive(Debug, thiserror::Error)]
#[error("it is no JSON Web Key Set: {0}")]
pub(super) struct BadKeys(#[from] serde_json::Error);

impl Keys {
    /// Reads a set. Keys that are for something else, or of kinds that are not accepted here, are left out.
    pub(super) fn read(text: &[u8]) -> Result<Self, BadKeys> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<serde_json::Value>,
        }
        let set: Set = serde_json::from_slice(text)?;
        let keys = set.keys.into_iter().filter_map(|key| {
            let key: Jwk = serde_json::from_value(key).ok()?;
            key.key()
        });
        Ok(Self(keys.take(MOST_KEYS).collect()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them signed `message`.
    pub(super) fn signed(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Signed {
        let mut named = false;
        let mut tried = 0;
        for key in &self.0 {
            // A key without a name may be the one that is meant; one with another name is not.
            if let (Some(wanted), Some(id)) = (id, &key.id)
                && wanted != id
            {
                continue;
            }
            let is_named = id.is_some() && key.id.is_some();
            named |= is_named;
            if tried == MOST_TRIED || key.only.is_some_and(|only| only != algorithm) {
                continue;
            }
            let Some(valid) = key.material.verify(algorithm, message, signature) else {
                continue;
            };
            tried += 1;
            if valid {
                return Signed::Yes;
            }
        }
        if named {
            Signed::No
        } else {
            Signed::UnknownKey
        }
    }
}

impl Material {
    /// Whether it signed; none: it never signs by this algorithm.
    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Option<bool> {
        let plain = |scheme: &'static dyn VerificationAlgorithm, key: &[u8]| {
            let key = UnparsedPublicKey::new(scheme, key);
            key.verify(message, signature).is_ok()
        };
        Some(match (self, algorithm) {
            (Self::Rsa { n, e }, _) => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(algorithm.rsa()?, message, signature).is_ok()
            }
            (Self::P256(point), Algorithm::Es256) => {
                plain(&signature::ECDSA_P256_SHA256_FIXED, point)
            }
            (Self::P384(point), Algorithm::Es384) => {
                plain(&signature::ECDSA_P384_SHA384_FIXED, point)
            }
            (Self::Ed25519(point), Algorithm::EdDsa) => plain(&signature::ED25519, point),
            _ => return None,
        })
    }
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Jwk {
    fn key(self) -> Option<Key> {
        let verifies = |ops: &Vec<String>| ops.iter().any(|op| op == "verify");
        if self.r#use.as_deref().is_some_and(|r#use| r#use != "sig")
            || self.key_ops.as_ref().is_some_and(|ops| !verifies(ops))
        {
            return None;
        }
        let only = match &self.alg {
            Some(alg) => Some(Algorithm::named(alg)?),
            None => None,
        };
        let material = self.material()?;
        Some(Key {
            id: self.kid,
            only,
            material,
        })
    }

    fn material(&self) -> Option<Material> {
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_ref()?).ok();
        // A coordinate has the length of its curve, leading zeros included: RFC 7518 §6.2.1.2.
        let of = |text, length| bytes(text).filter(|bytes: &Vec<u8>| bytes.len() == length);
        // An uncompressed point: SEC 1, §2.3.3.
        let point = |length| Some([vec![4], of(&self.x, length)?, of(&self.y, length)?].concat());
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Some(Material::Rsa {
                // Some write the sign's zero, which ring refuses.
                n: bytes(&self.n)?
                    .into_iter()
                    .skip_while(|byte| *byte == 0)
                    .collect(),
                e: bytes(&self.e)?
                    .into_iter()
                    .skip_while(|byte| *byte == 0)
                    .collect(),
            }),
            ("EC", Some("P-256")) => point(32).map(Material::P256),
            ("EC", Some("P-384")) => point(48).map(Material::P384),
            ("OKP", Some("Ed25519")) => of(&self.x, 32).map(Material::Ed25519),
            _ => None,
        }
    }
}

#[cfg(test)]
#[path = "jwk_tests.rs"]
mod tests;
