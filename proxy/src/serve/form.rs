//! A multipart form's `model`: found, and replaced, without touching the other parts.
//!
//! Source: [RFC 7578](https://www.rfc-editor.org/rfc/rfc7578), [RFC 2046 §5.1](https://www.rfc-editor.org/rfc/rfc2046#section-5.1).

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, header};
use memchr::memmem;

use crate::json::splice::{Edit, splice};

/// The boundary of a multipart body, if headers announce one.
pub(crate) fn boundary(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let (kind, rest) = value.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let (_, boundary) = parameters(rest)
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?;
    (!boundary.is_empty() && boundary.len() <= 70).then_some(boundary)
}

/// The parameters of a header's value, names and values, whose quotes and escapes are read:
/// [RFC 9110 §5.6.6](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.6).
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let (mut one, mut quoted, mut escaped) = (String::new(), false, false);
    for character in text.chars().chain([';']) {
        match character {
            _ if escaped => {
                one.push(character);
                escaped = false;
            }
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' if !quoted => {
                if let Some((name, value)) = std::mem::take(&mut one).split_once('=') {
                    all.push((name.trim().to_owned(), value.trim().to_owned()));
                }
            }
            _ => one.push(character),
        }
    }
    all
}

/// What a form says of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Model {
    /// It has one, here.
    At(Range<usize>),
    /// It has none, as far as the form is known.
    None,
    /// It has several, or one whose name or bounds are spelled so that servers may read them otherwise: no two need take the same.
    Several,
}

/// Whether a line could be a bound of parts to one server and what a part holds to another: its end is not a line's, or the one before it is no
/// CRLF, which some do without. What follows the last bound is no part to any.
fn has_loose_bounds(body: &[u8], boundary: &str) -> bool {
    let mark = format!("--{boundary}");
    for at in memmem::find_iter(body, mark.as_bytes()) {
        let (before, after) = (&body[..at], &body[at + mark.len()..]);
        match before {
            [] | [.., b'\r', b'\n'] => {}
            [.., b'\r' | b'\n'] => return true,
            _ => continue,
        }
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
        if next.is_some_and(|next| next < head) || has_loose_lines(&part[..head]) {
            return Model::Several;
        }
        let content = at + head + 4;
        // An empty content's line end is the head's last.
        let Some(length) = finder.find(&body[content - 2..]) else {
            return found;
        };
        let end = (content - 2 + length).max(content);
        match field(&part[..head]) {
            Field::Model if found == Model::None => found = Model::At(content..end),
            Field::Model | Field::Unclear => return Model::Several,
            Field::Other => {}
        }
        at = content - 2 + length + delimiter.len();
    }
}

/// Whether a head holds half a line's end, which is one to some servers.
fn has_loose_lines(head: &[u8]) -> bool {
    let pairs = memmem::find_iter(head, b"\r\n").count();
    let ends = memchr::memchr2_iter(b'\r', b'\n', head).count();
    ends != 2 * pairs
}

/// Which field a part is.
enum Field {
    Model,
    /// One with an encoded name ([RFC 8187](https://www.rfc-editor.org/rfc/rfc8187)), which forms must not have (RFC 7578 §4.2) and
    /// some servers read; or one that servers take for the model that know no quotes or escapes.
    Unclear,
    Other,
}

fn field(head: &[u8]) -> Field {
    // A head that goes on in the next line is read as one.
    let head = String::from_utf8_lossy(head)
        .replace("\r\n ", " ")
        .replace("\r\n\t", " ");
    for line in head.split("\r\n") {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if !name.trim().eq_ignore_ascii_case("content-disposition") {
            continue;
        }
        for (name, value) in parameters(value) {
            let name = name.to_ascii_lowercase();
            if name.starts_with("name*") {
                return Field::Unclear;
            }
            if name == "name" && value == "model" {
                return Field::Model;
            }
        }
        let mut loosely = value.split(';').filter_map(|one| one.split_once('='));
        if loosely.any(|(name, value)| {
            let value = value.trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("name") && value == "model"
        }) {
            return Field::Unclear;
        }
    }
    Field::Other
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
        assert_eq!(model(b"no form", "B"), Model::None);
    }

    #[test]
    fn a_model_is_known_however_its_name_is_spelled_and_nothing_else_is_one() {
        let form = |disposition: &str| {
            let form =
                format!("--B\r\nContent-Disposition: form-data; {disposition}\r\n\r\na\r\n--B--");
            model(form.as_bytes(), "B")
        };
        for disposition in [
            "name=model",
            "filename=\"a;b\"; NAME=\"model\"",
            "name=\"mo\\del\"",
            "filename=\"a\\\"; x=\"; name=\"model\"",
            "\r\n name=\"model\"",
        ] {
            assert!(matches!(form(disposition), Model::At(_)), "{disposition}");
        }
        for disposition in ["name=\"a; name=mod\"", "name=\"Model\"", "filename=model"] {
            assert_eq!(form(disposition), Model::None, "{disposition}");
        }
        // What some servers take for the model, and others do not.
        for disposition in [
            "name*=utf-8''model",
            "name=\"a; name=model\"",
            "filename=\"a\\\"; name=\"model\"",
            "name=\"model",
        ] {
            assert_eq!(form(disposition), Model::Several, "{disposition}");
        }
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
        assert_eq!(
            read("multipart/form-data; boundary=abc").as_deref(),
            Some("abc")
        );
        assert_eq!(
            read("Multipart/Form-Data; charset=x; Boundary=\"a b\"").as_deref(),
            Some("a b")
        );
        assert_eq!(
            read("multipart/form-data; x=\"; boundary=no\"; boundary=\"a;b\"").as_deref(),
            Some("a;b")
        );
        assert_eq!(read("multipart/form-data"), None);
        assert_eq!(read("application/json; boundary=a"), None);
    }
}
