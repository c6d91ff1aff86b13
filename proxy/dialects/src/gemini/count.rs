//! Counting a request's tokens without asking for an answer.
//!
//! Source: [counting tokens](https://ai.google.dev/api/tokens). A request holds a whole request of `generateContent`, or its `contents` alone; a reply is
//! `{"totalTokens": 14}`.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::request::{read, write};
use crate::codec::{Path, Target};
use crate::fields::Fields;
use crate::form::{Garbage, Malformed, Refused, Request};

/// The field that holds the request.
const WHOLE: [&str; 2] = ["generateContentRequest", "generate_content_request"];

/// Reads a client's request.
///
/// # Errors
/// [`Malformed`], naming the place, if it is not what the dialect says.
pub fn read_request(body: &[u8], path: Path<'_>) -> Result<Request, Malformed> {
    let mut fields = Fields::of_body(body)?;
    let whole = WHOLE.into_iter().find_map(|name| fields.value(name));
    match whole {
        Some(whole @ Value::Object(_)) => read::read(whole.to_string().as_bytes(), path),
        Some(_) => Err(fields.fault(WHOLE[0], "The field must be an object.")),
        None => read::read(body, path),
    }
}

/// Writes a request for an upstream.
///
/// # Errors
/// [`Refused`] if the dialect cannot express it.
pub fn write_request(request: &Request, target: Target<'_>) -> Result<Vec<u8>, Refused> {
    let whole = write::write(request, target)?;
    // It stands as it was written, behind the model, which the vendor wants here too.
    let model = json!(format!("models/{}", target.model)).to_string();
    let rest = whole.strip_prefix(b"{").unwrap_or_default();
    let start = format!("{{\"{}\":{{\"model\":{model},", WHOLE[0]);
    Ok([start.as_bytes(), rest, b"}"].concat())
}

/// Reads an upstream's reply: the prompt's tokens.
///
/// # Errors
/// [`Garbage`] if it is not what the dialect says.
pub fn read_reply(body: &[u8]) -> Result<u64, Garbage> {
    #[derive(Deserialize)]
    struct Counted<'a> {
        #[serde(borrow, rename = "totalTokens")]
        total: &'a RawValue,
    }
    let fault = |fault: serde_json::Error| {
        Garbage::new(format!("The count of tokens does not read: {fault}."), body)
    };
    let counted: Counted<'_> = serde_json::from_slice(body).map_err(fault)?;
    serde_json::from_str(counted.total.get()).map_err(fault)
}

/// Writes a reply for a client.
#[must_use]
pub fn write_reply(tokens: u64) -> Vec<u8> {
    json!({"totalTokens": tokens}).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anthropic::count;

    const PATH: Path<'static> = Path {
        model: Some("gemini-2.5-flash"),
        stream: None,
    };

    #[test]
    fn a_count_goes_between_anthropic_and_gemini_with_all_that_counts() {
        let asked = br#"{"model":"m","system":"be","messages":[{"role":"user","content":"hi"}]}"#;
        let form = count::read_request(asked, Path::default()).unwrap();
        let target = Target {
            model: "gemini-2.5-flash",
            stream: false,
        };
        let written = write_request(&form, target).unwrap();
        let expected = r#"{"generateContentRequest":{"model":"models/gemini-2.5-flash","contents":[{"role":"user","parts":[{"text":"hi"}]}],"systemInstruction":{"parts":[{"text":"be"}]}}}"#;
        assert_eq!(String::from_utf8(written.clone()).unwrap(), expected);
        let target = Target {
            model: "m",
            stream: false,
        };
        let again = read_request(&written, PATH).unwrap();
        let again = count::write_request(&again, target).unwrap();
        assert_eq!(
            again,
            br#"{"model":"m","system":"be","messages":[{"role":"user","content":"hi"}]}"#
        );
        let bare = read_request(br#"{"contents":[{"parts":[{"text":"hi"}]}]}"#, PATH).unwrap();
        assert_eq!(bare.messages.len(), 1);
    }

    #[test]
    fn a_reply_is_a_number() {
        assert_eq!(read_reply(&write_reply(14)), Ok(14));
        assert!(read_reply(b"{}").is_err());
        let fault = read_request(br#"{"generateContentRequest":1}"#, PATH).unwrap_err();
        assert_eq!(fault.at, "generateContentRequest");
    }
}
