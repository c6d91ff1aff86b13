//! Counting a request's tokens without asking for an answer.
//!
//! Source: [count tokens](https://platform.claude.com/docs/en/api/messages/count_tokens). A request is that of a message without limit, sampling, stops,
//! metadata and stream; a reply is `{"input_tokens": 14}`.

use serde::Deserialize;
use serde_json::json;

use super::request::{self, Endpoint};
use crate::codec::{Path, Target};
use crate::fields::Fields;
use crate::form::{Garbage, Malformed, Refused, Request};

/// Reads a client's request.
///
/// # Errors
/// [`Malformed`], naming the place, if it is not what the dialect says.
pub fn read_request(body: &[u8], path: Path<'_>) -> Result<Request, Malformed> {
    request::read(Fields::of_request(body)?, Endpoint::CountTokens, path)
}

/// Writes a request for an upstream.
///
/// # Errors
/// [`Refused`] if the dialect cannot express it.
pub fn write_request(request: &Request, target: Target<'_>) -> Result<Vec<u8>, Refused> {
    request::write(request, Endpoint::CountTokens, target)
}

/// Reads an upstream's reply: the prompt's tokens.
///
/// # Errors
/// [`Garbage`] if it is not what the dialect says.
pub fn read_reply(body: &[u8]) -> Result<u64, Garbage> {
    #[derive(Deserialize)]
    struct Counted {
        input_tokens: u64,
    }
    let counted: Counted = serde_json::from_slice(body).map_err(|fault| {
        Garbage::new(format!("The count of tokens does not read: {fault}."), body)
    })?;
    Ok(counted.input_tokens)
}

/// Writes a reply for a client.
#[must_use]
pub fn write_reply(tokens: u64) -> Vec<u8> {
    json!({"input_tokens": tokens}).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_needs_no_limit_and_sends_none() {
        let body = br#"{"model":"m","messages":[{"role":"user","content":"hi"}],"system":"be"}"#;
        let request = read_request(body, Path::default()).unwrap();
        let target = Target {
            model: "up",
            stream: false,
        };
        let written = write_request(
            &Request {
                stop: vec!["x".into()],
                user: Some("u".into()),
                ..request
            },
            target,
        );
        assert_eq!(
            String::from_utf8(written.unwrap()).unwrap(),
            r#"{"model":"up","system":"be","messages":[{"role":"user","content":"hi"}]}"#
        );
        assert_eq!(read_reply(&write_reply(14)), Ok(14));
        assert!(read_reply(b"{}").is_err());
    }
}
