//! Chunks that differ only in their text, known without being parsed.
//!
//! Nearly all chunks of a stream are the same bytes but for the text of one choice. Once one of them has
//! been parsed, the next is compared with what stood before and after its text, and only the string
//! literal between is read.

use std::ops::Range;

use crate::json::lexer;

/// The last parsed chunk that had one choice with one text and no end.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// All before the text, its opening quote included.
    before: Vec<u8>,
    /// All after the text, its closing quote included.
    after: Vec<u8>,
    /// Which of the stream's choices it speaks of.
    pub(super) slot: usize,
    /// Whether it says nothing but the text.
    pub(super) only_text: bool,
}

impl Shape {
    /// Learns from a chunk that has been parsed. `text` is the literal's place, quotes included.
    pub(super) fn learn(&mut self, json: &str, text: &Range<usize>, slot: usize, only_text: bool) {
        self.before.clear();
        self.before
            .extend_from_slice(&json.as_bytes()[..=text.start]);
        self.after.clear();
        self.after
            .extend_from_slice(&json.as_bytes()[text.end - 1..]);
        (self.slot, self.only_text) = (slot, only_text);
    }

    /// The inside of the text's literal, if the chunk has this shape.
    pub(super) fn text<'a>(&self, json: &'a [u8]) -> Option<&'a str> {
        let text = json
            .strip_prefix(self.before.as_slice())?
            .strip_suffix(self.after.as_slice())?;
        let start = self.before.len().checked_sub(1)?;
        // The literal must end where the rest begins, not before.
        let end = lexer::string(json, start).ok()?;
        (end == json.len() - self.after.len() + 1).then_some(())?;
        std::str::from_utf8(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_text_has_the_same_shape() {
        let mut shape = Shape::default();
        assert_eq!(shape.text(br#"{"a":"x"}"#), None);
        shape.learn(r#"{"a":"x","b":"y"}"#, &(5..8), 0, true);
        let text = |json: &'static str| shape.text(json.as_bytes());
        assert_eq!(
            text(r#"{"a":"other \" text","b":"y"}"#),
            Some(r#"other \" text"#)
        );
        assert_eq!(text(r#"{"a":"","b":"y"}"#), Some(""));
        assert_eq!(text(r#"{"a":"x","a":"","b":"y"}"#), None);
        assert_eq!(text(r#"{"a":"x\","b":"y"}"#), None);
        assert_eq!(text(r#"{"a":"x","b":"z"}"#), None);
        assert_eq!(text(r#"{"a":"","b":"#), None);
        assert_eq!(text("{\"a\":\"\n\",\"b\":\"y\"}"), None);
        assert_eq!(shape.text(b"{\"a\":\"\xff\",\"b\":\"y\"}"), None);
    }
}
