//! Why a text is not the JSON that was expected, and where.

use std::fmt;

/// A text that is not valid JSON, or not the kind of value that was asked for.
///
/// The sender's fault: the client's for a request (400), the upstream's for a reply. The same bytes
/// fail again, so a retry does not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not valid JSON: {what} at byte {offset}")]
pub struct Malformed {
    /// Where the fault is, in bytes from the start of the text.
    pub offset: usize,
    /// What is wrong there.
    pub what: What,
}

/// What is wrong with the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The bytes are not UTF-8 (RFC 8259 §8.1).
    Utf8,
    /// The text ends inside a value.
    End,
    /// A value must stand here.
    Value,
    /// A member's name in double quotes must stand here.
    Name,
    /// A `:` must stand here.
    Colon,
    /// A `,` or the closing bracket must stand here.
    Comma,
    /// Something follows the value.
    Trailing,
    /// A number that the grammar does not know, such as `01` or `1.`.
    Number,
    /// An unknown escape in a string.
    Escape,
    /// A raw control character in a string.
    Control,
    /// More than [`DEPTH`](super::lexer::DEPTH) arrays and objects inside one another.
    Depth,
    /// A value of another kind where an object was needed.
    Object,
    /// A value of another kind where an array was needed.
    Array,
    /// One member more than [`DUPLICATES`](super::members::DUPLICATES) times in one object.
    Duplicates,
}

impl fmt::Display for What {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Utf8 => "invalid UTF-8",
            Self::End => "unexpected end",
            Self::Value => "expected a value",
            Self::Name => "expected a member's name in double quotes",
            Self::Colon => "expected ':'",
            Self::Comma => "expected ',' or a closing bracket",
            Self::Trailing => "unexpected bytes after the value",
            Self::Number => "malformed number",
            Self::Escape => "unknown escape in a string",
            Self::Control => "control character in a string",
            Self::Depth => "nested too deeply",
            Self::Object => "expected an object",
            Self::Array => "expected an array",
            Self::Duplicates => "the same member too many times",
        })
    }
}

impl What {
    pub(super) const fn at(self, offset: usize) -> Malformed {
        Malformed { offset, what: self }
    }
}
