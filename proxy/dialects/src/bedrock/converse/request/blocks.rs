//! Content, to be written: borrowed, so that an image is copied once, into the body.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A block: an object with one member.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Block<'a> {
    /// Text.
    Text(&'a str),
    /// An image.
    Image {
        /// Its format.
        format: &'static str,
        /// Where it is.
        source: Source<'a>,
    },
    /// A document.
    Document {
        /// Its format.
        format: &'static str,
        /// Its name.
        name: String,
        /// Where it is.
        source: Source<'a>,
    },
    /// Sound.
    Audio {
        /// Its format.
        format: &'static str,
        /// Where it is.
        source: Source<'a>,
    },
    /// A call of a tool.
    ToolUse {
        /// Its id.
        tool_use_id: Cow<'a, str>,
        /// The tool's name.
        name: &'a str,
        /// Its arguments: a JSON object, as the model wrote it.
        input: &'a RawValue,
    },
    /// What a tool gave.
    ToolResult {
        /// The call's id.
        tool_use_id: Cow<'a, str>,
        /// It.
        content: Vec<Block<'a>>,
        /// `error` if the tool failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<&'static str>,
    },
    /// Reasoning.
    ReasoningContent(Thought<'a>),
    /// A mark that the prompt up to here is worth caching.
    CachePoint(CachePoint<'a>),
    /// A block of this dialect's that the form does not know, as it stood.
    #[serde(untagged)]
    Own(&'a Value),
}

/// Where something is.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Source<'a> {
    /// Here, in base64.
    Bytes(Cow<'a, str>),
    /// In a bucket.
    S3Location {
        /// Its `s3://` URI.
        uri: &'a str,
    },
}

/// Reasoning.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Thought<'a> {
    /// That may be read.
    ReasoningText {
        /// The text.
        text: &'a str,
        /// The signature over it.
        #[serde(skip_serializing_if = "Option::is_none")]
        signature: Option<&'a str>,
    },
    /// That only the vendor can read.
    RedactedContent(&'a str),
}

/// A cache point.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CachePoint<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'a str>,
}

/// The cache point that Anthropic's mark stands for.
#[must_use]
pub fn cache_point(mark: &Value) -> CachePoint<'_> {
    CachePoint {
        kind: "default",
        ttl: mark.get("ttl").and_then(Value::as_str),
    }
}

/// A message.
#[derive(Clone, Debug, Serialize)]
pub struct Turn<'a> {
    /// `user` or `assistant`.
    pub role: &'static str,
    /// What is said.
    pub content: Vec<Block<'a>>,
}
