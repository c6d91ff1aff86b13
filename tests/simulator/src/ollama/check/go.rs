//! How Go decodes JSON into a type, and how it says that it cannot.
//!
//! Source: [encoding/json](https://pkg.go.dev/encoding/json#Unmarshal): unknown fields are ignored,
//! null leaves everything as it is.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;

/// A type.
#[derive(Debug, Clone, Copy)]
pub(super) enum Go {
    /// Whatever JSON there is.
    Any,
    Bool,
    Int,
    String,
    /// `[]byte`, written in base64.
    Bytes,
    Map,
    /// A list, and the name of its items' type.
    List(&'static str, &'static Go),
    Struct(&'static str, &'static [(&'static str, Go)]),
    /// An object that decodes itself, in its own order.
    Ordered(&'static str),
    /// `think`.
    Think,
    /// `keep_alive`.
    Duration,
}

/// Decodes a body into a struct, or says why not.
pub(super) fn decode(
    name: &'static str,
    fields: &'static [(&'static str, Go)],
    value: &Value,
) -> Result<(), String> {
    match value {
        Value::Object(_) | Value::Null => within(name, "", &Go::Struct(name, fields), value),
        other => Err(format!(
            "json: cannot unmarshal {} into Go value of type api.{name}",
            kind(other)
        )),
    }
}

/// The first member of a body, or of what is in it, that its struct has no field for.
pub(super) fn unknown(fields: &[(&'static str, Go)], value: &Value) -> Option<String> {
    let Value::Object(object) = value else {
        return None;
    };
    object.iter().find_map(|(name, value)| {
        let Some((_, go)) = fields.iter().find(|(field, _)| field == name) else {
            return Some(name.clone());
        };
        let inner = match (go, value) {
            // A schema may say more than the server reads of it.
            (Go::Struct("ToolFunctionParameters", _), _) => None,
            (Go::Struct(_, fields), _) => unknown(fields, value),
            (Go::List(_, Go::Struct(_, fields)), Value::Array(items)) => {
                items.iter().find_map(|item| unknown(fields, item))
            }
            _ => None,
        };
        inner.map(|inner| format!("{name}.{inner}"))
    })
}

fn within(root: &str, path: &str, go: &Go, value: &Value) -> Result<(), String> {
    let refused = |wanted: &str| {
        Err(format!(
            "json: cannot unmarshal {} into Go struct field {root}.{path} of type {wanted}",
            kind(value)
        ))
    };
    match (go, value) {
        (_, Value::Null)
        | (Go::Any, _)
        | (Go::Bool | Go::Think, Value::Bool(_))
        | (Go::String, Value::String(_))
        | (Go::Map | Go::Ordered(_), Value::Object(_))
        | (Go::Duration, Value::Number(_)) => Ok(()),
        (Go::Int, Value::Number(number)) if number.is_i64() => Ok(()),
        (Go::Bytes, Value::String(text)) => bytes(text),
        (Go::Struct(_, fields), Value::Object(object)) => {
            for (name, go) in *fields {
                if let Some(value) = object.get(*name) {
                    let path = if path.is_empty() {
                        (*name).to_owned()
                    } else {
                        format!("{path}.{name}")
                    };
                    within(root, &path, go, value)?;
                }
            }
            Ok(())
        }
        (Go::List(_, item), Value::Array(items)) => items
            .iter()
            .try_for_each(|value| within(root, path, item, value)),
        (Go::Think, Value::String(level)) => match level.as_str() {
            "high" | "medium" | "low" => Ok(()),
            _ => Err(format!(
                "invalid think value: {level:?} (must be \"high\", \"medium\", \"low\", true, or false)"
            )),
        },
        (Go::Think, _) => Err(
            "think must be a boolean or string (\"high\", \"medium\", \"low\", true, or false)"
                .into(),
        ),
        (Go::Duration, Value::String(text)) if duration(text) => Ok(()),
        (Go::Duration, Value::String(text)) => Err(format!("time: invalid duration {text:?}")),
        (Go::Duration, _) => Err(format!("Unsupported type: '{}'", kind(value))),
        (Go::Int, Value::Number(number)) => Err(format!(
            "json: cannot unmarshal number {number} into Go struct field {root}.{path} of type int"
        )),
        (Go::Bool, _) => refused("bool"),
        (Go::Int, _) => refused("int"),
        (Go::String, _) => refused("string"),
        (Go::Bytes, _) => refused("api.ImageData"),
        (Go::Map, _) => refused("map[string]interface {}"),
        (Go::List(name, _), _) => refused(&format!("[]{name}")),
        (Go::Struct(name, _) | Go::Ordered(name), _) => refused(&format!("api.{name}")),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn bytes(text: &str) -> Result<(), String> {
    if BASE64_STANDARD.decode(text).is_ok() {
        return Ok(());
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let at = text.bytes().position(|byte| !fits(byte));
    let at = at.unwrap_or(text.len());
    Err(format!("illegal base64 data at input byte {at}"))
}

/// `5m`, `1h30m`, `-1s`, `0`: numbers with units.
fn duration(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    if text == "0" {
        return true;
    }
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = &rest[..rest.len() - digits.len()];
        let unit = ["ns", "us", "µs", "ms", "s", "m", "h"]
            .into_iter()
            .filter(|unit| digits.starts_with(unit))
            .max_by_key(|unit| unit.len());
        match unit {
            Some(unit) if number.parse::<f64>().is_ok() => rest = &digits[unit.len()..],
            _ => return false,
        }
    }
    !text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, fits) in [
            ("5m", true),
            ("1h30m", true),
            ("-1s", true),
            ("1.5h", true),
            ("0", true),
            ("5", false),
            ("", false),
            ("5 m", false),
            ("1d", false),
        ] {
            assert_eq!(duration(text), fits, "{text}");
        }
    }
}
