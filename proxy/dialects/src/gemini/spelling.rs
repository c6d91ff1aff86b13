//! Names of fields: the JSON of Google's APIs is read in `camelCase` and in the `snake_case` of its definitions.
//!
//! Source: [ProtoJSON](https://protobuf.dev/programming-guides/json/#field-names).

use serde_json::{Map, Value};

use crate::fields::Fields;
use crate::form::Malformed;

/// The `camelCase` of a name; underscores before it are left out.
#[must_use]
pub fn camel_name(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut raised = false;
    for letter in name.trim_start_matches('_').chars() {
        if letter == '_' {
            raised = true;
        } else {
            camel.push(if raised {
                letter.to_ascii_uppercase()
            } else {
                letter
            });
            raised = false;
        }
    }
    camel
}

/// Respells the names of an object's own fields. One that is there in both spellings keeps what `camelCase` says.
#[must_use]
pub fn camel_map(map: Map<String, Value>) -> Map<String, Value> {
    if !map.keys().any(|name| name.contains('_')) {
        return map;
    }
    let mut respelled = Map::with_capacity(map.len());
    for (name, value) in map {
        let camel = camel_name(&name);
        if camel == name || !respelled.contains_key(&camel) {
            respelled.insert(camel, value);
        }
    }
    respelled
}

/// Respells the names of the fields.
///
/// # Errors
/// None that is known: an object stays one.
pub fn camel(fields: Fields) -> Result<Fields, Malformed> {
    Ok(fields.map(camel_map))
}

/// Takes an object and respells it.
///
/// # Errors
/// [`Malformed`] if it is something else.
pub fn object(owner: &mut Fields, name: &str) -> Result<Option<Fields>, Malformed> {
    owner.object(name)?.map(camel).transpose()
}

/// Takes a list of objects and respells them.
///
/// # Errors
/// [`Malformed`] if it is something else.
pub fn objects(owner: &mut Fields, name: &str) -> Result<Vec<Fields>, Malformed> {
    let list = owner.objects(name)?.unwrap_or_default();
    list.into_iter().map(camel).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read_and_what_is_inside_stays() {
        let body =
            br#"{"generation_config":{"top_p":1},"_responseJsonSchema":2,"topP":3,"top_p":4}"#;
        let fields = camel(Fields::of_body(body).unwrap()).unwrap();
        let text = Value::Object(fields.rest()).to_string();
        assert_eq!(
            text,
            r#"{"generationConfig":{"top_p":1},"responseJsonSchema":2,"topP":3}"#
        );
    }
}
