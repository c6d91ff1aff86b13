//! Finds the wanted members of an object as byte ranges, without building a tree.
//!
//! A name is compared after unescaping, so `"\u006dodel"` is `model`. A member that stands more than
//! once is remembered every time: [`Members::get`] gives the last one, which is what serde and most other
//! parsers believe, and an [edit](super::ObjectEdit) touches all of them, so that no parser behind us can
//! be led to another value than the one that was judged here.

use std::borrow::Cow;
use std::ops::Range;

use super::lexer;
use super::malformed::{Malformed, What};
use super::string;

/// How often one object may repeat the wanted members. More is an attack on memory, not a request.
pub const DUPLICATES: usize = 64;

/// One wanted member. All positions are bytes from the start of the scanned text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its value, without whitespace around it.
    pub value: Range<usize>,
    /// Which of the wanted names it has.
    pub(super) wanted: usize,
    /// Where it stands among all members of the object.
    pub(super) ordinal: usize,
    /// The comma before it, or its own start if it is the first.
    pub(super) from: usize,
    /// Its name's opening quote.
    pub(super) start: usize,
    /// The next member's name, if it is not the last.
    pub(super) next: Option<usize>,
}

/// The wanted members of one object.
#[derive(Debug)]
pub struct Members<'k, K> {
    pub(super) names: &'k [K],
    pub(super) found: Vec<Member>,
    /// How many members the object has, wanted or not.
    pub(super) count: usize,
    /// Where a new member is written: after the last value, or after `{`.
    pub(super) tail: usize,
    rest_is_null: bool,
}

/// A member's name, as [`scan_each`] shows it.
#[derive(Debug)]
pub struct Name<'b> {
    text: &'b str,
    at: Range<usize>,
    /// Where its value starts.
    pub value: usize,
    /// Whether it is a member of an object within the scanned one.
    pub nested: bool,
}

impl<'b> Name<'b> {
    /// What stands between its quotes, which may be escaped.
    #[must_use]
    pub fn written(&self) -> &'b str {
        self.text.get(self.at.clone()).unwrap_or_default()
    }
}

/// Validates `body` as one JSON object and finds its members named `names`.
///
/// ```
/// let body = br#"{"model": "a", "stream": true, "\u006dodel": "b"}"#;
/// let members = dragoman_proxy::json::scan(body, &["model", "user"])?;
/// assert_eq!(members.text(body, "model").as_deref(), Some("b"));
/// assert_eq!(members.get("user"), None);
/// # Ok::<(), dragoman_proxy::json::Malformed>(())
/// ```
///
/// # Errors
/// [`Malformed`] if the body is not UTF-8, not JSON, no object, nested deeper than
/// [`DEPTH`](lexer::DEPTH), or repeats wanted members more than [`DUPLICATES`] times.
pub fn scan<'k, K: AsRef<str>>(body: &[u8], names: &'k [K]) -> Result<Members<'k, K>, Malformed> {
    scan_each(body, names, |_| ())
}

/// As [`scan`], and shows every member, wanted or not, and those of all objects within to `each`.
///
/// # Errors
/// As for [`scan`].
pub fn scan_each<'k, 'b, K: AsRef<str>>(
    body: &'b [u8],
    names: &'k [K],
    each: impl FnMut(Name<'b>),
) -> Result<Members<'k, K>, Malformed> {
    let text = std::str::from_utf8(body).map_err(|e| What::Utf8.at(e.valid_up_to()))?;
    let (members, end) = object(text, 0, names, each)?;
    match lexer::whitespace(body, end) {
        end if end == body.len() => Ok(members),
        end => Err(What::Trailing.at(end)),
    }
}

/// Finds the members named `names` of the object at `range` of `text`, a value that a scan has found.
///
/// # Errors
/// [`Malformed`] if the value there is no object, or as for [`scan`].
pub fn read<'k, K: AsRef<str>>(
    text: &str,
    range: &Range<usize>,
    names: &'k [K],
) -> Result<Members<'k, K>, Malformed> {
    object(text, range.start, names, |_| ()).map(|(members, _)| members)
}

