//! The table of dialects. A new one is a folder, a line here and its tests.

use crate::codec::Codec;
use crate::{anthropic, bedrock, conversation, gemini, ollama, openai, tgi};

/// A wire format: a dialect's form of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// Anthropic's messages.
    Messages,
    /// Bedrock's `invoke`, with Anthropic's bodies.
    BedrockInvoke,
    /// Bedrock's `invoke`, with Claude 2's text completions.
    BedrockText,
    /// Bedrock's `converse`.
    BedrockConverse,
    /// OpenAI's chat completions.
    Chat,
    /// The Conversation API's statements.
    Conversation,
    /// The Conversation API's chat.
    ConversationChat,
    /// OpenAI's Responses API.
    Responses,
    /// OpenAI's text completions.
    Completions,
    /// Google's `generateContent`.
    Gemini,
    /// Ollama's chat.
    OllamaChat,
    /// Ollama's generate.
    OllamaGenerate,
    /// Text Generation Inference's own.
    Tgi,
}

impl Wire {
    /// Whether answers of both end for reasons in the same words, so that one that nobody here knows can be passed on.
    #[must_use]
    pub fn ends_like(self, other: Self) -> bool {
        let words = |wire| match wire {
            Self::BedrockInvoke => Self::Messages,
            Self::Completions => Self::Chat,
            Self::OllamaGenerate => Self::OllamaChat,
            other => other,
        };
        words(self) == words(other)
    }

    /// Its readers and writers.
    #[must_use]
    pub fn codec(self) -> &'static dyn Codec {
        match self {
            Self::Messages => &anthropic::Messages,
            Self::BedrockInvoke => &bedrock::Invoke,
            Self::BedrockText => &bedrock::Text,
            Self::BedrockConverse => &bedrock::Converse,
            Self::Chat => &openai::Chat,
            Self::Conversation => &conversation::Conversation,
            Self::ConversationChat => &conversation::Chat,
            Self::Responses => &openai::Responses,
            Self::Completions => &openai::Completions,
            Self::Gemini => &gemini::Gemini,
            Self::OllamaChat => &ollama::Chat,
            Self::OllamaGenerate => &ollama::Generate,
            Self::Tgi => &tgi::Tgi,
        }
    }
}
