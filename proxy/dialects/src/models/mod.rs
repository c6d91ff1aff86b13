//! Lists of models: one neutral entry, read from every kind of list and written as every kind.
//!
//! - [`read`]: any upstream's list.
//! - [`openai`]: the list of `/v1/models`.
//! - [`anthropic`]: the same path, asked by Anthropic's clients.
//! - [`gemini`]: the list of `/v1beta/models`.
//! - [`ollama`]: what `/api/tags`, `/api/show`, `/api/ps` and `/api/version` answer.
//! - [`lmstudio`]: the list of `/api/v0/models`.
//!
//! Rules: what is not known is what the list's own server says of a model that it knows little of (empty words, zeros), because
//! clients read the fields without asking whether they are there. Only OpenAI's list shows fields that the form does not know;
//! nothing tells where a model runs.

pub mod anthropic;
pub mod gemini;
pub mod lmstudio;
pub mod ollama;
pub mod openai;
mod read;

use jiff::Timestamp;
use serde_json::{Map, Value};

pub use read::read;

/// A model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// Its name, as clients call it.
    pub id: String,
    /// When it was made, in seconds since the epoch.
    pub created: Option<i64>,
    /// Who made it or serves it.
    pub owner: Option<String>,
    /// The most tokens of prompt and reply together.
    pub context_length: Option<u64>,
    /// What else is known, by its server's names: `display_name`, `capabilities` (Ollama's list), `details` (Ollama's object),
    /// `size`, `digest`, `type`, `arch`, `quantization`, `publisher` (LM Studio's words).
    pub metadata: Map<String, Value>,
}

impl Model {
    /// When it was made; the epoch, if nobody knows.
    fn created_at(&self) -> Timestamp {
        let at = self
            .created
            .and_then(|second| Timestamp::from_second(second).ok());
        at.unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// A word of the metadata; empty if there is none.
    fn word(&self, name: &str) -> &str {
        self.metadata
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}
