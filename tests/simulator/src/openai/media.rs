//! Images and audio: bytes that are no text, and forms.
//!
//! Sources: [Images](https://platform.openai.com/docs/api-reference/images),
//! [Audio](https://platform.openai.com/docs/api-reference/audio).

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{CREATED, needs};
use crate::refusal::Refusal;

/// `n` images, each of a few bytes.
pub(crate) fn images(fields: &Map<String, Value>) -> Result<Value, Refusal> {
    needs(fields, &["prompt"])?;
    let n = fields.get("n").and_then(Value::as_u64).unwrap_or(1).min(10);
    let data: Vec<_> = (0..n)
        .map(|index| json!({"b64_json": BASE64_STANDARD.encode(format!("image {index}"))}))
        .collect();
    Ok(json!({"created": CREATED, "data": data}))
}

/// 1 KiB in which every byte occurs: no text, whatever the encoding.
pub(crate) fn speech(fields: &Map<String, Value>) -> Result<Bytes, Refusal> {
    needs(fields, &["input", "voice"])?;
    Ok((0..=u8::MAX).cycle().take(1024).collect())
}

/// The reply to a form with a file: how long the file was.
pub(crate) fn transcription(form: &[(String, Bytes)]) -> Result<Value, Refusal> {
    match form.iter().find(|(name, _)| name == "file") {
        Some((_, file)) => Ok(json!({"text": format!("{} bytes of sound", file.len())})),
        None => Err(Refusal::of(
            "file",
            "missing_required_parameter",
            "Missing required parameter: 'file'.",
        )),
    }
}

/// Reads the fields of a `multipart/form-data` body
/// ([RFC 7578](https://www.rfc-editor.org/rfc/rfc7578)).
pub(crate) fn form(content_type: &str, body: &Bytes) -> Result<Vec<(String, Bytes)>, Refusal> {
    let refuse = |why: &str| Refusal::new(StatusCode::BAD_REQUEST, why);
    let boundary = content_type
        .strip_prefix("multipart/form-data")
        .and_then(|rest| rest.split_once("boundary="))
        .map(|(_, rest)| {
            rest.split(';')
                .next()
                .unwrap_or(rest)
                .trim()
                .trim_matches('"')
        })
        .filter(|boundary| !boundary.is_empty())
        .ok_or_else(|| refuse("The body must be multipart/form-data with a boundary."))?;
    let delimiter = format!("--{boundary}");
    let broken = || refuse("The multipart body could not be parsed.");
    let mut fields = vec![];
    let mut at = find(body, delimiter.as_bytes()).ok_or_else(broken)? + delimiter.len();
    while body[at..].starts_with(b"\r\n") {
        let head = at + 2;
        let start = head + find(&body[head..], b"\r\n\r\n").ok_or_else(broken)? + 4;
        let next = format!("\r\n{delimiter}");
        let end = start + find(&body[start..], next.as_bytes()).ok_or_else(broken)?;
        let lines = String::from_utf8_lossy(&body[head..start]);
        let name = lines
            .split_once(" name=\"")
            .and_then(|(_, rest)| rest.split_once('"'));
        let (name, _) = name.ok_or_else(broken)?;
        fields.push((name.to_owned(), body.slice(start..end)));
        at = end + next.len();
    }
    if body[at..].starts_with(b"--") {
        Ok(fields)
    } else {
        Err(broken())
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=XX";

    #[test]
    fn a_form_is_read_byte_for_byte() {
        let body = "--XX\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\necho\r\n\
            --XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n\r\n--X\r\n--XX--\r\n";
        let fields = form(TYPE, &Bytes::from(body)).unwrap();
        assert_eq!(fields[0], ("model".into(), Bytes::from("echo")));
        assert_eq!(fields[1], ("file".into(), Bytes::from("\r\n--X")));
        assert_eq!(transcription(&fields).unwrap()["text"], "5 bytes of sound");
    }

    #[test]
    fn a_form_that_is_cut_off_is_refused() {
        for body in [
            "",
            "--XX",
            "--XX\r\n",
            "--XX\r\nA: name=\"a\"\r\n\r\nb",
            "--YY\r\n",
        ] {
            assert!(form(TYPE, &Bytes::from(body)).is_err(), "{body:?}");
        }
        assert!(form("application/json", &Bytes::new()).is_err());
    }
}
