//! Messages and their parts.

use std::sync::Arc;

use serde_json::Value;

use super::tool::ToolCall;

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Whose turn it is.
    pub role: Role,
    /// Who of several speakers, where the dialect names them.
    pub name: Option<String>,
    /// What is said, in order. A [`Role::Tool`] message holds [`Part::ToolResult`]s only, and no other message holds any.
    pub parts: Vec<Part>,
    /// The message's place in the client's body, such as `messages[2]` or `system`, for refusals.
    pub at: String,
}

impl Message {
    /// A message of one text.
    #[must_use]
    pub fn text(role: Role, text: impl Into<String>, at: impl Into<String>) -> Self {
        Self {
            role,
            name: None,
            parts: vec![Part::text(text)],
            at: at.into(),
        }
    }
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Instructions of the application.
    System,
    /// OpenAI's newer word for the same, which reasoning models ask for. Other dialects have system only.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// Results of tools.
    Tool,
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text.
    Text {
        /// The text.
        text: String,
        /// Sources of it, as the dialect gives them.
        citations: Option<Value>,
        /// A mark that the prompt up to here is worth caching: Anthropic's `cache_control` object.
        cache: Option<Value>,
    },
    /// An image.
    Image {
        /// Where it is.
        source: Source,
        /// OpenAI's `detail`.
        detail: Option<String>,
        /// As for text.
        cache: Option<Value>,
    },
    /// A document, such as a PDF.
    Document {
        /// Where it is.
        source: Source,
        /// Its file name or title.
        name: Option<String>,
        /// As for text.
        cache: Option<Value>,
    },
    /// Sound.
    Audio {
        /// Where it is; the media type is `audio/` and OpenAI's `format`.
        source: Source,
    },
    /// Reasoning of an earlier turn, or of this reply.
    Reasoning {
        /// What may be read of it; empty where it is only encrypted.
        text: String,
        /// Anthropic's signature over it. (Gemini signs calls.)
        signature: Option<String>,
        /// What only the vendor can read.
        encrypted: Option<Encrypted>,
        /// Its id at the vendor (Responses).
        id: Option<String>,
    },
    /// The model's refusal to answer, in its own words.
    Refusal(String),
    /// A call of a tool.
    ToolCall(ToolCall),
    /// What a tool gave.
    ToolResult(ToolResult),
    /// What only its own dialect can say, by its `type` there.
    Other {
        /// The part's type in its dialect.
        kind: String,
        /// The part as it stood.
        value: Value,
    },
}

impl Part {
    /// Plain text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text {
            text: text.into(),
            citations: None,
            cache: None,
        }
    }

    /// Whether it is of a kind that every dialect has words for in a reply, or leaves out by a documented rule.
    #[must_use]
    pub fn is_common(&self) -> bool {
        matches!(
            self,
            Self::Text { .. } | Self::Reasoning { .. } | Self::Refusal(_) | Self::ToolCall(_)
        )
    }

    /// What it is, for refusals: `an image`.
    #[must_use]
    pub fn described(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Image { .. } => "an image",
            Self::Document { .. } => "a document",
            Self::Audio { .. } => "audio",
            Self::Reasoning { .. } => "reasoning",
            Self::Refusal(_) => "a refusal",
            Self::ToolCall(_) => "a tool call",
            Self::ToolResult(_) => "a tool result",
            Self::Other { .. } => "a part of a kind that only its own dialect knows",
        }
    }
}

/// The texts among parts, joined as they stand.
#[must_use]
pub fn joined_text(parts: &[Part]) -> String {
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text { text, .. } => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

/// Whether the last message is the beginning of an answer: words of the model's own.
#[must_use]
pub fn begun(messages: &[Message]) -> bool {
    messages.last().is_some_and(|last| {
        last.role == Role::Assistant && !joined_text(&last.parts).trim().is_empty()
    })
}

/// About how many bytes of base64 lie in messages: what a writer sets aside, so that a large image is not copied again while the body grows.
#[must_use]
pub fn inline_bytes(messages: &[Message]) -> usize {
    let of = |part: &Part| match part {
        Part::Image { source, .. } | Part::Document { source, .. } | Part::Audio { source } => {
            match source {
                Source::Inline { data, .. } => data.as_str().len(),
                _ => 0,
            }
        }
        _ => 0,
    };
    let parts = messages.iter().flat_map(|message| &message.parts);
    let each = parts.map(|part| match part {
        Part::ToolResult(result) => result.parts.iter().map(of).sum(),
        part => of(part),
    });
    each.sum()
}

/// What a tool gave.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult {
    /// The call's id. Readers of dialects without ids make them up, the same for the call and its result.
    pub call: String,
    /// The tool's name, where the dialect says it (Ollama, Gemini). A writer that needs one looks the call up.
    pub name: Option<String>,
    /// Text, and in some dialects images and documents.
    pub parts: Vec<Part>,
    /// Whether the tool failed.
    pub is_error: bool,
    /// As for text.
    pub cache: Option<Value>,
}

