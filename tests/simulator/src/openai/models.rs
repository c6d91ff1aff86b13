//! The model list.
//!
//! Source: [Models](https://platform.openai.com/docs/api-reference/models).

use http::StatusCode;
use serde_json::{Value, json};

use super::CREATED;
use crate::refusal::Refusal;

/// An entry of the list. It carries a field that no schema knows, to see it survive.
pub(crate) fn entry(id: &str) -> Value {
    json!({
        "id": id,
        "object": "model",
        "created": CREATED,
        "owned_by": "simulator",
        "x_simulator": {"unknown": true},
    })
}

/// The whole list.
pub(crate) fn list(entries: &[Value]) -> Value {
    json!({"object": "list", "data": entries})
}

/// One entry, by the last segment of its path.
pub(crate) fn find(entries: &[Value], segment: &str) -> Result<Value, Refusal> {
    let id = decoded(segment);
    entries
        .iter()
        .find(|entry| entry["id"] == id)
        .cloned()
        .ok_or_else(|| {
            let message = format!("The model '{id}' does not exist");
            Refusal::new(StatusCode::NOT_FOUND, message)
                .param("model")
                .code("model_not_found")
        })
}

/// Undoes percent-encoding; what is none stays as it is.
pub(crate) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| first == b'%');
        let byte = hex.and_then(|hex| u8::from_str_radix(str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_found_by_its_encoded_name() {
        let entries = [entry("org/model+x"), entry("100%")];
        for name in ["org/model+x", "org%2Fmodel%2bx", "100%", "100%25"] {
            assert!(find(&entries, name).is_ok(), "{name}");
        }
        assert_eq!(
            find(&entries, "org").unwrap_err().code,
            Some("model_not_found")
        );
    }
}
