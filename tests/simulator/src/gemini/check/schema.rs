//! A schema of the service's own kind.
//!
//! Source: [schemas](https://ai.google.dev/api/caching#Schema).

use serde_json::Value;

use super::{Faults, list};

/// Checks a schema and those within it.
pub(super) fn check(at: &str, schema: &Value, faults: &mut Faults) {
    let kind = schema["type"].as_str().unwrap_or_default();
    let place = |name: &str| format!("{at}.{name}");
    let alternatives = list(schema.get("any_of"));
    let properties = schema.get("properties").and_then(Value::as_object);
    if kind == "OBJECT" && properties.is_none_or(serde_json::Map::is_empty) {
        faults.add(&place("properties"), "should be non-empty for OBJECT type");
    }
    if kind != "OBJECT" && properties.is_some() {
        faults.add(&place("properties"), "only allowed for OBJECT type");
    }
    if kind == "ARRAY" && schema.get("items").is_none() {
        faults.add(&place("items"), "missing field.");
    }
    let values = list(schema.get("enum"));
    if !values.is_empty() && kind != "STRING" {
        faults.add(&place("enum"), "only allowed for STRING type");
    }
    for (index, value) in values.iter().enumerate() {
        if value == "" {
            faults.add(&place(&format!("enum[{index}]")), "cannot be empty");
        }
    }
    let format = schema["format"].as_str().unwrap_or_default();
    match kind {
        "STRING" if !["", "enum", "date-time"].contains(&format) => {
            let why = "only 'enum' and 'date-time' are supported for STRING type";
            faults.add(&place("format"), why);
        }
        "NUMBER" if !["", "float", "double"].contains(&format) => {
            let why = "only 'float' and 'double' are supported for NUMBER type";
            faults.add(&place("format"), why);
        }
        "INTEGER" if !["", "int32", "int64"].contains(&format) => {
            let why = "only 'int32' and 'int64' are supported for INTEGER type";
            faults.add(&place("format"), why);
        }
        "" | "TYPE_UNSPECIFIED" if alternatives.is_empty() => {
            faults.add(&place("type"), "must be specified.");
        }
        _ => {}
    }
    let known = |name: &Value| {
        let name = name.as_str().unwrap_or_default();
        properties.is_some_and(|properties| properties.contains_key(name))
    };
    for field in ["required", "property_ordering"] {
        for (index, name) in list(schema.get(field)).iter().enumerate() {
            if !known(name) {
                let why = "property is not defined";
                faults.add(&place(&format!("{field}[{index}]")), why);
            }
        }
    }
    for (name, inner) in properties.into_iter().flatten() {
        check(&place(&format!("properties[{name}]")), inner, faults);
    }
    if let Some(items) = schema.get("items") {
        check(&place("items"), items, faults);
    }
    for (index, inner) in alternatives.iter().enumerate() {
        check(&place(&format!("any_of[{index}]")), inner, faults);
    }
}
