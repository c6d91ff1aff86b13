//! Names of a body's own members that servers read in different ways. Those of objects within it are [`spelled`](super::spelled)'s affair.
//!
//! Some servers take a member by its name in any case, and the last of several (Go's [`encoding/json`](https://pkg.go.dev/encoding/json#Unmarshal)
//! does), others the one that is written exactly so. What policies judged must be what the server reads, so a body that the two read
//! differently is refused where policies apply; one that names its model so, everywhere.

use std::collections::HashSet;

use http::StatusCode;

use crate::json::{self, string};
use crate::serve::error::{Refusal, bounded};
use crate::state::reading::folded;

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

/// The names of one body's members.
#[derive(Debug, Default)]
pub(crate) struct Names<'b> {
    /// The first of those that can be read in one way alone, which is what most bodies have.
    plain: [&'b str; 16],
    plains: usize,
    /// All others, in small letters.
    others: HashSet<String>,
    ambiguous: Option<String>,
    /// What names the model to some servers, and is not what is looked at here.
    model: Option<String>,
}

impl<'b> Names<'b> {
    /// Takes what stands between a name's quotes.
    pub(crate) fn see(&mut self, written: &'b str) {
        let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.');
        if written.bytes().all(is_plain) {
            let twice = self.has(written);
            if let Some(free) = self.plain.get_mut(self.plains) {
                *free = written;
                self.plains += 1;
            } else {
                self.others.insert(written.to_owned());
            }
            if twice {
                self.ambiguous.get_or_insert_with(|| written.to_owned());
            }
            return;
        }
        let name = string::decode(written);
        let folded = folded(&name);
        let exact = folded == name || WITH_CAPITALS.contains(&name.as_ref());
        if folded == "model" && !exact {
            self.model.get_or_insert_with(|| name.as_ref().to_owned());
        }
        if (!exact && KNOWN.contains(&folded.as_str())) || self.has(&folded) {
            self.ambiguous.get_or_insert_with(|| name.into_owned());
        }
        self.others.insert(folded);
    }

    fn has(&self, folded: &str) -> bool {
        self.plain[..self.plains].contains(&folded) || self.others.contains(folded)
    }

    /// Refuses the body, if servers may read something else than policies judge (`judged`), or take another model than the route's map does.
    ///
    /// # Errors
    /// 400, naming the member.
    pub(crate) fn refuse_ambiguous(self, judged: bool) -> Result<(), Refusal> {
        let other = self.ambiguous.filter(|_| judged);
        let Some(name) = other.or(self.model) else {
            return Ok(());
        };
        Err(ambiguous(&name))
    }
}

/// The refusal of a member that servers read in different ways.
pub(super) fn ambiguous(name: &str) -> Refusal {
    let name = bounded(name, 64).to_owned();
    let message = format!(
        "The body's member {name:?} would be read in different ways by different servers; write each member once, as the API spells it."
    );
    Refusal {
        param: Some(name.into()),
        ..Refusal::client(StatusCode::BAD_REQUEST, "ambiguous_member", message)
    }
}

/// The same for a body whose members' names nobody has looked at yet.
///
/// # Errors
/// As for [`Names::refuse_ambiguous`].
pub(super) fn refuse_ambiguous(body: &[u8], judged: bool) -> Result<(), Refusal> {
    let mut names = Names::default();
    // What is no object was refused before, or names nothing.
    let _ = json::scan_each::<&str>(body, &[], |name| {
        if !name.nested {
            names.see(name.written());
        }
    });
    names.refuse_ambiguous(judged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> Option<String> {
        let refusal = refuse_ambiguous(body.as_bytes(), true).err()?;
        assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
        refusal.param.map(std::borrow::Cow::into_owned)
    }

    #[test]
    fn a_repeated_member_is_found_among_any_number() {
        let many: String = (0..40).map(|n| format!("\"m{n}\":1,")).collect();
        for last in ["m3", "m20", "M39"] {
            let body = format!("{{{many}\"{last}\":1}}");
            assert_eq!(refused(&body).as_deref(), Some(last));
        }
        assert_eq!(refused(&format!("{{{many}\"m40\":1}}")), None);
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
            (r#"{"OWN":1,"own":2}"#, "own"),
            (r#"{"\u0061b":1,"ab":2}"#, "ab"),
        ] {
            assert_eq!(refused(body).as_deref(), Some(name), "{body}");
        }
    }

    #[test]
    fn another_model_is_refused_though_no_policy_judges_bodies() {
        let refused = |body: &str| refuse_ambiguous(body.as_bytes(), false).is_err();
        assert!(refused(r#"{"model":"a","Model":"b"}"#));
        assert!(refused(r#"{"\u004dodel":"b"}"#));
        assert!(!refused(r#"{"model":"a","model":"b","N":1,"n":2}"#));
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
