//! What goes wrong: in a client's request, in a target that cannot express it, in an upstream's answer.

use serde_json::Value;

use super::event::{CALLS, CHOICES};
use super::field::Field;

/// What kind of error a server answered, for the type that the client's dialect gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request is wrong: 400, 422.
    InvalidRequest,
    /// No or a wrong key: 401.
    Authentication,
    /// The key may not: 403.
    Permission,
    /// No such model or path: 404.
    NotFound,
    /// Too large: 413.
    TooLarge,
    /// Too many requests or tokens: 429.
    RateLimit,
    /// The server is overloaded: 503, Anthropic's 529.
    Overloaded,
    /// It took too long: 408, 504.
    Timeout,
    /// Anything else of the server's: 5xx.
    Server,
}

impl ErrorKind {
    /// The kind that a status speaks of.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Authentication,
            403 => Self::Permission,
            404 => Self::NotFound,
            408 | 504 => Self::Timeout,
            413 => Self::TooLarge,
            429 => Self::RateLimit,
            503 | 529 => Self::Overloaded,
            400..=499 => Self::InvalidRequest,
            _ => Self::Server,
        }
    }

    /// The status of an error that has none, as one within a stream.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::Authentication => 401,
            Self::Permission => 403,
            Self::NotFound => 404,
            Self::TooLarge => 413,
            Self::RateLimit => 429,
            Self::Overloaded => 503,
            Self::Timeout => 504,
            Self::Server => 500,
        }
    }
}

/// An error that a server answered, or that this proxy answers, in no dialect.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What kind.
    pub kind: ErrorKind,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong, for a person.
    pub message: String,
    /// The type in the server's own words (`invalid_request_error`, `ValidationException`), where it says one.
    pub type_: Option<String>,
    /// The code in the server's own words (`context_length_exceeded`), a string or a number.
    pub code: Option<Value>,
    /// The field that is at fault, in the client's words.
    pub param: Option<String>,
}

impl Failure {
    /// An error with a status and a message alone.
    #[must_use]
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::of_status(status),
            status,
            message: message.into(),
            type_: None,
            code: None,
            param: None,
        }
    }
}

/// A client's request is not what its dialect says. The client's fault; the same again fails again. A 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {message}")]
pub struct Malformed {
    /// Where, as a path in the body: `messages[2].content[0].type`; empty for the body as a whole.
    pub at: String,
    /// What is wrong and what would be right, as a sentence with its full stop.
    pub message: String,
}

impl Malformed {
    /// A fault at a place.
    #[must_use]
    pub fn new(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            message: message.into(),
        }
    }
}

/// A request that its target's dialect cannot express. Neither side's fault; the same again fails again. A 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What cannot be expressed.
    pub field: Field,
    /// What the target cannot do, and the cure, as a sentence with its full stop:
    /// `Anthropic has no seed; remove the field or choose another model.`
    pub message: String,
    /// The vendor's page that shows it.
    pub source: Option<&'static str>,
}

impl Refused {
    /// A refusal of a field.
    #[must_use]
    pub fn new(field: Field, message: impl Into<String>, source: &'static str) -> Self {
        Self {
            field,
            message: message.into(),
            source: Some(source),
        }
    }
}

/// An upstream's answer is not what its dialect says. The upstream's fault; another backend may do better. A 502.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} It sent: {quoted}")]
pub struct Garbage {
    /// What is wrong, as a sentence with its full stop.
    pub message: String,
    /// A bounded piece of what it sent.
    pub quoted: String,
}

impl Garbage {
    /// The most that is quoted, in bytes.
    pub const QUOTED: usize = 200;

    /// More than [`CHOICES`](super::event::CHOICES) or [`CALLS`](super::event::CALLS), in `sent`.
    #[must_use]
    pub fn too_many(sent: &[u8]) -> Self {
        let message = format!(
            "The stream holds more than {CHOICES} choices, or {CALLS} calls or blocks of one."
        );
        Self::new(message, sent)
    }

    /// A fault in `sent`.
    #[must_use]
    pub fn new(message: impl Into<String>, sent: &[u8]) -> Self {
        let piece = &sent[..sent.len().min(Self::QUOTED)];
        let mut quoted = String::from_utf8_lossy(piece).escape_debug().to_string();
        if piece.len() < sent.len() {
            quoted.push('…');
        }
        Self {
            message: message.into(),
            quoted,
        }
    }
}
