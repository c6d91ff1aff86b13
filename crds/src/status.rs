//! Conditions, as every resource's status carries them.

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// A status' `conditions`, with the bounds of `meta/v1` that its own structure leaves to convention.
///
/// Source: [`metav1.Condition`](https://pkg.go.dev/k8s.io/apimachinery/pkg/apis/meta/v1#Condition).
pub(crate) fn conditions(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "description": "One aspect of the object's state.",
            "type": "object",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "type": {"description": "Which aspect.", "type": "string", "maxLength": 316},
                "status": {"description": "Whether it holds.", "type": "string", "enum": ["True", "False", "Unknown"]},
                "reason": {"description": "Why, in one word for programs.", "type": "string", "minLength": 1, "maxLength": 1024},
                "message": {"description": "Why, for people: object, field and cure.", "type": "string", "maxLength": 32768},
                "lastTransitionTime": {"description": "Since when `status` is as it is.", "type": "string", "format": "date-time"},
                "observedGeneration": {"description": "The generation of the spec that was judged.", "type": "integer", "format": "int64", "minimum": 0}
            }
        }
    })
}

/// The condition types of this group (contract).
pub mod condition {
    /// The resource is well formed and all its fields make sense together.
    pub const ACCEPTED: &str = "Accepted";
    /// Everything that it refers to exists and may be used.
    pub const RESOLVED_REFS: &str = "ResolvedRefs";
    /// Every connected proxy runs this generation.
    pub const PROGRAMMED: &str = "Programmed";
    /// Every test that the resource carries gave what it expects.
    pub const TESTS_PASSED: &str = "TestsPassed";
    /// The limits of the policy count over all proxies together.
    pub const LIMITS_SHARED: &str = "LimitsShared";
    /// Rows of the request log are stored.
    pub const LOG_HEALTHY: &str = "LogHealthy";
    /// The upstream answers.
    pub const HEALTHY: &str = "Healthy";
    /// All backends of the route answer.
    pub const BACKENDS_HEALTHY: &str = "BackendsHealthy";
    /// All of the above that concern the spec; what `kubectl wait` asks for.
    pub const READY: &str = "Ready";
    /// kstatus: no progress without an edit.
    pub const STALLED: &str = "Stalled";
}
