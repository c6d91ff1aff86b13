//! Takes the thinking out of the text of one choice, as it comes.
//!
//! - A block starts with an opening tag anywhere outside [fenced code](super::lines), and ends with the
//!   closing tag of the same pair. Blocks of the same pair nest. Without a closing tag it never ends.
//! - A closing tag outside of a block passes, unless the text starts inside of one.
//! - Blank lines that follow a block go with it: its own line if nothing else is on it, and every line of
//!   only spaces and tabs up to and with its LF or CRLF.
//! - Every other byte comes out as it went in, in order, as soon as it cannot be part of a tag any more.
//!
//! How the text is split makes no difference to what comes out altogether.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::lines::Lines;
use super::rules::{Found, Rules, Text};

/// How many spaces and tabs are held after a block while it is unknown whether their line is blank.
pub const SPACES: usize = 64;

/// What comes of a piece of text.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Pieces<'a> {
    /// What the client sees. Borrowed from the text if nothing was taken out of its middle.
    pub visible: Cow<'a, str>,
    /// What was thought; always empty unless it is to be extracted.
    pub reasoning: Cow<'a, str>,
    /// Whether anything was taken out for good: a tag, what is between tags, a blank line after them.
    pub removed: bool,
}

/// The state machine over the text of one choice.
///
/// ```
/// # use std::sync::Arc;
/// use dragoman_proxy::think::{Rules, Stripper};
/// let mut stripper = Stripper::new(Arc::new(Rules::default()));
/// assert_eq!(stripper.push("<thi").visible, "");
/// assert_eq!(stripper.push("nk>hm</think>\n\nHi").visible, "Hi");
/// assert_eq!(stripper.push(" <").visible, " ");
/// assert_eq!(stripper.finish().visible, "<");
/// ```
#[derive(Debug)]
pub struct Stripper {
    rules: Arc<Rules>,
    state: State,
    lines: Lines,
    held: String,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Outside,
    /// In a block by configuration, and nothing but whitespace has come.
    Fresh,
    Inside {
        pair: usize,
        depth: u32,
    },
    /// After a block, where blank lines go with it.
    After,
}

/// What one run over a text has found so far.
#[derive(Debug, Default)]
struct Run {
    visible: Span,
    reasoning: Span,
    removed: bool,
    /// From where on the text is held back.
    held: usize,
    /// Whether nothing more will come, so that nothing is held back.
    last: bool,
    /// Whether what was thought is wanted.
    extract: bool,
}

/// Parts of a text, copied only if they do not lie side by side.
#[derive(Debug)]
enum Span {
    At(Range<usize>),
    Copied(String),
}

impl Stripper {
    /// A stripper at the start of a choice's text.
    #[must_use]
    pub fn new(rules: Arc<Rules>) -> Self {
        let state = if rules.starts_open {
            State::Fresh
        } else {
            State::Outside
        };
        Self {
            rules,
            state,
            lines: Lines::default(),
            held: String::new(),
        }
    }

    /// A stripper of a later text of the same reply, which starts outside of a block however the first one does.
    #[must_use]
    pub fn later(rules: Arc<Rules>) -> Self {
        Self {
            state: State::Outside,
            ..Self::new(rules)
        }
    }

