//! Names of a body's members that servers read in different ways.
//!
//! Some servers take a member by its name in any case, and the last of several (Go's [`encoding/json`](https://pkg.go.dev/encoding/json#Unmarshal)
//! does), others the one that is written exactly so. What policies judged must be what the server reads, so a body that the two read
//! differently is refused where policies apply.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use http::StatusCode;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::serve::error::{Refusal, bounded};

/// Members that judge or are judged, in every dialect.
const KNOWN: [&str; 17] = [
    "contents",
    "input",
    "inputs",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens",
    "messages",
    "model",
    "n",
    "options",
    "parameters",
    "prompt",
    "stream",
    "stream_options",
    "system",
    "tools",
    "generationconfig",
];
/// Names of ours that are written with capitals.
const WITH_CAPITALS: [&str; 2] = ["generationConfig", "maxTokens"];

/// Refuses a body of which servers may read something else than was judged.
///
/// # Errors
/// 400, naming the member.
pub(super) fn refuse_ambiguous(body: &[u8]) -> Result<(), Refusal> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let found = reader.deserialize_map(Members);
    let Ok(Some(name)) = found else {
        // What is no object was refused before, or names nothing.
        return Ok(());
    };
    let name = bounded(&name, 64).to_owned();
    let message = format!(
        "The body's member {name:?} would be read in different ways by different servers; write each member once, as the API spells it."
    );
    Err(Refusal {
        param: Some(name.into()),
        ..Refusal::client(StatusCode::BAD_REQUEST, "ambiguous_member", message)
    })
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Option<String>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Option<String>, M::Error> {
        let mut seen = HashSet::new();
        let mut ambiguous = None;
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            map.next_value::<IgnoredAny>()?;
            if ambiguous.is_some() {
                continue;
            }
            let folded = name.to_lowercase().replace('\u{17f}', "s");
            let exact = folded == name || WITH_CAPITALS.contains(&name.as_ref());
            if (!exact && KNOWN.contains(&folded.as_str())) || !seen.insert(folded) {
                ambiguous = Some(name.into_owned());
            }
        }
        Ok(ambiguous)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> Option<String> {
        let refusal = refuse_ambiguous(body.as_bytes()).err()?;
        assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
        refusal.param.map(Cow::into_owned)
    }

    #[test]
    fn a_member_in_another_case_or_twice_is_refused_by_name() {
        for (body, name) in [
            (r#"{"model":"a","MODEL":"b"}"#, "MODEL"),
            (r#"{"Model":"b"}"#, "Model"),
            (r#"{"model":"a","model":"b"}"#, "model"),
            (r#"{"max_tokens":1,"Max_Tokens":9}"#, "Max_Tokens"),
            ("{\"me\u{17f}\u{17f}ages\":[]}", "me\u{17f}\u{17f}ages"),
            (r#"{"own":1,"OWN":2}"#, "OWN"),
        ] {
            assert_eq!(refused(body).as_deref(), Some(name), "{body}");
        }
    }

    #[test]
    fn other_bodies_pass() {
        for body in [
            r#"{"model":"a","messages":[{"Model":1}],"x-Own":1}"#,
            r#"{"generationConfig":{},"contents":[]}"#,
            r#"{"toolConfig":{},"inferenceConfig":{}}"#,
            "[]",
            "1",
        ] {
            assert_eq!(refused(body), None, "{body}");
        }
    }
}
