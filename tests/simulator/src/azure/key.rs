//! Who may call: a key in `api-key`, or a token of Entra ID.
//!
//! Source: [authentication](https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference#authentication).

use http::{StatusCode, header, request::Parts};

use crate::{refusal::Refusal, shared::Shared};

/// Refuses who has neither. The v1 API takes a key as a bearer's token too, as OpenAI's SDKs send it.
pub(super) fn authorize(shared: &Shared, head: &Parts, v1: bool) -> Result<(), Refusal> {
    let keys = shared.api_keys.read();
    let tokens = &shared.entra_tokens;
    if keys.is_empty() && tokens.is_empty() {
        return Ok(());
    }
    let text = |value: &http::HeaderValue| value.to_str().map(str::to_owned).ok();
    let key = head.headers.get("api-key").and_then(text);
    let given = head.headers.get(header::AUTHORIZATION).and_then(text);
    let bearer = given
        .as_deref()
        .and_then(|given| given.strip_prefix("Bearer "));
    let known = |keys: &[String], given: &str| keys.iter().any(|key| key == given);
    let may = match (key.as_deref(), bearer) {
        (Some(key), _) => known(&keys, key),
        (None, Some(token)) => known(tokens, token) || (v1 && known(&keys, token)),
        (None, None) => false,
    };
    if may {
        return Ok(());
    }
    let message = if key.is_none() && bearer.is_some() && !v1 && !tokens.is_empty() {
        "Unauthorized. Access token is missing, invalid, audience is incorrect (https://cognitiveservices.azure.com), or have expired."
    } else {
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource."
    };
    Err(Refusal::new(StatusCode::UNAUTHORIZED, message))
}
