//! What the compiler says of a resource: conditions without times.

/// One condition that the compiler decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The condition's type, from [`dragoman_crds::condition`].
    pub type_: &'static str,
    /// Whether it holds.
    pub status: bool,
    /// Why, in one CamelCase word from [`reason`].
    pub reason: &'static str,
    /// Object, field and cure; one short sentence where it holds.
    pub message: String,
    /// Every fault with its own [`reason`] and in full, as in `spec.url: what is wrong; the cure`; the message has room for the
    /// first few alone. A condition that holds has none, save for a hostname that is an older route's.
    pub faults: Vec<(&'static str, String)>,
}

/// The reasons that conditions carry.
pub mod reason {
    /// The resource is fine.
    pub const ACCEPTED: &str = "Accepted";
    /// A field does not make sense.
    pub const INVALID: &str = "Invalid";
    /// The object does not parse.
    pub const MALFORMED: &str = "Malformed";
    /// No LLMProxy serves the route.
    pub const NO_PROXY: &str = "NoProxy";
    /// The LLMProxy does not admit the route.
    pub const NOT_ALLOWED_BY_PROXY: &str = "NotAllowedByProxy";
    /// The LLMProxy admits no inline backends.
    pub const INLINE_BACKEND_DENIED: &str = "InlineBackendDenied";
    /// The LLMProxy serves no route to which no AccessPolicy applies.
    pub const ACCESS_POLICY_REQUIRED: &str = "AccessPolicyRequired";
    /// An older route has the hostname. With a true Accepted: the route serves under its other hostnames.
    pub const HOSTNAME_TAKEN: &str = "HostnameTaken";
    /// Everything that is referred to exists and may be used.
    pub const RESOLVED: &str = "ResolvedRefs";
    /// Something that is referred to does not exist.
    pub const NOT_FOUND: &str = "RefNotFound";
    /// Something that is referred to exists, but is not fit for use: its own conditions say why.
    pub const REF_INVALID: &str = "RefInvalid";
    /// Something that is referred to does not admit this.
    pub const NOT_PERMITTED: &str = "RefNotPermitted";
    /// A credential belongs to another namespace, and may not leave it.
    pub const CREDENTIAL_NOT_SHAREABLE: &str = "CredentialNotShareable";
    /// Every test of a Mapper gives what it expects.
    pub const TESTS_PASSED: &str = "TestsPassed";
    /// A test of a Mapper gives something else than it expects.
    pub const TEST_FAILED: &str = "TestFailed";
    /// A Secret does not exist.
    pub const SECRET_NOT_FOUND: &str = "SecretNotFound";
    /// A Secret exists without the key that is referred to.
    pub const SECRET_KEY_MISSING: &str = "SecretKeyMissing";
    /// The value of a Secret's key is not what its place needs.
    pub const SECRET_INVALID: &str = "SecretInvalid";
    /// A Secret could not be read; the operator goes on trying.
    pub const SECRET_UNREADABLE: &str = "SecretUnreadable";
    /// The cluster's keys for ServiceAccount tokens could not be read; the operator goes on trying.
    pub const CLUSTER_KEYS_UNREADABLE: &str = "ClusterKeysUnreadable";
    /// A ConfigMap does not exist.
    pub const CONFIG_MAP_NOT_FOUND: &str = "ConfigMapNotFound";
    /// A ConfigMap exists without a key that is needed.
    pub const CONFIG_MAP_KEY_MISSING: &str = "ConfigMapKeyMissing";
    /// A value of a ConfigMap is not what its place needs.
    pub const CONFIG_MAP_INVALID: &str = "ConfigMapInvalid";
    /// A ConfigMap could not be read; the operator goes on trying.
    pub const CONFIG_MAP_UNREADABLE: &str = "ConfigMapUnreadable";
    /// A Secret or a ConfigMap is being read for the first time: an edit only waits.
    pub const PENDING: &str = "Pending";
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_reason_is_explained_with_its_cure() {
        let guide = include_str!("../../docs/guides/conditions.md");
        let own = include_str!("condition.rs");
        let reasons = own.lines().filter_map(|line| {
            let value = line.trim().strip_prefix("pub const ")?;
            value.split('"').nth(1)
        });
        let reasons: Vec<_> = reasons.collect();
        assert!(reasons.len() > 15, "{reasons:?}");
        for reason in reasons {
            assert!(guide.contains(&format!("| `{reason}` |")), "{reason}");
        }
    }
}
