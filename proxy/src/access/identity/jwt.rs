//! A JSON Web Token before anybody believes it, and what it must say to be believed.
//!
//! Sources: [RFC 7515](https://www.rfc-editor.org/rfc/rfc7515), [RFC 7519](https://www.rfc-editor.org/rfc/rfc7519).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::jwk::Algorithm;

/// How many seconds clocks may differ.
const LEEWAY: f64 = 60.0;

/// A token whose signature nobody has looked at.
#[derive(Debug)]
pub(super) struct Unverified<'t> {
    header: Header,
    pub(super) claims: Map<String, Value>,
    /// What is signed.
    pub(super) message: &'t [u8],
    pub(super) signature: Vec<u8>,
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood. None are.
    crit: Option<IgnoredAny>,
}

/// What a token says of the time within which it holds, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Times {
    expires: f64,
    begins: Option<f64>,
}

impl Times {
    /// Why it does not hold at `now`.
    pub(super) fn refuse(self, now: i64) -> Option<&'static str> {
        let now = now as f64;
        if self.expires + LEEWAY <= now {
            return Some("the token has expired");
        }
        let early = self.begins.is_some_and(|begins| begins > now + LEEWAY);
        early.then_some("the token is not valid yet")
    }
}

impl<'t> Unverified<'t> {
    /// Takes a token apart, if it is one.
    pub(super) fn parse(token: &'t [u8]) -> Option<Self> {
        let mut parts = token.split(|byte| *byte == b'.');
        let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let decode = |part: &[u8]| URL_SAFE_NO_PAD.decode(part).ok();
        Some(Self {
            header: serde_json::from_slice(&decode(header)?).ok()?,
            claims: serde_json::from_slice(&decode(claims)?).ok()?,
            message: token.get(..header.len() + 1 + claims.len())?,
            signature: decode(signature)?,
        })
    }

    /// By which algorithm it says to be signed, if that is one of ours.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        match self.header.crit {
            Some(_) => None,
            None => Algorithm::named(&self.header.alg),
        }
    }

    /// Which key it says to be signed with.
    pub(super) fn key(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    pub(super) fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// Whether `aud`, a text or several, holds one of `audiences`.
    pub(super) fn is_for(&self, audiences: &[String]) -> bool {
        let accepted = |value: &Value| {
            let value = value.as_str();
            audiences.iter().any(|audience| value == Some(audience))
        };
        match self.claims.get("aud") {
            Some(Value::Array(many)) => many.iter().any(accepted),
            Some(one) => accepted(one),
            None => false,
        }
    }

    /// Within which time it holds; none: it does not say when it ends, or says it in a way that nobody understands.
    pub(super) fn times(&self) -> Option<Times> {
        let begins = match self.claims.get("nbf") {
            Some(begins) => Some(begins.as_f64()?),
            None => None,
        };
        Some(Times {
            expires: self.claims.get("exp")?.as_f64()?,
            begins,
        })
    }

    /// The texts of `groups`.
    pub(super) fn groups(&self) -> Vec<String> {
        let groups = self.claims.get("groups").and_then(Value::as_array);
        let groups = groups.into_iter().flatten().filter_map(Value::as_str);
        groups.map(str::to_owned).collect()
    }
}