    /// Takes the next piece of text. Up to a tag's length of it may be held back until the next call.
    pub fn push<'a>(&mut self, text: &'a str) -> Pieces<'a> {
        if self.rules.text == Text::Keep {
            return Pieces {
                visible: text.into(),
                ..Pieces::default()
            };
        }
        if self.held.is_empty() {
            let run = self.run(text, false);
            text[run.held..].clone_into(&mut self.held);
            return run.pieces(text);
        }
        if text.is_empty() {
            return Pieces::default();
        }
        let joined = std::mem::take(&mut self.held) + text;
        let run = self.run(&joined, false);
        joined[run.held..].clone_into(&mut self.held);
        run.pieces(&joined).into_owned()
    }

    /// Gives what is held back: nothing more comes that could make a tag of it.
    pub fn finish(&mut self) -> Pieces<'static> {
        let held = std::mem::take(&mut self.held);
        self.run(&held, true).pieces(&held).into_owned()
    }

    /// Whether text is held back.
    #[must_use]
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// The text that is held back.
    #[must_use]
    pub fn held(&self) -> &str {
        &self.held
    }

    /// Whether the text stands inside of a block.
    #[must_use]
    pub fn is_thinking(&self) -> bool {
        matches!(self.state, State::Inside { .. } | State::Fresh)
    }

    fn run(&mut self, text: &str, last: bool) -> Run {
        let extract = self.rules.text == Text::Extract;
        let mut run = Run {
            last,
            extract,
            held: text.len(),
            ..Run::default()
        };
        let mut next = Some(0);
        while let Some(at) = next.filter(|at| *at < text.len()) {
            next = match self.state {
                State::Outside => self.outside(text, at, &mut run),
                State::Fresh => self.fresh(text, at, &mut run),
                State::Inside { pair, depth } => self.inside(text, at, pair, depth, &mut run),
                State::After => self.after(text, at, &mut run),
            };
        }
        run
    }

    fn outside(&mut self, text: &str, start: usize, run: &mut Run) -> Option<usize> {
        let bytes = text.as_bytes();
        let mut at = start;
        while at < bytes.len() {
            if self.rules.may_open(bytes[at]) && self.lines.outside_code() {
                match self.rules.opening(&bytes[at..], run.last) {
                    (_, Found::No) => {}
                    (_, Found::Partial) => {
                        run.visible.add(text, start..at);
                        run.held = at;
                        return None;
                    }
                    (pair, Found::Tag(length)) => {
                        run.visible.add(text, start..at);
                        run.removed = true;
                        self.state = State::Inside { pair, depth: 1 };
                        return Some(at + length);
                    }
                }
            }
            self.lines.step(bytes[at]);
            at += 1;
            if self.lines.is_settled() {
                at += self.rules.skip(&bytes[at..]);
            }
        }
        run.visible.add(text, start..at);
        None
    }

    fn fresh(&mut self, text: &str, start: usize, run: &mut Run) -> Option<usize> {
        let at = text.len() - text[start..].trim_ascii_start().len();
        run.removed = true;
        if at < text.len() {
            match self.rules.opening(&text.as_bytes()[at..], run.last) {
                (_, Found::No) => {
                    self.state = State::Inside { pair: 0, depth: 1 };
                    return Some(start);
                }
                (_, Found::Partial) => run.held = at,
                (pair, Found::Tag(length)) => {
                    self.state = State::Inside { pair, depth: 1 };
                    run.thought(text, start..at);
                    return Some(at + length);
                }
            }
        }
        run.thought(text, start..at);
        None
    }

    fn inside(
        &mut self,
        text: &str,
        start: usize,
        pair: usize,
        mut depth: u32,
        run: &mut Run,
    ) -> Option<usize> {
        let bytes = text.as_bytes();
        let tag = &self.rules.tags[pair];
        let (open, close) = (tag.open.as_bytes()[0], tag.close.as_bytes()[0]);
        let mut at = start;
        run.removed = true;
        while let Some(offset) = memchr::memchr2(open, close, &bytes[at..]) {
            at += offset;
            let closing = self.rules.closing(pair, &bytes[at..]);
            let reopening = self.rules.reopening(pair, &bytes[at..]);
            at += match (closing, reopening) {
                (Found::Tag(length), _) if depth == 1 => {
                    run.thought(text, start..at);
                    self.state = State::After;
                    return Some(at + length);
                }
                (Found::Tag(length), _) => {
                    depth -= 1;
                    length
                }
                (Found::Partial, _) | (Found::No, Found::Partial) if !run.last => {
                    run.held = at;
                    break;
                }
                (_, Found::Tag(length)) => {
                    depth = depth.saturating_add(1);
                    length
                }
                _ => 1,
            };
        }
        self.state = State::Inside { pair, depth };
        run.thought(text, start..run.held);
        None
    }

    fn after(&mut self, text: &str, start: usize, run: &mut Run) -> Option<usize> {
        let bytes = &text.as_bytes()[start..];
        let spaces = bytes
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
        let ending = match &bytes[spaces..] {
            _ if spaces > SPACES => 0,
            [] | [b'\r'] if !run.last => {
                run.held = start;
                return None;
            }
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => 0,
        };
        if ending == 0 {
            self.state = State::Outside;
            return Some(start);
        }
        let end = start + spaces + ending;
        if self.lines.is_blank() {
            run.removed = true;
        } else {
            // The end of a line that has text before the block is not a blank line.
            run.visible.add(text, start..end);
            self.lines.step(b'\n');
        }
        Some(end)
    }
}

impl Run {
    fn thought(&mut self, text: &str, part: Range<usize>) {
        if self.extract {
            self.reasoning.add(text, part);
        }
    }

    fn pieces(self, text: &str) -> Pieces<'_> {
        Pieces {
            visible: self.visible.of(text),
            reasoning: self.reasoning.of(text),
            removed: self.removed,
        }
    }
}

impl Pieces<'_> {
    /// Adds what came after.
    pub fn append(&mut self, later: Pieces<'_>) {
        if !later.visible.is_empty() {
            self.visible.to_mut().push_str(&later.visible);
        }
        if !later.reasoning.is_empty() {
            self.reasoning.to_mut().push_str(&later.reasoning);
        }
        self.removed |= later.removed;
    }

    fn into_owned(self) -> Pieces<'static> {
        Pieces {
            visible: Cow::Owned(self.visible.into_owned()),
            reasoning: Cow::Owned(self.reasoning.into_owned()),
            removed: self.removed,
        }
    }
}

impl Default for Span {
    fn default() -> Self {
        Self::At(0..0)
    }
}

impl Span {
    fn add(&mut self, text: &str, part: Range<usize>) {
        match self {
            _ if part.is_empty() => {}
            Self::At(known) if known.start == known.end => *known = part,
            Self::At(known) if known.end == part.start => known.end = part.end,
            Self::At(known) => *self = Self::Copied([&text[known.clone()], &text[part]].concat()),
            Self::Copied(copied) => copied.push_str(&text[part]),
        }
    }

    fn of(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::At(range) => Cow::Borrowed(&text[range]),
            Self::Copied(copied) => Cow::Owned(copied),
        }
    }
}
