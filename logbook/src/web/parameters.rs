//! The parameters that the APIs take: said once, for whoever reads them from a URL and for the OpenAPI document.

use super::time::SPAN;
use crate::query::LARGEST_PAGE;
use crate::record::LONGEST_NAME;
use serde_json::{Value, json};

/// A parameter of a query string.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) form: Form,
    /// How often it may be given, where it may be more than once.
    pub(super) many: Option<usize>,
}

/// What its value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// RFC 3339, or how long ago.
    Time,
    /// A number and its unit.
    Span,
    /// At most so many characters.
    Text(usize),
    Status,
    Int {
        least: i64,
        most: i64,
    },
    Flag,
    /// `name=value`.
    Attribute,
    /// Where a page begins.
    Cursor,
}

/// The longest text that is looked for, and the longest attribute, in characters.
const LONGEST_TEXT: usize = 1000;
/// The most that a span of milliseconds says: ten years.
const LONGEST_MS: i64 = 315_360_000_000;

const fn one(name: &'static str, form: Form, about: &'static str) -> Parameter {
    Parameter {
        name,
        about,
        form,
        many: None,
    }
}

pub(super) const FROM: Parameter = one(
    "from",
    Form::Time,
    "Started then or later: RFC 3339, or how long ago, as 15m, 24h or 7d.",
);
pub(super) const UNTIL: Parameter = one("until", Form::Time, "Started before then; as `from`.");
pub(super) const NAMESPACE: Parameter = Parameter {
    many: Some(100),
    ..one(
        "namespace",
        Form::Text(LONGEST_NAME),
        "Of this namespace, or of one of several.",
    )
};
pub(super) const ROUTE: Parameter = one("route", Form::Text(LONGEST_NAME), "The route's name.");
pub(super) const USER: Parameter = one(
    "user",
    Form::Text(LONGEST_NAME),
    "Who called, by the route's policy.",
);
pub(super) const MODEL: Parameter = one(
    "model",
    Form::Text(LONGEST_NAME),
    "The model as the client named it.",
);
pub(super) const STATUS: Parameter = one(
    "status",
    Form::Status,
    "How it ended: a status as 503, a hundred as 5xx, `failed` for whatever counts as an error, streams that broke too, or `succeeded`.",
);
pub(super) const MIN_DURATION: Parameter = one(
    "min_duration_ms",
    Form::Int {
        least: 0,
        most: LONGEST_MS,
    },
    "It took at least so many milliseconds.",
);
pub(super) const TEXT: Parameter = one(
    "text",
    Form::Text(LONGEST_TEXT),
    "A text within the request's body, the reply or the error, in either case. Every request of the time asked for is looked through; without `from` that is the last day.",
);
pub(super) const ATTRIBUTE: Parameter = Parameter {
    many: Some(10),
    ..one(
        "attribute",
        Form::Attribute,
        "A custom attribute as `name=value`. Given more than once, all must match.",
    )
};
pub(super) const LIMIT: Parameter = one(
    "limit",
    Form::Int {
        least: 1,
        most: LARGEST_PAGE as i64,
    },
    "How many at most; 50 if absent.",
);
pub(super) const AFTER: Parameter = one(
    "after",
    Form::Cursor,
    "Where the page begins: `next` of the page before.",
);
pub(super) const STEP: Parameter = one(
    "step",
    Form::Span,
    "The time between two points of the series, as 30s, 5m, 1h or 1d. About sixty points if absent; longer than asked for where there would be 2000 points or more.",
);
pub(super) const TOP: Parameter = one(
    "top",
    Form::Int {
        least: 1,
        most: 100,
    },
    "How many models, routes and users at most; 10 if absent.",
);
pub(super) const ROWS: Parameter = one(
    "limit",
    Form::Int {
        least: 1,
        most: 100_000_000,
    },
    "How many rows at most; all if absent.",
);
pub(super) const BODIES: Parameter = one(
    "bodies",
    Form::Flag,
    "Headers, bodies, content and tool calls as well.",
);

/// What narrows every question.
pub(super) const FILTER: [&Parameter; 10] = [
    &FROM,
    &UNTIL,
    &NAMESPACE,
    &ROUTE,
    &USER,
    &MODEL,
    &STATUS,
    &MIN_DURATION,
    &TEXT,
    &ATTRIBUTE,
];

impl Form {
    /// As JSON Schema. What fits it is answered, and what does not is refused.
    pub(super) fn schema(self) -> Value {
        match self {
            Self::Time => json!({
                "type": "string",
                "anyOf": [{"format": "date-time"}, {"pattern": SPAN}],
                "examples": ["24h", "2026-01-31T12:00:00Z"]
            }),
            Self::Span => json!({"type": "string", "pattern": SPAN, "examples": ["5m"]}),
            Self::Text(longest) => json!({"type": "string", "minLength": 1, "maxLength": longest}),
            Self::Status => json!({
                "type": "string",
                "pattern": "^([1-5][0-9]{2}|[1-5]xx|failed|succeeded)$",
                "examples": ["failed", "5xx", "429"]
            }),
            Self::Int { least, most } => {
                json!({"type": "integer", "minimum": least, "maximum": most})
            }
            Self::Flag => json!({"type": "boolean"}),
            Self::Attribute => json!({
                "type": "string",
                "pattern": "^[^=]+=",
                "maxLength": LONGEST_TEXT,
                "examples": ["team=search"]
            }),
            Self::Cursor => {
                json!({"type": "string", "pattern": "^[0-9a-f]{1,15}-([0-9a-f]{2}){1,400}$"})
            }
        }
    }

    /// What a value has to be, to follow "must be".
    pub(super) fn cure(self) -> String {
        match self {
            Self::Time => {
                "a time of RFC 3339, such as 2026-01-31T12:00:00Z, or how long ago, such as 15m, 24h or 7d".into()
            }
            Self::Span => "a number of s, m, h or d, such as 30s, 5m or 1h".into(),
            Self::Text(longest) => format!("a text of 1 to {longest} characters; leave it out for any"),
            Self::Status => "a status such as 503, a hundred such as 5xx, failed, or succeeded".into(),
            Self::Int { least, most } => format!("a whole number from {least} to {most}"),
            Self::Flag => "true or false".into(),
            Self::Attribute => {
                format!("name=value, of at most {LONGEST_TEXT} characters")
            }
            Self::Cursor => "what a page gave as `next`; leave it out for the first page".into(),
        }
    }
}
