//! Who may call: a key in `x-goog-api-key`.
//!
//! Source: [API keys](https://ai.google.dev/gemini-api/docs/api-key).

use http::{StatusCode, request::Parts};

use super::error;
use crate::{refusal::Refusal, shared::Shared};

/// The header that carries the key.
pub(crate) const HEADER: &str = "x-goog-api-key";

/// Refuses who has none. The service takes it in the URL too; this one never does, since URLs are written to logs.
pub(super) fn authorize(shared: &Shared, head: &Parts) -> Result<(), Refusal> {
    let query = head.uri.query().unwrap_or_default();
    if query.split('&').any(|pair| pair.starts_with("key=")) {
        let message =
            "The key was sent in the URL, which is written to logs. It belongs in x-goog-api-key.";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, message));
    }
    let keys = shared.api_keys.read();
    let given = head.headers.get(HEADER).map(|key| key.as_bytes());
    match given {
        _ if keys.is_empty() => Ok(()),
        Some(given) if keys.iter().any(|key| key.as_bytes() == given) => Ok(()),
        Some(_) => {
            let message = "API key not valid. Please pass a valid API key.";
            Err(Refusal::new(StatusCode::BAD_REQUEST, message).code(error::KEY))
        }
        None => Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
        )),
    }
}
