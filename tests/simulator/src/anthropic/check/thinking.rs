//! `thinking`, and what does not go with it.
//!
//! Source: [extended thinking](https://platform.claude.com/docs/en/build-with-claude/extended-thinking).

use http::StatusCode;
use serde_json::Value;

use super::{Checked, object::Object, refused};
use crate::refusal::Refusal;

/// The least budget, in tokens.
const LEAST: i64 = 1024;

/// Checks the field, and the others beside it.
pub(super) fn check(body: &Object) -> Checked {
    let Some(thinking) = body.object("thinking")? else {
        return Ok(());
    };
    let kind = thinking.tag(&["adaptive", "disabled", "enabled"])?;
    let thinking = Object {
        at: thinking.place(kind),
        fields: thinking.fields,
    };
    thinking.only(match kind {
        "enabled" => &["type", "budget_tokens", "display"],
        "adaptive" => &["type", "display"],
        _ => &["type"],
    })?;
    if kind == "disabled" {
        return Ok(());
    }
    if thinking
        .given("display")
        .is_some_and(|display| !display.is_null())
    {
        thinking.word("display", &["summarized", "omitted"])?;
    }
    let bad = |message: &str| Err(Refusal::new(StatusCode::BAD_REQUEST, message));
    if kind == "enabled" {
        thinking.required("budget_tokens")?;
        let budget = thinking.integer("budget_tokens", LEAST)?;
        // A count of tokens knows no most.
        let most = body.integer("max_tokens", 1)?;
        if budget
            .zip(most)
            .is_some_and(|(budget, most)| budget >= most)
        {
            return bad("`max_tokens` must be greater than `thinking.budget_tokens`.");
        }
        begun(body)?;
    }
    if body.share("temperature")?.is_some_and(|value| value != 1.0) {
        return bad(
            "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.",
        );
    }
    if body.given("top_k").is_some() {
        return bad("`top_k` must be unset when thinking is enabled or in adaptive mode.");
    }
    if body.share("top_p")?.is_some_and(|value| value < 0.95) {
        return bad(
            "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled or in adaptive mode.",
        );
    }
    let choice = body.given("tool_choice").map(|choice| &choice["type"]);
    if choice.is_some_and(|kind| kind == "any" || kind == "tool") {
        return bad("Thinking may not be enabled when tool_choice forces tool use.");
    }
    Ok(())
}

/// The turn that goes on, or whose tools were called, begins with thoughts.
fn begun(body: &Object) -> Checked {
    let messages = body.list("messages")?;
    let Some(last) = messages
        .iter()
        .rposition(|message| message["role"] == "assistant")
    else {
        return Ok(());
    };
    let after = &messages[last + 1..];
    let result = |block: &Value| block["type"] == "tool_result";
    let holds = |message: &Value| {
        let blocks = message["content"].as_array();
        blocks.is_some_and(|blocks| blocks.iter().any(result))
    };
    if !after.is_empty() && !after.iter().any(holds) {
        return Ok(());
    }
    // Anthropic joins what one role says at a stretch.
    let start = messages[..last]
        .iter()
        .rposition(|message| message["role"] == "user")
        .map_or(0, |at| at + 1);
    let content = &messages[start]["content"];
    let first = match content {
        Value::Array(blocks) => match blocks.first() {
            Some(block) => block["type"].as_str().unwrap_or_default(),
            None => return Ok(()),
        },
        Value::String(text) if text.is_empty() => return Ok(()),
        _ => "text",
    };
    if ["thinking", "redacted_thinking"].contains(&first) {
        return Ok(());
    }
    let message = format!(
        "Expected `thinking` or `redacted_thinking`, but found `{first}`. When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks). We recommend you include thinking blocks from previous turns. To avoid this requirement, disable `thinking`."
    );
    Err(refused(
        &format!("messages.{start}.content.0.type"),
        &message,
    ))
}
