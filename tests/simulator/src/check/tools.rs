//! Tools, the choice among them, and their calls, in `POST /v1/chat/completions`.
//!
//! Sources: [Create chat completion](https://platform.openai.com/docs/api-reference/chat/create) (a
//! name has a-z, A-Z, 0-9, `_` and `-`, and at most 64 of them); the words for a name that does not fit
//! are those of [this thread](https://github.com/brekkylab/ailoy/pull/109).

use http::StatusCode;
use serde_json::{Map, Value};

use super::{Checked, boolean, given, known, missing, typed, wrong_type, wrong_value};
use crate::refusal::Refusal;

/// The longest name.
const LONGEST: usize = 64;

/// Checks them; `strict` refuses unknown fields too.
pub(super) fn check(fields: &Map<String, Value>, strict: bool) -> Checked {
    boolean(fields, "parallel_tool_calls")?;
    typed(fields, "tool_choice", "a string or an object", |value| {
        value.is_string() || value.is_object()
    })?;
    let Some(tools) = given(fields, "tools") else {
        for name in ["tool_choice", "parallel_tool_calls"] {
            if given(fields, name).is_some_and(|value| value != "none") {
                let message = format!(
                    "Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified."
                );
                return Err(Refusal::new(StatusCode::BAD_REQUEST, message).param(name));
            }
        }
        return Ok(());
    };
    let tools = tools
        .as_array()
        .ok_or_else(|| wrong_type("tools", "an array of objects", tools))?;
    if tools.is_empty() {
        let message = "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead.";
        return Err(Refusal::of("tools", "empty_array", message));
    }
    for (index, tool) in tools.iter().enumerate() {
        offered(&format!("tools[{index}]"), tool, strict)?;
    }
    chosen(fields, tools)
}

fn offered(at: &str, tool: &Value, strict: bool) -> Checked {
    let kind = match tool["type"].as_str() {
        Some(kind @ ("function" | "custom")) => kind,
        Some(kind) => {
            let at = format!("{at}.type");
            return Err(wrong_value(&at, kind, &["function", "custom"]));
        }
        None => return Err(missing(&format!("{at}.type"))),
    };
    let place = format!("{at}.{kind}");
    match tool[kind]["name"].as_str() {
        Some(text) => name(&format!("{place}.name"), text)?,
        None => return Err(missing(&format!("{place}.name"))),
    }
    let parameters = &tool[kind]["parameters"];
    if !parameters.is_null() && !parameters.is_object() {
        return Err(wrong_type(
            &format!("{place}.parameters"),
            "an object",
            parameters,
        ));
    }
    if let (true, Value::Object(tool)) = (strict, tool) {
        known(at, tool, &["type", kind])?;
    }
    if let (true, "function", Value::Object(function)) = (strict, kind, &tool[kind]) {
        let own = ["name", "description", "parameters", "strict"];
        known(&place, function, &own)?;
    }
    Ok(())
}

/// A tool that is forced must be there.
fn chosen(fields: &Map<String, Value>, tools: &[Value]) -> Checked {
    let Some(Value::Object(choice)) = given(fields, "tool_choice") else {
        return match given(fields, "tool_choice").and_then(Value::as_str) {
            None | Some("none" | "auto" | "required") => Ok(()),
            Some(other) => Err(wrong_value(
                "tool_choice",
                other,
                &["none", "auto", "required"],
            )),
        };
    };
    let Some(forced) = choice
        .get("function")
        .and_then(|function| function["name"].as_str())
    else {
        return Ok(());
    };
    if tools.iter().any(|tool| tool["function"]["name"] == forced) {
        return Ok(());
    }
    let message = format!(
        "Invalid value for 'tool_choice': no function named '{forced}' was specified in the 'tools' parameter."
    );
    Err(Refusal::new(StatusCode::BAD_REQUEST, message).param("tool_choice"))
}

/// The name of a function, or of a schema.
pub(super) fn name(at: &str, name: &str) -> Checked {
    let fits = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
    if name.is_empty() || !name.chars().all(fits) {
        let message = format!(
            "Invalid '{at}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
        );
        return Err(Refusal::of(at, "invalid_value", message));
    }
    let length = name.len();
    if length > LONGEST {
        let message = format!(
            "Invalid '{at}': string too long. Expected a string with maximum length {LONGEST}, but got a string with length {length} instead."
        );
        return Err(Refusal::of(at, "string_above_max_length", message));
    }
    Ok(())
}

/// The calls of an assistant's message.
pub(super) fn calls(at: &str, calls: &Value, strict: bool) -> Checked {
    let calls = calls
        .as_array()
        .ok_or_else(|| wrong_type(at, "an array of objects", calls))?;
    if calls.is_empty() {
        let message = format!(
            "Invalid '{at}': empty array. Expected an array with minimum length 1, but got an empty array instead."
        );
        return Err(Refusal::of(at, "empty_array", message));
    }
    for (index, call) in calls.iter().enumerate() {
        let at = format!("{at}[{index}]");
        if call["type"] == "custom" {
            continue;
        }
        for pointer in ["/id", "/type", "/function/name", "/function/arguments"] {
            if !call.pointer(pointer).is_some_and(Value::is_string) {
                let field = pointer.replace('/', ".");
                return Err(missing(&format!("{at}{field}")));
            }
        }
        let function = &call["function"];
        let named = function["name"].as_str().unwrap_or_default();
        name(&format!("{at}.function.name"), named)?;
        if let (true, Value::Object(call), Value::Object(function)) = (strict, call, function) {
            known(&at, call, &["id", "type", "function"])?;
            known(&format!("{at}.function"), function, &["name", "arguments"])?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_has_at_most_64_letters_digits_underscores_and_dashes() {
        for (text, fits) in [
            ("get_weather-2", true),
            (&"n".repeat(64), true),
            (&"n".repeat(65), false),
            ("", false),
            ("get weather", false),
            ("a.b", false),
            ("wetter_ä", false),
        ] {
            let body = json!({"tools": [{"type": "function", "function": {"name": text}}]});
            let checked = check(body.as_object().unwrap(), true);
            let param = checked.err().map(|refusal| refusal.param.unwrap());
            let at = "tools[0].function.name";
            assert_eq!(param.as_deref(), (!fits).then_some(at), "{text}");
        }
    }

    #[test]
    fn a_tool_that_is_forced_is_one_of_them() {
        let choice = |name: &str| {
            let tool = json!({"type": "function", "function": {"name": "f"}});
            let choice = json!({"type": "function", "function": {"name": name}});
            let body = json!({"tools": [tool], "tool_choice": choice});
            check(body.as_object().unwrap(), true)
        };
        assert_eq!(choice("f"), Ok(()));
        assert_eq!(choice("g").unwrap_err().param.unwrap(), "tool_choice");
    }
}
