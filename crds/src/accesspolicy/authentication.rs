//! Who is calling.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::LocalReference;
use crate::allowed_routes::label_selector;
use crate::form::form;

/// Ways to say who is calling. A credential may stand in `Authorization: Bearer`, `x-api-key`, `api-key` or `x-goog-api-key`; an empty
/// header is an absent one, and one that stands there twice is refused. Each is tried in this order; the first that is known names the caller, and all that are known are passed on to nobody.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.bearerTokens) || has(self.serviceAccounts) || has(self.jwt) || (has(self.anonymous) && self.anonymous)",
    "message": "name at least one way: bearerTokens, serviceAccounts, jwt or anonymous"
}]))]
pub struct Authentication {
    /// Tokens that Secrets hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_tokens: Option<BearerTokens>,
    /// Tokens of the cluster's ServiceAccounts. The user is `system:serviceaccount:<namespace>:<name>`, and the groups are those that Kubernetes gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_accounts: Option<ServiceAccounts>,
    /// JSON Web Tokens of these issuers. The user is `sub`, the groups are `groups`, and rules find all claims as `user.claims`. `exp` and `sub` must be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["issuer"]))]
    pub jwt: Option<Vec<Jwt>>,
    /// Admits callers without a credential too; they are nobody, and `user` is null in rules. One that brings a wrong credential is refused all the same.
    #[serde(default)]
    pub anonymous: bool,
}

/// Tokens that Secrets of the policy's namespace hold. Each key of a Secret is a user's name, and its value that user's tokens, one a line. The annotation
/// `dragoman.dev/user` names one user for all keys, `dragoman.dev/groups` the groups (separated by commas), and `dragoman.dev/expires` the time (RFC 3339)
/// from which its tokens are worth nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.secretRefs) != has(self.secretSelector)",
    "message": "set exactly one of secretRefs and secretSelector"
}]))]
pub struct BearerTokens {
    /// Secrets by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub secret_refs: Option<Vec<LocalReference>>,
    /// Secrets by label, so that a new one adds its users at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "label_selector", extend("x-kubernetes-validations" = [{
        "rule": "(has(self.matchLabels) && self.matchLabels.size() > 0) || (has(self.matchExpressions) && self.matchExpressions.size() > 0)",
        "message": "an empty selector means every Secret of the namespace; name a label"
    }]))]
    pub secret_selector: Option<LabelSelector>,
}

/// Tokens of the cluster's ServiceAccounts, verified without asking the API server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceAccounts {
    /// The audience that tokens must be made for, such as `https://llm.example.com`: a pod asks for one with a projected volume's
    /// `serviceAccountToken.audience`. Never the API server's own, since such a token would open the cluster to whoever saw it here.
    #[schemars(length(max = 253), extend("x-kubernetes-validations" = form(
        r"^[^\s,]+$",
        "write the audience of the projected tokens, such as llm.example.com",
    )))]
    pub audience: String,
}

/// JSON Web Tokens of one issuer, signed with RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA, as the issuer's key says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.jwksUri) != has(self.jwks)",
    "message": "set exactly one of jwksUri and jwks"
}]))]
pub struct Jwt {
    /// The `iss` that tokens must carry, letter by letter.
    #[schemars(length(min = 1, max = 512))]
    pub issuer: String,
    /// The audiences of which `aud` must hold one.
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 512)), extend("x-kubernetes-list-type" = "set"))]
    pub audiences: Vec<String>,
    /// Where the issuer's keys are: a JSON Web Key Set, fetched by the proxy, kept for as long as its `Cache-Control` says (between one minute and one day; five
    /// minutes where it says nothing), and fetched again when a token names a key that is not there. While no keys could be fetched, such tokens get 503.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048), extend("x-kubernetes-validations" = form(
        r"^https?://[^\s/?#@]+(/[^\s#]*)?$",
        "write the address of a JSON Web Key Set, such as https://issuer.example.com/.well-known/jwks.json",
    )))]
    pub jwks_uri: Option<String>,
    /// The issuer's keys: a JSON Web Key Set as text ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65536))]
    pub jwks: Option<String>,
}
