//! Probabilities of tokens: chat's list of objects, which the neutral form keeps, and the parallel lists of text completions.
//!
//! Source: the `logprobs` of [chat](https://platform.openai.com/docs/api-reference/chat/object) and of
//! [text completions](https://platform.openai.com/docs/api-reference/completions/object).

use serde_json::{Map, Value, json};

/// Chat's form of a text completion's; none if it says nothing.
#[must_use]
pub fn of_legacy(value: &Value) -> Option<Value> {
    let list = |name: &str| value.get(name).and_then(Value::as_array);
    let tokens = list("tokens").filter(|tokens| !tokens.is_empty())?;
    let at = |name: &str, place: usize| list(name).and_then(|list| list.get(place));
    let content = tokens.iter().enumerate().map(|(place, token)| {
        let top = at("top_logprobs", place).and_then(Value::as_object);
        let top = top.into_iter().flatten().map(|(token, logprob)| {
            json!({"token": token, "logprob": logprob, "bytes": token.as_bytes()})
        });
        json!({
            "token": token,
            // The first token of an echoed prompt has none.
            "logprob": at("token_logprobs", place),
            "bytes": token.as_str().map(str::as_bytes),
            "top_logprobs": top.collect::<Vec<_>>(),
        })
    });
    Some(json!({"content": content.collect::<Vec<_>>()}))
}

/// A text completion's form of chat's. `offset` is how many characters came before, and is moved on.
#[must_use]
pub fn to_legacy(value: &Value, offset: &mut usize) -> Value {
    let (mut tokens, mut chosen) = (Vec::new(), Vec::new());
    let (mut tops, mut offsets) = (Vec::new(), Vec::new());
    let content = value.get("content").and_then(Value::as_array);
    for each in content.into_iter().flatten() {
        let token = each
            .get("token")
            .and_then(Value::as_str)
            .unwrap_or_default();
        tokens.push(token);
        chosen.push(each.get("logprob"));
        let top = each.get("top_logprobs").and_then(Value::as_array);
        let top = top.into_iter().flatten().filter_map(|top| {
            let token = top.get("token")?.as_str()?;
            Some((token.to_owned(), top.get("logprob")?.clone()))
        });
        tops.push(top.collect::<Map<_, _>>());
        offsets.push(*offset);
        *offset += token.chars().count();
    }
    json!({
        "tokens": tokens,
        "token_logprobs": chosen,
        "top_logprobs": tops,
        "text_offset": offsets,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let legacy = json!({
            "tokens": ["Grü", "ß"],
            "token_logprobs": [-0.5, -0.25],
            "top_logprobs": [{"Grü": -0.5, "Hi": -1.5}, {}],
            "text_offset": [4, 7],
        });
        let chat = of_legacy(&legacy).unwrap();
        assert_eq!(chat["content"][0]["top_logprobs"][1]["token"], "Hi");
        assert_eq!(chat["content"][1]["bytes"], json!([195, 159]));
        let mut offset = 4;
        assert_eq!(to_legacy(&chat, &mut offset), legacy);
        assert_eq!(offset, 8);
        assert_eq!(of_legacy(&json!({"tokens": []})), None);
    }
}
