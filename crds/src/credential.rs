//! What a backend's requests carry as credential.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::SecretKeyReference;

/// How requests to the backend authenticate: at most one field. Absent or empty: no credential, and none of the client's travels on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!(has(self.secretRef) && has(self.passthrough))",
    "message": "set at most one of secretRef and passthrough"
}]))]
pub struct Credential {
    /// The key that the provider issued, in a Secret of the backend's namespace. Sent in the header that the dialect uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyReference>,
    /// The client's own credential header travels on, unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passthrough: Option<Passthrough>,
}

/// The client's credential is passed on. It has no settings: write `passthrough: {}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Passthrough {}
