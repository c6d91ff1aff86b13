//! Errors: `{"error": {"code", "message", "status"}}`, as a body and as an event that ends a stream.
//!
//! Sources: [error codes](https://ai.google.dev/gemini-api/docs/troubleshooting#error-codes), [error model](https://google.aip.dev/193).

use serde_json::{Value, json};

use crate::form::{ErrorKind, Failure};
use crate::openai;

/// Each status of Google's, its kind, and the HTTP status of an error that says none. The first of a kind is written for it.
const STATUSES: [(&str, ErrorKind, u16); 15] = [
    ("INVALID_ARGUMENT", ErrorKind::InvalidRequest, 400),
    ("FAILED_PRECONDITION", ErrorKind::InvalidRequest, 400),
    ("OUT_OF_RANGE", ErrorKind::InvalidRequest, 400),
    ("ALREADY_EXISTS", ErrorKind::InvalidRequest, 409),
    ("ABORTED", ErrorKind::InvalidRequest, 409),
    ("CANCELLED", ErrorKind::InvalidRequest, 499),
    ("UNAUTHENTICATED", ErrorKind::Authentication, 401),
    ("PERMISSION_DENIED", ErrorKind::Permission, 403),
    ("NOT_FOUND", ErrorKind::NotFound, 404),
    ("RESOURCE_EXHAUSTED", ErrorKind::RateLimit, 429),
    ("UNAVAILABLE", ErrorKind::Overloaded, 503),
    ("DEADLINE_EXCEEDED", ErrorKind::Timeout, 504),
    ("INTERNAL", ErrorKind::Server, 500),
    ("UNKNOWN", ErrorKind::Server, 500),
    ("UNIMPLEMENTED", ErrorKind::Server, 501),
];

fn known(word: &str) -> Option<&'static (&'static str, ErrorKind, u16)> {
    STATUSES.iter().find(|(known, ..)| *known == word)
}

/// Reads an error's body, whatever it is.
#[must_use]
pub fn read(status: u16, body: &[u8]) -> Failure {
    match serde_json::from_slice(body) {
        Ok(value) => of_value(status, value),
        Err(_) => openai::error::read(status, body),
    }
}

/// A stream that was not asked for as events answers an error in a list.
fn of_value(status: u16, value: Value) -> Failure {
    let value = match value {
        Value::Array(list) if list.len() == 1 => list.into_iter().next().unwrap_or_default(),
        value => value,
    };
    let word = value.pointer("/error/status").and_then(Value::as_str);
    let word = word.map(str::to_owned);
    let bad_key = is_bad_key(&value);
    let mut failure = openai::error::of_value(status, value);
    // The code is the status again.
    failure.code = None;
    if let Some((_, kind, _)) = word.as_deref().and_then(known) {
        failure.kind = *kind;
    }
    if bad_key {
        failure.kind = ErrorKind::Authentication;
    }
    failure.type_ = word;
    failure
}

/// A wrong key is a 400 that says so in its details.
fn is_bad_key(value: &Value) -> bool {
    let details = value.pointer("/error/details").and_then(Value::as_array);
    let reason = |detail: &Value| {
        detail
            .get("reason")
            .is_some_and(|of| of == "API_KEY_INVALID")
    };
    details.into_iter().flatten().any(reason)
}

/// Reads an error that came within a stream, where its code is the only status there is. `object` is what `error` holds.
#[must_use]
pub fn in_stream(object: Value) -> Failure {
    let code = object.get("code").and_then(Value::as_u64);
    let code = code.filter(|code| (400..600).contains(code));
    let word = object.get("status").and_then(Value::as_str);
    let of_word = word.and_then(known).map(|(.., status)| *status);
    let status = code
        .and_then(|code| u16::try_from(code).ok())
        .or(of_word)
        .unwrap_or(500);
    of_value(status, json!({"error": object}))
}

/// The error as Gemini's clients read it.
#[must_use]
pub fn object(failure: &Failure) -> Value {
    let own = failure.type_.as_deref().and_then(known);
    let of_kind = || match failure.kind {
        ErrorKind::TooLarge => Some(&STATUSES[0]),
        kind => STATUSES.iter().find(|(_, of, _)| *of == kind),
    };
    let word = own.or_else(of_kind).map(|(word, ..)| word);
    let message = match &failure.param {
        Some(param) if !failure.message.contains(param.as_str()) => {
            format!("{param}: {}", failure.message)
        }
        _ => failure.message.clone(),
    };
    json!({"error": {"code": status(failure), "message": message, "status": word}})
}

/// Anthropic's 529 becomes 503, which Google's clients know.
fn status(failure: &Failure) -> u16 {
    match failure.status {
        529 => 503,
        status => status,
    }
}

/// Writes an error. The message begins with the field at fault: there is no member for it.
#[must_use]
pub fn write(failure: &Failure) -> (u16, Vec<u8>) {
    (status(failure), object(failure).to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_is_read_is_written_again() {
        for (status, word) in [(400, "FAILED_PRECONDITION"), (429, "RESOURCE_EXHAUSTED")] {
            let body = json!({"error": {"code": status, "message": "m", "status": word}});
            let failure = read(status, body.to_string().as_bytes());
            assert_eq!(write(&failure), (status, body.to_string().into_bytes()));
        }
    }

    #[test]
    fn a_wrong_key_is_told_from_a_wrong_request() {
        let body = json!([{"error": {
            "code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT",
            "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
        }}]);
        let failure = read(400, body.to_string().as_bytes());
        assert_eq!(failure.kind, ErrorKind::Authentication);
        assert_eq!(failure.message, "API key not valid.");
        assert_eq!(read(502, b"<html>").message, "<html>");
    }

    #[test]
    fn an_error_of_another_vendors_gets_its_kinds_status() {
        let failure = Failure {
            type_: Some("overloaded_error".into()),
            param: Some("tools[0]".into()),
            ..Failure::new(529, "busy")
        };
        let (status, body) = write(&failure);
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(status, 503);
        assert_eq!(
            body["error"],
            json!({"code": 503, "message": "tools[0]: busy", "status": "UNAVAILABLE"})
        );
    }

    #[test]
    fn an_error_within_a_stream_says_its_status_in_its_code_or_its_word() {
        let failure = in_stream(json!({"code": 503, "message": "m", "status": "UNAVAILABLE"}));
        assert_eq!((failure.status, failure.kind), (503, ErrorKind::Overloaded));
        let failure = in_stream(json!({"message": "m", "status": "RESOURCE_EXHAUSTED"}));
        assert_eq!((failure.status, failure.kind), (429, ErrorKind::RateLimit));
        assert_eq!(in_stream(json!("gone")).message, "gone");
    }
}
