//! Where in an expression's text its names stand. The parser does not tell, so they are counted: names are met in the same order in the
//! text and in the tree.

use std::collections::HashMap;

use crate::cel::parse::after_text;

/// A name in the text.
struct Word<'s> {
    at: usize,
    text: &'s str,
    /// Whether it stands behind a dot.
    member: bool,
    /// Whether a parenthesis follows.
    called: bool,
}

/// The names of a text, to be asked for in their order.
pub(super) struct Words<'s> {
    words: Vec<Word<'s>>,
    met: HashMap<(String, bool), usize>,
}

impl<'s> Words<'s> {
    pub(super) fn of(source: &'s str) -> Self {
        Self {
            words: words(source),
            met: HashMap::new(),
        }
    }

    /// The byte at which the variable's next mention begins.
    pub(super) fn variable(&mut self, name: &str) -> Option<usize> {
        self.next(name, false)
    }

    /// The byte at which the function's next call begins.
    pub(super) fn function(&mut self, name: &str) -> Option<usize> {
        self.next(name, true)
    }

    fn next(&mut self, name: &str, called: bool) -> Option<usize> {
        let met = self.met.entry((name.to_owned(), called)).or_default();
        let all = self
            .words
            .iter()
            .filter(|word| word.text == name && word.called == called && (called || !word.member));
        let found = all.map(|word| word.at).nth(*met);
        *met += 1;
        found
    }
}

fn words(source: &str) -> Vec<Word<'_>> {
    let bytes = source.as_bytes();
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let mut words = Vec::new();
    let mut at = 0;
    let mut after_dot = false;
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b'"' | b'\'') {
            let raw = at > 0 && matches!(bytes[at - 1], b'r' | b'R');
            at = after_text(bytes, at, raw);
            after_dot = false;
        } else if bytes[at..].starts_with(b"//") {
            at += bytes[at..]
                .iter()
                .take_while(|byte| **byte != b'\n')
                .count();
        } else if part(byte) {
            let end = at + bytes[at..].iter().take_while(|byte| part(byte)).count();
            let follows = bytes[end..].iter().find(|byte| !byte.is_ascii_whitespace());
            words.push(Word {
                at,
                text: &source[at..end],
                member: after_dot,
                called: follows == Some(&b'('),
            });
            at = end;
            after_dot = false;
        } else {
            after_dot = *byte == b'.' || (after_dot && byte.is_ascii_whitespace());
            at += 1;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_within_text_and_comments_and_members_are_passed_over() {
        let source = "'body' + \"a\\\"body\" + x.body + r'\\' + // body\n body + body(1) + body";
        let mut words = Words::of(source);
        let first = words.variable("body").unwrap();
        assert!(source[first..].starts_with("body + body(1)"));
        let call = words.function("body").unwrap();
        assert!(source[call..].starts_with("body(1)"));
        assert_eq!(words.variable("body"), Some(source.len() - 4));
        assert_eq!(words.variable("body"), None);
    }
}
