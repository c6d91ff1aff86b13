//! Where the visible text stands: at a line's start or not, in fenced code or not.
//!
//! Source: [CommonMark 0.31 §4.5](https://spec.commonmark.org/0.31.2/#fenced-code-blocks): at most three
//! spaces, then at least three backticks or tildes; closed by at least as many of the same, alone on their
//! line. Fences inside quotes and lists are found only if they are indented by at most three spaces.
//! The info string of a backtick fence has no backtick: if one comes, it was inline code, and the fence
//! ends there, because what has been passed on cannot be called back.

/// A line that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// So many spaces since the line's start.
    Indent(u8),
    /// So many fence characters, and nothing but spaces before them.
    Run(u8, usize),
    /// The info string of the fence that has just opened.
    Info,
    /// Only spaces since a run that closes the fence if the line ends so.
    Closing,
    /// Anything else: nothing matters before the line's end.
    Text,
}

/// Follows the visible text byte by byte.
#[derive(Debug, Clone)]
pub struct Lines {
    place: Place,
    /// The open fence's character and length.
    fence: Option<(u8, usize)>,
    blank: bool,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            place: Place::Indent(0),
            fence: None,
            blank: true,
        }
    }
}

impl Lines {
    /// Whether the next byte is outside of fenced code.
    #[must_use]
    pub fn outside_code(&self) -> bool {
        self.fence.is_none() && !matches!(self.place, Place::Run(_, 3..))
    }

    /// Whether the current line has only whitespace so far.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.blank
    }

    /// Whether nothing but a line's end changes anything.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.place == Place::Text && !self.blank
    }

    /// Reads the next byte.
    pub fn step(&mut self, byte: u8) {
        if matches!(byte, b'\n' | b'\r') {
            self.end_line();
            return;
        }
        let space = matches!(byte, b' ' | b'\t');
        self.blank &= space;
        self.place = match self.place {
            Place::Indent(n @ 0..3) if byte == b' ' => Place::Indent(n + 1),
            Place::Indent(_) if matches!(byte, b'`' | b'~') => Place::Run(byte, 1),
            Place::Run(mark, length) if byte == mark => Place::Run(mark, length + 1),
            Place::Run(mark, length) => match self.fence {
                None if length >= 3 => {
                    self.fence = Some((mark, length));
                    Place::Info
                }
                Some(fence) if closes(fence, mark, length) && space => Place::Closing,
                _ => Place::Text,
            },
            Place::Info if byte == b'`' && matches!(self.fence, Some((b'`', _))) => {
                self.fence = None;
                Place::Text
            }
            Place::Info => Place::Info,
            Place::Closing if space => Place::Closing,
            Place::Indent(_) | Place::Closing | Place::Text => Place::Text,
        };
    }

    fn end_line(&mut self) {
        match (self.place, self.fence) {
            (Place::Run(mark, length @ 3..), None) => self.fence = Some((mark, length)),
            (Place::Run(mark, length), Some(fence)) if closes(fence, mark, length) => {
                self.fence = None
            }
            (Place::Closing, _) => self.fence = None,
            _ => {}
        }
        self.place = Place::Indent(0);
        self.blank = true;
    }
}

fn closes(fence: (u8, usize), mark: u8, length: usize) -> bool {
    mark == fence.0 && length >= fence.1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outside_after(text: &str) -> bool {
        let mut lines = Lines::default();
        text.bytes().for_each(|byte| lines.step(byte));
        lines.outside_code()
    }

    #[test]
    fn a_fence_opens_and_closes_as_commonmark_says() {
        for inside in [
            "```",
            "```\n",
            "```rust\n",
            "   ~~~\n",
            "a\r\n```\r\ncode",
            "````\n```\n",
            "```\n~~~\n",
            "```\n``` x\n",
            "```\n    ```\n",
            "~~~ a`b\n",
            "```\na ```\n",
        ] {
            assert!(!outside_after(inside), "{inside:?}");
        }
        for outside in [
            "``",
            "``\n",
            "    ```\n",
            "\t```\n",
            "a ```\n",
            "```\n```\n",
            "```\n  ````  \n",
            "~~~\r\n~~~\r\n",
            "``` a ``` b",
            "```a`\n",
            "``~\n",
            "```\n```\r",
        ] {
            assert!(outside_after(outside), "{outside:?}");
        }
    }

    #[test]
    fn a_line_is_blank_until_something_is_on_it() {
        let blank = |text: &str| {
            let mut lines = Lines::default();
            text.bytes().for_each(|byte| lines.step(byte));
            lines.is_blank()
        };
        assert!(blank(""));
        assert!(blank("a\n \t     "));
        assert!(!blank("     a"));
        assert!(!blank("```"));
    }
}
