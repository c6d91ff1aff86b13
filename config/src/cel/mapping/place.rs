//! Where in an expression something is, and what is told of it.

use std::fmt;

/// A place in an expression's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
}

impl Place {
    /// The place of the byte `offset` of `source`.
    pub(super) fn of(source: &str, offset: usize) -> Self {
        let before = &source[..source.floor_char_boundary(offset)];
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line,
            column: before[start..].chars().count() + 1,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 1 {
            write!(f, "line {}, ", self.line)?;
        }
        write!(f, "column {}", self.column)
    }
}

/// An expression that does not compile. The manifest's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct BadMapping {
    /// Where.
    pub place: Place,
    /// What is wrong, and the cure.
    pub message: String,
}

impl BadMapping {
    /// A fault at the byte `offset` of `source`.
    pub(in crate::cel) fn at(source: &str, offset: usize, message: String) -> Self {
        let place = Place::of(source, offset);
        Self { place, message }
    }
}

/// An expression that could not be evaluated. The manifest's fault, or that of a body which it did not expect; a retry does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct MappingFault {
    /// Where.
    pub place: Place,
    /// What is wrong, without values of the body.
    pub message: String,
}
