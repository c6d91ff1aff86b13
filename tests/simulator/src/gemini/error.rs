//! Errors: `{"error": {"code", "message", "status", "details"}}`.
//!
//! Sources: [errors](https://google.aip.dev/193), [the codes](https://ai.google.dev/gemini-api/docs/troubleshooting).

use http::StatusCode;
use serde_json::{Value, json};

use crate::wire::Event;

/// The headers that Google adds to each reply.
pub(crate) const LIMITS: [(&str, &str); 3] = [
    ("server-timing", "gfet4t7; dur=1"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "SAMEORIGIN"),
];

/// The code of a refusal that names the reason of a wrong key.
pub(super) const KEY: &str = "API_KEY_INVALID";

/// The JSON of an error, with the word that Google gives to the status. A parameter becomes the
/// field of a violation, which the message's lines describe.
pub(crate) fn error(
    status: StatusCode,
    message: &str,
    param: Option<&str>,
    code: Option<&str>,
) -> Value {
    let word = match status.as_u16() {
        400 | 422 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        413 => "OUT_OF_RANGE",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        500.. => "INTERNAL",
        _ => "FAILED_PRECONDITION",
    };
    let mut error = json!({"code": status.as_u16(), "message": message, "status": word});
    if code == Some(KEY) {
        error["details"] = json!([{
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": KEY,
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"},
        }]);
    } else if let Some(fields) = param {
        let violations = fields.lines().zip(message.lines());
        let violations = violations.map(|(field, description)| match field {
            "." => json!({"description": description}),
            _ => json!({"field": field, "description": description}),
        });
        error["details"] = json!([{
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": violations.collect::<Value>(),
        }]);
    }
    json!({"error": error})
}

/// The error within a stream.
pub(super) fn event() -> Event {
    let message = "The model is overloaded. Please try again later.";
    Event {
        name: None,
        data: error(StatusCode::SERVICE_UNAVAILABLE, message, None, None).to_string(),
        token: false,
    }
}
