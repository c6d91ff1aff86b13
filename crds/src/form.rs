//! Strings of a certain form: a rule in place of a bare pattern, because a rule's message can say the cure.

use schemars::Schema;
use serde_json::{Value, json};

/// The rules of a string that must match `pattern`, a regular expression in RE2 syntax. `cure` is what somebody who wrote it
/// otherwise reads.
pub(crate) fn form(pattern: &str, cure: &str) -> Value {
    json!([{"rule": format!("self.matches({})", quoted(pattern)), "message": cure}])
}

/// Holds every string of a list to a [`form`].
pub(crate) fn each(pattern: &'static str, cure: &'static str) -> impl FnMut(&mut Schema) {
    move |list| {
        if let Some(items) = list.get_mut("items").and_then(Value::as_object_mut) {
            items.insert("x-kubernetes-validations".into(), form(pattern, cure));
        }
    }
}

/// `text` as a CEL string.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_reaches_the_api_server_as_it_was_written() {
        let rules = form(r"^[^\s']+$", "no spaces");
        assert_eq!(rules[0]["rule"], r"self.matches('^[^\\s\']+$')");
        assert_eq!(rules[0]["message"], "no spaces");
    }
}
