//! The turns of a conversation, and their parts.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use super::{Faults, bad, list};
use crate::{
    gemini::{proto::DATA, reply::SIGNED},
    refusal::Refusal,
};

/// What stands for a signature that got lost.
///
/// Source: [thought signatures](https://ai.google.dev/gemini-api/docs/thought-signatures).
const LOST: [&str; 2] = [
    "context_engineering_is_the_way_to_go",
    "skip_thought_signature_validator",
];

/// Checks each part for itself.
pub(super) fn parts(fields: &Map<String, Value>, faults: &mut Faults) {
    let turns = list(fields.get("contents")).iter().enumerate();
    let turns = turns.map(|(at, turn)| (format!("contents[{at}]"), turn));
    let system = fields.get("system_instruction");
    let system = system.map(|turn| ("system_instruction".to_owned(), turn));
    for (at, turn) in turns.chain(system) {
        let parts = list(turn.get("parts"));
        if parts.is_empty() {
            faults.add(&format!("{at}.parts"), "contents.parts must not be empty.");
        }
        for (index, part) in parts.iter().enumerate() {
            let at = format!("{at}.parts[{index}]");
            let Some(name) = DATA.iter().find(|name| part.get(**name).is_some()) else {
                let why = "required oneof field 'data' must have one initialized field";
                faults.add(&format!("{at}.data"), why);
                continue;
            };
            let data = &part[name];
            let mut needs = |field: &str, why: &str| {
                if data[field].as_str().is_none_or(str::is_empty) {
                    faults.add(&format!("{at}.{name}.{field}"), why);
                }
            };
            match *name {
                "inline_data" => {
                    needs("mime_type", "must not be empty.");
                    needs("data", "must not be empty.");
                }
                "file_data" => needs("file_uri", "must not be empty."),
                "function_call" => needs("name", "Name cannot be empty."),
                "function_response" => {
                    needs("name", "Name cannot be empty.");
                    if data.get("response").is_none() {
                        faults.add(&format!("{at}.function_response.response"), "required.");
                    }
                }
                _ => {}
            }
        }
    }
}

/// Checks the turns: who speaks, and that each call of a function has its response.
pub(super) fn order(fields: &Map<String, Value>) -> Result<(), Refusal> {
    let mut calls = 0;
    let mut before = "";
    for turn in list(fields.get("contents")) {
        let role = turn["role"].as_str().unwrap_or("user");
        // The older role of responses is still known.
        if !["user", "model", "function"].contains(&role) {
            return Err(bad("Please use a valid role: user, model."));
        }
        let parts = list(turn.get("parts"));
        let count = |name: &str| parts.iter().filter(|part| part.get(name).is_some()).count();
        let (called, answered) = (count("function_call"), count("function_response"));
        if called > 0 && (role != "model" || !matches!(before, "user" | "response")) {
            return Err(bad(
                "Please ensure that function call turn comes immediately after a user turn or after a function response turn.",
            ));
        }
        if answered > 0 && calls == 0 {
            return Err(bad(
                "Please ensure that function response turn comes immediately after a function call turn.",
            ));
        }
        if answered != calls {
            return Err(bad(
                "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.",
            ));
        }
        calls = called;
        before = match role {
            _ if answered > 0 => "response",
            "model" => "model",
            _ => "user",
        };
        for part in parts {
            let signature = part.get("thought_signature").and_then(Value::as_str);
            if signature.is_some_and(|signature| !signed(signature)) {
                return Err(bad("Corrupted thought signature."));
            }
        }
    }
    let system = fields.get("system_instruction");
    let told = list(system.and_then(|turn| turn.get("parts")));
    if told.iter().any(|part| part.get("text").is_none()) {
        return Err(bad("System instruction only supports text parts."));
    }
    if calls > 0 {
        return Err(bad(
            "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.",
        ));
    }
    Ok(())
}

/// Whether a signature came from here, or stands for one that got lost.
fn signed(signature: &str) -> bool {
    let decoded = BASE64_STANDARD.decode(signature).unwrap_or_default();
    LOST.contains(&signature) || decoded.starts_with(SIGNED.as_bytes())
}
