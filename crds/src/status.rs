//! Conditions, as every resource's status carries them.

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// The condition types of this group (contract).
pub mod condition {
    /// The resource is well formed and all its fields make sense together.
    pub const ACCEPTED: &str = "Accepted";
    /// Everything that it refers to exists and may be used.
    pub const RESOLVED_REFS: &str = "ResolvedRefs";
    /// Every connected proxy runs this generation.
    pub const PROGRAMMED: &str = "Programmed";
    /// The upstream answers.
    pub const HEALTHY: &str = "Healthy";
    /// All backends of the route answer.
    pub const BACKENDS_HEALTHY: &str = "BackendsHealthy";
    /// All of the above that concern the spec; what `kubectl wait` asks for.
    pub const READY: &str = "Ready";
    /// kstatus: no progress without an edit.
    pub const STALLED: &str = "Stalled";
}
