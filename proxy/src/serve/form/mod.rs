//! A multipart form's `model`: found, and replaced, without touching the other parts.
//!
//! Source: [RFC 7578](https://www.rfc-editor.org/rfc/rfc7578), [RFC 2046 §5.1](https://www.rfc-editor.org/rfc/rfc2046#section-5.1).
//!
//! - [`parameters`]: of a header's value, where every server reads them alike
//! - [`part`]: which field a part is

mod parameters;
mod part;

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, header};
use memchr::memmem;

use self::parameters::Parameter;
use self::part::Field;
use crate::json::splice::{Edit, splice};

/// The longest boundary: RFC 2046.
const LONGEST_BOUNDARY: usize = 70;

/// Why a form cannot be read: its boundary is spelled so that servers may read it otherwise. The client's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the boundary of the form is spelled so that servers read it in different ways")]
pub(crate) struct Ambiguous;

/// The boundary of a multipart body, if headers announce one.
///
/// # Errors
/// [`Ambiguous`] if servers could take another.
pub(crate) fn boundary(headers: &HeaderMap) -> Result<Option<String>, Ambiguous> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(None);
    };
    let value = String::from_utf8_lossy(value.as_bytes());
    let (kind, rest) = value.split_once(';').unwrap_or((&value, ""));
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return Ok(None);
    }
    let all = parameters::read(rest).ok_or(Ambiguous)?;
    let mut named = all
        .into_iter()
        .filter(|one| one.name.starts_with("boundary"));
    let Some(Parameter { name, value }) = named.next() else {
        return Ok(None);
    };
    let is_one = name == "boundary" && named.next().is_none();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " '()+_,-./:=?".contains(c);
    let is_clear = value.chars().all(is_plain) && !value.ends_with(' ');
    if !is_one || !is_clear || !(1..=LONGEST_BOUNDARY).contains(&value.len()) {
        return Err(Ambiguous);
    }
    Ok(Some(value))
}

/// What a form says of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Model {
    /// It has one, here.
    At(Range<usize>),
    /// It has none, as far as the form is known.
    None,
    /// It has several, or one whose name, bounds or encoding servers may read otherwise: no two need take the same.
    Several,
}

/// Whether a line could be a bound of parts to one server and what a part holds to another: its end is not a line's, or the one before it is no
/// CRLF, which some do without; before the first bound, some do without any. What follows the last bound is no part to any.
fn has_loose_bounds(body: &[u8], boundary: &str) -> bool {
    let mark = format!("--{boundary}");
    let mut first = true;
    for at in memmem::find_iter(body, mark.as_bytes()) {
        let (before, after) = (&body[..at], &body[at + mark.len()..]);
        match before {
            [] | [.., b'\r', b'\n'] => {}
            [.., b'\r' | b'\n'] => return true,
            _ if first => return true,
            _ => continue,
        }
        first = false;
        if after == b"-" {
            return false;
        }
        let last = after.strip_prefix(b"--");
        let mut line = last.unwrap_or(after).iter();
        let end = line.find(|byte| !matches!(byte, b' ' | b'\t'));
        // A body that is not there whole may end anywhere.
        let is_line =
            end.is_none_or(|end| *end == b'\r' && line.next().is_none_or(|next| *next == b'\n'));
        if !is_line {
            return true;
        }
        if last.is_some() {
            return false;
        }
    }
    false
}

/// Finds the field `model` among the parts that `body` holds whole.
pub(crate) fn model(body: &[u8], boundary: &str) -> Model {
    if has_loose_bounds(body, boundary) {
        return Model::Several;
    }
    let delimiter = format!("\r\n--{boundary}");
    let finder = memmem::Finder::new(delimiter.as_bytes());
    // The first delimiter has no line end before it.
    let mut at = match body.strip_prefix(&delimiter.as_bytes()[2..]) {
        Some(_) => delimiter.len() - 2,
        None => match finder.find(body) {
            Some(at) => at + delimiter.len(),
            None => return Model::None,
        },
    };
    let mut found = Model::None;
    loop {
        let part = &body[at..];
        if part.starts_with(b"--") {
            return found;
        }
        let next = finder.find(part);
        let Some(head) = memmem::find(part, b"\r\n\r\n") else {
            // Some servers end a head's lines with one of the two alone.
            return next.map_or(found, |_| Model::Several);
        };
        if next.is_some_and(|next| next < head) {
            return Model::Several;
        }
        let content = at + head + 4;
        // A bound whose line end is the head's last is one to some servers.
        if body[content..].starts_with(&delimiter.as_bytes()[2..]) {
            return Model::Several;
        }
        let Some(length) = finder.find(&body[content..]) else {
            return found;
        };
        let end = content + length;
        match part::field(&part[..head], &body[content..end]) {
            Field::Model if found == Model::None => found = Model::At(content..end),
            Field::Model | Field::Unclear => return Model::Several,
            Field::Other => {}
        }
        at = end + delimiter.len();
    }
}

