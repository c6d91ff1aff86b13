//! The table of dialects. A new one is a folder, a line here and its tests.

use crate::codec::Codec;
use crate::anthropic;
use crate::{ollama, openai, tgi};

/// A wire format: a dialect's form of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// Anthropic's messages.
    Messages,
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's text completions.
    Completions,
    /// Ollama's chat.
    OllamaChat,
    /// Ollama's generate.
    OllamaGenerate,
    /// Text Generation Inference's own.
    Tgi,
}

impl Wire {
    /// Its readers and writers.
    #[must_use]
    pub fn codec(self) -> &'static dyn Codec {
        match self {
            Self::Messages => &anthropic::Messages,
            Self::Chat => &openai::Chat,
            Self::Completions => &openai::Completions,
            Self::OllamaChat => &ollama::Chat,
            Self::OllamaGenerate => &ollama::Generate,
            Self::Tgi => &tgi::Tgi,
        }
    }
}
