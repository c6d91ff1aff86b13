//! What a backend's requests carry as credential.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form::form;
use crate::{LocalReference, SecretKeyReference};

/// How requests to the backend authenticate: at most one field. Absent or empty: no credential, and none of the client's travels on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "[has(self.secretRef), has(self.passthrough), has(self.aws)].filter(set, set).size() <= 1",
    "message": "set at most one of secretRef, passthrough and aws"
}]))]
pub struct Credential {
    /// The key that the provider issued, in a Secret of the backend's namespace. Sent in the header that the dialect uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyReference>,
    /// The client's own credential header travels on, unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passthrough: Option<Passthrough>,
    /// Requests are signed with keys of AWS ([Signature Version 4](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<Aws>,
}

/// How requests are signed for AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Aws {
    /// The region that requests are signed for, such as `us-east-1`: the one in the backend's `url`.
    #[schemars(length(max = 64), extend("x-kubernetes-validations" = form(
        "^[a-z]{2,}(-[a-z0-9]+)+$",
        "write the region's code, such as us-east-1",
    )))]
    pub region: String,
    /// A Secret of the backend's namespace with the keys `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary ones,
    /// `AWS_SESSION_TOKEN`. Absent: the proxy's own identity, found as AWS's SDKs find it (environment, web identity, pod identity, instance),
    /// which is for backends in the LLMProxy's namespace alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
}

/// The client's credential is passed on. It has no settings: write `passthrough: {}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Passthrough {}
