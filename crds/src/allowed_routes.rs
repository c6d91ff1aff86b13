//! Which routes may use a resource from another namespace.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which LLMRoutes may refer to this resource. Default: those of its own namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AllowedRoutes {
    /// The namespaces whose routes are admitted.
    #[serde(default)]
    pub namespaces: RouteNamespaces,
}

/// A choice of namespaces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "(self.from == 'Selector') == has(self.selector)",
    "message": "set selector exactly when from is Selector"
}]))]
pub struct RouteNamespaces {
    /// `Same`: only the resource's own namespace. `All`: every namespace. `Selector`: namespaces whose labels match `selector`.
    #[serde(default)]
    pub from: RoutesFrom,
    /// Labels that a namespace must carry, with `from: Selector`. The label `kubernetes.io/metadata.name` holds a namespace's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// Where admitted routes come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RoutesFrom {
    /// The resource's own namespace.
    #[default]
    Same,
    /// Every namespace.
    All,
    /// Namespaces chosen by label.
    Selector,
}
