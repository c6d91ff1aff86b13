//! What a JSON string literal says, and the literal for a text.
//!
//! Source: [RFC 8259 §7](https://www.rfc-editor.org/rfc/rfc8259#section-7).

use std::borrow::Cow;

/// The text of a literal's inside (without its quotes), which must have passed the
/// [lexer](super::lexer). Borrowed when nothing is escaped. A lone surrogate becomes U+FFFD.
#[must_use]
pub fn decode(inside: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', inside.as_bytes()) else {
        return Cow::Borrowed(inside);
    };
    let mut text = String::with_capacity(inside.len());
    let mut rest = inside;
    let mut next = Some(first);
    while let Some(at) = next {
        text.push_str(&rest[..at]);
        let (character, length) = unescape(&rest.as_bytes()[at..]);
        text.push(character);
        rest = rest.get(at + length..).unwrap_or_default();
        next = memchr::memchr(b'\\', rest.as_bytes());
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// The text of the literal at `range` of `json`, quotes included; none if it is no string.
#[must_use]
pub fn read(json: &str, range: std::ops::Range<usize>) -> Option<Cow<'_, str>> {
    let inside = json.get(range)?.strip_prefix('"')?.strip_suffix('"')?;
    Some(decode(inside))
}

/// Whether a literal's inside says `text`, however it is escaped.
#[must_use]
pub fn says(inside: &str, text: &str) -> bool {
    inside == text || (inside.len() > text.len() && decode(inside) == text)
}

/// The character of the escape that `bytes` start with, and how many bytes it takes.
fn unescape(bytes: &[u8]) -> (char, usize) {
    let simple = match bytes.get(1) {
        Some(b'u') => return unescape_unicode(bytes),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(other) => char::from(*other),
        None => char::REPLACEMENT_CHARACTER,
    };
    (simple, 2)
}

fn unescape_unicode(bytes: &[u8]) -> (char, usize) {
    let unit = |from: usize| {
        let digits = bytes.get(from..)?.strip_prefix(b"\\u")?.get(..4)?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let Some(high) = unit(0) else {
        return (char::REPLACEMENT_CHARACTER, 6);
    };
    if let Some(Ok(character)) = char::decode_utf16([high]).next() {
        return (character, 6);
    }
    match unit(6).and_then(|low| char::decode_utf16([high, low]).next()) {
        Some(Ok(character)) => (character, 12),
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}

/// Appends the literal for `text`, quotes included. Only what must be escaped is.
pub fn encode(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.reserve(text.len() + 2);
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let short = match byte {
            b'"' | b'\\' => *byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            0..0x20 => 0,
            _ => continue,
        };
        out.extend_from_slice(&bytes[from..at]);
        from = at + 1;
        if short == 0 {
            let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&digits);
        } else {
            out.extend_from_slice(&[b'\\', short]);
        }
    }
    out.extend_from_slice(&bytes[from..]);
    out.push(b'"');
}

/// The literal for `text`, quotes included.
#[must_use]
pub fn literal(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    encode(text, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_escaped_is_borrowed() {
        assert!(matches!(decode("pl\u{e9}in"), Cow::Borrowed("pl\u{e9}in")));
    }

    #[test]
    fn every_escape_is_read() {
        assert_eq!(
            decode(r#"\"\\\/\b\f\n\r\t\u003cthink\u003E \ud83d\ude00 end"#),
            "\"\\/\u{8}\u{c}\n\r\t<think> \u{1f600} end"
        );
    }

    #[test]
    fn a_lone_surrogate_reads_as_the_replacement_character() {
        assert_eq!(decode(r"a\ud83db"), "a\u{fffd}b");
        assert_eq!(decode(r"\ude00\u0041"), "\u{fffd}A");
        assert_eq!(decode(r"\ud83d\ud83d\ude00"), "\u{fffd}\u{1f600}");
    }

    #[test]
    fn a_name_is_known_however_it_is_escaped() {
        assert!(says("model", "model"));
        assert!(says(r"\u006dodel", "model"));
        assert!(!says(r"\u006eodel", "model"));
        assert!(!says("mode", "model"));
    }
}
