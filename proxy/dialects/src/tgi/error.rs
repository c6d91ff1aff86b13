//! TGI's errors: `{"error": "...", "error_type": "..."}`, as a body and as an event within a stream.
//!
//! Source: `ErrorResponse` of [TGI's OpenAPI document](https://huggingface.github.io/text-generation-inference/).

use serde_json::{Value, json};

use crate::form::{ErrorKind, Failure};
use crate::openai;

/// Reads an error's body, whatever it is.
#[must_use]
pub fn read(status: u16, body: &[u8]) -> Failure {
    match serde_json::from_slice(body) {
        Ok(value) => of_value(status, value),
        Err(_) => openai::error::read(status, body),
    }
}

/// Reads an error within a stream, whose type is all that tells its status.
pub(super) fn in_stream(value: Value) -> Failure {
    let status = match value.get("error_type").and_then(Value::as_str) {
        Some("validation" | "template_error" | "tool_error" | "empty_input") => 422,
        Some("overloaded") => 429,
        _ => 500,
    };
    of_value(status, value)
}

fn of_value(status: u16, value: Value) -> Failure {
    let type_ = value.get("error_type").and_then(Value::as_str);
    let type_ = type_.map(str::to_owned);
    let failure = openai::error::of_value(status, value);
    Failure {
        // TGI says 424 when the model itself failed, and 429 when it is full.
        kind: match (type_.as_deref(), status) {
            (Some("generation" | "incomplete_generation"), _) | (_, 424) => ErrorKind::Server,
            (Some("overloaded"), _) => ErrorKind::Overloaded,
            _ => failure.kind,
        },
        type_: type_.or(failure.type_),
        ..failure
    }
}

/// Writes an error. Anthropic's 529 becomes 503. Kinds that TGI has no type for get a word that its clients leave to the status.
#[must_use]
pub fn write(failure: &Failure) -> (u16, Vec<u8>) {
    let status = match failure.status {
        529 => 503,
        status => status,
    };
    (status, body(failure).to_string().into_bytes())
}

/// The error alone.
pub(super) fn body(failure: &Failure) -> Value {
    let own = failure.type_.as_deref().filter(|word| {
        matches!(
            *word,
            "generation"
                | "incomplete_generation"
                | "overloaded"
                | "validation"
                | "tool_error"
                | "template_error"
                | "empty_input"
        )
    });
    let type_ = own.unwrap_or(match failure.kind {
        ErrorKind::InvalidRequest | ErrorKind::TooLarge => "validation",
        ErrorKind::Overloaded | ErrorKind::RateLimit => "overloaded",
        ErrorKind::Server | ErrorKind::Timeout => "generation",
        ErrorKind::Authentication => "authentication",
        ErrorKind::Permission => "permission",
        ErrorKind::NotFound => "not_found",
    });
    json!({"error": failure.message, "error_type": type_})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_words_both_ways() {
        for (status, type_, kind) in [
            (422, "validation", ErrorKind::InvalidRequest),
            (424, "generation", ErrorKind::Server),
            (429, "overloaded", ErrorKind::Overloaded),
            (500, "incomplete_generation", ErrorKind::Server),
        ] {
            let body = json!({"error": "m", "error_type": type_}).to_string();
            let failure = read(status, body.as_bytes());
            assert_eq!((failure.kind, failure.message.as_str()), (kind, "m"));
            assert_eq!(write(&failure), (status, body.into_bytes()));
        }
        assert_eq!(read(502, b"<h1>bad</h1>").message, "<h1>bad</h1>");
        assert_eq!(
            in_stream(json!({"error": "m", "error_type": "overloaded"})).status,
            429
        );
    }
}
