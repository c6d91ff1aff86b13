//! The body of `POST /v1/completions`.
//!
//! Source: [Create completion](https://platform.openai.com/docs/api-reference/completions/create).

use serde_json::{Map, Value};

use super::{Checked, boolean, given, integer, only, required, sampling, string, wrong_type};
use crate::refusal::Refusal;

const KNOWN: [&str; 18] = [
    "model",
    "prompt",
    "best_of",
    "echo",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_tokens",
    "n",
    "presence_penalty",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "suffix",
    "temperature",
    "top_p",
    "user",
];

/// Checks the whole body; `strict` refuses unknown fields too.
pub(crate) fn completions(fields: &Map<String, Value>, strict: bool) -> Checked {
    if strict {
        only(fields, &KNOWN)?;
    }
    let prompt = required(fields, "prompt")?;
    let fits = match prompt {
        Value::String(_) => true,
        Value::Array(items) => {
            !items.is_empty()
                && (items.iter().all(Value::is_string)
                    || tokens(prompt)
                    || items.iter().all(tokens))
        }
        _ => false,
    };
    if !fits {
        let expected = "a string, an array of strings, of tokens, or of token arrays";
        return Err(wrong_type("prompt", expected, prompt));
    }
    sampling(fields)?;
    integer(fields, "best_of", 1, 20)?;
    integer(fields, "logprobs", 0, 5)?;
    boolean(fields, "echo")?;
    string(fields, "suffix")?;
    let count = |name| given(fields, name).and_then(Value::as_u64).unwrap_or(1);
    let (n, best_of) = (count("n"), count("best_of"));
    if given(fields, "best_of").is_some() && best_of < n {
        let message = format!(
            "You requested that the server return more choices than it will generate (HINT: you must set 'n' (currently {n}) to be at most 'best_of' (currently {best_of}))."
        );
        return Err(Refusal::of("best_of", "invalid_value", message));
    }
    Ok(())
}

fn tokens(value: &Value) -> bool {
    value
        .as_array()
        .is_some_and(|items| !items.is_empty() && items.iter().all(Value::is_u64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_prompt_has_one_of_four_shapes() {
        for good in [
            json!("a"),
            json!(["a", "b"]),
            json!([1, 2]),
            json!([[1], [2, 3]]),
        ] {
            let body = json!({"model": "echo", "prompt": good});
            assert_eq!(completions(body.as_object().unwrap(), true), Ok(()));
        }
        for bad in [
            json!(null),
            json!(1),
            json!([]),
            json!(["a", 1]),
            json!({}),
            json!([[]]),
        ] {
            let body = json!({"model": "echo", "prompt": bad});
            let refusal = completions(body.as_object().unwrap(), true).unwrap_err();
            assert_eq!(refusal.param.as_deref(), Some("prompt"));
        }
    }

    #[test]
    fn best_of_is_at_least_n() {
        let body = json!({"model": "echo", "prompt": "a", "n": 3, "best_of": 2});
        assert!(completions(body.as_object().unwrap(), false).is_err());
    }
}
