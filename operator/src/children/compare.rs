//! Whether an object is as it should be, whatever else it holds.

use serde_json::Value;

/// Whether `actual` holds everything that `desired` does. Absent and empty are the same: the API server drops what is empty.
#[must_use]
pub fn covers(actual: &Value, desired: &Value) -> bool {
    match (actual, desired) {
        (Value::Object(actual), Value::Object(desired)) => desired
            .iter()
            .all(|(name, desired)| covers(actual.get(name).unwrap_or(&Value::Null), desired)),
        (Value::Array(actual), Value::Array(desired)) => {
            actual.len() == desired.len()
                && actual
                    .iter()
                    .zip(desired)
                    .all(|(actual, desired)| covers(actual, desired))
        }
        (Value::Null, Value::Object(desired)) => {
            desired.values().all(|value| covers(&Value::Null, value))
        }
        (Value::Null, Value::Array(desired)) => desired.is_empty(),
        (actual, desired) => actual == desired,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_others_added_does_not_matter() {
        assert!(covers(&json!({"a": 1, "b": 2}), &json!({"a": 1})));
        assert!(covers(&json!([{"a": 1, "b": 2}]), &json!([{"a": 1}])));
        assert!(!covers(&json!({"a": 2}), &json!({"a": 1})));
        assert!(!covers(&json!([1, 2]), &json!([1])));
    }

    #[test]
    fn absent_and_empty_are_the_same() {
        assert!(covers(&json!({}), &json!({"a": {}, "b": [], "c": null})));
        assert!(!covers(&json!({}), &json!({"a": {"b": 1}})));
    }
}
