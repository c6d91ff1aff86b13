//! AccessPolicy: who may call, from where, how much, saying what.

mod authentication;
mod limit;
mod response_rule;
mod rule;

use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use authentication::{Authentication, BearerTokens, Jwt, ServiceAccounts};
pub use limit::{Calendar, Limit, Per};
pub use response_rule::{ResponseAction, ResponseRule, ResponseSet, ResponseTarget};
pub use rule::{Call, CallFailure, Rule, RuleAction, SetField};

use crate::duration::at_least;
use crate::form::each;
use crate::status::conditions;
use crate::{AllowedRoutes, Condition, Duration, NameFilter};

/// The form of an address or network. Whether it is one, the compiler says.
const NETWORK: &str = r"^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$";
/// What is said of any other.
const NETWORK_CURE: &str = "write a network such as 10.0.0.0/8 or fd00::/8, or one address";

/// AccessPolicy says who may call, from where, how much, saying what.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "dragoman.dev",
    version = "v1alpha1",
    kind = "AccessPolicy",
    plural = "accesspolicies",
    shortname = "apol",
    category = "dragoman",
    namespaced,
    status = "AccessPolicyStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "AccessPolicy says who may call, from where, how much, saying what. LLMProxies, LLMRoutes and LLMBackends refer to it by `accessPolicyRefs`; every policy that applies must admit a request, and the first that authenticates names the user.",
    crates(kube_core = "kube_core"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Shared",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"LimitsShared\")].status"
    ),
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
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.ban) || has(self.authentication)",
    "message": "ban counts failed authentications; set authentication, or leave ban out"
}]))]
pub struct AccessPolicySpec {
    /// Ways to say who is calling; one of them must succeed. Absent: this policy does not ask, and leaves it to the others that apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// Where callers may be. What is not admitted gets 403.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// What becomes of an address from which authentication fails again and again. It gets 403 while the ban lasts, whatever it brings. Absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ban: Option<Ban>,
    /// Rules on requests, in order, until one with Allow, Deny or Respond applies. After the last one the request is admitted. A rule that fails to evaluate refuses the
    /// request with 500.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub rules: Vec<Rule>,
    /// Rules on replies, in order, streamed ones too: all that apply do, until one denies. Replies of 400 and above pass by them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub response_rules: Vec<ResponseRule>,
    /// How much may be asked. A request over one of them gets 429 with `Retry-After`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub limits: Vec<Limit>,
    /// Which models may be called and are listed, by the names that clients use; in a backend's policy, `deny` knows the backend's own names too. Others get 404 `model_not_found`. What is denied is denied in any case, and with or without the tag `:latest`.
    #[serde(default)]
    pub models: NameFilter,
    /// Which resources may refer to this policy, by their namespaces: routes, and backends and LLMProxies too. Default: those of its own.
    #[serde(default)]
    pub allowed_routes: AllowedRoutes,
}

/// Networks from which calls are admitted. The caller's address is the connection's, or, behind an LLMProxy's `trustedProxies`, the one that they tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.allow) || has(self.deny)",
    "message": "set allow, deny or both"
}]))]
pub struct Network {
    /// Networks that are admitted. Absent: all. An empty list is refused; to admit none, deny 0.0.0.0/0 and ::/0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 1024),
        inner(length(max = 64)),
        transform = each(NETWORK, NETWORK_CURE),
        extend("x-kubernetes-validations" = [{
            "rule": "self.size() > 0",
            "message": "an empty allow list admits nobody; leave it out to admit all, or deny 0.0.0.0/0 and ::/0 to admit none"
        }])
    )]
    pub allow: Option<Vec<String>>,
    /// Networks that are refused; wins over `allow`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024), inner(length(max = 64)), transform = each(NETWORK, NETWORK_CURE))]
    pub deny: Vec<String>,
}

/// What becomes of an address from which authentication fails again and again. Each wrong credential counts; no credential at all does not. An IPv6 address stands for its /64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ban {
    /// The failure with which the ban begins, counted within `window`.
    #[schemars(range(min = 1, max = 1000))]
    pub failures: i32,
    /// How long a failure counts. The window slides.
    #[schemars(extend("x-kubernetes-validations" = at_least("1s")))]
    pub window: Duration,
    /// How long the ban lasts.
    #[schemars(extend("x-kubernetes-validations" = at_least("1s")))]
    pub duration: Duration,
    /// Networks that are never banned. They need a key all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 64)), transform = each(NETWORK, NETWORK_CURE))]
    pub exempt: Vec<String>,
}

/// What the operator observed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessPolicyStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Accepted, ResolvedRefs, LimitsShared, Ready.
    #[serde(default)]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
}
