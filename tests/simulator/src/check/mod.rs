//! Refuses the bodies that OpenAI refuses, in its words.
//!
//! Source: [API reference](https://platform.openai.com/docs/api-reference). Fields that it does not
//! know pass, as they do with vLLM and its kin, unless the model's name says `strict`.

mod chat;
mod completions;
mod embeddings;
mod items;
mod messages;
mod responses;
mod tools;

pub(crate) use chat::chat;
pub(crate) use completions::completions;
pub(crate) use embeddings::embeddings;
use http::StatusCode;
pub(crate) use messages::remembered;
pub(crate) use responses::responses;
use serde_json::{Map, Value};

use crate::refusal::Refusal;

type Checked = Result<(), Refusal>;

/// Reads a body that must be a JSON object.
pub(crate) fn object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        let message = format!("We could not parse the JSON body of your request: {error}");
        Refusal::new(StatusCode::BAD_REQUEST, message)
    })?;
    match value {
        Value::Object(fields) => Ok(fields),
        other => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            format!(
                "The JSON body of your request must be an object, but is {}.",
                kind(&other)
            ),
        )),
    }
}

/// The model's name, which every call has.
pub(crate) fn model(fields: &Map<String, Value>) -> Result<&str, Refusal> {
    match fields.get("model") {
        Some(Value::String(name)) if !name.is_empty() => Ok(name),
        None | Some(Value::Null | Value::String(_)) => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "you must provide a model parameter",
        )),
        Some(other) => Err(wrong_type("model", "a string", other)),
    }
}

/// Refuses fields beyond the known ones.
pub(crate) fn only(fields: &Map<String, Value>, known: &[&str]) -> Checked {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            format!("Unrecognized request argument supplied: {name}"),
        )),
        None => Ok(()),
    }
}

/// Refuses members beyond the known ones of what stands at `at`.
///
/// Source: the words of [this thread](https://github.com/spring-projects/spring-ai/issues/2969).
fn known(at: &str, members: &Map<String, Value>, known: &[&str]) -> Checked {
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => {
            let param = format!("{at}.{name}");
            let message = format!("Unknown parameter: '{param}'.");
            Err(Refusal::of(&param, "unknown_parameter", message))
        }
        None => Ok(()),
    }
}

/// A field that is there; null counts as absent.
fn given<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

fn required<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<&'a Value, Refusal> {
    given(fields, name).ok_or_else(|| missing(name))
}

fn missing(param: &str) -> Refusal {
    let message = format!("Missing required parameter: '{param}'.");
    Refusal::of(param, "missing_required_parameter", message)
}

fn wrong_type(param: &str, expected: &str, got: &Value) -> Refusal {
    let got = kind(got);
    let message =
        format!("Invalid type for '{param}': expected {expected}, but got {got} instead.");
    Refusal::of(param, "invalid_type", message)
}

fn wrong_value(param: &str, got: &str, supported: &[&str]) -> Refusal {
    let supported = supported
        .iter()
        .map(|v| format!("'{v}'"))
        .collect::<Vec<_>>()
        .join(", ");
    let message = format!("Invalid value: '{got}'. Supported values are: {supported}.");
    Refusal::of(param, "invalid_value", message)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn decimal(fields: &Map<String, Value>, name: &str, low: f64, high: f64) -> Checked {
    let Some(value) = given(fields, name) else {
        return Ok(());
    };
    let number = value
        .as_f64()
        .ok_or_else(|| wrong_type(name, "a decimal number", value))?;
    within(name, "decimal", number, low, high)
}

fn integer(fields: &Map<String, Value>, name: &str, low: i32, high: i32) -> Checked {
    let Some(value) = given(fields, name) else {
        return Ok(());
    };
    let number = value
        .as_i64()
        .ok_or_else(|| wrong_type(name, "an integer", value))?;
    within(name, "integer", number as f64, low.into(), high.into())
}

fn within(name: &str, what: &str, number: f64, low: f64, high: f64) -> Checked {
    let (code, side, sign, bound) = match (what, number < low, number > high) {
        (_, false, false) => return Ok(()),
        ("integer", true, _) => ("integer_below_min_value", "below minimum", ">=", low),
        ("integer", ..) => ("integer_above_max_value", "above maximum", "<=", high),
        (_, true, _) => ("decimal_below_min_value", "below minimum", ">=", low),
        _ => ("decimal_above_max_value", "above maximum", "<=", high),
    };
    let message = format!(
        "Invalid '{name}': {what} {side} value. Expected a value {sign} {bound}, but got {number} instead."
    );
    Err(Refusal::of(name, code, message))
}

fn boolean(fields: &Map<String, Value>, name: &str) -> Checked {
    typed(fields, name, "a boolean", Value::is_boolean)
}

fn string(fields: &Map<String, Value>, name: &str) -> Checked {
    typed(fields, name, "a string", Value::is_string)
}

fn map(fields: &Map<String, Value>, name: &str) -> Checked {
    typed(fields, name, "an object", Value::is_object)
}

fn typed(
    fields: &Map<String, Value>,
    name: &str,
    expected: &str,
    fits: fn(&Value) -> bool,
) -> Checked {
    match given(fields, name) {
        Some(value) if !fits(value) => Err(wrong_type(name, expected, value)),
        _ => Ok(()),
    }
}

/// What chat and completions share: sampling, `n`, `stop`, streaming.
fn sampling(fields: &Map<String, Value>) -> Checked {
    decimal(fields, "temperature", 0.0, 2.0)?;
    decimal(fields, "top_p", 0.0, 1.0)?;
    decimal(fields, "presence_penalty", -2.0, 2.0)?;
    decimal(fields, "frequency_penalty", -2.0, 2.0)?;
    integer(fields, "n", 1, 128)?;
    integer(fields, "max_tokens", 1, i32::MAX)?;
    typed(fields, "seed", "an integer", |value| {
        value.is_i64() || value.is_u64()
    })?;
    map(fields, "logit_bias")?;
    string(fields, "user")?;
    boolean(fields, "stream")?;
    map(fields, "stream_options")?;
    let streamed = fields.get("stream") == Some(&Value::Bool(true));
    if let Some(Value::Object(options)) = given(fields, "stream_options") {
        if !streamed {
            let message =
                "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, message).param("stream_options"));
        }
        boolean(options, "include_usage")?;
    }
    stop(fields)
}

fn stop(fields: &Map<String, Value>) -> Checked {
    match given(fields, "stop") {
        None | Some(Value::String(_)) => Ok(()),
        Some(Value::Array(stops)) if stops.len() > 4 => Err(Refusal::of(
            "stop",
            "array_above_max_length",
            format!(
                "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length {} instead.",
                stops.len()
            ),
        )),
        Some(Value::Array(stops)) => match stops.iter().find(|stop| !stop.is_string()) {
            Some(other) => Err(wrong_type("stop", "an array of strings", other)),
            None => Ok(()),
        },
        Some(other) => Err(wrong_type("stop", "a string or an array of strings", other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_no_object_is_refused() {
        for body in [&b"{\"model\":"[..], b"[]", b"", b"\"echo\""] {
            assert_eq!(object(body).unwrap_err().status, StatusCode::BAD_REQUEST);
        }
    }

    #[test]
    fn a_call_without_a_model_is_refused() {
        for body in [
            "{}",
            r#"{"model":null}"#,
            r#"{"model":""}"#,
            r#"{"model":7}"#,
        ] {
            assert!(model(&object(body.as_bytes()).unwrap()).is_err(), "{body}");
        }
    }
}
