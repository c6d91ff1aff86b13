//! Bytes, in base64: Google's servers and SDKs read and write both alphabets, other dialects know the standard one alone.
//!
//! Source: [ProtoJSON](https://protobuf.dev/programming-guides/json/#json-mapping).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The same bytes in the standard alphabet and padded; what has another alphabet is respelled where it lies.
#[must_use]
pub fn standard(text: String) -> String {
    let plain = memchr::memchr2(b'-', b'_', text.as_bytes()).is_none();
    if plain && text.len().is_multiple_of(4) {
        return text;
    }
    let mut bytes = text.into_bytes();
    for byte in &mut bytes {
        *byte = match *byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        };
    }
    while !bytes.len().is_multiple_of(4) {
        bytes.push(b'=');
    }
    // One ASCII character took another's place.
    String::from_utf8(bytes).unwrap_or_default()
}

/// Whether it is padded base64 of the standard alphabet: SDKs fail at a signature that is not.
#[must_use]
pub fn is_standard(text: &str) -> bool {
    STANDARD.decode(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_alphabets_end_as_the_standard_one() {
        assert_eq!(standard("-_8".into()), "+/8=");
        assert_eq!(standard("AAAA".into()), "AAAA");
        assert!(is_standard(&standard("-_-_".into())));
        assert!(!is_standard("a signature"));
    }
}
