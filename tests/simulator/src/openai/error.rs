//! Errors: `{"error": {"message", "type", "param", "code"}}`.
//!
//! Source: [API errors](https://platform.openai.com/docs/guides/error-codes/api-errors).

use http::StatusCode;
use serde_json::{Value, json};

/// The headers that OpenAI adds to each reply.
pub(crate) const LIMITS: [(&str, &str); 6] = [
    ("openai-organization", "simulator"),
    ("openai-processing-ms", "1"),
    ("openai-version", "2020-10-01"),
    ("x-ratelimit-limit-requests", "60"),
    ("x-ratelimit-remaining-requests", "59"),
    ("x-ratelimit-reset-requests", "1s"),
];

/// The JSON of an error, with the type that OpenAI gives to the status.
pub(crate) fn error(
    status: StatusCode,
    message: &str,
    param: Option<&str>,
    code: Option<&str>,
) -> Value {
    let kind = match status.as_u16() {
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    };
    json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
}
