//! Errors: a body of `{"message"}`, whose type stands in the header `x-amzn-errortype` and, written here, as `__type` in the body too; in streams, exceptions.
//!
//! Sources: [common errors](https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html),
//! [how clients find the type](https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization).

use serde_json::{Map, Value, json};

use crate::codec::Frame;
use crate::form::{ErrorKind, Failure};
use crate::framing::event_stream::write;
use crate::json;
use crate::openai;

/// Each type, its kind and its status. A model's own failure has a status that says the client's; it is not.
const TYPES: [(&str, ErrorKind, u16); 15] = [
    ("ValidationException", ErrorKind::InvalidRequest, 400),
    ("ConflictException", ErrorKind::InvalidRequest, 400),
    ("ServiceQuotaExceededException", ErrorKind::RateLimit, 400),
    (
        "UnrecognizedClientException",
        ErrorKind::Authentication,
        403,
    ),
    ("InvalidSignatureException", ErrorKind::Authentication, 403),
    ("ExpiredTokenException", ErrorKind::Authentication, 403),
    ("AccessDeniedException", ErrorKind::Permission, 403),
    ("ResourceNotFoundException", ErrorKind::NotFound, 404),
    ("ModelTimeoutException", ErrorKind::Timeout, 408),
    ("ModelErrorException", ErrorKind::Server, 424),
    ("ModelStreamErrorException", ErrorKind::Server, 424),
    ("ThrottlingException", ErrorKind::RateLimit, 429),
    ("ModelNotReadyException", ErrorKind::Overloaded, 429),
    ("InternalServerException", ErrorKind::Server, 500),
    ("ServiceUnavailableException", ErrorKind::Overloaded, 503),
];

fn known(name: &str) -> Option<&'static (&'static str, ErrorKind, u16)> {
    TYPES
        .iter()
        .find(|(known, ..)| known.eq_ignore_ascii_case(name))
}

/// Reads an error's body, whatever it is.
#[must_use]
pub fn read(status: u16, body: &[u8]) -> Failure {
    let Ok(Value::Object(mut map)) = serde_json::from_slice(body) else {
        return openai::error::read(status, body);
    };
    let type_ = match map.remove("__type") {
        Some(Value::String(name)) => bare(&name),
        _ => None,
    };
    let mut failure = of_map(status, map);
    if let Some((_, kind, _)) = type_.as_deref().and_then(known) {
        failure.kind = *kind;
    }
    failure.type_ = type_.or(failure.type_);
    failure
}

/// The header that says an error's type, where the body does not.
pub const TYPE: &str = "x-amzn-errortype";

/// The same error, of the type that the header says, if its body said none.
#[must_use]
pub fn named(mut failure: Failure, header: &str) -> Failure {
    if failure.type_.is_none() {
        failure.type_ = bare(header.trim());
        if let Some((_, kind, _)) = failure.type_.as_deref().and_then(known) {
            failure.kind = *kind;
        }
    }
    failure
}

/// `aws.protocoltests#FooException:http://…` is `FooException`.
fn bare(name: &str) -> Option<String> {
    let name = name.rsplit_once('#').map_or(name, |(_, name)| name);
    let name = name.split(':').next().unwrap_or_default();
    (!name.is_empty()).then(|| name.to_owned())
}

fn of_map(status: u16, mut map: Map<String, Value>) -> Failure {
    if let Some(message) = map.remove("Message") {
        map.entry("message").or_insert(message);
    }
    openai::error::of_value(status, Value::Object(map))
}

/// Reads an exception that ends a stream.
#[must_use]
pub fn of_exception(frame: Frame<'_>) -> Failure {
    let named = frame.name.and_then(known);
    let (kind, status) = named.map_or((ErrorKind::Server, 500), |(_, kind, status)| {
        (*kind, *status)
    });
    let mut failure = read(status, frame.data);
    failure.kind = kind;
    failure.type_ = named
        .map(|(name, ..)| (*name).to_owned())
        .or(frame.name.map(str::to_owned));
    failure
}

