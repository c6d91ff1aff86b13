//! Errors: `{"type": "error", "error": {"type", "message"}, "request_id"}`.
//!
//! Source: [errors](https://platform.claude.com/docs/en/api/errors).

use http::StatusCode;
use serde_json::{Value, json};

/// The headers that Anthropic adds to each reply.
pub(crate) const LIMITS: [(&str, &str); 4] = [
    ("anthropic-organization-id", "simulator"),
    ("anthropic-ratelimit-requests-limit", "60"),
    ("anthropic-ratelimit-requests-remaining", "59"),
    ("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:01Z"),
];

/// The JSON of an error, with the type that Anthropic gives to the status.
pub(crate) fn error(status: StatusCode, message: &str, id: Option<u64>) -> Value {
    let kind = match status.as_u16() {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    let mut error = json!({"type": "error", "error": {"type": kind, "message": message}});
    if let Some(id) = id {
        error["request_id"] = format!("req_sim_{id}").into();
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_type() {
        for (status, kind) in [
            (400, "invalid_request_error"),
            (401, "authentication_error"),
            (404, "not_found_error"),
            (429, "rate_limit_error"),
            (500, "api_error"),
            (503, "api_error"),
            (529, "overloaded_error"),
        ] {
            let error = error(StatusCode::from_u16(status).unwrap(), "m", Some(7));
            assert_eq!(
                error,
                json!({"type": "error", "error": {"type": kind, "message": "m"}, "request_id": "req_sim_7"})
            );
        }
    }
}
