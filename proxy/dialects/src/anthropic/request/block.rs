//! Content, to be written: borrowed, so that an image is copied once, into the body.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// The content of a message.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Content<'a> {
    /// One text.
    Text(&'a str),
    /// Blocks.
    Blocks(Vec<Block<'a>>),
}

impl<'a> Content<'a> {
    /// The shortest way to write them: a lone plain text as such.
    #[must_use]
    pub fn of(blocks: Vec<Block<'a>>) -> Self {
        match blocks.as_slice() {
            [
                Block::Text {
                    text,
                    citations: None,
                    cache_control: None,
                },
            ] => Self::Text(text),
            _ => Self::Blocks(blocks),
        }
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Blocks(blocks) if blocks.is_empty())
    }
}

/// A block.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block<'a> {
    /// Text.
    Text {
        /// The text.
        text: &'a str,
        /// Its sources.
        #[serde(skip_serializing_if = "Option::is_none")]
        citations: Option<&'a Value>,
        /// The cache mark.
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a Value>,
    },
    /// An image.
    Image {
        /// Where it is.
        source: Source<'a>,
        /// The cache mark.
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a Value>,
    },
    /// A document.
    Document {
        /// Where it is.
        source: Source<'a>,
        /// Its title.
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
        /// The cache mark.
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a Value>,
    },
    /// Reasoning.
    Thinking {
        /// What may be read of it.
        thinking: &'a str,
        /// The vendor's signature over it.
        signature: &'a str,
    },
    /// Reasoning that only the vendor can read.
    RedactedThinking {
        /// It.
        data: &'a str,
    },
    /// A call of a tool.
    ToolUse {
        /// Its id.
        id: Cow<'a, str>,
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
        #[serde(skip_serializing_if = "Content::is_empty")]
        content: Content<'a>,
        /// Whether the tool failed.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
        /// The cache mark.
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a Value>,
    },
    /// A block of this dialect's that the form does not know, as it stood.
    #[serde(untagged)]
    Own(&'a Value),
}

/// Where an image or a document is.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Source<'a> {
    /// Here.
    Base64 {
        /// Its media type.
        media_type: &'a str,
        /// Its bytes.
        data: &'a str,
    },
    /// At a URL.
    Url {
        /// The URL.
        url: &'a str,
    },
    /// Uploaded.
    File {
        /// Its id.
        file_id: &'a str,
    },
    /// Plain text.
    Text {
        /// `text/plain`.
        media_type: &'static str,
        /// The text.
        data: Cow<'a, str>,
    },
}

/// A message.
#[derive(Clone, Debug, Serialize)]
pub struct Turn<'a> {
    /// `user` or `assistant`.
    pub role: &'static str,
    /// What is said.
    pub content: Content<'a>,
}
