//! Rules on replies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Call;
use crate::form::form;

/// A rule on the text of replies. With `regex` alone it works on the text as it streams; with `when`, `set` or `call` it needs the whole reply, which is held back
/// until its end, up to 1 MiB of text: a longer one is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.action != 'Replace' || (has(self.regex) && has(self.replacement))",
    "message": "action Replace needs regex and replacement"
}, {
    "rule": "self.action == 'Replace' || !has(self.replacement)",
    "message": "replacement is for action Replace; leave it out"
}, {
    "rule": "!has(self.regex) || self.action in ['Deny', 'Replace']",
    "message": "regex is for actions Deny and Replace; write a condition of another into when"
}, {
    "rule": "(self.action == 'Set') == has(self.set)",
    "message": "set set with action Set, and with no other"
}, {
    "rule": "(self.action == 'Call') == has(self.call)",
    "message": "set call with action Call, and with no other"
}, {
    "rule": "!has(self.message) || self.action == 'Deny'",
    "message": "message is for action Deny; leave it out"
}]))]
pub struct ResponseRule {
    /// The rule's name, which log, metrics and refusals quote.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = form(
        "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "write a rule's name with lower-case letters, digits and, between them, hyphens, such as no-secrets",
    )))]
    pub name: String,
    /// A CEL expression that must hold. It knows `response` (`content`, `tool_calls`, `finish_reason`), and `request`, `headers`, `user`, `client.address`, `route`, `model` and `now` as
    /// rules on requests do. An expression that names `response` holds the reply back until its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub when: Option<String>,
    /// What is done.
    pub action: ResponseAction,
    /// A regular expression (RE2 syntax) for a piece of the text. A match may be 1 KiB long at most; so much of a stream's text, and no more, is held back for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), extend("x-kubernetes-validations" = [{
        "rule": "[''.matches(self)].size() == 1",
        "message": "regex is not a valid RE2 regular expression"
    }]))]
    pub regex: Option<String>,
    /// What stands in a match's place. `$1`, `${name}` and `\1` stand for what the regex captured, `$0` for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub replacement: Option<String>,
    /// What a refusal says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub message: Option<String>,
    /// What is changed in the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4))]
    pub set: Option<Vec<ResponseSet>>,
    /// The service that is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
}

/// What a rule does to a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ResponseAction {
    /// Refuses the reply: 403 in its place, or an error that ends the stream.
    Deny,
    /// Puts `replacement` in the place of what `regex` matches.
    Replace,
    /// Sets parts of the reply.
    Set,
    /// Asks a service, which may refuse the reply or change its text.
    Call,
}

/// A part of a reply, and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResponseSet {
    /// Which part.
    pub path: ResponseTarget,
    /// CEL that gives a string, with what `when` knows.
    #[schemars(length(min = 1, max = 1024))]
    pub expression: String,
}

/// A part of a reply that a rule may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ResponseTarget {
    /// The text.
    #[serde(rename = "content")]
    Content,
}
