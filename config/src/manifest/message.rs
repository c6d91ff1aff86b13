//! What is said of a field that is not as its schema wants it: what it is, and what to write.
//!
//! The value itself is left out where it may be anything, a key of a header included.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

/// The message of `fault` at a field of the schema `place`.
pub(super) fn of(fault: &ValidationError<'_>, place: &Value) -> String {
    match fault.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            format!(
                "unknown field {:?}; `kubectl explain` or docs/reference lists what there is",
                unexpected.join(", ")
            )
        }
        ValidationErrorKind::Required { .. } => "is required".into(),
        ValidationErrorKind::MinItems { limit: 1 } => {
            "is empty; leave the field out to set no bound, or list at least one".into()
        }
        ValidationErrorKind::MinItems { limit } => {
            format!("has too few elements; list at least {limit}")
        }
        ValidationErrorKind::MaxItems { limit } => {
            format!("has too many elements; list at most {limit}")
        }
        ValidationErrorKind::MaxProperties { limit } => {
            format!("has too many fields; write at most {limit}")
        }
        ValidationErrorKind::MinLength { limit: 1 } => {
            "is empty; write something, or leave the field out".into()
        }
        ValidationErrorKind::MinLength { limit } => {
            format!("is too short; write at least {limit} characters")
        }
        ValidationErrorKind::MaxLength { limit } => {
            format!("is too long; write at most {limit} characters")
        }
        ValidationErrorKind::Minimum { limit } => {
            format!("is {}; write {} or more", fault.instance(), number(limit))
        }
        ValidationErrorKind::Maximum { limit } => {
            format!("is {}; write {} or less", fault.instance(), number(limit))
        }
        ValidationErrorKind::Type {
            kind: TypeKind::Single(wanted),
        } => {
            let is = fault.instance();
            format!("is {}; {}", name(is), cure(*wanted, is, place))
        }
        _ => fault.to_string(),
    }
}

/// A bound as people write it: generated schemas hold `10.0`.
fn number(limit: &Value) -> String {
    match limit.as_f64() {
        Some(whole) if whole.fract() == 0.0 => format!("{whole:.0}"),
        _ => limit.to_string(),
    }
}

fn name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn cure(wanted: JsonType, is: &Value, place: &Value) -> String {
    let form = || {
        let said = place["x-kubernetes-validations"][0]["message"].as_str()?;
        said.starts_with("write ").then(|| said.to_owned())
    };
    let bare = if is.is_string() {
        " without quotes"
    } else {
        ""
    };
    match wanted {
        JsonType::String => form().unwrap_or_else(|| match is {
            Value::Number(_) | Value::Bool(_) => "put it in quotes".into(),
            _ => "write a string".into(),
        }),
        JsonType::Integer => format!("write a whole number{bare}"),
        JsonType::Number => format!("write a number{bare}"),
        JsonType::Boolean => format!("write true or false{bare}"),
        JsonType::Array => "write a list, such as [a, b]".into(),
        JsonType::Object => "write an object, such as {name: value}".into(),
        JsonType::Null => "leave the field out".into(),
    }
}
