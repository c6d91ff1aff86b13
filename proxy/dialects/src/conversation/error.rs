//! Errors: `{"error": "bad_request", "details": "..."}`, as a body and as a line within a stream.

use serde_json::{Value, json};

use crate::form::{ErrorKind, Failure};
use crate::openai;

/// The words of errors, and what they mean.
const WORDS: [(&str, ErrorKind); 9] = [
    ("bad_request", ErrorKind::InvalidRequest),
    ("unauthorized", ErrorKind::Authentication),
    ("forbidden", ErrorKind::Permission),
    ("not_found", ErrorKind::NotFound),
    ("too_large", ErrorKind::TooLarge),
    ("rate_limited", ErrorKind::RateLimit),
    ("overloaded", ErrorKind::Overloaded),
    ("timeout", ErrorKind::Timeout),
    ("internal_error", ErrorKind::Server),
];

/// Reads an error's body, whatever it is.
#[must_use]
pub fn read(status: u16, body: &[u8]) -> Failure {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) if value["details"].is_string() => {
            Failure::new(status, value["details"].as_str().unwrap_or_default())
        }
        _ => openai::error::read(status, body),
    }
}

/// Reads an error within a stream, whose word is all that tells its status.
pub(super) fn in_stream(line: &[u8]) -> Failure {
    let value: Value = serde_json::from_slice(line).unwrap_or_default();
    let word = value["error"].as_str().unwrap_or_default();
    let known = WORDS.iter().find(|(own, _)| *own == word);
    let kind = known.map_or(ErrorKind::Server, |(_, kind)| *kind);
    read(kind.status(), line)
}

/// Writes an error. Anthropic's 529 becomes 503.
#[must_use]
pub fn write(failure: &Failure) -> (u16, Vec<u8>) {
    let status = match failure.status {
        529 => 503,
        status => status,
    };
    (status, body(failure))
}

/// The error alone.
pub(super) fn body(failure: &Failure) -> Vec<u8> {
    let known = WORDS.iter().find(|(_, kind)| *kind == failure.kind);
    let word = known.map_or("internal_error", |(word, _)| word);
    json!({"error": word, "details": failure.message})
        .to_string()
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_word_and_its_details_both_ways() {
        for (status, word) in [
            (400, "bad_request"),
            (401, "unauthorized"),
            (404, "not_found"),
            (429, "rate_limited"),
            (500, "internal_error"),
        ] {
            let body = json!({"error": word, "details": "why"}).to_string();
            let failure = read(status, body.as_bytes());
            assert_eq!(failure.message, "why");
            assert_eq!(write(&failure), (status, body.clone().into_bytes()));
            assert_eq!(in_stream(body.as_bytes()).status, status);
        }
        assert_eq!(write(&Failure::new(529, "busy")).0, 503);
        assert_eq!(read(502, b"<h1>bad</h1>").message, "<h1>bad</h1>");
    }
}
