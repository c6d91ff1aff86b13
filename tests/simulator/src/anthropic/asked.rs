//! What a checked request asks.

use serde_json::{Map, Value};

use crate::answer::{Asked, words};

/// Whether and how thoughts are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thinking {
    Off,
    Shown,
    /// Only their signature.
    Omitted,
}

pub(super) fn thinking(fields: &Map<String, Value>) -> Thinking {
    match fields.get("thinking") {
        Some(thinking) if thinking["type"] != "disabled" => {
            if thinking["display"] == "omitted" {
                Thinking::Omitted
            } else {
                Thinking::Shown
            }
        }
        _ => Thinking::Off,
    }
}

/// Reads a checked body. The text is that of the last user message that has one, so that a tool's
/// result is answered with what was asked before.
pub(super) fn asked(fields: &Map<String, Value>) -> Asked {
    let list = |name: &str| {
        fields
            .get(name)
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice)
    };
    let messages = list("messages");
    let user = messages.iter().filter(|message| message["role"] == "user");
    let mut texts = user.filter_map(|message| said(&message["content"]));
    let last = messages.last().map(|message| &message["content"]);
    let result = last.and_then(|content| content.as_array()?.last());
    let strings = |values: &[Value]| {
        values
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    let tools = list("tools").iter();
    let tools = tools.filter(|tool| tool.get("type").is_none_or(|kind| kind == "custom"));
    Asked {
        text: texts.next_back().unwrap_or_default(),
        prompt: counted(fields.get("system"))
            + messages
                .iter()
                .map(|message| counted(message.get("content")))
                .sum::<usize>(),
        stop: strings(list("stop_sequences")),
        max_tokens: fields
            .get("max_tokens")
            .and_then(Value::as_u64)
            .map(|count| usize::try_from(count).unwrap_or(usize::MAX)),
        n: 1,
        stream: fields.get("stream") == Some(&Value::Bool(true)),
        include_usage: true,
        tools: tools
            .filter_map(|tool| tool["name"].as_str().map(str::to_owned))
            .collect(),
        tool_answered: result.is_some_and(|block| block["type"] == "tool_result"),
    }
}

/// The text of a message, if it has any.
fn said(content: &Value) -> Option<String> {
    match content {
        Value::String(text) => Some(text.clone()),
        Value::Array(blocks) => {
            let mut texts = blocks
                .iter()
                .filter(|block| block["type"] == "text")
                .peekable();
            texts.peek()?;
            Some(texts.filter_map(|block| block["text"].as_str()).collect())
        }
        _ => None,
    }
}

/// Words of a content, those of tools' results too.
fn counted(content: Option<&Value>) -> usize {
    match content {
        Some(Value::String(text)) => words(text),
        Some(Value::Array(blocks)) => blocks
            .iter()
            .map(|block| match block["type"].as_str() {
                Some("tool_result") => counted(block.get("content")),
                _ => block["text"].as_str().map_or(0, words),
            })
            .sum(),
        _ => 0,
    }
}
