//! What cannot be read of JSON that may hold keys: told by the field and the form, never by the value.

use std::fmt;

/// Why JSON cannot be read. Quotes nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable(String);

impl Unreadable {
    /// In words of our own, which must not quote a value.
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

/// The beginnings of serde's messages that quote a value and then say what was expected.
const QUOTING: [&str; 4] = [
    "invalid type",
    "invalid value",
    "invalid length",
    "unknown variant",
];
/// The beginnings of those that name a field of ours.
const NAMING: [&str; 2] = ["missing field", "duplicate field"];

impl From<serde_json::Error> for Unreadable {
    fn from(fault: serde_json::Error) -> Self {
        let text = fault.to_string();
        if !fault.is_data() || NAMING.iter().any(|start| text.starts_with(start)) {
            // Positions and names of our own, nothing that came.
            return Self(text);
        }
        let Some(start) = QUOTING.iter().find(|start| text.starts_with(**start)) else {
            return Self("a value is not of the form that this version knows".into());
        };
        // The last one: a value may hold these words as well.
        let expected = text
            .rsplit_once(", expected ")
            .map(|(_, expected)| expected);
        Self(match expected {
            Some(expected) => format!("{start}: expected {expected}"),
            None => (*start).to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "only whether it can be read counts")]
    struct Form {
        size: u32,
        kind: Kind,
        key: dragoman_config::Key,
    }

    #[derive(Debug, Deserialize)]
    enum Kind {
        One,
        Two,
    }

    #[test]
    fn a_value_that_cannot_be_read_is_not_quoted() {
        const SECRET: &str = "sk-, expected 1";
        let key = "LLMRoute/n/a";
        for (value, why) in [
            (
                serde_json::json!({"size": SECRET, "kind": "One", "key": key}),
                "expected u32",
            ),
            (
                serde_json::json!({"size": 1, "kind": SECRET, "key": key}),
                "`One` or `Two`",
            ),
            (
                serde_json::json!({"size": 1, "kind": "One", "key": SECRET}),
                "not of the form",
            ),
            (
                serde_json::json!({"size": 1, "kind": "One", "other": SECRET}),
                "missing field `key`",
            ),
            (serde_json::json!([SECRET]), "expected u32"),
        ] {
            let fault = serde_json::from_str::<Form>(&value.to_string()).unwrap_err();
            let told = Unreadable::from(fault).to_string();
            assert!(told.contains(why) && !told.contains("sk-"), "{told}");
        }
        let fault = serde_json::from_str::<Form>("{\"size\": sk-1}").unwrap_err();
        assert!(!Unreadable::from(fault).to_string().contains("sk-"));
    }
}
