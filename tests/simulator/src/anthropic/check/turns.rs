//! Messages in their order: who speaks, and which result answers which call.
//!
//! Source: [handle tool calls](https://platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls).

use http::StatusCode;
use serde_json::Value;

use super::{Checked, block, object::Object, refused};
use crate::refusal::Refusal;

/// Consecutive messages of one role, which Anthropic joins: the index of the first, and all blocks
/// with their places.
struct Turn<'a> {
    first: usize,
    role: &'a str,
    blocks: Vec<(String, &'a Value)>,
}

/// Checks all messages.
pub(super) fn check(body: &Object, newest: bool) -> Checked {
    let messages = body.list("messages")?;
    if messages.is_empty() {
        return Err(refused("messages", "at least one message is required"));
    }
    let mut turns: Vec<Turn> = vec![];
    for (index, value) in messages.iter().enumerate() {
        let role = message(index, value, index + 1 == messages.len())?;
        let blocks = value["content"].as_array().into_iter().flatten();
        if newest {
            for (at, inner) in blocks.clone().enumerate() {
                block::newest(&format!("messages.{index}.content.{at}"), role, inner)?;
            }
        }
        let blocks = blocks
            .enumerate()
            .map(|(at, block)| (format!("messages.{index}.content.{at}"), block));
        match turns.last_mut() {
            Some(turn) if turn.role == role => turn.blocks.extend(blocks),
            _ => turns.push(Turn {
                first: index,
                role,
                blocks: blocks.collect(),
            }),
        }
    }
    if turns[0].role != "user" {
        let message = "first message must use the \"user\" role";
        return Err(refused("messages", message));
    }
    results(&turns)
}

/// Checks one message and gives its role.
fn message(index: usize, value: &Value, last: bool) -> Result<&str, Refusal> {
    let message = Object::of(format!("messages.{index}"), value)?;
    let role = message.text("role")?;
    if role == "system" {
        return Err(refused(
            "messages",
            "Unexpected role \"system\". The Messages API accepts a top-level `system` parameter, not \"system\" as an input message role.",
        ));
    }
    message.word("role", &["user", "assistant"])?;
    message.only(&["role", "content"])?;
    let content = message.required("content")?;
    let empty = match content {
        Value::String(text) => text.is_empty(),
        Value::Array(blocks) => blocks.is_empty(),
        _ => return Err(message.refused("content", "Input should be a valid list")),
    };
    if empty && !(last && role == "assistant") {
        let fault = "all messages must have non-empty content except for the optional final assistant message";
        return Err(refused(&message.at, fault));
    }
    let blocks = content.as_array().into_iter().flatten();
    for (at, value) in blocks.enumerate() {
        block::check(&format!("{}.content.{at}", message.at), role, value)?;
    }
    let text = match content {
        Value::String(text) => {
            if !empty && text.trim().is_empty() {
                let fault = "text content blocks must contain non-whitespace text";
                return Err(refused("messages", fault));
            }
            Some(text.as_str())
        }
        _ => content
            .as_array()
            .and_then(|blocks| blocks.last()?["text"].as_str()),
    };
    if last && role == "assistant" && text.is_some_and(|text| text.ends_with(char::is_whitespace)) {
        let fault = "final assistant content cannot end with trailing whitespace";
        return Err(refused("messages", fault));
    }
    Ok(role)
}

/// Each call is answered at the start of the very next turn, and nothing else is.
fn results(turns: &[Turn]) -> Checked {
    let mut seen: Vec<&str> = vec![];
    for (index, turn) in turns.iter().enumerate() {
        let before = index.checked_sub(1).map(|index| &turns[index]);
        let called = before.map_or(vec![], |turn| ids(turn, "tool_use", "id"));
        let mut answered: Vec<&str> = vec![];
        for (at, block) in &turn.blocks {
            match block["type"].as_str() {
                Some("tool_use") => {
                    let id = block["id"].as_str().unwrap_or_default();
                    if seen.contains(&id) {
                        return Err(refused(at, "`tool_use` ids must be unique"));
                    }
                    seen.push(id);
                }
                Some("tool_result") => {
                    let id = block["tool_use_id"].as_str().unwrap_or_default();
                    if !called.contains(&id) {
                        let message = format!(
                            "unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
                        );
                        return Err(refused(at, &message));
                    }
                    if answered.contains(&id) {
                        let message = format!(
                            "each tool_use must have a single result. Found multiple `tool_result` blocks with id: {id}"
                        );
                        return Err(refused(at, &message));
                    }
                    answered.push(id);
                }
                _ => {}
            }
        }
        let next = turns.get(index + 1);
        let leading = next.map_or(vec![], leading);
        let calls = ids(turn, "tool_use", "id");
        let missing: Vec<_> = calls
            .into_iter()
            .filter(|id| !leading.contains(id))
            .collect();
        if !missing.is_empty() {
            let message = format!(
                "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
                turn.first,
                missing.join(", ")
            );
            return Err(Refusal::new(StatusCode::BAD_REQUEST, message));
        }
    }
    Ok(())
}

fn ids<'a>(turn: &Turn<'a>, tag: &str, field: &str) -> Vec<&'a str> {
    let blocks = turn.blocks.iter().filter(|(_, block)| block["type"] == tag);
    blocks
        .filter_map(|(_, block)| block[field].as_str())
        .collect()
}

/// The results that stand before anything else.
fn leading<'a>(turn: &Turn<'a>) -> Vec<&'a str> {
    let blocks = turn
        .blocks
        .iter()
        .take_while(|(_, block)| block["type"] == "tool_result");
    blocks
        .filter_map(|(_, block)| block["tool_use_id"].as_str())
        .collect()
}
