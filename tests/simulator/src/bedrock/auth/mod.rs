//! Who may call: a signature by a key of AWS, or a key of Bedrock's own as a bearer's token.
//!
//! Sources: [signatures](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html),
//! [API keys](https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html).

mod canonical;
mod signature;

use http::{StatusCode, header, request::Parts};
use jiff::Timestamp;

use super::error;
use crate::{refusal::Refusal, shared::Shared};

/// A key of AWS that is accepted.
#[derive(Debug, Clone)]
pub(crate) struct AwsKey {
    pub(crate) id: String,
    pub(crate) secret: String,
    /// Of a key that was lent: each request must carry it.
    pub(crate) session_token: Option<String>,
}

/// Refuses who may not call. Where no key is set, everyone may.
pub(super) fn authorize(shared: &Shared, head: &Parts, body: &[u8]) -> Result<(), Refusal> {
    let bearers = shared.api_keys.read();
    if bearers.is_empty() && shared.aws_keys.is_empty() {
        return Ok(());
    }
    let given = head.headers.get(header::AUTHORIZATION);
    let Some(given) = given.and_then(|value| value.to_str().ok()) else {
        return Err(refused(error::MISSING, "Missing Authentication Token"));
    };
    match given.split_once(' ') {
        Some(("Bearer", token)) if bearers.iter().any(|key| key == token) => Ok(()),
        Some(("Bearer", _)) => {
            let message = "Authentication failed: Please make sure your API Key is valid.";
            Err(Refusal::new(StatusCode::FORBIDDEN, message))
        }
        Some((signature::ALGORITHM, rest)) => {
            let now = Timestamp::now();
            signature::verify(&shared.aws_keys, head, body, rest, now)
        }
        _ => Err(refused(
            error::INCOMPLETE,
            "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter.",
        )),
    }
}

/// A 403 of the gate.
fn refused(code: &'static str, message: &str) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, message).code(code)
}
