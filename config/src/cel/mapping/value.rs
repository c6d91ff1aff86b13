//! JSON as CEL has it, and back.

use std::collections::HashMap;
use std::sync::Arc;

use kube_cel::cel::Value as CelValue;
use kube_cel::cel::objects::{Key, Map};
use serde_json::Value;

use super::meter::NODE;

/// JSON as a CEL value. Whole numbers are `int` where they fit, so that they go with literals.
pub(super) fn from_json(value: &Value) -> CelValue {
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(truth) => CelValue::Bool(*truth),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => CelValue::Int(whole),
            (None, Some(whole)) => CelValue::UInt(whole),
            (None, None) => CelValue::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => CelValue::String(Arc::new(text.clone())),
        Value::Array(items) => CelValue::List(Arc::new(items.iter().map(from_json).collect())),
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| (Key::from(name.as_str()), from_json(value)));
            CelValue::Map(Map {
                map: Arc::new(members.collect::<HashMap<_, _>>()),
            })
        }
    }
}

/// A CEL value as JSON, with objects' keys sorted.
///
/// # Errors
/// What it holds that JSON has no form for.
pub(super) fn to_json(value: CelValue) -> Result<Value, String> {
    Ok(match value {
        CelValue::Null => Value::Null,
        CelValue::Bool(truth) => truth.into(),
        CelValue::Int(whole) => whole.into(),
        CelValue::UInt(whole) => whole.into(),
        CelValue::Float(number) => serde_json::Number::from_f64(number)
            .map(Value::Number)
            .ok_or("it gives a number that is infinite or none, which JSON cannot hold")?,
        CelValue::String(text) => Arc::unwrap_or_clone(text).into(),
        CelValue::List(items) => Arc::unwrap_or_clone(items)
            .into_iter()
            .map(to_json)
            .collect::<Result<Vec<_>, _>>()?
            .into(),
        CelValue::Map(map) => {
            let members = Arc::unwrap_or_clone(map.map);
            let mut members: Vec<(Key, CelValue)> = members.into_iter().collect();
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            members
                .into_iter()
                .map(|(name, value)| Ok((name.to_string(), to_json(value)?)))
                .collect::<Result<serde_json::Map<_, _>, String>>()?
                .into()
        }
        other => {
            return Err(format!(
                "it gives {}, which JSON has no form for; make text of it with string()",
                other.type_of()
            ));
        }
    })
}

/// What it costs to copy JSON.
pub(in crate::cel) fn cost_of_json(value: &Value) -> usize {
    NODE + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(cost_of_json).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| NODE + name.len() + cost_of_json(value))
            .sum(),
        _ => 0,
    }
}

/// What it costs to copy a value.
pub(super) fn cost(value: &CelValue) -> usize {
    NODE + match value {
        CelValue::String(text) => text.len(),
        CelValue::Bytes(bytes) => bytes.len(),
        CelValue::List(items) => items.iter().map(cost).sum(),
        CelValue::Map(map) => map
            .map
            .iter()
            .map(|(name, value)| {
                let name = match name {
                    Key::String(name) => name.len(),
                    _ => 0,
                };
                NODE + name + cost(value)
            })
            .sum(),
        _ => 0,
    }
}
