//! Ids of tool calls, as vendors that are strict about them take them.
//!
//! Anthropic takes letters, digits, `_` and `-` ([tool use](https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview)); Bedrock's
//! Converse at most 64 of them. Others send ids such as `functions.get_weather:0` (Kimi). A call and its result go through the same function,
//! so that they still name each other.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The id with each character that is not taken spelled as `_` and its hexadecimal number. An id that is taken stays as it is.
#[must_use]
pub fn plain(id: &str) -> Cow<'_, str> {
    let taken = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !id.is_empty() && id.bytes().all(taken) {
        return Cow::Borrowed(id);
    }
    let mut plain = String::with_capacity(id.len() + 8);
    for byte in id.bytes() {
        if taken(byte) {
            plain.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(plain, "_{byte:02x}");
        }
    }
    if plain.is_empty() {
        plain.push_str("call");
    }
    Cow::Owned(plain)
}

/// As [`plain`], and of at most `longest` characters: of a longer one the start is kept, and a hash of the whole stands for the rest.
#[must_use]
pub fn short(id: &str, longest: usize) -> Cow<'_, str> {
    let plain = plain(id);
    if plain.len() <= longest {
        return plain;
    }
    // FNV-1a: the same in every process, and two ids of one conversation never meet by chance.
    let hash = plain.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let kept = plain.get(..longest.saturating_sub(17)).unwrap_or_default();
    Cow::Owned(format!("{kept}_{hash:016x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_taken_stays_and_any_other_keeps_apart_from_its_neighbours() {
        assert_eq!(plain("toolu_01-A"), "toolu_01-A");
        assert_eq!(plain("functions.get:0"), "functions_2eget_3a0");
        assert_ne!(plain("a.b"), plain("a:b"));
        assert_eq!(plain(""), "call");
    }

    #[test]
    fn a_long_id_is_cut_to_a_length_and_stays_its_own() {
        let (one, two) = ("x".repeat(70) + "1", "x".repeat(70) + "2");
        assert_eq!(short(&one, 64).len(), 64);
        assert_ne!(short(&one, 64), short(&two, 64));
        assert_eq!(short("call_1", 64), "call_1");
    }
}
