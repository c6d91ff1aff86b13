//! What Azure's content filter says beside each answer, and of the prompt before it.
//!
//! Source: [content filtering](https://learn.microsoft.com/en-us/azure/ai-foundry/openai/concepts/content-filter-annotations).

use serde_json::{Value, json};

/// What was found: something, or nothing.
pub(crate) fn results(found: bool) -> Value {
    let safe = json!({"filtered": false, "severity": "safe"});
    let mut results = json!({"hate": safe, "self_harm": safe, "sexual": safe, "violence": safe});
    if found {
        results["hate"] = json!({"filtered": true, "severity": "high"});
    }
    results
}

/// The same of the prompt, which is searched for attacks too.
pub(super) fn prompt() -> Value {
    let mut results = results(false);
    results["jailbreak"] = json!({"filtered": false, "detected": false});
    json!([{"prompt_index": 0, "content_filter_results": results}])
}

/// The event in which an asynchronous filter speaks of what was said before: its choice has no delta.
///
/// Source: [content streaming](https://learn.microsoft.com/en-us/azure/ai-foundry/openai/concepts/content-streaming).
pub(super) fn late() -> String {
    let choice = json!({
        "content_filter_offsets": {"check_offset": 44, "start_offset": 44, "end_offset": 198},
        "content_filter_results": results(false), "finish_reason": null, "index": 0,
    });
    let event = json!({"choices": [choice], "created": 0, "id": "", "model": "", "object": ""});
    event.to_string()
}

/// The first event of a stream: no choice, and no name of anything.
pub(super) fn first() -> String {
    let event = json!({
        "choices": [], "created": 0, "id": "", "model": "", "object": "",
        "prompt_filter_results": prompt(),
    });
    event.to_string()
}
