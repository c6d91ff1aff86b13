//! Errors: `{"message"}`, and the exception's name in `x-amzn-errortype`.
//!
//! Sources: [errors](https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html),
//! the exceptions of the service's model, and [what the service sends](https://github.com/aws-samples/amazon-bedrock-client-for-mac/issues/11).

use http::{HeaderName, StatusCode};
use serde_json::{Value, json};

use crate::{reply::Reply, wire::Event};

/// Exceptions of the gate before the service, whose names come alone.
pub(super) const MISSING: &str = "MissingAuthenticationTokenException";
pub(super) const INCOMPLETE: &str = "IncompleteSignatureException";
pub(super) const SIGNATURE: &str = "InvalidSignatureException";
pub(super) const CLIENT: &str = "UnrecognizedClientException";
/// The code of a body whose types are wrong.
pub(super) const SERIALIZATION: &str = "SerializationException";

/// The headers that the service adds to each reply.
pub(crate) const LIMITS: [(&str, &str); 2] = [
    ("x-amzn-bedrock-input-token-count", "1"),
    ("x-amzn-bedrock-invocation-latency", "1"),
];

/// The JSON of an error.
pub(crate) fn error(message: &str) -> Value {
    json!({"message": message})
}

/// Adds the exception's name to an error: that of the code, or the one of the status.
pub(crate) fn named(reply: &mut Reply, code: Option<&str>) {
    let gate = [MISSING, INCOMPLETE, SIGNATURE, CLIENT, SERIALIZATION];
    let name = match code.filter(|code| gate.contains(code)) {
        Some(code) => code.to_owned(),
        None => {
            let name = of(reply.status);
            format!("{name}:http://internal.amazon.com/coral/com.amazon.bedrock/")
        }
    };
    reply.set(HeaderName::from_static("x-amzn-errortype"), name);
}

fn of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        503 => "ServiceUnavailableException",
        500.. => "InternalServerException",
        _ => "ValidationException",
    }
}

/// The exception within a stream.
pub(super) fn event(throttled: bool) -> Event {
    let (name, body) = if throttled {
        (
            "throttlingException",
            error("Too many requests, please wait before trying again."),
        )
    } else {
        let message =
            "The system encountered an unexpected error during processing. Try your request again.";
        let body = json!({
            "message": message, "originalMessage": "simulated", "originalStatusCode": 500,
        });
        ("modelStreamErrorException", body)
    };
    Event {
        name: Some(name),
        data: body.to_string(),
        token: false,
    }
}