/// Bedrock's word for an error: its own where it is one, else that of its kind.
#[must_use]
pub fn type_of(failure: &Failure) -> &'static str {
    if let Some((name, ..)) = failure.type_.as_deref().and_then(known) {
        return name;
    }
    match failure.kind {
        ErrorKind::InvalidRequest | ErrorKind::TooLarge => "ValidationException",
        ErrorKind::Authentication => "UnrecognizedClientException",
        ErrorKind::Permission => "AccessDeniedException",
        ErrorKind::NotFound => "ResourceNotFoundException",
        ErrorKind::RateLimit => "ThrottlingException",
        ErrorKind::Overloaded => "ServiceUnavailableException",
        ErrorKind::Timeout => "ModelTimeoutException",
        ErrorKind::Server => "InternalServerException",
    }
}

/// The message, which begins with the field at fault: there is no member for it.
fn message(failure: &Failure) -> String {
    match &failure.param {
        Some(param) if !failure.message.contains(param.as_str()) => {
            format!("{param}: {}", failure.message)
        }
        _ => failure.message.clone(),
    }
}

/// Writes an error. The status stays as it is, but Anthropic's 529 becomes 503, which AWS's clients know.
#[must_use]
pub fn write(failure: &Failure) -> (u16, Vec<u8>) {
    let status = match failure.status {
        529 => 503,
        status => status,
    };
    let body = json!({"__type": type_of(failure), "message": message(failure)});
    (status, body.to_string().into_bytes())
}

/// Appends the exception that ends a stream; of those that the stream has. `timeouts`: whether it has one for them, as `invoke`'s.
pub fn write_exception(failure: &Failure, timeouts: bool, out: &mut Vec<u8>) {
    let name = match failure.kind {
        ErrorKind::InvalidRequest | ErrorKind::TooLarge | ErrorKind::NotFound => {
            "validationException"
        }
        ErrorKind::RateLimit => "throttlingException",
        ErrorKind::Overloaded => "serviceUnavailableException",
        ErrorKind::Timeout if timeouts => "modelTimeoutException",
        ErrorKind::Authentication | ErrorKind::Permission | ErrorKind::Timeout => {
            "modelStreamErrorException"
        }
        ErrorKind::Server => "internalServerException",
    };
    let body = json!({"message": message(failure)});
    write::exception(name, out, |out| json::append(&body, out));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_is_read_is_written_again() {
        let body = r#"{"__type":"ThrottlingException","message":"Too many tokens, please wait."}"#;
        let failure = read(429, body.as_bytes());
        assert_eq!(failure.kind, ErrorKind::RateLimit);
        let (status, written) = write(&failure);
        assert_eq!(
            (status, String::from_utf8(written).unwrap()),
            (429, body.to_owned())
        );
    }

    #[test]
    fn a_type_is_found_without_its_namespace_and_a_message_in_capitals() {
        let body = br#"{"__type":"com.amazon.coral.service#AccessDeniedException:http://x","Message":"no"}"#;
        let failure = read(403, body);
        assert_eq!(failure.type_.as_deref(), Some("AccessDeniedException"));
        assert_eq!(failure.message, "no");
        assert_eq!(read(502, b"<html>").message, "<html>");
    }

    #[test]
    fn a_type_that_the_header_says_is_the_errors_unless_its_body_says_one() {
        let quota = "ServiceQuotaExceededException:http://internal.amazon.com/coral/";
        let failure = named(read(400, br#"{"message":"enough"}"#), quota);
        assert_eq!(failure.kind, ErrorKind::RateLimit);
        let expired = named(read(400, b"{}"), "ExpiredTokenException");
        assert_eq!(expired.kind, ErrorKind::Authentication);
        let body = br#"{"__type":"ValidationException","message":"no"}"#;
        assert_eq!(
            named(read(400, body), quota).kind,
            ErrorKind::InvalidRequest
        );
    }

    #[test]
    fn an_exception_of_a_stream_has_the_status_of_its_type() {
        let frame = Frame {
            name: Some("throttlingException"),
            exception: true,
            data: br#"{"message":"slow"}"#,
        };
        let failure = of_exception(frame);
        assert_eq!((failure.status, failure.kind), (429, ErrorKind::RateLimit));
        assert_eq!(failure.message, "slow");
    }
}
