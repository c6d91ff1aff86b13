//! A strict reader that moves over one JSON value and says where it ends.
//!
//! Source: [RFC 8259](https://www.rfc-editor.org/rfc/rfc8259). Lone surrogates in `\u` escapes are let
//! through, as its grammar does. Nothing is recursive: the nesting is a stack of bits.

use std::ops::Range;

use super::malformed::{Malformed, What};

/// How many arrays and objects may stand inside one another.
pub const DEPTH: u32 = 128;

/// The first byte at or after `at` that is not JSON whitespace.
#[must_use]
pub fn whitespace(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// The end of the value that starts at `at`, which lies inside `outer` arrays and objects.
///
/// # Errors
/// [`Malformed`] where the text leaves the grammar.
pub fn value(text: &[u8], at: usize, outer: u32) -> Result<usize, Malformed> {
    value_naming(text, at, outer, &mut |_, _| ())
}

/// As [`value`], and shows the members of all objects in it to `each`: where the name stands between its quotes, and where its value starts.
///
/// # Errors
/// [`Malformed`] where the text leaves the grammar.
pub fn value_naming(
    text: &[u8],
    mut at: usize,
    outer: u32,
    each: &mut impl FnMut(Range<usize>, usize),
) -> Result<usize, Malformed> {
    let mut named = |at: usize| {
        let (end, value) = name(text, at)?;
        each(at + 1..end - 1, value);
        Ok(value)
    };
    // One bit per open bracket, the innermost lowest: 1 for an object, 0 for an array.
    let mut nesting: u128 = 0;
    let mut depth = 0;
    loop {
        match text.get(at) {
            Some(open @ (b'{' | b'[')) => {
                let object = *open == b'{';
                if outer + depth == DEPTH {
                    return Err(What::Depth.at(at));
                }
                let inside = whitespace(text, at + 1);
                let close = if object { b'}' } else { b']' };
                if text.get(inside) == Some(&close) {
                    at = inside + 1;
                } else {
                    nesting = (nesting << 1) | u128::from(object);
                    depth += 1;
                    at = if object { named(inside)? } else { inside };
                    continue;
                }
            }
            _ => at = scalar(text, at)?,
        }
        // A value has ended: go up as far as brackets close, then on to the next value.
        loop {
            if depth == 0 {
                return Ok(at);
            }
            let object = nesting & 1 == 1;
            at = whitespace(text, at);
            match text.get(at) {
                Some(b',') => {
                    at = whitespace(text, at + 1);
                    if object {
                        at = named(at)?;
                    }
                    break;
                }
                Some(b'}') if object => at += 1,
                Some(b']') if !object => at += 1,
                Some(_) => return Err(What::Comma.at(at)),
                None => return Err(What::End.at(at)),
            }
            nesting >>= 1;
            depth -= 1;
        }
    }
}

/// Reads `"name" :` at `at`: the end of the name's literal and the start of the member's value.
///
/// # Errors
/// [`Malformed`] where the text leaves the grammar.
pub fn name(text: &[u8], at: usize) -> Result<(usize, usize), Malformed> {
    match text.get(at) {
        Some(b'"') => {}
        Some(_) => return Err(What::Name.at(at)),
        None => return Err(What::End.at(at)),
    }
    let end = string(text, at)?;
    let colon = whitespace(text, end);
    match text.get(colon) {
        Some(b':') => Ok((end, whitespace(text, colon + 1))),
        Some(_) => Err(What::Colon.at(colon)),
        None => Err(What::End.at(colon)),
    }
}

/// The end of the string literal whose opening quote stands at `at`.
///
/// # Errors
/// [`Malformed`] for an unknown escape, a control character or a missing end.
pub fn string(text: &[u8], at: usize) -> Result<usize, Malformed> {
    let mut at = at + 1;
    loop {
        at = plain(text, at);
        match text.get(at) {
            None => return Err(What::End.at(at)),
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = escape(text, at)?,
            Some(_) => return Err(What::Control.at(at)),
        }
    }
}

fn escape(text: &[u8], at: usize) -> Result<usize, Malformed> {
    match text.get(at + 1) {
        None => Err(What::End.at(at + 1)),
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => match text.get(at + 2..at + 6) {
            None => Err(What::End.at(text.len())),
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(at + 6),
            Some(_) => Err(What::Escape.at(at)),
        },
        Some(_) => Err(What::Escape.at(at)),
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = ONES << 7;

/// The first quote, backslash or control character at or after `at`, or the end. Eight bytes a step.
fn plain(text: &[u8], mut at: usize) -> usize {
    while let Some(eight) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*eight);
        // A byte below n sets its high bit. A borrow may set bits above the first one, never below it.
        let below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word & HIGHS;
        let hits = below(word, 0x20)
            | below(word ^ (ONES * u64::from(b'"')), 1)
            | below(word ^ (ONES * u64::from(b'\\')), 1);
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while matches!(text.get(at), Some(byte) if *byte >= 0x20 && *byte != b'"' && *byte != b'\\') {
        at += 1;
    }
    at
}

fn scalar(text: &[u8], at: usize) -> Result<usize, Malformed> {
    match text.get(at) {
        Some(b'"') => string(text, at),
        Some(b'-' | b'0'..=b'9') => number(text, at),
        Some(b't') => literal(text, at, b"true"),
        Some(b'f') => literal(text, at, b"false"),
        Some(b'n') => literal(text, at, b"null"),
        Some(_) => Err(What::Value.at(at)),
        None => Err(What::End.at(at)),
    }
}

fn literal(text: &[u8], at: usize, word: &[u8]) -> Result<usize, Malformed> {
    let rest = text.get(at..).unwrap_or_default();
    if rest.starts_with(word) {
        Ok(at + word.len())
    } else if word.starts_with(rest) {
        Err(What::End.at(text.len()))
    } else {
        Err(What::Value.at(at))
    }
}

fn number(text: &[u8], start: usize) -> Result<usize, Malformed> {
    let mut at = start + usize::from(text.get(start) == Some(&b'-'));
    at = match text.get(at) {
        Some(b'0') => at + 1,
        _ => digits(text, at, start)?,
    };
    if text.get(at) == Some(&b'.') {
        at = digits(text, at + 1, start)?;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        at += usize::from(matches!(text.get(at), Some(b'+' | b'-')));
        at = digits(text, at, start)?;
    }
    // `01` and `1x` end as numbers here; what follows is refused by whoever expects a comma, except
    // that a digit after a leading zero deserves the better message.
    if matches!(text.get(at), Some(b'0'..=b'9')) {
        Err(What::Number.at(start))
    } else {
        Ok(at)
    }
}

/// At least one digit at `at`; the fault is the number's, which starts at `start`.
fn digits(text: &[u8], at: usize, start: usize) -> Result<usize, Malformed> {
    let rest = text.get(at..).unwrap_or_default();
    match rest.iter().take_while(|byte| byte.is_ascii_digit()).count() {
        0 if rest.is_empty() => Err(What::End.at(text.len())),
        0 => Err(What::Number.at(start)),
        count => Ok(at + count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Result<usize, Malformed> {
        value(text.as_bytes(), 0, 0)
    }

    #[test]
    fn a_value_ends_where_the_grammar_says() {
        for text in [
            "null",
            "true",
            "-0.5e+7",
            "\"a\\u00e9\\n\"",
            "[]",
            "{}",
            "[ 1 , [ ] , { } ]",
            "{ \"a\" : [ 1 , { \"b\" : null } ] , \"c\" : \"]}\" }",
            "\"exactly8!\"",
            "\"\u{e9}\u{1f600} long enough\"",
        ] {
            assert_eq!(whole(text), Ok(text.len()), "{text}");
        }
    }

    #[test]
    fn a_fault_is_named_with_its_place() {
        for (text, offset, what) in [
            ("", 0, What::End),
            ("[1,]", 3, What::Value),
            ("{\"a\":1,}", 7, What::Name),
            ("{\"a\" 1}", 5, What::Colon),
            ("[1 2]", 3, What::Comma),
            ("{\"a\":[1}", 7, What::Comma),
            ("[01]", 1, What::Number),
            ("[1.]", 1, What::Number),
            ("[+1]", 1, What::Value),
            ("[nul]", 1, What::Value),
            ("nul", 3, What::End),
            ("\"\\x\"", 1, What::Escape),
            ("\"\\u12g4\"", 1, What::Escape),
            ("\"abcdefghij\nk\"", 11, What::Control),
            ("\"abc", 4, What::End),
            ("-", 1, What::End),
        ] {
            assert_eq!(whole(text), Err(Malformed { offset, what }), "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded_whatever_it_is_made_of() {
        let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(whole(&nested(128)).is_ok());
        assert_eq!(whole(&nested(129)), Err(What::Depth.at(128)));
        let objects = "{\"a\":".repeat(100_000);
        assert_eq!(whole(&objects), Err(What::Depth.at(128 * 5)));
        assert_eq!(value(b"[]", 0, DEPTH), Err(What::Depth.at(0)));
    }
}
