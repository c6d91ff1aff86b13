//! Google's schemas, as JSON Schema. Written are JSON Schemas as they stand, for which newer fields have a place.
//!
//! Source: [the schema object](https://ai.google.dev/api/caching#Schema), a subset of OpenAPI 3.0's with types in capitals and whole numbers in strings.
//! `propertyOrdering`, which only orders, and the format `enum`, which only repeats, are left out.

use serde_json::{Map, Value, json};

use crate::fields::Fields;
use crate::form::Malformed;
use crate::gemini::spelling::camel_map;

/// Takes a schema, of either kind: an object.
///
/// # Errors
/// [`Malformed`] if it is something else.
pub fn schema(owner: &mut Fields, name: &str) -> Result<Option<Value>, Malformed> {
    let fields = owner.object(name)?;
    Ok(fields.map(|schema| schema.rest().into()))
}

/// The JSON Schema of a schema.
#[must_use]
pub fn json_schema(schema: Value) -> Value {
    let Value::Object(map) = schema else {
        return schema;
    };
    let mut map = camel_map(map);
    let nullable = map.shift_remove("nullable") == Some(true.into());
    map.shift_remove("propertyOrdering");
    if map.get("format").is_some_and(|format| format == "enum") {
        map.shift_remove("format");
    }
    for name in ["items", "additionalProperties"] {
        if let Some(inner) = map.get_mut(name) {
            *inner = json_schema(inner.take());
        }
    }
    for name in ["anyOf", "oneOf", "prefixItems"] {
        if let Some(Value::Array(list)) = map.get_mut(name) {
            for inner in list {
                *inner = json_schema(inner.take());
            }
        }
    }
    for name in ["properties", "defs", "$defs"] {
        if let Some(Value::Object(inner)) = map.get_mut(name) {
            for (_, schema) in inner.iter_mut() {
                *schema = json_schema(schema.take());
            }
        }
    }
    for (from, to) in [("defs", "$defs"), ("ref", "$ref")] {
        if let Some(value) = map.shift_remove(from) {
            map.insert(to.into(), value);
        }
    }
    if let Some(example) = map.shift_remove("example") {
        map.insert("examples".into(), json!([example]));
    }
    bounds(&mut map);
    types(&mut map);
    if nullable {
        admit_null(&mut map);
    }
    Value::Object(map)
}

/// Whole numbers of 64 bits come as strings.
fn bounds(map: &mut Map<String, Value>) {
    let names = [
        "minItems",
        "maxItems",
        "minLength",
        "maxLength",
        "minProperties",
        "maxProperties",
    ];
    for name in names {
        if let Some(value) = map.get_mut(name)
            && let Some(number) = value.as_str().and_then(|text| text.parse::<i64>().ok())
        {
            *value = number.into();
        }
    }
}

fn types(map: &mut Map<String, Value>) {
    match map.get_mut("type") {
        Some(Value::String(word)) if word == "TYPE_UNSPECIFIED" => {
            map.shift_remove("type");
        }
        Some(Value::String(word)) => word.make_ascii_lowercase(),
        Some(Value::Array(list)) => {
            for word in list {
                if let Value::String(word) = word {
                    word.make_ascii_lowercase();
                }
            }
        }
        _ => {}
    }
}

fn admit_null(map: &mut Map<String, Value>) {
    match map.get_mut("type") {
        Some(Value::String(word)) => {
            let both = json!([word.as_str(), "null"]);
            map.insert("type".into(), both);
        }
        Some(Value::Array(list)) => list.push("null".into()),
        _ => {
            if let Some(Value::Array(list)) = map.get_mut("anyOf") {
                list.push(json!({"type": "null"}));
            }
        }
    }
    if let Some(Value::Array(list)) = map.get_mut("enum")
        && !list.contains(&Value::Null)
    {
        list.push(Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_of_googles_becomes_json_schema() {
        let schema = json!({
            "type": "OBJECT",
            "properties": {
                "max_items": {"type": "INTEGER", "nullable": true, "example": 1},
                "tags": {"type": "ARRAY", "items": {"type": "STRING", "format": "enum", "enum": ["a"], "nullable": true}, "min_items": "1"},
                "either": {"any_of": [{"type": "STRING"}], "nullable": true},
            },
            "propertyOrdering": ["tags"],
            "required": ["tags"],
        });
        assert_eq!(
            json_schema(schema),
            json!({
                "type": "object",
                "properties": {
                    "max_items": {"type": ["integer", "null"], "examples": [1]},
                    "tags": {"type": "array", "items": {"type": ["string", "null"], "enum": ["a", null]}, "minItems": 1},
                    "either": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                },
                "required": ["tags"],
            })
        );
    }
}
