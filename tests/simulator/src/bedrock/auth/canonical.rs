//! A request in the form in which it is signed.
//!
//! Source: [the canonical request](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).

use std::fmt::Write as _;

use http::{header, request::Parts};
use sha2::{Digest, Sha256};

/// The request with these of its headers, or the name of the first that is missing.
pub(super) fn request<'a>(
    head: &Parts,
    signed: &[&'a str],
    body: &[u8],
) -> Result<String, &'a str> {
    // The path was encoded on its way here, and all services but S3 sign it encoded once more.
    let path = match head.uri.path() {
        "" => "/".to_owned(),
        path => encoded(path, true),
    };
    let query = head.uri.query().unwrap_or_default();
    let mut pairs: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut headers = String::new();
    for name in signed {
        let value = value(head, name).ok_or(*name)?;
        // Writing to a string never fails.
        let _ = writeln!(headers, "{name}:{value}");
    }
    Ok([
        head.method.as_str(),
        &path,
        &pairs.join("&"),
        &headers,
        &signed.join(";"),
        &hex(&Sha256::digest(body)),
    ]
    .join("\n"))
}

/// The values of a header, each with its white space folded. That of `host` may stand in the URI, as HTTP/2 has it.
fn value(head: &Parts, name: &str) -> Option<String> {
    let folded = |value: &http::HeaderValue| {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
    };
    let values: Vec<_> = head.headers.get_all(name).iter().map(folded).collect();
    if !values.is_empty() {
        return Some(values.join(","));
    }
    let authority = head.uri.authority().map(ToString::to_string);
    authority.filter(|_| name == header::HOST.as_str())
}

/// Percent-encodes what is not unreserved; `path`: slashes stay.
fn encoded(text: &str, path: bool) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (path && byte == b'/') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
