//! Probabilities of tokens: `logprobsResult`, and OpenAI's object, which the neutral form keeps.
//!
//! Source: [the logprobs result](https://ai.google.dev/api/generate-content#LogprobsResult).

use serde_json::{Map, Value, json};

use super::spelling::camel_map;

/// OpenAI's form; none if it says nothing.
#[must_use]
pub fn read(value: Value) -> Option<Value> {
    let Value::Object(map) = value else {
        return None;
    };
    let mut map = camel_map(map);
    let list = |value: Option<Value>| match value {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    let chosen = list(map.remove("chosenCandidates"));
    if chosen.is_empty() {
        return None;
    }
    let mut tops = list(map.remove("topCandidates")).into_iter();
    let content: Vec<Value> = chosen
        .into_iter()
        .map(|chosen| {
            let top = tops.next().and_then(|mut top| {
                let list = top.get_mut("candidates")?.take();
                Some(list.as_array()?.iter().map(token).collect())
            });
            let mut each = token(&chosen);
            each["top_logprobs"] = Value::Array(top.unwrap_or_default());
            each
        })
        .collect();
    Some(json!({"content": content}))
}

fn token(candidate: &Value) -> Value {
    let text = candidate.get("token").and_then(Value::as_str);
    let text = text.unwrap_or_default();
    let logprob = candidate
        .get("logProbability")
        .or_else(|| candidate.get("log_probability"));
    // A certain token's zero is left out on the wire.
    let logprob = logprob.cloned().unwrap_or_else(|| 0.0.into());
    json!({"token": text, "logprob": logprob, "bytes": text.as_bytes()})
}

/// Gemini's form of OpenAI's; none if it says nothing.
#[must_use]
pub fn write(object: &Value) -> Option<Value> {
    let content = object.get("content")?.as_array()?;
    let candidate = |each: &Value| {
        let mut candidate = Map::new();
        for (name, from) in [("token", "token"), ("logProbability", "logprob")] {
            let value = each.get(from).filter(|value| !value.is_null());
            candidate.extend(value.map(|value| (name.to_owned(), value.clone())));
        }
        Value::Object(candidate)
    };
    let tops = content.iter().map(|each| {
        let top = each.get("top_logprobs").and_then(Value::as_array);
        let top: Vec<Value> = top.into_iter().flatten().map(candidate).collect();
        json!({"candidates": top})
    });
    let tops: Vec<Value> = tops.collect();
    let chosen: Vec<Value> = content.iter().map(candidate).collect();
    Some(json!({"topCandidates": tops, "chosenCandidates": chosen}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let gemini = json!({
            "topCandidates": [{"candidates": [
                {"token": "Hi", "logProbability": -0.5},
                {"token": "Yo", "logProbability": -1.5},
            ]}],
            "chosenCandidates": [{"token": "Hi", "logProbability": -0.5}],
        });
        let openai = read(gemini.clone()).unwrap();
        assert_eq!(openai["content"][0]["top_logprobs"][1]["token"], "Yo");
        assert_eq!(write(&openai), Some(gemini));
        assert_eq!(read(json!({})), None);
    }
}
