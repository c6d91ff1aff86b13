//! Errors: `{"error", "error_type"}`, as a body and as an event of a stream.
//!
//! Source: `ErrorResponse` of `router/src/lib.rs`, `InferError` of `router/src/infer/mod.rs`.

use http::StatusCode;
use serde_json::{Value, json};

use crate::wire::Event;

/// The headers that a server adds to each reply.
pub(crate) const LIMITS: [(&str, &str); 3] = [
    ("x-compute-type", "simulated"),
    ("x-compute-characters", "1"),
    ("x-accel-buffering", "no"),
];

/// The JSON of an error, with the type that the router gives to the status.
pub(crate) fn error(status: StatusCode, message: &str) -> Value {
    let kind = match status.as_u16() {
        422 => "validation",
        424 => "generation",
        429 => "overloaded",
        503 => "healthcheck",
        _ => "incomplete_generation",
    };
    json!({"error": message, "error_type": kind})
}

/// The same within a stream.
pub(super) fn event(status: StatusCode, message: &str) -> Event {
    Event {
        name: None,
        data: error(status, message).to_string(),
        token: false,
    }
}
