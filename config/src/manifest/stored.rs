//! What the API server does with an object besides checking its structure: nulls dropped, lists held to their keys.

use std::collections::BTreeSet;

use serde_json::Value;

/// Drops each null that stands for a field which admits none; below free-form fields nothing is known, and nulls stay.
///
/// Source: [defaulting and nullable](https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#defaulting-and-nullable).
pub(super) fn drop_nulls(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, member| {
                let Some(inner) = property(schema, name) else {
                    return true;
                };
                if member.is_null() {
                    return inner["nullable"] == true;
                }
                drop_nulls(inner, member);
                true
            });
        }
        Value::Array(elements) => {
            for element in elements {
                drop_nulls(&schema["items"], element);
            }
        }
        _ => {}
    }
}

fn property<'s>(schema: &'s Value, name: &str) -> Option<&'s Value> {
    schema["properties"].get(name).or_else(|| {
        let values = &schema["additionalProperties"];
        values.is_object().then_some(values)
    })
}

/// Finds elements that occur twice in a list which is a set, or whose keys occur twice in one which is a map.
///
/// Source: [merge strategy](https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy).
pub(super) fn duplicates(
    schema: &Value,
    value: &Value,
    path: &str,
    faults: &mut Vec<(String, String)>,
) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if let Some(inner) = property(schema, name) {
                    let dot = if path.is_empty() { "" } else { "." };
                    duplicates(inner, member, &format!("{path}{dot}{name}"), faults);
                }
            }
        }
        Value::Array(elements) => {
            let mut known = BTreeSet::new();
            for (at, element) in elements.iter().enumerate() {
                let path = format!("{path}[{at}]");
                if let Some(identity) = identity(schema, element)
                    && !known.insert(identity.clone())
                {
                    faults.push((
                        path.clone(),
                        format!("{identity} is there already; name each one once"),
                    ));
                }
                duplicates(&schema["items"], element, &path, faults);
            }
        }
        _ => {}
    }
}

/// What tells an element of the list from the others.
fn identity(list: &Value, element: &Value) -> Option<String> {
    match list["x-kubernetes-list-type"].as_str() {
        Some("set") => Some(element.to_string()),
        Some("map") => {
            let keys: Vec<String> = list["x-kubernetes-list-map-keys"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(|key| format!("{key} {}", element[key]))
                .collect();
            Some(keys.join(", "))
        }
        _ => None,
    }
}
