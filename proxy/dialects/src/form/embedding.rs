//! Vectors: request and reply.

use serde_json::{Map, Value};

use super::usage::Usage;

/// A request for vectors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbeddingRequest {
    /// The model.
    pub model: String,
    /// What vectors are wanted of, in order.
    pub inputs: Vec<EmbeddingInput>,
    /// Whether the client sent one bare input instead of a list; dialects that answer differently then need it.
    pub single: bool,
    /// The vectors' length; absent: the model's own.
    pub dimensions: Option<u32>,
    /// Whether vectors are to come as base64 of little-endian `f32` (OpenAI's `encoding_format`).
    pub base64: bool,
    /// Whether inputs that are too long are cut (Ollama's `truncate`).
    pub truncate: Option<bool>,
    /// Who asks.
    pub user: Option<String>,
    /// As in [`super::Request::keep_alive`].
    pub keep_alive: Option<Value>,
    /// Fields that the form does not know, by the client dialect's names.
    pub extra: Map<String, Value>,
}

/// What a vector is wanted of.
#[derive(Clone, Debug, PartialEq)]
pub enum EmbeddingInput {
    /// Text.
    Text(String),
    /// Tokens of the model's own.
    Tokens(Vec<u32>),
}

/// Vectors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbeddingReply {
    /// The model that the server says answered.
    pub model: Option<String>,
    /// One for each input, in order.
    pub vectors: Vec<Vector>,
    /// Tokens; absent if the server does not say.
    pub usage: Option<Usage>,
}

/// One vector.
#[derive(Clone, Debug, PartialEq)]
pub enum Vector {
    /// Numbers, with the digits that the server sent.
    Numbers(Vec<serde_json::Number>),
    /// Base64 of little-endian `f32`.
    Base64(String),
}
