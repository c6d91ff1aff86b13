//! What every part of a schema has in common, whatever type it came from.
//!
//! Source: [structural schemas](https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema).

use serde_json::Value;

/// Takes null away from every field, and says of every list how it merges.
///
/// The API server drops a null that stands for a field which does not admit it, so `credential: null`, as templates write it,
/// is an absent field. A field that admits null would keep it, and `has(self.credential)` would hold.
pub(super) fn tidy(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else {
        return;
    };
    members.shift_remove("nullable");
    if let Some(Value::Array(choices)) = members.get_mut("enum") {
        choices.retain(|choice| !choice.is_null());
    }
    if members.get("type").is_some_and(|kind| kind == "array") {
        members
            .entry("x-kubernetes-list-type")
            .or_insert_with(|| "atomic".into());
    }
    if let Some(Value::Object(properties)) = members.get_mut("properties") {
        properties.values_mut().for_each(tidy);
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = members.get_mut(inner) {
            tidy(inner);
        }
    }
}
