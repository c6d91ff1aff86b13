//! The blocks of a message.

use serde_json::Value;

use super::{Checked, bad, list};
use crate::anthropic;

/// Checks each block of a message for itself.
pub(super) fn check(at: &str, message: &Value) -> Checked {
    let blocks = list(message.get("content"));
    if blocks.is_empty() {
        return Err(bad(format!(
            "The content field in the Message object at {at} is empty. Add a ContentBlock object to the content field and try again."
        )));
    }
    for (index, block) in blocks.iter().enumerate() {
        let place = format!("{at}.content.{index}");
        said_by(&message["role"], block)?;
        if block["text"]
            .as_str()
            .is_some_and(|text| text.trim().is_empty())
        {
            return Err(bad(format!(
                "The text field in the ContentBlock object at {place} is blank. Add text to the text field, and try again."
            )));
        }
        if let Some(document) = block.get("document") {
            document_name(document)?;
        }
        if block
            .get("toolUse")
            .is_some_and(|call| !call["input"].is_object())
        {
            return Err(not_json(&format!("{place}.toolUse.input")));
        }
        if let Some(result) = block.get("toolResult") {
            tool_result(&place, result)?;
        }
        if let Some(thought) = block["reasoningContent"].get("reasoningText") {
            let text = |name: &str| thought[name].as_str().unwrap_or_default();
            if !anthropic::signed(text("text"), text("signature")) {
                return Err(bad(format!(
                    "{place}: Invalid `signature` in `thinking` block"
                )));
            }
        }
    }
    Ok(())
}

/// What only one of both may say.
fn said_by(role: &Value, block: &Value) -> Checked {
    let has = |kind: &str| block.get(kind).is_some();
    if role == "user" && (has("toolUse") || has("reasoningContent")) {
        return Err(bad(
            "User messages cannot contain tool uses or reasoning content. Remove them and try again.",
        ));
    }
    if role == "assistant" && (has("toolResult") || has("image")) {
        return Err(bad(
            "Assistant messages cannot contain tool results or images. Remove them and try again.",
        ));
    }
    Ok(())
}

fn tool_result(place: &str, result: &Value) -> Checked {
    let content = list(result.get("content"));
    if content.is_empty() && result["status"] == "error" {
        return Err(bad(format!(
            "The content field at {place}.toolResult cannot be empty when status value is error."
        )));
    }
    for (index, block) in content.iter().enumerate() {
        if block.get("json").is_some_and(|json| !json.is_object()) {
            return Err(not_json(&format!(
                "{place}.toolResult.content.{index}.json"
            )));
        }
        if let Some(document) = block.get("document") {
            document_name(document)?;
        }
    }
    Ok(())
}

/// Underscores pass, though the words of the refusal do not name them.
fn document_name(document: &Value) -> Checked {
    let name = document["name"].as_str().unwrap_or_default();
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-()[]_ ".contains(letter);
    if name.chars().all(fits) && !name.contains("  ") {
        return Ok(());
    }
    Err(bad(
        "The document file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, and square brackets. The name can't contain more than one consecutive whitespace character. Check that the file name conforms to these restrictions and retry your request.",
    ))
}

fn not_json(place: &str) -> crate::refusal::Refusal {
    bad(format!(
        "The format of the value at {place} is invalid. Provide a json object for the field and try again."
    ))
}
