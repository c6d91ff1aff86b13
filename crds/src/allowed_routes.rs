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
    #[schemars(schema_with = "label_selector")]
    pub selector: Option<LabelSelector>,
}

/// `meta/v1` LabelSelector with the bounds and values that labels have anyway; the structure that the API server knows has none.
///
/// Source: [labels and selectors](https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set).
pub(crate) fn label_selector(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "properties": {
            "matchLabels": {
                "description": "Labels and the value that each must have.",
                "type": "object",
                "maxProperties": 32,
                "additionalProperties": {"type": "string", "maxLength": 63}
            },
            "matchExpressions": {
                "description": "Further demands on labels; all must hold.",
                "type": "array",
                "maxItems": 32,
                "items": {
                    "description": "One demand on one label.",
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": {"description": "The label's name.", "type": "string", "minLength": 1, "maxLength": 317},
                        "operator": {
                            "description": "How the label relates to `values`.",
                            "type": "string",
                            "enum": ["In", "NotIn", "Exists", "DoesNotExist"]
                        },
                        "values": {
                            "description": "The values that `In` and `NotIn` speak of.",
                            "type": "array",
                            "maxItems": 32,
                            "items": {"type": "string", "maxLength": 63}
                        }
                    },
                    "x-kubernetes-validations": [{
                        "rule": "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
                        "message": "In and NotIn need values, Exists and DoesNotExist take none"
                    }]
                }
            }
        }
    })
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
