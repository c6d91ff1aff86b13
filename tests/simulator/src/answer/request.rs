//! What a request asks, whichever endpoint it came by.

use serde_json::{Map, Value};

use super::words;

/// What was asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Asked {
    /// The last user message, or the prompt.
    pub(crate) text: String,
    /// Words of everything that was said.
    pub(crate) prompt: usize,
    pub(crate) stop: Vec<String>,
    pub(crate) max_tokens: Option<usize>,
    pub(crate) n: usize,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
    /// Names of the offered functions.
    pub(crate) tools: Vec<String>,
    /// The last message is a tool's result.
    pub(crate) tool_answered: bool,
}

impl Asked {
    /// Reads a checked chat body.
    pub(crate) fn chat(fields: &Map<String, Value>) -> Self {
        let messages = fields.get("messages").and_then(Value::as_array);
        let messages = messages.map_or(&[][..], Vec::as_slice);
        let user = messages
            .iter()
            .rev()
            .find(|message| message["role"] == "user");
        let offered = fields.get("tools").and_then(Value::as_array);
        let tool = |tool: &Value| tool["function"]["name"].as_str().map(str::to_owned);
        Self {
            text: user
                .map(|message| content(&message["content"]))
                .unwrap_or_default(),
            prompt: messages
                .iter()
                .map(|message| words(&content(&message["content"])))
                .sum(),
            tools: offered.into_iter().flatten().filter_map(tool).collect(),
            tool_answered: messages
                .last()
                .is_some_and(|message| message["role"] == "tool"),
            ..Self::shared(fields)
        }
    }

    /// Reads a checked completions body: one for each prompt.
    pub(crate) fn completions(fields: &Map<String, Value>) -> Vec<Self> {
        let of = |text: String| Self {
            prompt: words(&text),
            text,
            ..Self::shared(fields)
        };
        match fields.get("prompt") {
            Some(Value::Array(prompts)) if prompts.iter().all(Value::is_u64) => {
                vec![of(tokens(prompts))]
            }
            Some(Value::Array(prompts)) => prompts.iter().map(prompt).map(of).collect(),
            Some(other) => vec![of(prompt(other))],
            None => vec![],
        }
    }

    fn shared(fields: &Map<String, Value>) -> Self {
        let count = |name: &str| {
            let value = fields.get(name).and_then(Value::as_u64);
            value.map(|value| usize::try_from(value).unwrap_or(usize::MAX))
        };
        let stop = match fields.get("stop") {
            Some(Value::String(stop)) => vec![stop.clone()],
            Some(Value::Array(stops)) => stops
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            _ => vec![],
        };
        Self {
            stop,
            max_tokens: count("max_completion_tokens").or_else(|| count("max_tokens")),
            n: count("n").unwrap_or(1),
            stream: fields.get("stream") == Some(&Value::Bool(true)),
            include_usage: fields
                .get("stream_options")
                .is_some_and(|options| options["include_usage"] == true),
            ..Self::default()
        }
    }
}

/// The text of a message: a string, or the text parts joined.
fn content(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect(),
        _ => String::new(),
    }
}

fn prompt(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => tokens(items),
        _ => String::new(),
    }
}

/// Tokens have no text here: their numbers stand for them.
fn tokens(items: &[Value]) -> String {
    items
        .iter()
        .map(Value::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_user_message_is_what_is_asked() {
        let body = json!({"max_tokens": 5, "n": 2, "stop": "x", "messages": [
            {"role": "user", "content": "first one"},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": null},
        ]});
        let asked = Asked::chat(body.as_object().unwrap());
        assert_eq!((asked.text.as_str(), asked.prompt, asked.n), ("ab", 3, 2));
        assert_eq!((asked.max_tokens, asked.stop.len()), (Some(5), 1));
    }

    #[test]
    fn every_shape_of_prompt_is_read() {
        for (prompt, texts) in [
            (json!("a b"), vec!["a b"]),
            (json!(["a", "b"]), vec!["a", "b"]),
            (json!([1, 2]), vec!["1 2"]),
            (json!([[1], [2, 3]]), vec!["1", "2 3"]),
        ] {
            let body = json!({"prompt": prompt});
            let asked = Asked::completions(body.as_object().unwrap());
            assert_eq!(
                asked.iter().map(|a| a.text.as_str()).collect::<Vec<_>>(),
                texts
            );
        }
    }
}
