//! The CustomResourceDefinitions, as the API server takes them.

mod structural;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube_core::CustomResourceExt;
use serde_json::{Value, json};

use crate::{AccessPolicy, LLMBackend, LLMProxy, LLMRoute, Mapper, ModelMap};

/// A kind's CRD and what its generated files are called.
pub struct Generated {
    /// The kind's singular, lower-case name.
    pub name: &'static str,
    /// The definition.
    pub crd: Value,
}

/// Why a definition could not be generated: a fault of the types in this crate.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The definition does not serialise.
    #[error("the CRD does not serialise: {0}")]
    Json(#[from] serde_json::Error),
    /// The definition cannot be written as YAML.
    #[error("the CRD cannot be written as YAML: {0}")]
    Yaml(#[from] serde_saphyr::ser::Error),
}

/// Every kind of the group, in alphabetical order.
///
/// # Errors
/// [`GenerateError`] when a type of this crate does not make a schema.
pub fn all() -> Result<Vec<Generated>, GenerateError> {
    Ok(vec![
        Generated {
            name: "accesspolicy",
            crd: finished(AccessPolicy::crd())?,
        },
        Generated {
            name: "llmbackend",
            crd: finished(LLMBackend::crd())?,
        },
        Generated {
            name: "llmproxy",
            crd: finished(LLMProxy::crd())?,
        },
        Generated {
            name: "llmroute",
            crd: finished(LLMRoute::crd())?,
        },
        Generated {
            name: "mapper",
            crd: finished(Mapper::crd())?,
        },
        Generated {
            name: "modelmap",
            crd: finished(ModelMap::crd())?,
        },
    ])
}

impl Generated {
    /// The definition as YAML, with a first line that says where it comes from.
    ///
    /// # Errors
    /// [`GenerateError::Yaml`].
    pub fn yaml(&self) -> Result<String, GenerateError> {
        Ok(format!(
            "# Generated from crds/src/{}.rs by `make generate`. Do not edit.\n{}",
            self.name,
            serde_saphyr::to_string(&self.crd)?
        ))
    }

    /// The schema of whole objects of this kind.
    #[must_use]
    pub fn schema(&self) -> &Value {
        &self.crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    }
}

/// Adds what the derive cannot say: the status that every object has from its creation, rules on names, and what [`structural`] does.
fn finished(crd: CustomResourceDefinition) -> Result<Value, GenerateError> {
    let mut crd = serde_json::to_value(crd)?;
    let kind = crd["spec"]["names"]["kind"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let schema = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    structural::tidy(schema);
    schema["properties"]["status"]["default"] = json!({"conditions": [{
        "type": "Ready",
        "status": "Unknown",
        "reason": "Pending",
        "message": "Waiting for the operator to look at this object.",
        "lastTransitionTime": "1970-01-01T00:00:00Z",
    }]});
    // A route's name becomes a Service's, an LLMProxy's the suffix of `dragoman-`.
    let longest = match kind.as_str() {
        "LLMRoute" => Some(63),
        "LLMProxy" => Some(50),
        _ => None,
    };
    if let Some(longest) = longest {
        schema["x-kubernetes-validations"] = json!([{
            "rule": format!(
                "self.metadata.name.size() <= {longest} && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')"
            ),
            "message": format!(
                "the name must be a DNS label: at most {longest} lower-case letters, digits and hyphens, beginning with a letter"
            ),
        }]);
    }
    Ok(crd)
}
