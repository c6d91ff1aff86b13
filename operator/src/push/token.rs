//! ServiceAccount tokens, verified without asking anybody.
//!
//! Sources: [RFC 7519](https://www.rfc-editor.org/rfc/rfc7519), [RFC 7517](https://www.rfc-editor.org/rfc/rfc7517), and
//! [what Kubernetes puts into bound tokens](https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dragoman_config::ClusterKeysItem;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// How many seconds clocks may differ.
const LEEWAY: i64 = 60;

/// Why a token says nothing. The proxy's fault, save [`Rejection::UnknownKey`], which newer keys may cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It is no JWT, or not one of a ServiceAccount that is bound to a Pod.
    #[error("the token is no ServiceAccount token that is bound to a Pod: {0}")]
    Malformed(&'static str),
    /// None of the cluster's keys has this id.
    #[error("the token is signed with a key that the cluster does not have")]
    UnknownKey,
    /// The signature does not fit.
    #[error("the token's signature is wrong")]
    Signature,
    /// Of another cluster.
    #[error("the token's issuer is not this cluster")]
    Issuer,
    /// For somebody else.
    #[error("the token is not for the audience {0}")]
    Audience(String),
    /// Too old.
    #[error("the token has expired")]
    Expired,
    /// Too young.
    #[error("the token is not valid yet")]
    NotYet,
}

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The namespace of the Pod and its ServiceAccount.
    pub namespace: String,
    /// The Pod's name.
    pub pod: String,
    /// The Pod's UID.
    pub pod_uid: String,
    /// The ServiceAccount's name.
    pub service_account: String,
}

#[derive(Debug)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
}

/// The public keys of a cluster, and its issuer's name.
#[derive(Debug)]
pub struct Keys {
    issuer: String,
    keys: Vec<(Option<String>, Material)>,
    /// The set as it was read.
    jwks: String,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kid: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keys {
    /// Reads a JWK set. Keys of kinds that ServiceAccount tokens do not use are left out.
    ///
    /// # Errors
    /// When the set is no JSON of that shape.
    pub fn read(issuer: &str, jwks: serde_json::Value) -> Result<Self, serde_json::Error> {
        let text = jwks.to_string();
        let jwks: Jwks = serde_json::from_value(jwks)?;
        let keys = jwks
            .keys
            .into_iter()
            .filter_map(|key| Some((key.kid.clone(), key.material()?)));
        Ok(Self {
            issuer: issuer.to_owned(),
            keys: keys.collect(),
            jwks: text,
        })
    }

    /// What proxies verify tokens of the cluster's ServiceAccounts with.
    #[must_use]
    pub fn item(&self) -> ClusterKeysItem {
        ClusterKeysItem {
            issuer: self.issuer.clone(),
            jwks: self.jwks.clone(),
        }
    }

    /// Verifies `token` for `audience` at `now`, in seconds since 1970.
    ///
    /// # Errors
    /// [`Rejection`].
    pub fn verify(&self, token: &str, audience: &str, now: i64) -> Result<Claims, Rejection> {
        let (signed, signature) = token
            .rsplit_once('.')
            .ok_or(Rejection::Malformed("it has no signature"))?;
        let (header, payload) = signed
            .split_once('.')
            .ok_or(Rejection::Malformed("it has no payload"))?;
        let header: Header = part(header)?;
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| Rejection::Malformed("bad base64"))?;
        self.check_signature(&header, signed.as_bytes(), &signature)?;
        let payload: Payload = part(payload)?;
        if payload.iss != self.issuer {
            return Err(Rejection::Issuer);
        }
        if !payload.aud.contains(audience) {
            return Err(Rejection::Audience(audience.to_owned()));
        }
        if payload.exp + LEEWAY <= now {
            return Err(Rejection::Expired);
        }
        if payload.nbf.is_some_and(|begins| begins > now + LEEWAY) {
            return Err(Rejection::NotYet);
        }
        let bound = payload.kubernetes;
        let pod = bound
            .pod
            .ok_or(Rejection::Malformed("it is not bound to a Pod"))?;
        Ok(Claims {
            namespace: bound.namespace,
            pod: pod.name,
            pod_uid: pod.uid,
            service_account: bound.serviceaccount.name,
        })
    }

