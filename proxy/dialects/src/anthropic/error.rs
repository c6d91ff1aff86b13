//! Anthropic's errors: `{"type": "error", "error": {"type", "message"}, "request_id"}`.
//!
//! Source: [errors](https://platform.claude.com/docs/en/api/errors).

use serde_json::{Value, json};

use crate::form::{ErrorKind, Failure};
use crate::openai;

/// Each type that the vendor documents, its kind and its status.
const TYPES: [(&str, ErrorKind, u16); 10] = [
    ("invalid_request_error", ErrorKind::InvalidRequest, 400),
    ("authentication_error", ErrorKind::Authentication, 401),
    ("billing_error", ErrorKind::Permission, 402),
    ("permission_error", ErrorKind::Permission, 403),
    ("not_found_error", ErrorKind::NotFound, 404),
    ("request_too_large", ErrorKind::TooLarge, 413),
    ("rate_limit_error", ErrorKind::RateLimit, 429),
    ("api_error", ErrorKind::Server, 500),
    ("timeout_error", ErrorKind::Timeout, 504),
    ("overloaded_error", ErrorKind::Overloaded, 529),
];

/// Reads an error's body, whatever it is: servers that call themselves compatible send OpenAI's shapes too.
#[must_use]
pub fn read(status: u16, body: &[u8]) -> Failure {
    openai::error::read(status, body)
}

/// Reads an error that came within a stream, where its type says the status.
#[must_use]
pub fn in_stream(value: Value) -> Failure {
    let mut failure = openai::error::of_value(500, value);
    let known = TYPES
        .iter()
        .find(|(word, ..)| failure.type_.as_deref() == Some(word));
    if let Some((_, kind, status)) = known {
        (failure.kind, failure.status) = (*kind, *status);
    }
    failure
}

/// The vendor's word for an error: its own where it is one and says the same kind, else that of its kind.
///
/// Other vendors share words but not their meaning: OpenAI says `invalid_request_error` of a model that is not there.
#[must_use]
pub fn type_of(failure: &Failure) -> &'static str {
    let own = TYPES
        .iter()
        .find(|(word, kind, _)| failure.type_.as_deref() == Some(word) && failure.kind == *kind);
    if let Some((word, ..)) = own {
        return word;
    }
    match failure.kind {
        ErrorKind::InvalidRequest => "invalid_request_error",
        ErrorKind::Authentication => "authentication_error",
        ErrorKind::Permission => "permission_error",
        ErrorKind::NotFound => "not_found_error",
        ErrorKind::TooLarge => "request_too_large",
        ErrorKind::RateLimit => "rate_limit_error",
        ErrorKind::Overloaded => "overloaded_error",
        ErrorKind::Timeout => "timeout_error",
        ErrorKind::Server => "api_error",
    }
}

/// The message, which begins with the field at fault, as the vendor's own do: it has no member for it.
#[must_use]
pub fn message(failure: &Failure) -> String {
    match &failure.param {
        Some(param) if !failure.message.contains(param.as_str()) => {
            format!("{param}: {}", failure.message)
        }
        _ => failure.message.clone(),
    }
}

/// Writes an error. The status stays as it is.
#[must_use]
pub fn write(failure: &Failure, request_id: &str) -> (u16, Vec<u8>) {
    let body = json!({
        "type": "error",
        "error": {"type": type_of(failure), "message": message(failure)},
        "request_id": request_id,
    });
    (failure.status, body.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_is_read_is_written_again() {
        let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}"#;
        let failure = read(529, body.as_bytes());
        assert_eq!(failure.kind, ErrorKind::Overloaded);
        let (status, written) = write(&failure, "req_1");
        assert_eq!(
            (status, String::from_utf8(written).unwrap()),
            (529, body.to_owned())
        );
    }

    #[test]
    fn another_vendors_type_gives_way_and_its_field_goes_into_the_message() {
        let failure = Failure {
            type_: Some("BadRequestError".into()),
            param: Some("temperature".into()),
            ..Failure::new(422, "It is above 1.")
        };
        let (status, written) = write(&failure, "r");
        let body: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(status, 422);
        assert_eq!(body["error"]["type"], "invalid_request_error");
        assert_eq!(body["error"]["message"], "temperature: It is above 1.");
    }

    #[test]
    fn a_word_that_two_vendors_share_does_not_hide_what_the_status_says() {
        let failure = Failure {
            type_: Some("invalid_request_error".into()),
            ..Failure::new(404, "The model `x` does not exist.")
        };
        assert_eq!(type_of(&failure), "not_found_error");
    }

    #[test]
    fn an_error_within_a_stream_has_the_status_of_its_type() {
        let failure = in_stream(
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}),
        );
        assert_eq!((failure.status, failure.kind), (529, ErrorKind::Overloaded));
    }
}
