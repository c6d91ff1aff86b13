//! JSON Web Key Sets that manifests hold.
//!
//! Sources: [RFC 7517](https://www.rfc-editor.org/rfc/rfc7517), [RFC 7518 §6](https://www.rfc-editor.org/rfc/rfc7518#section-6).

use serde::Deserialize;

/// Algorithms whose signatures are verified: none that whoever verifies could sign with.
const ALGORITHMS: [&str; 9] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
];

#[derive(Deserialize)]
struct Set {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    kty: String,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<serde::de::IgnoredAny>,
}

/// What is wrong with a key set, and the cure; nothing where a token can be verified with it.
pub(super) fn fault(text: &str) -> Option<String> {
    let set: Set = match serde_json::from_str(text) {
        Ok(set) => set,
        Err(fault) => {
            return Some(format!(
                "is no JSON Web Key Set ({fault}); write {{\"keys\": […]}} as the issuer publishes it"
            ));
        }
    };
    let asymmetric = |key: &&Key| key.kty != "oct";
    if set
        .keys
        .iter()
        .filter(asymmetric)
        .any(|key| key.d.is_some())
    {
        return Some(
            "holds a private key, which nobody but the issuer may have; write the public keys alone, and replace that key".into(),
        );
    }
    if set.keys.iter().any(Key::verifies) {
        return None;
    }
    Some(format!(
        "has no public key with which a token can be verified; there must be one of {}",
        ALGORITHMS.join(", ")
    ))
}

impl Key {
    fn verifies(&self) -> bool {
        let known = |alg: &String| ALGORITHMS.contains(&alg.as_str());
        let complete = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => self.n.is_some() && self.e.is_some(),
            ("EC", Some("P-256" | "P-384")) => self.x.is_some() && self.y.is_some(),
            ("OKP", Some("Ed25519")) => self.x.is_some(),
            _ => false,
        };
        complete && self.alg.as_ref().is_none_or(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_public_key_is_enough() {
        let keys = r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}, {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}"#;
        assert_eq!(fault(keys), None);
        assert_eq!(
            fault(r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA", "alg": "EdDSA"}]}"#),
            None
        );
    }

    #[test]
    fn a_shared_secret_an_encryption_key_and_nonsense_are_refused() {
        for keys in [
            r#"{"keys": []}"#,
            r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}]}"#,
            r#"{"keys": [{"kty": "RSA", "n": "AA", "e": "AQAB", "alg": "RSA-OAEP"}]}"#,
            r#"{"keys": [{"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}]}"#,
        ] {
            assert!(
                fault(keys).is_some_and(|fault| fault.contains("RS256")),
                "{keys}"
            );
        }
        assert!(fault("{").is_some_and(|fault| fault.contains("no JSON Web Key Set")));
    }

    #[test]
    fn a_private_key_is_never_taken() {
        let keys = r#"{"keys": [{"kty": "RSA", "n": "AA", "e": "AQAB", "d": "AA"}]}"#;
        assert!(fault(keys).is_some_and(|fault| fault.contains("private key")));
    }
}