    fn check_signature(
        &self,
        header: &Header,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Rejection> {
        let mut rejection = Rejection::UnknownKey;
        for (id, key) in &self.keys {
            if header.kid.is_some() && id.is_some() && header.kid != *id {
                continue;
            }
            let valid = match (header.alg.as_str(), key) {
                ("RS256", Material::Rsa { n, e }) => RsaPublicKeyComponents { n, e }
                    .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                    .is_ok(),
                ("ES256", Material::P256(point)) => {
                    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                        .verify(message, signature)
                        .is_ok()
                }
                ("ES384", Material::P384(point)) => {
                    UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point)
                        .verify(message, signature)
                        .is_ok()
                }
                _ => continue,
            };
            if valid {
                return Ok(());
            }
            rejection = Rejection::Signature;
        }
        Err(rejection)
    }
}

impl Jwk {
    fn material(&self) -> Option<Material> {
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_ref()?).ok();
        if let (Some(n), Some(e)) = (bytes(&self.n), bytes(&self.e)) {
            return Some(Material::Rsa { n, e });
        }
        // An uncompressed point: SEC 1, §2.3.3.
        let point = [vec![4], bytes(&self.x)?, bytes(&self.y)?].concat();
        match self.crv.as_deref() {
            Some("P-256") => Some(Material::P256(point)),
            Some("P-384") => Some(Material::P384(point)),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
}

#[derive(Deserialize)]
struct Payload {
    iss: String,
    aud: Audience,
    exp: i64,
    nbf: Option<i64>,
    #[serde(rename = "kubernetes.io")]
    kubernetes: Bound,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Many(many) => many.iter().any(|one| one == audience),
        }
    }
}

#[derive(Deserialize)]
struct Bound {
    namespace: String,
    pod: Option<Named>,
    serviceaccount: Named,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    uid: String,
}

