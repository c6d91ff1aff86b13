//! The path of a request made plain, so that no spelling of it leads elsewhere than it was judged for.
//!
//! Source: [RFC 3986 §6.2.2](https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2). Doubled slashes, which base URLs with a
//! trailing slash make, are taken as one, and escapes of what needs none are decoded. What servers read in different ways is refused: dot segments (also
//! encoded, also with `;` parameters), backslashes and control characters; and where a path is relayed, encoded slashes.

use std::borrow::Cow;

/// Why a path is refused. The client's fault; a retry does not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the path {0}; send it as it is meant")]
pub struct Ambiguous(&'static str);

/// The path with single slashes.
///
/// # Errors
/// [`Ambiguous`] when servers could disagree on what it names.
pub fn plain(path: &str) -> Result<Cow<'_, str>, Ambiguous> {
    if !path.starts_with('/') {
        return Err(Ambiguous("does not begin with a slash"));
    }
    if memchr::memchr2(b'%', b'\\', path.as_bytes()).is_some() {
        judge_escapes(path.as_bytes())?;
        if let Cow::Owned(unescaped) = unescape_unreserved(path) {
            return plain(&unescaped).map(|path| Cow::Owned(path.into_owned()));
        }
    }
    let mut doubled = false;
    for segment in path[1..].split('/') {
        doubled |= segment.is_empty();
        if is_dots(segment) {
            return Err(Ambiguous("has a `.` or `..` segment"));
        }
    }
    // An empty last segment is a trailing slash, which stays.
    if !doubled || !path.contains("//") {
        return Ok(Cow::Borrowed(path));
    }
    let mut single = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !single.ends_with('/') {
            single.push(character);
        }
    }
    Ok(Cow::Owned(single))
}

fn judge_escapes(bytes: &[u8]) -> Result<(), Ambiguous> {
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\\' => return Err(Ambiguous("has a backslash")),
            b'%' => match decoded(bytes, at) {
                None => return Err(Ambiguous("has a `%` without two hexadecimal digits")),
                Some(b'\\') => return Err(Ambiguous("has an encoded backslash")),
                Some(0..0x20 | 0x7f) => return Err(Ambiguous("has an encoded control character")),
                Some(_) => {}
            },
            _ => {}
        }
    }
    Ok(())
}

/// Decodes what needs no escape, so that a name has one spelling: RFC 3986 §6.2.2.2. Nothing that this yields is an escape again.
fn unescape_unreserved(path: &str) -> Cow<'_, str> {
    let bytes = path.as_bytes();
    let unreserved = |at: usize| {
        let byte = decoded(bytes, at).filter(|_| bytes[at] == b'%')?;
        (byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)).then_some(byte)
    };
    if memchr::memchr_iter(b'%', bytes).all(|at| unreserved(at).is_none()) {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len());
    let mut from = 0;
    for at in memchr::memchr_iter(b'%', bytes) {
        if let Some(byte) = unreserved(at) {
            out.push_str(&path[from..at]);
            out.push(char::from(byte));
            from = at + 3;
        }
    }
    out.push_str(&path[from..]);
    Cow::Owned(out)
}

/// Whether a segment means `.` or `..` once decoded and without `;` parameters.
fn is_dots(segment: &str) -> bool {
    if !segment.starts_with(['.', '%']) {
        return false;
    }
    let text = percent_decode(segment);
    matches!(text.split(';').next(), Some("." | ".."))
}

fn decoded(bytes: &[u8], at: usize) -> Option<u8> {
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    u8::try_from(digit(at + 1)? * 16 + digit(at + 2)?).ok()
}

/// Whether a path has an encoded slash, which only a model's id may.
pub fn has_encoded_slash(path: &str) -> bool {
    let bytes = path.as_bytes();
    memchr::memchr_iter(b'%', bytes).any(|at| decoded(bytes, at) == Some(b'/'))
}

/// The text with its escapes decoded once. What is no UTF-8 then reads as U+FFFD.
pub fn percent_decode(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    if memchr::memchr(b'%', bytes).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, decoded(bytes, at)) {
            (b'%', Some(value)) => {
                out.push(value);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_path_is_borrowed_and_doubled_slashes_are_one() {
        assert!(matches!(
            plain("/v1/chat/completions"),
            Ok(Cow::Borrowed(_))
        ));
        assert!(matches!(
            plain("/v1/files/"),
            Ok(Cow::Borrowed("/v1/files/"))
        ));
        assert_eq!(
            plain("/v1//chat///completions").unwrap(),
            "/v1/chat/completions"
        );
        assert_eq!(plain("//").unwrap(), "/");
    }

    #[test]
    fn a_name_has_one_spelling() {
        assert_eq!(
            plain("/v1/f%69les/%7Ea%2D%2fb").unwrap(),
            "/v1/files/~a-%2fb"
        );
        assert_eq!(plain("/a%20b%2541").unwrap(), "/a%20b%2541");
        assert_eq!(
            plain("/v1/%63hat/completions/").unwrap(),
            "/v1/chat/completions/"
        );
    }

    #[test]
    fn no_spelling_climbs_out_of_the_base_path() {
        for path in [
            "/v1/../admin",
            "/..",
            "/v1/.",
            "/v1/%2e%2e/admin",
            "/v1/.%2E/admin",
            "/v1/%2e/admin",
            "/v1/..;x=1/admin",
            "/v1/%2e%2e%3bx/admin",
            "/v1/..%5cadmin",
            "/v1\\..\\admin",
            "/v1/a%00b",
            "/v1/%0d%0a",
            "/v1/%zz",
            "*",
            "v1/models",
        ] {
            assert!(plain(path).is_err(), "{path}");
        }
    }

    #[test]
    fn dots_within_a_name_are_a_name() {
        for path in [
            "/v1/models/gpt-3.5",
            "/v1/files/..a",
            "/v1/files/a..",
            "/.well-known",
            "/a%20b",
        ] {
            assert!(plain(path).is_ok(), "{path}");
        }
    }

    #[test]
    fn an_encoded_slash_is_seen_in_either_case() {
        assert!(has_encoded_slash("/a%2fb") && has_encoded_slash("/a%2Fb"));
        assert!(!has_encoded_slash("/a%252fb"));
        assert_eq!(percent_decode("a%2Fb%20c"), "a/b c");
    }
}
