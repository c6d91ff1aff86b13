//! ModelMap: what a model name means, and which names exist.

use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::llmbackend::free_form;
use crate::status::conditions;
use crate::{AllowedRoutes, Condition, Duration, NameMatch};

/// ModelMap says what a model name means, and which names exist.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "dragoman.dev",
    version = "v1alpha1",
    kind = "ModelMap",
    plural = "modelmaps",
    shortname = "mmap",
    category = "dragoman",
    namespaced,
    status = "ModelMapStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "ModelMap says what a model name means, and which names exist.",
    crates(kube_core = "kube_core"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Unmatched", type_ = "string", json_path = ".spec.unmatched"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelMapSpec {
    /// Rules for names. Exact ones are tried first, then the others in order; the first that matches decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub rules: Vec<MapRule>,
    /// Whether `rules` tell upper from lower case.
    #[serde(default)]
    pub matching: Matching,
    /// What becomes of a name that no rule matches: it goes upstream as it is, or the call gets 404.
    #[serde(default)]
    pub unmatched: Unmatched,
    /// What listings show.
    #[serde(default)]
    pub list: ModelList,
    /// The `model` that replies carry: the upstream's, byte for byte, or the one that the client asked for.
    #[serde(default)]
    pub reply_model: ReplyModel,
    /// Which routes may use this map. Default: those of its namespace.
    #[serde(default)]
    pub allowed_routes: AllowedRoutes,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MapRule {
    /// The names that the rule speaks of.
    pub r#match: NameMatch,
    /// A CEL expression that must hold too. It knows `request` (the body), `headers` (lower-case names; credentials never), `user` (`name`, `groups`, `claims`; null for nobody), `client.address`, `model`, `route` and `now`. Its work is bounded. What is missing reads as null, which compares with nothing; guard it, as in `request.max_tokens != null && request.max_tokens > 100`. A call for which it fails is answered with 500, naming map, rule and fault; a body in which a name stands twice, where an expression reads it, with 400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub when: Option<String>,
    /// What the name means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<ModelTarget>,
    /// What is called, in order, when the target fails before its first byte. A `model` goes through the rules again; without one, the name as it came goes to `backend`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub fallbacks: Vec<ModelTarget>,
    /// Body fields that are set when the request has none of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_form")]
    pub defaults: Option<Map<String, Value>>,
    /// Body fields that are set always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_form")]
    pub overrides: Option<Map<String, Value>>,
}

/// A model, and where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.model) || has(self.backend)",
    "message": "set model, backend or both"
}]))]
pub struct ModelTarget {
    /// The name that is called. `$1`, `${name}` and `\1` stand for what the rule's regex captured, `$0` for the whole name. Default: the name as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub model: Option<String>,
    /// The route's `backends[].name` that must answer. Default: any that has the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub backend: Option<String>,
}

/// Whether upper and lower case differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Matching {
    /// They do.
    #[default]
    Exact,
    /// They do not.
    IgnoreCase,
}

/// What becomes of a name that no rule matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Unmatched {
    /// It goes upstream as it is.
    #[default]
    Passthrough,
    /// The call gets 404.
    Reject,
}

/// The `model` that replies carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReplyModel {
    /// The upstream's, byte for byte.
    #[default]
    Upstream,
    /// The one that the client asked for.
    Requested,
}

fn ignore_case() -> Matching {
    Matching::IgnoreCase
}

fn yes() -> bool {
    true
}

/// What listings show: `/v1/models` and its kin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelList {
    /// Names that are listed. Absent: all. An empty list is refused; to list none, deny the regex `.*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-validations" = [{
        "rule": "self.size() > 0",
        "message": "an empty allow list admits no name; leave it out to admit all, or deny the regex .* to admit none"
    }]))]
    pub allow: Option<Vec<NameMatch>>,
    /// Names that are not listed; wins over `allow`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub deny: Vec<NameMatch>,
    /// Whether `allow` and `deny` tell upper from lower case. Default IgnoreCase.
    #[serde(default = "ignore_case")]
    pub matching: Matching,
    /// Whether names that are not listed cannot be called either. Default true. Names that a rule matches need no `allow`.
    #[serde(default = "yes")]
    pub enforce: bool,
    /// Names that stand on top of the list, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    pub first: Vec<String>,
    /// How long an upstream's list is kept. Default 30s; 0s: not at all.
    #[serde(default, rename = "cacheTTL", skip_serializing_if = "Option::is_none")]
    pub cache_ttl: Option<Duration>,
}

impl Default for ModelList {
    fn default() -> Self {
        Self {
            allow: None,
            deny: Vec::new(),
            matching: ignore_case(),
            enforce: yes(),
            first: Vec::new(),
            cache_ttl: None,
        }
    }
}

/// What the operator observed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelMapStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Accepted, Ready.
    #[serde(default)]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
}
