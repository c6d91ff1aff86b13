//! Refuses what can be read but is not meant, in the service's words.
//!
//! Sources: [REST reference](https://ai.google.dev/api/generate-content),
//! [function calling](https://ai.google.dev/gemini-api/docs/function-calling),
//! [thinking](https://ai.google.dev/gemini-api/docs/thinking), and the service's own refusals.

mod config;
mod schema;
mod turns;

use http::StatusCode;
use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// What is wrong, each with its place in the request.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, at: &str, why: &str) {
        self.0
            .push(format!("* GenerateContentRequest.{at}: {why}\n"));
    }
}

/// Checks a request to generate.
pub(super) fn generate(fields: &Map<String, Value>) -> Result<(), Refusal> {
    let mut faults = Faults::default();
    if list(fields.get("contents")).is_empty() {
        faults.add("contents", "contents is not specified");
    }
    turns::parts(fields, &mut faults);
    config::check(fields, &mut faults);
    tools(fields, &mut faults);
    if !faults.0.is_empty() {
        return Err(bad(faults.0.concat()));
    }
    config::together(fields)?;
    turns::order(fields)
}

/// A 400 without violations.
pub(super) fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, message)
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn tools(fields: &Map<String, Value>, faults: &mut Faults) {
    let mut names = vec![];
    for (at, tool) in list(fields.get("tools")).iter().enumerate() {
        let declared = list(tool.get("function_declarations"));
        for (index, function) in declared.iter().enumerate() {
            let at = format!("tools[{at}].function_declarations[{index}]");
            let name = function["name"].as_str().unwrap_or_default();
            if !named(name) {
                faults.add(&format!("{at}.name"), "Invalid function name. Must start with a letter or an underscore. Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 64.");
            }
            if names.contains(&name) {
                faults.add(
                    &at,
                    &format!("Duplicate function declaration found: {name}"),
                );
            }
            names.push(name);
            let both = function.get("parameters_json_schema").is_some();
            if both && function.get("parameters").is_some() {
                faults.add(
                    &at,
                    "parameters and parameters_json_schema must not both be set.",
                );
            }
            for field in ["parameters", "response"] {
                if let Some(schema) = function.get(field) {
                    schema::check(&format!("{at}.{field}"), schema, faults);
                }
            }
            let kind = function["parameters"]["type"].as_str();
            if kind.is_some_and(|kind| kind != "OBJECT") {
                let why = "schema should be of type OBJECT";
                faults.add(&format!("{at}.parameters.type"), why);
            }
        }
    }
    let calling = fields.get("tool_config");
    let calling = calling.and_then(|config| config.get("function_calling_config"));
    let allowed = list(calling.and_then(|calling| calling.get("allowed_function_names")));
    let mode = calling.map(|calling| calling["mode"].as_str().unwrap_or("AUTO"));
    let at = "tool_config.function_calling_config.allowed_function_names";
    if !allowed.is_empty() && !matches!(mode, Some("ANY" | "VALIDATED")) {
        faults.add(at, "allowed_function_names should be set only when the function calling mode is ANY or VALIDATED.");
    }
    for name in allowed.iter().filter_map(Value::as_str) {
        if !names.contains(&name) {
            faults.add(
                at,
                &format!("`{name}` is not one of the declared functions."),
            );
        }
    }
    if mode == Some("ANY") && names.is_empty() {
        let why = "Function calling mode ANY needs function declarations.";
        faults.add("tool_config.function_calling_config.mode", why);
    }
}

fn named(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let mut bytes = name.bytes();
    bytes.next().is_some_and(letter)
        && bytes.all(|byte| letter(byte) || byte.is_ascii_digit() || b".:-".contains(&byte))
        && name.len() <= 64
}

#[cfg(test)]
mod tests;
