//! Bodies of Anthropic's, as Bedrock takes and gives them.
//!
//! Sources: [Claude's messages](https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html),
//! `lib/bedrock/_client.py` of [Anthropic's SDK](https://github.com/anthropics/anthropic-sdk-python).

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

use super::shape::bad;
use crate::{anthropic, call::Call, refusal::Refusal, wire::Event};

/// The version of Bedrock's own, and Anthropic's newest, which its SDK sends here too.
const VERSION: &str = "bedrock-2023-05-31";
const NEWEST: &str = "2026-10-21";

/// Checks a body and gives what Anthropic would have been sent.
pub(super) fn check(mut fields: Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    // The path says both.
    let extra = ["model", "stream"]
        .iter()
        .filter(|name| fields.contains_key(**name));
    let extra: String = extra
        .map(|name| format!("#: extraneous key [{name}] is not permitted"))
        .collect();
    if !extra.is_empty() {
        return Err(malformed(&extra));
    }
    let newest = match fields.shift_remove("anthropic_version") {
        Some(version) if version == VERSION => false,
        Some(version) if version == NEWEST => true,
        Some(version) => {
            return Err(malformed(&format!(
                "#/anthropic_version: {version} is not a valid enum value"
            )));
        }
        None => return Err(malformed("#: required key [anthropic_version] not found")),
    };
    let beta = fields.shift_remove("anthropic_beta");
    if let Some(names) = &beta {
        let names = names
            .as_array()
            .filter(|names| names.iter().all(Value::is_string));
        names.ok_or_else(|| malformed("#/anthropic_beta: expected type: JSONArray"))?;
    }
    anthropic::checked(&fields, beta.is_some(), newest)?;
    Ok(fields)
}

fn malformed(what: &str) -> Refusal {
    bad(format!(
        "Malformed input request: {what}, please reformat your input and try again."
    ))
}

/// The events of an answer, each in a chunk of its own; figures come with the last.
pub(super) fn stream(call: &Call, fields: &Map<String, Value>) -> Vec<Event> {
    let usage = anthropic::usage(call, fields);
    let events = anthropic::events(call, fields).into_iter();
    let chunks = events.map(|event| {
        let mut data = event.data;
        if event.name == Some("message_stop") {
            let figures = json!({
                "inputTokenCount": usage.prompt,
                "outputTokenCount": usage.completion,
                "invocationLatency": 1,
                "firstByteLatency": 1,
            });
            let open = data.strip_suffix('}').unwrap_or(&data);
            data = format!("{open},\"amazon-bedrock-invocationMetrics\":{figures}}}");
        }
        let chunk = json!({"bytes": BASE64_STANDARD.encode(data), "p": "abcdef"});
        Event {
            name: Some("chunk"),
            data: chunk.to_string(),
            token: event.token,
        }
    });
    chunks.collect()
}
