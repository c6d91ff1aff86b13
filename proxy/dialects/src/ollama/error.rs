//! Ollama's errors: `{"error": "..."}`, as a body and as a line within a stream.
//!
//! Source: [errors](https://docs.ollama.com/api/errors).

use serde_json::json;

use crate::form::Failure;
use crate::openai;

/// Reads an error's body, whatever it is.
#[must_use]
pub fn read(status: u16, body: &[u8]) -> Failure {
    openai::error::read(status, body)
}

/// Writes an error. Anthropic's 529 becomes 503, as Ollama itself answers when it is busy.
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
    json!({"error": failure.message}).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_string_both_ways() {
        let body = br#"{"error":"model 'x' not found"}"#;
        let failure = read(404, body);
        assert_eq!(failure.message, "model 'x' not found");
        assert_eq!(write(&failure), (404, body.to_vec()));
        assert_eq!(write(&Failure::new(529, "busy")).0, 503);
    }
}