/// Where an image, a document or sound is.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// At a URL that the model's server is to fetch. Never a `data:` URL: readers take those apart.
    Url(String),
    /// Here.
    Inline {
        /// Its media type, such as `image/png`; absent where the dialect does not say (Ollama): see [`Base64::sniff`].
        media_type: Option<String>,
        /// Its bytes.
        data: Base64,
    },
    /// A file that was uploaded, which its vendor alone has.
    File {
        /// Where it was uploaded.
        vendor: Vendor,
        /// Its id there.
        id: String,
    },
    /// Plain text (Anthropic's text documents).
    Text(String),
}

/// Reasoning that only its vendor can read, and that goes back to no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encrypted {
    /// Whose it is.
    pub vendor: Vendor,
    /// Anthropic's `redacted_thinking`, OpenAI's `encrypted_content`.
    pub data: String,
}

impl Encrypted {
    /// Anthropic's, or of one of its models elsewhere.
    #[must_use]
    pub fn by_anthropic(data: String) -> Self {
        let vendor = Vendor::Anthropic;
        Self { vendor, data }
    }

    /// OpenAI's, or of a server that speaks as it does.
    #[must_use]
    pub fn by_openai(data: String) -> Self {
        let vendor = Vendor::OpenAi;
        Self { vendor, data }
    }
}

/// Whose uploaded files and encrypted reasoning they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// OpenAI, and servers that speak as it does.
    OpenAi,
    /// Anthropic, also within Bedrock.
    Anthropic,
}

/// Base64 text that may be the tail of a longer string, so that a `data:` URL of many megabytes is not copied. A clone shares it.
#[derive(Clone, Debug)]
pub struct Base64 {
    text: Arc<String>,
    start: usize,
}

impl PartialEq for Base64 {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Base64 {
    /// All of `text`.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self {
            text: Arc::new(text),
            start: 0,
        }
    }

    /// The base64 itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.text.get(self.start..).unwrap_or_default()
    }

    /// Takes a `data:` URL apart; gives the string back if it is none with base64.
    ///
    /// Source: [RFC 2397](https://www.rfc-editor.org/rfc/rfc2397).
    ///
    /// # Errors
    /// The string itself, to be used as the URL that it is.
    pub fn of_data_url(url: String) -> Result<(Option<String>, Self), String> {
        let head = url
            .get(..5)
            .filter(|scheme| scheme.eq_ignore_ascii_case("data:"))
            .and_then(|_| url.find(','))
            .filter(|comma| url[5..*comma].to_ascii_lowercase().ends_with(";base64"));
        let Some(comma) = head else {
            return Err(url);
        };
        let media_type = url[5..comma].split(';').next().unwrap_or_default();
        let media_type = (!media_type.is_empty()).then(|| media_type.to_ascii_lowercase());
        let data = Self {
            text: Arc::new(url),
            start: comma + 1,
        };
        Ok((media_type, data))
    }

    /// The media type of an image, judged by the first bytes that the base64 stands for.
    #[must_use]
    pub fn sniff(&self) -> Option<&'static str> {
        let kinds = [
            ("iVBORw0KGgo", "image/png"),
            ("/9j/", "image/jpeg"),
            ("R0lGOD", "image/gif"),
            ("UklGR", "image/webp"),
            ("JVBERi", "application/pdf"),
        ];
        let text = self.as_str();
        let found = kinds.iter().find(|(start, _)| text.starts_with(start));
        found.map(|(_, kind)| *kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_url_is_taken_apart_and_any_other_url_is_given_back() {
        let (kind, data) =
            Base64::of_data_url("data:image/PNG;base64,iVBORw0KGgoAAA".into()).unwrap();
        assert_eq!(kind.as_deref(), Some("image/png"));
        assert_eq!(data.as_str(), "iVBORw0KGgoAAA");
        assert_eq!(data.sniff(), Some("image/png"));
        for url in [
            "https://example.org/a,b;base64,",
            "data:text/plain,hello",
            "data:",
            "dät",
        ] {
            assert_eq!(
                Base64::of_data_url(url.into()),
                Err(url.to_owned()),
                "{url}"
            );
        }
    }
}
