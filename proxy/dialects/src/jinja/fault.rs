//! What goes wrong with templates.

/// A template is none. Its author's fault; the same again fails again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct Faulty {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// A rendering failed. The same again fails again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// It would cost more than its [`Bounds`](super::Bounds).
    #[error("it takes too much work or memory")]
    TooMuch,
    /// The template does something that cannot be done with these values, or refuses them (`raise_exception`).
    #[error("line {line}: {message}")]
    Said {
        /// The line of the statement, from 1.
        line: usize,
        /// What is wrong, or what the template says.
        message: String,
    },
}

/// As [`Failed`], before the line is known.
#[derive(Debug)]
pub(super) enum Fault {
    TooMuch,
    Said(String),
    Placed(Failed),
}

pub(super) type Outcome<T> = Result<T, Fault>;

/// The most bytes of a message: a template may raise one of any size, and call a filter by any name.
const LONGEST: usize = 2000;

fn cut(mut message: String) -> String {
    if message.len() > LONGEST {
        message.truncate(message.floor_char_boundary(LONGEST));
        message.push('…');
    }
    message
}

impl Faulty {
    pub(super) fn new(line: usize, message: impl Into<String>) -> Self {
        Self {
            line,
            message: cut(message.into()),
        }
    }
}

impl Fault {
    pub(super) fn said<T>(message: impl Into<String>) -> Outcome<T> {
        Err(Self::Said(cut(message.into())))
    }

    /// With the line, unless an inner one is known.
    pub(super) fn at(self, line: usize) -> Failed {
        match self {
            Self::TooMuch => Failed::TooMuch,
            Self::Said(message) => Failed::Said { line, message },
            Self::Placed(failed) => failed,
        }
    }
}