fn object<'k, 't, K: AsRef<str>>(
    text: &'t str,
    at: usize,
    names: &'k [K],
    mut each: impl FnMut(Name<'t>),
) -> Result<(Members<'k, K>, usize), Malformed> {
    let bytes = text.as_bytes();
    let open = lexer::whitespace(bytes, at);
    match bytes.get(open) {
        Some(b'{') => {}
        Some(_) => return Err(What::Object.at(open)),
        None => return Err(What::End.at(open)),
    }
    let tail = open + 1;
    let mut members = Members {
        names,
        found: Vec::new(),
        count: 0,
        tail,
        rest_is_null: true,
    };
    let mut start = lexer::whitespace(bytes, tail);
    if bytes.get(start) == Some(&b'}') {
        return Ok((members, start + 1));
    }
    let mut from = start;
    loop {
        let (name_end, value_start) = lexer::name(bytes, start)?;
        let mut shown = |at: Range<usize>, value: usize, nested: bool| {
            each(Name {
                text,
                at,
                value,
                nested,
            });
        };
        shown(start + 1..name_end - 1, value_start, false);
        let end = lexer::value_naming(bytes, value_start, 1, &mut |at, value| {
            shown(at, value, true);
        })?;
        let value = value_start..end;
        let name = &text[start + 1..name_end - 1];
        let wanted = names
            .iter()
            .position(|wanted| string::says(name, wanted.as_ref()));
        let comma = lexer::whitespace(bytes, value.end);
        let next = match bytes.get(comma) {
            Some(b',') => Some(lexer::whitespace(bytes, comma + 1)),
            Some(b'}') => None,
            Some(_) => return Err(What::Comma.at(comma)),
            None => return Err(What::End.at(comma)),
        };
        members.tail = value.end;
        if let Some(wanted) = wanted {
            if members.found.len() == names.len() + DUPLICATES {
                return Err(What::Duplicates.at(start));
            }
            let ordinal = members.count;
            members.found.push(Member {
                value,
                wanted,
                ordinal,
                from,
                start,
                next,
            });
        } else {
            members.rest_is_null &= &text[value] == "null";
        }
        members.count += 1;
        match next {
            Some(next) => (from, start) = (comma, next),
            None => return Ok((members, comma + 1)),
        }
    }
}

impl<K: AsRef<str>> Members<'_, K> {
    /// The value of the last member of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Range<usize>> {
        self.all(name).last().map(|member| member.value.clone())
    }

    /// Every member of this name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Member> {
        self.found
            .iter()
            .filter(move |member| self.names[member.wanted].as_ref() == name)
    }

    /// The value of the last member of this name, unless it is null.
    #[must_use]
    pub fn some(&self, text: &str, name: &str) -> Option<Range<usize>> {
        self.get(name)
            .filter(|value| text.get(value.clone()) != Some("null"))
    }

    /// The text of the last member of this name in `body`, if it is a string.
    #[must_use]
    pub fn text<'a>(&self, body: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
        let value = std::str::from_utf8(body.get(self.get(name)?)?).ok()?;
        string::read(value, 0..value.len())
    }

    /// Whether the last member of this name is the literal `true`.
    #[must_use]
    pub fn is_true(&self, body: &[u8], name: &str) -> bool {
        self.get(name).and_then(|value| body.get(value)) == Some(b"true")
    }

    /// Whether every member that was not asked for is null.
    #[must_use]
    pub fn rest_is_null(&self) -> bool {
        self.rest_is_null
    }

    pub(super) fn wants(&self, name: &str) -> bool {
        self.names.iter().any(|wanted| wanted.as_ref() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_duplicate_counts_and_all_are_known() {
        let body = br#"{"model":"a","x":{"model":"no"},"\u006dodel":"b"}"#;
        let members = scan(body, &["model"]).unwrap();
        assert_eq!(members.text(body, "model").as_deref(), Some("b"));
        assert_eq!(members.all("model").count(), 2);
    }

    #[test]
    fn whitespace_may_stand_everywhere() {
        let body = b" \r\n{ \"a\" : [ 1 ] , \"b\" :\ttrue }\n";
        let members = scan(body, &["a", "b"]).unwrap();
        assert_eq!(&body[members.get("a").unwrap()], b"[ 1 ]");
        assert!(members.is_true(body, "b"));
    }

    #[test]
    fn a_fault_anywhere_is_found_and_placed() {
        let fault = |body: &[u8]| scan(body, &["model"]).unwrap_err();
        assert_eq!(fault(b""), What::End.at(0));
        assert_eq!(fault(b"[]"), What::Object.at(0));
        assert_eq!(fault(b"{} x"), What::Trailing.at(3));
        assert_eq!(fault(b"{\"a\":1"), What::End.at(6));
        assert_eq!(fault(b"{\"a\":[1,{\"b\":tru}]}"), What::Value.at(13));
        assert_eq!(fault(b"{\"a\":\"\xff\"}"), What::Utf8.at(6));
        assert_eq!(fault(b"{\"a\":1,}"), What::Name.at(7));
        assert_eq!(fault(b"{\"a\":1]"), What::Comma.at(6));
        assert_eq!(
            fault(b"{\"a\":1,]").to_string(),
            "not valid JSON: expected a member's name in double quotes at byte 7"
        );
    }

    #[test]
    fn nesting_counts_from_the_outermost_bracket() {
        let body = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert!(scan(body(127).as_bytes(), &["a"]).is_ok());
        assert!(scan(body(128).as_bytes(), &["a"]).is_err());
    }

    #[test]
    fn a_flood_of_duplicates_is_refused() {
        let body = format!("{{{}\"model\":1}}", "\"model\":1,".repeat(1000));
        assert_eq!(
            scan(body.as_bytes(), &["model"]).unwrap_err().what,
            What::Duplicates
        );
        assert!(scan(body.as_bytes(), &["other"]).is_ok());
    }

    #[test]
    fn every_member_is_shown_once_with_where_it_stands() {
        let body = br#"{"a":[{"b":{"c":"d\"e"}},{}],"\u0066":{"g":0}}"#;
        let mut seen = Vec::new();
        let each =
            |name: Name<'_>| seen.push((name.written().to_owned(), name.nested, body[name.value]));
        scan_each::<&str>(body, &[], each).unwrap();
        let expected = [
            ("a", false, b'['),
            ("b", true, b'{'),
            ("c", true, b'"'),
            ("\\u0066", false, b'{'),
            ("g", true, b'0'),
        ];
        assert_eq!(
            seen,
            expected.map(|(name, nested, value)| (name.to_owned(), nested, value))
        );
    }

    #[test]
    fn null_members_that_nobody_asked_for_are_told_from_others() {
        let rest_is_null = |body: &str| scan(body.as_bytes(), &["a"]).unwrap().rest_is_null();
        assert!(rest_is_null(r#"{"a":1,"b":null}"#));
        assert!(!rest_is_null(r#"{"a":1,"b":0}"#));
    }
}
