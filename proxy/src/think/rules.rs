//! What counts as thinking, and what happens to it.
//!
//! Tags are compared byte by byte, case included. An opening tag that ends with `>` may carry attributes:
//! after `<think` a space or tab, then at most [`ATTRIBUTES`] bytes up to `>` without a line end or another
//! `<`. A self-closing `<think />` opens nothing and passes.

use memchr::memmem::Finder;

/// How many bytes an opening tag's attributes may take. What is longer is no tag.
pub const ATTRIBUTES: usize = 256;

/// What happens to a thinking block in the reply's text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Text {
    /// It is removed.
    #[default]
    Strip,
    /// It moves to `reasoning_content`.
    Extract,
    /// It stays.
    Keep,
}

/// The pair of tags around a thinking block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// What starts the block, such as `<think>`.
    pub open: String,
    /// What ends it, such as `</think>`.
    pub close: String,
}

impl Default for Tag {
    fn default() -> Self {
        Self {
            open: "<think>".into(),
            close: "</think>".into(),
        }
    }
}

/// The rules of one route, prepared once for all its requests.
#[derive(Debug)]
pub struct Rules {
    pub(super) text: Text,
    pub(super) tags: Vec<Tag>,
    pub(super) starts_open: bool,
    pub(super) drop_fields: bool,
    first: [bool; 256],
    single: Option<u8>,
    /// What any JSON with a tag in it contains; none if that cannot be told.
    traces: Option<Vec<Finder<'static>>>,
}

/// What stands at a place of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// No tag.
    No,
    /// The start of what may become one.
    Partial,
    /// A tag of this many bytes.
    Tag(usize),
}

impl Default for Rules {
    fn default() -> Self {
        Self::new(Text::Strip, vec![Tag::default()], false, false)
    }
}

impl Rules {
    /// Prepares the rules.
    ///
    /// `starts_open`: the text starts inside a block of the first of `tags`, as with chat templates that
    /// write the opening tag into the prompt; an opening tag at the very start is that block's own.
    /// `drop_fields`: `reasoning_content` and its kin are removed from replies. A pair with an empty tag
    /// is left out; without any pair the text is kept.
    #[must_use]
    pub fn new(text: Text, mut tags: Vec<Tag>, starts_open: bool, drop_fields: bool) -> Self {
        tags.retain(|tag| !tag.open.is_empty() && !tag.close.is_empty());
        let text = if tags.is_empty() { Text::Keep } else { text };
        let mut first = [false; 256];
        for tag in &tags {
            first[usize::from(tag.open.as_bytes()[0])] = true;
        }
        let single = match tags.as_slice() {
            [one, rest @ ..] => Some(one.open.as_bytes()[0])
                .filter(|byte| rest.iter().all(|tag| tag.open.as_bytes()[0] == *byte)),
            [] => None,
        };
        let traces = traces(&tags);
        Self {
            text,
            tags,
            starts_open,
            drop_fields,
            first,
            single,
            traces,
        }
    }

    /// Whether replies pass as they are, whatever they say.
    #[must_use]
    pub fn is_inert(&self) -> bool {
        self.text == Text::Keep && !self.drop_fields
    }

    /// Whether the text stays as it is, tags included.
    #[must_use]
    pub fn keeps_text(&self) -> bool {
        self.text == Text::Keep
    }

    /// Whether thinking moves out of the text to a place of its own.
    #[must_use]
    pub fn extracts(&self) -> bool {
        self.text == Text::Extract
    }

    /// Whether the fields that upstreams put their thinking into are removed from replies.
    #[must_use]
    pub fn drops_fields(&self) -> bool {
        self.drop_fields
    }