/// The body with another model.
pub(crate) fn renamed(body: &Bytes, at: &Range<usize>, model: &str) -> Vec<Bytes> {
    let with = Bytes::copy_from_slice(model.as_bytes());
    splice(
        body,
        vec![Edit {
            at: at.clone(),
            with,
        }],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\nContent-Type: audio/wav\r\n\r\nab\r\n--notB\r\n\r\n--B\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n--B--\r\n";

    #[test]
    fn the_model_is_found_and_replaced_alone() {
        let Model::At(at) = model(FORM.as_bytes(), "B") else {
            panic!()
        };
        assert_eq!(&FORM[at.clone()], "whisper");
        let renamed = renamed(&Bytes::from(FORM), &at, "x").concat();
        assert_eq!(
            String::from_utf8(renamed).unwrap(),
            FORM.replace("whisper", "x")
        );
    }

    #[test]
    fn a_part_that_is_not_there_whole_is_not_believed() {
        let end = FORM.find("whisper").unwrap() + 4;
        for at in 0..end {
            assert_eq!(model(&FORM.as_bytes()[..at], "B"), Model::None, "{at}");
        }
    }

    #[test]
    fn two_models_are_told() {
        let part = "--B\r\nContent-Disposition: form-data; name=model\r\n\r\na\r\n";
        assert_eq!(
            model(format!("{part}{part}--B--").as_bytes(), "B"),
            Model::Several
        );
        assert_eq!(
            model(
                b"--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n\r\n--B--",
                "B"
            ),
            Model::At(53..53)
        );
        assert_eq!(
            model(
                b"--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n--B--",
                "B"
            ),
            Model::Several
        );
        assert_eq!(model(b"no form", "B"), Model::None);
    }

    #[test]
    fn bounds_that_servers_read_in_different_ways_are_told() {
        assert!(matches!(model(FORM.as_bytes(), "B"), Model::At(_)));
        for loose in [
            "ab\r\n--B--x",
            "ab\r\n--Bx",
            "ab\n--B",
            "ab\r--B--",
            "ab\r\n--B\n",
            "ab\r\n--B\r\na: b\r\n--B",
            "ab\r\n--B\r\na: b\nc: d\r\n\r\nab",
            "ab\r\n--B\r\n\r\nab",
        ] {
            let form = FORM.replace("ab", loose);
            assert_eq!(model(form.as_bytes(), "B"), Model::Several, "{loose:?}");
        }
        for plain in ["ab\r\n--b", "a--B--x", "ab\r\n-B"] {
            let form = FORM.replace("ab", plain);
            assert!(
                matches!(model(form.as_bytes(), "B"), Model::At(_)),
                "{plain:?}"
            );
        }
        for (before, expected) in [
            ("\r\n", true),
            ("a\r\n", true),
            ("a", false),
            ("a--B\r\n", false),
        ] {
            let form = format!("{before}{FORM}");
            let found = matches!(model(form.as_bytes(), "B"), Model::At(_));
            assert_eq!(found, expected, "{before:?}");
        }
        let padded = FORM.replace("--B\r\n", "--B \t\r\n") + "\n--Bx and what else follows";
        assert!(matches!(model(padded.as_bytes(), "B"), Model::At(_)));
    }

    #[test]
    fn the_boundary_is_read_with_and_without_quotes() {
        let read = |value: &str| {
            boundary(&HeaderMap::from_iter([(
                header::CONTENT_TYPE,
                value.parse().unwrap(),
            )]))
        };
        let is = |boundary: &str| Ok(Some(boundary.to_owned()));
        assert_eq!(read("multipart/form-data; boundary=abc"), is("abc"));
        assert_eq!(
            read("Multipart/Form-Data; charset=x; Boundary=\"a b\""),
            is("a b")
        );
        assert_eq!(
            read("multipart/form-data; x=\"; boundary=no\"; boundary=\"a:b\""),
            is("a:b")
        );
        assert_eq!(read("multipart/form-data"), Ok(None));
        assert_eq!(read("application/json; boundary=a"), Ok(None));
        for parameters in [
            "boundary=a; boundary=b",
            "boundary=a; boundary*=utf-8''b",
            "boundary=a/b",
            "boundary=\"a%22b\"",
            "boundary=\"a\"b",
            "boundary = a",
            "boundary=\"a",
            "boundary=\"\"",
            "boundary=\"a\\\"\"",
            "boundary=a, multipart/form-data; boundary=b",
            "x=y\"; boundary=a; z=\"; boundary=b",
        ] {
            let value = format!("multipart/form-data; {parameters}");
            assert_eq!(read(&value), Err(Ambiguous), "{parameters}");
        }
        let long = format!("multipart/form-data; boundary={}", "a".repeat(71));
        assert_eq!(read(&long), Err(Ambiguous));
    }
}
