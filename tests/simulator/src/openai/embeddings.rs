//! Embeddings: vectors that depend on the text alone.
//!
//! Source: [the object](https://platform.openai.com/docs/api-reference/embeddings/object).

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

use crate::answer::words;

/// Dimensions of a vector unless the request says otherwise.
const DIMENSIONS: usize = 8;

/// The reply to a checked request.
pub(crate) fn embeddings(model: &str, fields: &Map<String, Value>) -> Value {
    let inputs = match &fields["input"] {
        Value::Array(items) if items.iter().all(Value::is_u64) => vec![fields["input"].to_string()],
        Value::Array(items) => items.iter().map(text).collect(),
        other => vec![text(other)],
    };
    let dimensions = fields.get("dimensions").and_then(Value::as_u64);
    let dimensions = dimensions
        .and_then(|d| usize::try_from(d).ok())
        .unwrap_or(DIMENSIONS);
    let base64 = fields
        .get("encoding_format")
        .is_some_and(|format| format == "base64");
    let entry = |(index, text): (usize, &String)| {
        let vector = vector(text, dimensions);
        let embedding = if base64 {
            // 32-bit floats, the lowest byte first, as OpenAI's SDKs decode them.
            let bytes: Vec<u8> = vector
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            Value::from(BASE64_STANDARD.encode(bytes))
        } else {
            Value::from(vector)
        };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    };
    let data: Vec<_> = inputs.iter().enumerate().map(entry).collect();
    let tokens: usize = inputs.iter().map(|text| words(text)).sum();
    json!({
        "object": "list",
        "data": data,
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    })
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Values from -1 up to 1 in steps of 1/128, which binary and decimal both hold exactly.
pub(crate) fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    // FNV-1a, then its linear successor for each further dimension.
    let seed = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let next = |hash: &u64| Some(hash.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1));
    std::iter::successors(Some(seed), next)
        .take(dimensions)
        .map(|hash| f32::from(i16::from(hash.to_be_bytes()[0]) - 128) / 128.0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_hold_the_same_vector() {
        let body =
            |format| json!({"input": ["a", "b"], "dimensions": 3, "encoding_format": format});
        let floats = embeddings("m", body("float").as_object().unwrap());
        let packed = embeddings("m", body("base64").as_object().unwrap());
        for index in 0..2 {
            let text = packed["data"][index]["embedding"].as_str().unwrap();
            let bytes = BASE64_STANDARD.decode(text).unwrap();
            let values: Vec<f32> = bytes
                .chunks(4)
                .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
                .collect();
            assert_eq!(floats["data"][index]["embedding"], json!(values));
        }
        assert_ne!(
            floats["data"][0]["embedding"],
            floats["data"][1]["embedding"]
        );
    }
}
