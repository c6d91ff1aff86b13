//! The APIs that a route speaks to its clients.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An API that clients speak.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Api {
    /// OpenAI's, LM Studio's list of models, and every path that is of no other API.
    OpenAI,
    /// Anthropic's.
    Anthropic,
    /// Ollama's.
    Ollama,
    /// Azure OpenAI's: paths below `/openai/`.
    AzureOpenAI,
    /// Text Generation Inference's: `/generate`, `/generate_stream` and a POST to `/`.
    TGI,
    /// Amazon Bedrock's: paths below `/model/`.
    Bedrock,
    /// Gemini's.
    Gemini,
    /// The Conversation API, where `conversation` is set.
    Conversation,
}
