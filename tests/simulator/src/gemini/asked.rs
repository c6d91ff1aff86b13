//! What a checked request asks.

use serde_json::{Map, Value};

use crate::answer::{Asked, words};

/// Reads a checked body. The text is that of the last user turn that has one, so that a function's
/// response is answered with what was asked before.
pub(super) fn asked(fields: &Map<String, Value>, stream: bool) -> Asked {
    let none = Value::Null;
    let config = fields.get("generation_config").unwrap_or(&none);
    let turns = list(fields.get("contents"));
    let user = turns.iter().filter(|turn| turn["role"] != "model");
    let mut texts = user.map(said).filter(|text| !text.is_empty());
    let last = turns.last().map(|turn| list(turn.get("parts")));
    let answered = |parts: &[Value]| {
        parts
            .iter()
            .any(|part| part.get("function_response").is_some())
    };
    let tools = list(fields.get("tools")).iter();
    let tools = tools.flat_map(|tool| list(tool.get("function_declarations")));
    let count = |name: &str| {
        let count = config.get(name).and_then(Value::as_u64);
        count.map(|count| usize::try_from(count).unwrap_or(usize::MAX))
    };
    let stops = list(config.get("stop_sequences")).iter();
    Asked {
        text: texts.next_back().unwrap_or_default(),
        prompt: counted(fields),
        stop: stops.filter_map(Value::as_str).map(str::to_owned).collect(),
        max_tokens: count("max_output_tokens"),
        n: count("candidate_count").unwrap_or(1),
        stream,
        include_usage: true,
        tools: tools
            .filter_map(|tool| tool["name"].as_str().map(str::to_owned))
            .collect(),
        tool_answered: last.is_some_and(answered),
    }
}

/// Whether thoughts are to be shown.
pub(super) fn shows_thoughts(fields: &Map<String, Value>) -> bool {
    let config = fields.get("generation_config");
    config.is_some_and(|config| config["thinking_config"]["include_thoughts"] == true)
}

/// Words of everything that was said, by functions too.
pub(super) fn counted(fields: &Map<String, Value>) -> usize {
    let contents = list(fields.get("contents")).iter();
    let one = ["system_instruction", "content"].map(|name| fields.get(name));
    let turns = contents.chain(one.into_iter().flatten());
    let parts = turns.flat_map(|turn| list(turn.get("parts")));
    let count = |part: &Value| match part["function_response"].get("response") {
        Some(response) => words(&response.to_string()),
        None => part["text"].as_str().map_or(0, words),
    };
    parts.map(count).sum()
}

/// The text of a turn, without thoughts.
pub(super) fn said(turn: &Value) -> String {
    let parts = list(turn.get("parts")).iter();
    parts
        .filter(|part| part["thought"] != true)
        .filter_map(|part| part["text"].as_str())
        .collect()
}

pub(super) fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