    /// Whether a reply that consists of this JSON certainly passes as it is. A quick look, no parsing.
    #[must_use]
    pub fn spares(&self, json: &[u8]) -> bool {
        let untouched =
            |traces: &[Finder<'_>]| traces.iter().all(|trace| trace.find(json).is_none());
        self.is_inert()
            || (!self.drop_fields
                && !self.starts_open
                && self.traces.as_deref().is_some_and(untouched))
    }

    /// The opening tag at the start of `text`, with its pair. Of several the one that stands first in the
    /// configuration counts, so that a later one waits until it is known not to be there.
    pub(super) fn opening(&self, text: &[u8], last: bool) -> (usize, Found) {
        for (pair, tag) in self.tags.iter().enumerate() {
            match opening(tag.open.as_bytes(), text) {
                Found::No => {}
                Found::Partial if last => {}
                found => return (pair, found),
            }
        }
        (0, Found::No)
    }

    /// The pair's opening tag at the start of `text`.
    pub(super) fn reopening(&self, pair: usize, text: &[u8]) -> Found {
        opening(self.tags[pair].open.as_bytes(), text)
    }

    /// The pair's closing tag at the start of `text`.
    pub(super) fn closing(&self, pair: usize, text: &[u8]) -> Found {
        literal(self.tags[pair].close.as_bytes(), text)
    }

    /// Whether an opening tag may start with this byte.
    pub(super) fn may_open(&self, byte: u8) -> bool {
        self.first[usize::from(byte)]
    }

    /// How many bytes can be skipped until one that may open a tag or ends a line.
    pub(super) fn skip(&self, text: &[u8]) -> usize {
        let found = match self.single {
            Some(first) => memchr::memchr3(first, b'\n', b'\r', text),
            None => text
                .iter()
                .position(|b| self.may_open(*b) || matches!(b, b'\n' | b'\r')),
        };
        found.unwrap_or(text.len())
    }
}

fn literal(tag: &[u8], text: &[u8]) -> Found {
    if text.starts_with(tag) {
        Found::Tag(tag.len())
    } else if tag.starts_with(text) {
        Found::Partial
    } else {
        Found::No
    }
}

fn opening(tag: &[u8], text: &[u8]) -> Found {
    let Some(stem) = tag.strip_suffix(b">").filter(|stem| !stem.is_empty()) else {
        return literal(tag, text);
    };
    let Found::Tag(length) = literal(stem, text) else {
        return literal(stem, text);
    };
    match text.get(length) {
        None => return Found::Partial,
        Some(b'>') => return Found::Tag(length + 1),
        Some(b' ' | b'\t') => {}
        Some(_) => return Found::No,
    }
    let rest = &text[length..];
    let attributes = &rest[..rest.len().min(ATTRIBUTES)];
    match attributes
        .iter()
        .position(|byte| matches!(byte, b'>' | b'<' | b'\n' | b'\r'))
    {
        Some(at) if attributes[at] == b'>' && attributes[at - 1] != b'/' => {
            Found::Tag(length + at + 1)
        }
        None if rest.len() < ATTRIBUTES => Found::Partial,
        _ => Found::No,
    }
}

/// For every pair the part of its opening tag that JSON writes in one way only, and the start of the
/// escape by which it may write it otherwise.
fn traces(tags: &[Tag]) -> Option<Vec<Finder<'static>>> {
    let mut traces = Vec::with_capacity(tags.len() + 1);
    let mut escape: &[u8] = b"\\u00";
    for tag in tags {
        let open = tag.open.strip_suffix('>').unwrap_or(&tag.open);
        let plain = open
            .split(|c: char| c.is_control() || matches!(c, '"' | '\\' | '/'))
            .next()?;
        if plain.is_empty() {
            return None;
        }
        if !plain.is_ascii() {
            escape = b"\\u";
        }
        traces.push(Finder::new(plain.as_bytes()).into_owned());
    }
    traces.push(Finder::new(escape).into_owned());
    Some(traces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn think(text: &str) -> Found {
        Rules::default().opening(text.as_bytes(), false).1
    }

    #[test]
    fn an_opening_tag_may_have_attributes() {
        assert_eq!(think("<think>x"), Found::Tag(7));
        assert_eq!(think("<think depth=\"3\">x"), Found::Tag(17));
        assert_eq!(think("<think\tx>"), Found::Tag(9));
        for text in [
            "<thinking>",
            "<think/>",
            "<think />",
            "<think\n>",
            "<think a<b>",
            "<Think>",
            "< think>",
        ] {
            assert_eq!(think(text), Found::No, "{text}");
        }
    }

    #[test]
    fn a_tag_is_waited_for_no_longer_than_it_can_still_come() {
        for text in ["<", "<think", "<think ", "<think a=\"1"] {
            assert_eq!(think(text), Found::Partial, "{text}");
        }
        let long = |n: usize| format!("<think {}", "a".repeat(n));
        assert_eq!(think(&long(ATTRIBUTES - 2)), Found::Partial);
        assert_eq!(think(&long(ATTRIBUTES - 1)), Found::No);
    }

    #[test]
    fn the_first_pair_that_fits_counts() {
        let tag = |open: &str| Tag {
            open: open.into(),
            close: "x".into(),
        };
        let rules = Rules::new(Text::Strip, vec![tag("[AB]"), tag("[A")], false, false);
        assert_eq!(rules.opening(b"[A", false), (0, Found::Partial));
        assert_eq!(rules.opening(b"[A", true), (1, Found::Tag(2)));
        assert_eq!(rules.opening(b"[AB]", false), (0, Found::Tag(4)));
        assert_eq!(rules.opening(b"[AC", false), (1, Found::Tag(2)));
    }

    #[test]
    fn json_is_spared_only_if_no_tag_can_be_in_it() {
        let rules = Rules::default();
        assert!(rules.spares(br#"{"content":"a < b \n"}"#));
        assert!(!rules.spares(br#"{"content":"<think>"}"#));
        assert!(!rules.spares(br#"{"content":"\u003cthink>"}"#));
        assert!(!Rules::new(Text::Strip, vec![Tag::default()], true, false).spares(b"{}"));
        assert!(!Rules::new(Text::Keep, vec![Tag::default()], false, true).spares(b"{}"));
        let quoted = Tag {
            open: "\"t".into(),
            close: "\"".into(),
        };
        assert!(!Rules::new(Text::Strip, vec![quoted], false, false).spares(b"{}"));
        let kimi = Tag {
            open: "\u{25c1}think\u{25b7}".into(),
            close: "x".into(),
        };
        assert!(!Rules::new(Text::Strip, vec![kimi], false, false).spares(br"\u25c1think\u25b7"));
    }
}
