//! Forms as a loose server reads them: Werkzeug's reader, which Flask has, in short.
//!
//! Sources: [its forms](https://github.com/pallets/werkzeug/blob/main/src/werkzeug/sansio/multipart.py),
//! [its headers](https://github.com/pallets/werkzeug/blob/main/src/werkzeug/http.py). Lines end with CRLF, LF or CR; the first bound stands anywhere;
//! what is no parameter is passed over.

use std::ops::Range;

/// The boundary that a content type announces.
#[must_use]
pub fn boundary(kind: &str) -> Option<String> {
    let (name, options) = options(kind);
    let boundary = options
        .into_iter()
        .rfind(|(name, _)| name == "boundary")
        .map(|(_, value)| value);
    boundary
        .filter(|boundary| name.eq_ignore_ascii_case("multipart/form-data") && !boundary.is_empty())
}

/// Where a form's models stand; none if it is not there whole.
#[must_use]
pub fn models(body: &[u8], boundary: &str) -> Option<Vec<Range<usize>>> {
    let mark = format!("--{boundary}");
    let bound = |from: usize, first: bool| {
        (from..body.len()).find_map(|at| {
            let start = at + line_end(&body[at..]);
            let is_marked = (start > at || first) && body[start..].starts_with(mark.as_bytes());
            let after = start + mark.len();
            let is_last = is_marked && body[after..].starts_with(b"--");
            let after = after + if is_last { 2 } else { 0 };
            let blanks = body.get(after..)?.iter();
            let blanks = blanks.take_while(|byte| matches!(byte, b' ' | b'\t' | 0x0b | 0x0c));
            let end = after + blanks.count();
            let length = line_end(&body[end..]);
            (is_marked && (is_last || length > 0)).then_some((at, end + length, is_last))
        })
    };
    let mut models = Vec::new();
    let (_, mut at, mut is_last) = bound(0, true)?;
    while !is_last {
        let blank = (at..body.len()).find_map(|at| {
            let blanks: [&[u8]; 3] = [b"\r\n\r\n", b"\r\r", b"\n\n"];
            let blank = blanks.iter().find(|blank| body[at..].starts_with(blank))?;
            Some((at, blank.len() / 2))
        });
        let (end, length) = blank?;
        let name = name(&body[at..end]);
        let content = end + 2 * length;
        let next = bound(end + length, false)?;
        if name? == "model" {
            models.push(content..next.0.max(content));
        }
        (_, at, is_last) = next;
    }
    Some(models)
}

/// The length of the line's end that bytes start with.
fn line_end(bytes: &[u8]) -> usize {
    match bytes {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => 0,
    }
}

/// The name of the field that a head describes, empty if it describes none; none if the form is refused for it.
fn name(head: &[u8]) -> Option<String> {
    let head = std::str::from_utf8(head)
        .ok()?
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let head = head.replace("\n ", " ").replace("\n\t", " ");
    let lines = head
        .split('\n')
        .map(|line| line.split_once(':').unwrap_or((line, "")));
    let mut named =
        lines.filter(|(name, _)| stripped(name).eq_ignore_ascii_case("content-disposition"));
    let Some((_, disposition)) = named.next() else {
        return Some(String::new());
    };
    let (_, options) = options(stripped(disposition));
    let name = options.into_iter().rfind(|(name, _)| name == "name");
    Some(name.map(|(_, value)| value).unwrap_or_default())
}

/// As Python's `str.strip` does it.
fn stripped(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c))
}

/// A header's value, and its parameters.
fn options(value: &str) -> (&str, Vec<(String, String)>) {
    let (kind, _) = value.split_once(';').unwrap_or((value, ""));
    let mut all: Vec<(String, String)> = Vec::new();
    let mut rest = value;
    while let Some((_, after)) = rest.split_once(';') {
        rest = stripped(after);
        let Some((name, after)) = parameter(rest) else {
            continue;
        };
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => match closed(quoted) {
                Some(end) => (unquoted(&quoted[..end]), &quoted[end + 1..]),
                None => continue,
            },
            None => match token(after) {
                0 => continue,
                end => (after[..end].to_owned(), &after[end..]),
            },
        };
        rest = after;
        let name = name.to_ascii_lowercase();
        match name.split_once('*') {
            // A part of one, or one that names its encoding.
            Some((name, _)) => {
                let value = value.rsplit('\'').next().unwrap_or_default().to_owned();
                let before = all.iter_mut().rfind(|(known, _)| known == name);
                match before {
                    Some((_, before)) => before.push_str(&value),
                    None => all.push((name.to_owned(), value)),
                }
            }
            None => all.push((name, value)),
        }
    }
    let kind = stripped(kind);
    (kind, if kind.is_empty() { Vec::new() } else { all })
}

/// A parameter's name, and what stands behind its `=`.
fn parameter(text: &str) -> Option<(&str, &str)> {
    let end = token(text);
    let after = text[end..].strip_prefix('=')?;
    (end > 0).then_some((&text[..end], after))
}

/// How long the token is that a text starts with.
fn token(text: &str) -> usize {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    text.find(|c| !is_token(c)).unwrap_or(text.len())
}

/// Where the closing quote stands.
fn closed(text: &str) -> Option<usize> {
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some(at),
            '\\' => {
                characters.next_if(|(_, next)| matches!(next, '"' | '\\'));
            }
            _ => {}
        }
    }
    None
}

fn unquoted(text: &str) -> String {
    let text = text.replace("\\\\", "\\").replace("\\\"", "\"");
    text.replace("%22", "\"")
}
