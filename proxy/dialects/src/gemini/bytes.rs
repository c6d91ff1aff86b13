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

/// Whether and as what another vendor's signature is shown: with a mark before it (`claude`), by which it is told from Gemini's own when it comes back.
#[must_use]
pub fn marked(signature: &str) -> Option<String> {
    is_standard(signature).then(|| format!("{MARK}{signature}"))
}

/// What another vendor signed with; none for a signature of Gemini's own.
#[must_use]
pub fn unmarked(signature: String) -> Option<String> {
    let signature = standard(signature);
    signature.strip_prefix(MARK).map(str::to_owned)
}

const MARK: &str = "Y2xhdWRl";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_signature_comes_back_as_it_was_and_geminis_own_is_nobody_elses() {
        let shown = marked("c2ln").unwrap();
        assert!(is_standard(&shown));
        assert_eq!(unmarked(shown).as_deref(), Some("c2ln"));
        assert_eq!(unmarked("c2ln".into()), None);
        assert_eq!(marked("a signature"), None);
    }

    #[test]
    fn both_alphabets_end_as_the_standard_one() {
        assert_eq!(standard("-_8".into()), "+/8=");
        assert_eq!(standard("AAAA".into()), "AAAA");
        assert!(is_standard(&standard("-_-_".into())));
        assert!(!is_standard("a signature"));
    }
}