fn part<T: DeserializeOwned>(text: &str) -> Result<T, Rejection> {
    let bytes = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| Rejection::Malformed("bad base64"))?;
    serde_json::from_slice(&bytes)
        .map_err(|_| Rejection::Malformed("its claims are not a ServiceAccount's"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use serde_json::{Value, json};

    const NOW: i64 = 1_800_000_000;

    pub(crate) struct Cluster {
        key: EcdsaKeyPair,
        id: &'static str,
    }

    impl Cluster {
        pub(crate) fn new(id: &'static str) -> Self {
            let random = SystemRandom::new();
            let scheme = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(scheme, &random).unwrap();
            Self {
                key: EcdsaKeyPair::from_pkcs8(scheme, pkcs8.as_ref(), &random).unwrap(),
                id,
            }
        }

        pub(crate) fn keys(&self) -> Keys {
            let point = self.key.public_key().as_ref();
            let coordinate = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
            let key = json!({
                "kty": "EC", "crv": "P-256", "kid": self.id, "alg": "ES256",
                "x": coordinate(&point[1..33]), "y": coordinate(&point[33..]),
            });
            Keys::read("https://cluster", json!({"keys": [key]})).unwrap()
        }

        pub(crate) fn sign(&self, claims: &Value) -> String {
            let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let header = json!({"alg": "ES256", "kid": self.id});
            let signed = format!("{}.{}", encode(&header), encode(claims));
            let signature = self
                .key
                .sign(&SystemRandom::new(), signed.as_bytes())
                .unwrap();
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
        }
    }

    pub(crate) fn claims(now: i64) -> Value {
        json!({
            "iss": "https://cluster",
            "aud": ["operator.dragoman.dev"],
            "exp": now + 3600,
            "nbf": now,
            "sub": "system:serviceaccount:gateways:dragoman-edge",
            "kubernetes.io": {
                "namespace": "gateways",
                "pod": {"name": "edge-1", "uid": "u1"},
                "serviceaccount": {"name": "dragoman-edge", "uid": "u2"},
            },
        })
    }

    fn verify(change: impl FnOnce(&mut Value)) -> Result<Claims, Rejection> {
        let cluster = Cluster::new("k1");
        let mut claims = claims(NOW);
        change(&mut claims);
        cluster
            .keys()
            .verify(&cluster.sign(&claims), "operator.dragoman.dev", NOW)
    }

    #[test]
    fn a_bound_token_tells_the_pod() {
        let claims = verify(|_| {}).unwrap();
        assert_eq!(
            (claims.pod.as_str(), claims.pod_uid.as_str()),
            ("edge-1", "u1")
        );
        assert_eq!(
            (claims.namespace.as_str(), claims.service_account.as_str()),
            ("gateways", "dragoman-edge")
        );
    }

    #[test]
    fn a_token_for_the_api_server_is_no_token_for_the_operator() {
        let verdict = verify(|claims| claims["aud"] = json!(["https://kubernetes.default.svc"]));
        assert_eq!(
            verdict,
            Err(Rejection::Audience("operator.dragoman.dev".into()))
        );
        assert!(verify(|claims| claims["aud"] = json!("operator.dragoman.dev")).is_ok());
    }

    #[test]
    fn time_counts_with_a_minute_of_grace() {
        assert!(verify(|claims| claims["exp"] = json!(NOW - 30)).is_ok());
        assert_eq!(
            verify(|claims| claims["exp"] = json!(NOW - 61)),
            Err(Rejection::Expired)
        );
        assert_eq!(
            verify(|claims| claims["nbf"] = json!(NOW + 61)),
            Err(Rejection::NotYet)
        );
    }

    #[test]
    fn another_clusters_token_is_refused() {
        assert_eq!(
            verify(|claims| claims["iss"] = json!("https://other")),
            Err(Rejection::Issuer)
        );
        let token = Cluster::new("k1").sign(&claims(NOW));
        let verdict = Cluster::new("k1")
            .keys()
            .verify(&token, "operator.dragoman.dev", NOW);
        assert_eq!(verdict, Err(Rejection::Signature));
    }

    #[test]
    fn an_unknown_key_is_told_from_a_wrong_signature() {
        let token = Cluster::new("k2").sign(&claims(NOW));
        let verdict = Cluster::new("k1")
            .keys()
            .verify(&token, "operator.dragoman.dev", NOW);
        assert_eq!(verdict, Err(Rejection::UnknownKey));
    }

    #[test]
    fn a_token_that_is_not_bound_to_a_pod_is_refused() {
        let verdict = verify(|claims| {
            claims["kubernetes.io"]
                .as_object_mut()
                .unwrap()
                .remove("pod");
        });
        assert!(matches!(verdict, Err(Rejection::Malformed(_))));
    }

    #[test]
    fn claims_that_were_edited_fail_the_signature() {
        let cluster = Cluster::new("k1");
        let token = cluster.sign(&claims(NOW));
        let mut parts: Vec<&str> = token.split('.').collect();
        let forged = URL_SAFE_NO_PAD.encode(claims(NOW + 1).to_string());
        parts[1] = &forged;
        let verdict = cluster
            .keys()
            .verify(&parts.join("."), "operator.dragoman.dev", NOW);
        assert_eq!(verdict, Err(Rejection::Signature));
    }

    #[test]
    fn nonsense_and_unsigned_tokens_are_refused() {
        let keys = Cluster::new("k1").keys();
        let unsigned = URL_SAFE_NO_PAD.encode(json!({"alg": "none"}).to_string());
        for token in ["", "a", "a.b", "a.b.c", &format!("{unsigned}.e30.")] {
            assert!(
                keys.verify(token, "operator.dragoman.dev", NOW).is_err(),
                "{token:?}"
            );
        }
    }

    #[test]
    fn a_signature_of_rs256_is_verified_as_published() {
        // RFC 7515, appendix A.2: its key and its token.
        let jwks = json!({"keys": [{"kty": "RSA", "e": "AQAB", "n": concat!(
            "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-",
            "yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-",
            "KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_",
            "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ")}]});
        let token = concat!(
            "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjb",
            "KBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZES",
            "c6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
        );
        let keys = Keys::read("joe", jwks).unwrap();
        // The signature holds; the claims are not a ServiceAccount's.
        assert!(matches!(
            keys.verify(token, "x", NOW),
            Err(Rejection::Malformed(_))
        ));
        let broken = token.replace("cC4hiUPo", "cC4hiUPp");
        assert_eq!(keys.verify(&broken, "x", NOW), Err(Rejection::Signature));
    }
}
