//! Refuses conversations that have the right shape and no meaning, in the service's words.
//!
//! Sources: [Converse](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html),
//! [its tools](https://docs.aws.amazon.com/bedrock/latest/userguide/tool-use.html), and the service's own refusals.

mod blocks;

use serde_json::{Map, Value};

use super::shape::{self, bad};
use crate::refusal::Refusal;

type Checked = Result<(), Refusal>;

/// Checks a body, its shape first; `strict` refuses members that no shape has.
pub(super) fn converse(fields: &Map<String, Value>, strict: bool) -> Checked {
    shape::check(&shape::CONVERSE, fields, strict)?;
    let messages = list(fields.get("messages"));
    for (at, message) in messages.iter().enumerate() {
        blocks::check(&format!("messages.{at}"), message)?;
    }
    turns(messages)?;
    tools(fields, messages)
}

pub(super) fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The ids of a message's blocks of a kind.
fn ids<'a>(message: Option<&'a Value>, kind: &str) -> Vec<&'a str> {
    let blocks = message.map(|message| list(message.get("content")));
    let blocks = blocks.unwrap_or_default().iter();
    blocks
        .filter_map(|block| block.get(kind)?["toolUseId"].as_str())
        .collect()
}

/// Who speaks when, and that each use of a tool has its result in the next turn.
fn turns(messages: &[Value]) -> Checked {
    let mut before: Option<&Value> = None;
    for (at, message) in messages.iter().enumerate() {
        if message["role"] == "system" {
            continue;
        }
        match before {
            None if message["role"] != "user" => {
                return Err(bad(
                    "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
                ));
            }
            Some(before) if before["role"] == message["role"] => {
                return Err(bad(
                    "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.",
                ));
            }
            _ => {}
        }
        let place = format!("messages.{at}.content");
        let uses = ids(Some(message), "toolUse");
        let twice = uses.iter().enumerate();
        let twice = twice.filter(|(at, id)| uses[..*at].contains(id));
        let twice: Vec<_> = twice.map(|(_, id)| *id).collect();
        if !twice.is_empty() {
            return Err(bad(format!(
                "The toolUse blocks at {place} contain duplicate Ids: {}",
                twice.join(", ")
            )));
        }
        answered(
            &place,
            &ids(before, "toolUse"),
            &ids(Some(message), "toolResult"),
        )?;
        before = Some(message);
    }
    match before {
        None => Err(bad(
            "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
        )),
        Some(last) if !ids(Some(last), "toolUse").is_empty() => Err(bad(format!(
            "Expected toolResult blocks at messages.{}.content for the following Ids: {}",
            messages.len(),
            ids(Some(last), "toolUse").join(", ")
        ))),
        Some(_) => Ok(()),
    }
}

fn answered(place: &str, uses: &[&str], results: &[&str]) -> Checked {
    if results.len() > uses.len() {
        return Err(bad(format!(
            "The number of toolResult blocks at {place} exceeds the number of toolUse blocks of previous turn."
        )));
    }
    let missing: Vec<_> = uses
        .iter()
        .filter(|id| !results.contains(*id))
        .copied()
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(bad(format!(
        "Expected toolResult blocks at {place} for the following Ids: {}",
        missing.join(", ")
    )))
}

fn tools(fields: &Map<String, Value>, messages: &[Value]) -> Checked {
    let Some(config) = fields.get("toolConfig") else {
        let used = |message: &Value| {
            let kinds = ["toolUse", "toolResult"].iter();
            kinds
                .clone()
                .any(|kind| !ids(Some(message), kind).is_empty())
        };
        if messages.iter().any(used) {
            return Err(bad(
                "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
            ));
        }
        return Ok(());
    };
    let mut names = vec![];
    for (at, tool) in list(config.get("tools")).iter().enumerate() {
        let Some(spec) = tool.get("toolSpec") else {
            continue;
        };
        let place = format!("toolConfig.tools.{at}.toolSpec");
        let schema = &spec["inputSchema"]["json"];
        if !schema.is_object() {
            return Err(bad(format!(
                "The format of the value at {place}.inputSchema.json is invalid. Provide a json object for the field and try again."
            )));
        }
        if schema["type"] != "object" {
            return Err(bad(format!(
                "The value at {place}.inputSchema.json.type must be one of the following: object."
            )));
        }
        let name = spec["name"].as_str().unwrap_or_default();
        if names.contains(&name) {
            return Err(bad(format!(
                "The tool {name} is already defined at toolConfig.tools. Give each tool its own name and try again."
            )));
        }
        names.push(name);
    }
    match config["toolChoice"]["tool"]["name"].as_str() {
        Some(name) if !names.contains(&name) => Err(bad(format!(
            "tool_choice.name: Tool '{name}' not found in provided tools"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
