//! The body of `POST /v1/embeddings`.
//!
//! Source: [Create embeddings](https://platform.openai.com/docs/api-reference/embeddings/create).

use serde_json::{Map, Value};

use super::{Checked, given, integer, only, required, string, wrong_type, wrong_value};
use crate::refusal::Refusal;

const KNOWN: [&str; 5] = ["model", "input", "dimensions", "encoding_format", "user"];

/// Checks the whole body; `strict` refuses unknown fields too.
pub(crate) fn embeddings(fields: &Map<String, Value>, strict: bool) -> Checked {
    if strict {
        only(fields, &KNOWN)?;
    }
    let input = required(fields, "input")?;
    let fits = match input {
        Value::String(text) => !text.is_empty(),
        Value::Array(items) if items.len() > 2048 => {
            let message =
                "Invalid 'input': array too long. Expected an array with maximum length 2048.";
            return Err(Refusal::of("input", "array_above_max_length", message));
        }
        Value::Array(items) => {
            let text = |item: &Value| item.as_str().is_some_and(|text| !text.is_empty());
            let tokens = |item: &Value| {
                item.as_array()
                    .is_some_and(|item| !item.is_empty() && item.iter().all(Value::is_u64))
            };
            !items.is_empty()
                && (items.iter().all(text)
                    || items.iter().all(Value::is_u64)
                    || items.iter().all(tokens))
        }
        _ => false,
    };
    if !fits {
        let expected =
            "a string that is not empty, or an array of them, of tokens, or of token arrays";
        return Err(wrong_type("input", expected, input));
    }
    integer(fields, "dimensions", 1, 4096)?;
    string(fields, "user")?;
    match given(fields, "encoding_format") {
        None => Ok(()),
        Some(Value::String(format)) if format == "float" || format == "base64" => Ok(()),
        Some(other) => Err(wrong_value(
            "encoding_format",
            other.as_str().unwrap_or("not a string"),
            &["float", "base64"],
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_input_is_refused() {
        for bad in [
            json!(""),
            json!([]),
            json!(["a", ""]),
            json!(null),
            json!([[]]),
        ] {
            let body = json!({"model": "echo", "input": bad});
            assert!(embeddings(body.as_object().unwrap(), false).is_err());
        }
        let body = json!({"model": "echo", "input": ["a"], "encoding_format": "base64"});
        assert_eq!(embeddings(body.as_object().unwrap(), true), Ok(()));
    }
}
