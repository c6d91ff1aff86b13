//! Vectors: request and reply.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};

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
    Numbers(Vec<Number>),
    /// Base64 of little-endian `f32`.
    Base64(String),
}

impl Vector {
    /// The numbers, in the fewest digits that name each `f32`; none if the base64 is broken, or holds what JSON has no number for.
    #[must_use]
    pub fn into_numbers(self) -> Option<Vec<Number>> {
        let text = match self {
            Self::Numbers(numbers) => return Some(numbers),
            Self::Base64(text) => text,
        };
        let bytes = STANDARD.decode(text).ok()?;
        let (each, rest) = bytes.as_chunks::<4>();
        let number = |bytes: &[u8; 4]| {
            let digits = f32::from_le_bytes(*bytes).to_string();
            Number::from_f64(digits.parse().ok()?)
        };
        rest.is_empty().then(|| each.iter().map(number).collect())?
    }

    /// The base64 of the numbers as `f32`.
    #[must_use]
    pub fn into_base64(self) -> String {
        let numbers = match self {
            Self::Base64(text) => return text,
            Self::Numbers(numbers) => numbers,
        };
        #[expect(clippy::cast_possible_truncation, reason = "the format is of `f32`")]
        let each = numbers
            .iter()
            .map(|number| number.as_f64().unwrap_or(0.0) as f32);
        let bytes: Vec<u8> = each.flat_map(f32::to_le_bytes).collect();
        STANDARD.encode(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_keeps_its_numbers_through_base64() {
        let numbers: Vec<Number> = serde_json::from_str("[0.1,-2.5,1e-7]").unwrap();
        let text = Vector::Numbers(numbers).into_base64();
        let back = Vector::Base64(text).into_numbers().unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), "[0.1,-2.5,1e-7]");
        assert_eq!(Vector::Base64("AAA".into()).into_numbers(), None);
        assert_eq!(Vector::Base64("AAAA".into()).into_numbers(), None);
    }
}
