//! A whole answer.

use serde_json::{Map, Value};

use super::message::Part;
use super::usage::Usage;

/// An answer, whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// Its id at the server; absent: writers make one from the request's id.
    pub id: Option<String>,
    /// The model that the server says answered.
    pub model: Option<String>,
    /// When, in seconds since the epoch, where the server says so.
    pub created: Option<i64>,
    /// The alternatives, by index.
    pub choices: Vec<Choice>,
    /// Tokens; absent if the server does not say.
    pub usage: Option<Usage>,
    /// Documented fields of the reply that the form does not know and that another dialect's client may be shown, such as
    /// `system_fingerprint` or `service_tier`.
    pub extra: Map<String, Value>,
}

impl Reply {
    /// The model to name to the client: the server's word for it, or else `other`.
    #[must_use]
    pub fn model_or<'a>(&'a self, other: &'a str) -> &'a str {
        let model = self.model.as_deref().filter(|model| !model.is_empty());
        model.unwrap_or(other)
    }
}

/// One alternative.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Which.
    pub index: u32,
    /// What was said, in order: text, reasoning, refusals, tool calls.
    pub parts: Vec<Part>,
    /// Why it ended; absent if the server does not say.
    pub finish: Option<Finish>,
    /// OpenAI's `logprobs` object, where it was asked for.
    pub logprobs: Option<Value>,
}

/// Why a reply ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model was done.
    Stop,
    /// It came to a text of `stop`; which, where the server says so.
    StopSequence(Option<String>),
    /// It reached the limit of tokens.
    Length,
    /// It calls tools.
    ToolCalls,
    /// A filter cut it off.
    ContentFilter,
    /// The model refused (Anthropic's `refusal`).
    Refusal,
    /// The server paused a long turn at a bound of its own tools, and may continue it (Anthropic's `pause_turn`). Writers without a word for it say
    /// that a limit was reached.
    Pause,
    /// A failure of the server's, or a reason that nobody here knows, in its word. Writers say it as it is, for clients of dialects with the same words;
    /// to others it is an error: [`crate::ends`].
    Other(String),
}
