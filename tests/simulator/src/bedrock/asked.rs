//! What a checked conversation asks.

use serde_json::{Map, Value};

use super::check::list;
use crate::answer::{Asked, words};

/// Reads a checked body. The text is that of the last user message that has one, so that a tool's
/// result is answered with what was asked before.
pub(super) fn asked(fields: &Map<String, Value>, stream: bool) -> Asked {
    let none = Value::Null;
    let config = fields.get("inferenceConfig").unwrap_or(&none);
    let messages = list(fields.get("messages"));
    let user = messages.iter().filter(|message| message["role"] == "user");
    let mut texts = user.map(said).filter(|text| !text.is_empty());
    let last = messages.last().map(|message| list(message.get("content")));
    let answered = |blocks: &[Value]| blocks.iter().any(|block| block.get("toolResult").is_some());
    let tools = list(
        fields
            .get("toolConfig")
            .and_then(|tools| tools.get("tools")),
    );
    let limit = config.get("maxTokens").and_then(Value::as_u64);
    let stops = list(config.get("stopSequences")).iter();
    let system = list(fields.get("system"));
    let blocks = messages
        .iter()
        .flat_map(|message| list(message.get("content")));
    Asked {
        text: texts.next_back().unwrap_or_default(),
        prompt: system.iter().chain(blocks).map(counted).sum(),
        stop: stops.filter_map(Value::as_str).map(str::to_owned).collect(),
        max_tokens: limit.map(|count| usize::try_from(count).unwrap_or(usize::MAX)),
        n: 1,
        stream,
        include_usage: true,
        tools: tools
            .iter()
            .filter_map(|tool| tool["toolSpec"]["name"].as_str().map(str::to_owned))
            .collect(),
        tool_answered: last.is_some_and(answered),
    }
}

/// Whether the model is told to think, in any of the ways in which models are told.
pub(super) fn thinks(fields: &Map<String, Value>) -> bool {
    let more = fields.get("additionalModelRequestFields");
    ["thinking", "reasoning_config", "reasoningConfig"]
        .iter()
        .filter_map(|name| more?.get(name))
        .any(|thinking| thinking["type"] != "disabled")
}

fn said(message: &Value) -> String {
    let blocks = list(message.get("content")).iter();
    blocks.filter_map(|block| block["text"].as_str()).collect()
}

/// Words of a block, of a tool's result too.
fn counted(block: &Value) -> usize {
    match block.get("toolResult") {
        Some(result) => list(result.get("content")).iter().map(counted).sum(),
        None => match block.get("json") {
            Some(json) => words(&json.to_string()),
            None => block["text"].as_str().map_or(0, words),
        },
    }
}
