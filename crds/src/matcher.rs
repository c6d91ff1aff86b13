//! Matching model names: exactly or by regular expression.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Matches one name: set exactly one of `exact` and `regex`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.exact) != has(self.regex)",
    "message": "set exactly one of exact and regex"
}]))]
pub struct NameMatch {
    /// The whole name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub exact: Option<String>,
    /// A regular expression (RE2 syntax) that must match the whole name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), extend("x-kubernetes-validations" = [{
        "rule": "[''.matches(self)].size() == 1",
        "message": "regex is not a valid RE2 regular expression"
    }]))]
    pub regex: Option<String>,
}

/// Which names are let through: every name unless `allow` is set, and never one that `deny` matches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NameFilter {
    /// Names that are admitted. Absent: all. An empty list is refused; to admit none, deny the regex `.*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-validations" = [{
        "rule": "self.size() > 0",
        "message": "an empty allow list admits no name; leave it out to admit all, or deny the regex .* to admit none"
    }]))]
    pub allow: Option<Vec<NameMatch>>,
    /// Names that are refused; wins over `allow`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub deny: Vec<NameMatch>,
}
