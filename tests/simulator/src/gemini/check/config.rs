//! The generation's settings.

use serde_json::{Map, Value};

use super::{Faults, bad, list, schema};
use crate::refusal::Refusal;

const TYPES: [&str; 5] = [
    "text/plain",
    "application/json",
    "application/xml",
    "application/yaml",
    "text/x.enum",
];

/// Checks each setting for itself.
pub(super) fn check(fields: &Map<String, Value>, faults: &mut Faults) {
    let Some(config) = fields.get("generation_config") else {
        return;
    };
    let mut within = |name: &str, low: f64, high: f64, why: &str| {
        let value = config.get(name).and_then(Value::as_f64);
        if value.is_some_and(|value| !(low..=high).contains(&value)) {
            faults.add(&format!("generation_config.{name}"), why);
        }
    };
    let most = f64::from(i32::MAX);
    let why = "temperature must be in the range [0.0, 2.0].";
    within("temperature", 0.0, 2.0, why);
    within("top_p", 0.0, 1.0, "top_p must be in the range [0.0, 1.0].");
    within("top_k", 1.0, most, "top_k must be positive.");
    let why = "candidate_count must be in the range [1, 8].";
    within("candidate_count", 1.0, 8.0, why);
    within(
        "max_output_tokens",
        1.0,
        most,
        "max_output_tokens must be positive.",
    );
    for name in ["presence_penalty", "frequency_penalty"] {
        let why = format!("{name} must be in the range [-2.0, 2.0).");
        within(name, -2.0, 1.999_999, &why);
    }
    within(
        "logprobs",
        0.0,
        20.0,
        "logprobs must be in the range [0, 20].",
    );
    let stops = list(config.get("stop_sequences"));
    if stops.len() > 5 {
        let why = "the number of stop_sequences must be at most 5.";
        faults.add("generation_config.stop_sequences", why);
    }
    if stops.iter().any(|stop| stop == "") {
        let why = "stop_sequences must not be empty.";
        faults.add("generation_config.stop_sequences", why);
    }
    let kind = config.get("response_mime_type").and_then(Value::as_str);
    if kind.is_some_and(|kind| !kind.is_empty() && !TYPES.contains(&kind)) {
        let why = "allowed mimetypes are `text/plain`, `application/json`, `application/xml`, `application/yaml` and `text/x.enum`.";
        faults.add("generation_config.response_mime_type", why);
    }
    for name in ["response_schema", "response_json_schema"] {
        let at = format!("generation_config.{name}");
        let Some(given) = config.get(name) else {
            continue;
        };
        if !matches!(kind, Some("application/json" | "text/x.enum")) {
            let why = "only allowed when response_mime_type is application/json or text/x.enum.";
            faults.add(&at, why);
        }
        if name == "response_schema" {
            schema::check(&at, given, faults);
        }
    }
}

/// Checks what does not go together.
pub(super) fn together(fields: &Map<String, Value>) -> Result<(), Refusal> {
    let none = Value::Null;
    let config = fields.get("generation_config").unwrap_or(&none);
    let given = |name: &str| config.get(name).is_some();
    if given("response_schema") && given("response_json_schema") {
        return Err(bad(
            "Only one of response_schema and response_json_schema may be set.",
        ));
    }
    if given("logprobs") && config["response_logprobs"] != true {
        return Err(bad("logprobs is only valid if response_logprobs is true."));
    }
    let thinking = config.get("thinking_config").unwrap_or(&none);
    let budget = thinking.get("thinking_budget").and_then(Value::as_i64);
    if budget.is_some() && thinking.get("thinking_level").is_some() {
        return Err(bad(
            "You can only set only one of thinking budget and thinking level.",
        ));
    }
    match budget {
        Some(budget) if !(-1..=32_768).contains(&budget) => Err(bad(format!(
            "The thinking budget {budget} is invalid. Please choose a value between 0 and 32768."
        ))),
        Some(0) if thinking["include_thoughts"] == true => Err(bad(
            "Unable to submit request because thinking_config.include_thoughts is only enabled when thinking is enabled.",
        )),
        _ => Ok(()),
    }
}
