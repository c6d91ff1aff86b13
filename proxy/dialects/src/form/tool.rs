//! Tools, their calls, and which of them a model may or must call.

use serde_json::{Map, Value};

/// Something that a model may call.
#[derive(Clone, Debug, PartialEq)]
pub enum Tool {
    /// A function of the application's.
    Function {
        /// Its name.
        name: String,
        /// What it does.
        description: Option<String>,
        /// JSON Schema of its arguments; absent: it takes none.
        parameters: Option<Value>,
        /// Whether arguments are constrained to the schema; absent: the server's default.
        strict: Option<bool>,
        /// Anthropic's `cache_control` object.
        cache: Option<Value>,
    },
    /// A tool that the vendor runs (web search, code interpreter, …), by its `type` there.
    Other {
        /// Its type in its dialect.
        kind: String,
        /// The tool as it stood.
        value: Value,
    },
}

impl Tool {
    /// Its name, or its type where it has none.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Function { name, .. } => name,
            Self::Other { kind, .. } => kind,
        }
    }
}

/// Which tools a model may or must call.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolChoice {
    /// As it likes.
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(String),
    /// Some of these, at least one if `required` (OpenAI's `allowed_tools`).
    Allowed {
        /// Their names.
        names: Vec<String>,
        /// Whether one must be called.
        required: bool,
    },
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// Its id, which the result names again. Never empty: readers of dialects and servers without ids make one up.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// What it is called with.
    pub arguments: Arguments,
    /// Gemini's thought signature over the call, which its next turn must bring back.
    pub signature: Option<String>,
}

/// A call's arguments: JSON text, as the model wrote it. Dialects of objects parse it, dialects of text pass it on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments(String);

impl Arguments {
    /// The text as the model wrote it; nothing at all counts as `{}`.
    #[must_use]
    pub fn from_text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self(if text.trim().is_empty() {
            "{}".into()
        } else {
            text
        })
    }

    /// From a dialect of objects.
    #[must_use]
    pub fn from_object(object: &Map<String, Value>) -> Self {
        // A map of strings to values always has a JSON text.
        Self(serde_json::to_string(object).unwrap_or_else(|_| "{}".into()))
    }

    /// The JSON text.
    #[must_use]
    pub fn as_text(&self) -> &str {
        &self.0
    }

    /// The object that the text stands for; none if a model wrote something else.
    #[must_use]
    pub fn object(&self) -> Option<Map<String, Value>> {
        serde_json::from_str(&self.0).ok()
    }
}
