//! Manifests outside a cluster: checked as the API server would, offline.
//!
//! Structure (types, bounds, enumerations, unknown fields) is checked against the CRD's schema, cross-field rules with the
//! CEL that stands in it, and what is left is read as the resource's type.

mod message;
mod schema;
mod stored;

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::world::{InputContent, InputData, InputKey};
use crate::{Key, Kind, Object, ObjectKey};

pub use schema::Schemas;

/// The namespace of objects that name none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// What is wrong with a manifest: the author's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The object, as `Kind namespace/name`.
    pub object: String,
    /// The field, as `spec.backends[0].url`; empty for the object itself.
    pub field: String,
    /// What is wrong, and the cure.
    pub message: String,
}

/// An object as far as it can be read. It may run when it has no fault.
#[derive(Clone, Debug)]
pub struct Read {
    /// What it says; absent where its structure is broken. With faults, it serves to find more of them.
    pub manifest: Option<Object>,
    /// Every fault that shows without looking at other objects.
    pub faults: Vec<Fault>,
}

impl Schemas {
    /// Reads one manifest; a `List` gives its items.
    ///
    /// # Errors
    /// Every [`Fault`] that is found.
    pub fn parse(&self, value: &Value) -> Result<Vec<Object>, Vec<Fault>> {
        if value["kind"] == "List" {
            let mut manifests = Vec::new();
            let mut faults = Vec::new();
            for item in value["items"].as_array().into_iter().flatten() {
                match self.parse(item) {
                    Ok(parsed) => manifests.extend(parsed),
                    Err(found) => faults.extend(found),
                }
            }
            return if faults.is_empty() {
                Ok(manifests)
            } else {
                Err(faults)
            };
        }
        let Read { manifest, faults } = self.read(value);
        if faults.is_empty() {
            Ok(manifest.into_iter().collect())
        } else {
            Err(faults)
        }
    }

    /// Reads one manifest, in spite of faults where that can be done. A `List` is no manifest.
    #[must_use]
    pub fn read(&self, value: &Value) -> Read {
        let mut faults = Vec::new();
        let manifest = self
            .one(value, &mut faults)
            .map_err(|fatal| faults.extend(fatal))
            .ok();
        Read { manifest, faults }
    }

    /// Faults go to `found` where the manifest can be read in spite of them.
    fn one(&self, value: &Value, found: &mut Vec<Fault>) -> Result<Object, Vec<Fault>> {
        let text = |path: &str| value.pointer(path).and_then(Value::as_str);
        let kind = text("/kind").unwrap_or_default();
        let namespace = text("/metadata/namespace").unwrap_or(DEFAULT_NAMESPACE);
        let name = text("/metadata/name").unwrap_or_default();
        let object = format!("{kind} {namespace}/{name}");
        let fault = |field: &str, message: String| {
            vec![Fault {
                object: object.clone(),
                field: field.into(),
                message,
            }]
        };
        if kind.is_empty() {
            return Err(fault(
                "kind",
                "is missing: every object names its apiVersion and kind".into(),
            ));
        }
        if name.is_empty() {
            return Err(fault(
                "metadata.name",
                "is missing: give the object a name".into(),
            ));
        }
        let api_version = text("/apiVersion").unwrap_or_default();
        let expected = match kind {
            "Secret" | "ConfigMap" => "v1".to_owned(),
            _ => format!("{}/{}", dragoman_crds::GROUP, dragoman_crds::VERSION),
        };
        let key = ObjectKey::new(namespace, name);
        let kind = match kind {
            "Secret" | "ConfigMap" => None,
            _ => Some(kind.parse::<Kind>().map_err(|_| {
                fault("kind", format!(
                    "{kind:?} is not known; there are AccessPolicy, LLMProxy, LLMBackend, LLMRoute, ModelMap, Mapper, Secret, ConfigMap and Namespace"
                ))
            })?),
        };
        if api_version != expected {
            return Err(fault(
                "apiVersion",
                format!("is {api_version:?}; it must be {expected:?}"),
            ));
        }
        let Some(kind) = kind else {
            let (encoded, plain, input) = match value["kind"] == "ConfigMap" {
                true => ("binaryData", "data", InputKey::config_map(key)),
                false => ("data", "stringData", InputKey::secret(key)),
            };
            let data = data(value, encoded, plain);
            let data = data.map_err(|(field, message)| fault(&field, message))?;
            let words = |field: &str| -> BTreeMap<String, String> {
                let words = value["metadata"][field].as_object().into_iter().flatten();
                words
                    .filter_map(|(name, word)| Some((name.clone(), word.as_str()?.to_owned())))
                    .collect()
            };
            let mut content = InputContent::from(data).annotated(words("annotations"));
            content.labels = words("labels");
            return Ok(input.with(InputData::Data(content)));
        };
        let mut completed = value.clone();
        completed["metadata"]["namespace"] = namespace.into();
        let faults = self.check(kind, &mut completed);
        found.extend(faults.into_iter().map(|(field, message)| Fault {
            object: object.clone(),
            field,
            message,
        }));
        match typed(kind, completed) {
            Ok(read) => Ok(read),
            // The faults that were found say it better.
            Err(_) if !found.is_empty() => Err(Vec::new()),
            Err(message) => Err(fault("", message)),
        }
    }
}

/// Reads a resource of `kind` as its type.
///
/// # Errors
/// What does not parse, in the parser's words.
pub fn typed(kind: Kind, value: Value) -> Result<Object, String> {
    fn read<T: DeserializeOwned>(value: Value) -> Result<Arc<T>, String> {
        serde_json::from_value(value)
            .map(Arc::new)
            .map_err(|fault| fault.to_string())
    }
    Ok(match kind {
        Kind::Policy => Object::Policy(read(value)?),
        Kind::Proxy => Object::Proxy(read(value)?),
        Kind::Backend => Object::Backend(read(value)?),
        Kind::Map => Object::Map(read(value)?),
        Kind::Mapper => Object::Mapper(read(value)?),
        Kind::Route => Object::Route(read(value)?),
    })
}

/// The name of the item that a resource of `kind` becomes.
#[must_use]
pub fn key(kind: Kind, value: &Value) -> Key {
    let text = |path: &str| {
        value
            .pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    Key::new(kind, text("/metadata/namespace"), text("/metadata/name"))
}

/// The values of a Secret or a ConfigMap, whose fields `encoded` and `plain` hold them as base64 and as they are.
fn data(
    value: &Value,
    encoded: &str,
    plain: &str,
) -> Result<BTreeMap<String, Vec<u8>>, (String, String)> {
    let mut data = BTreeMap::new();
    let field = encoded;
    for (name, encoded) in value[encoded].as_object().into_iter().flatten() {
        let bytes = encoded
            .as_str()
            .and_then(|text| {
                base64::prelude::BASE64_STANDARD
                    .decode(text.trim_ascii())
                    .ok()
            })
            .ok_or_else(|| {
                (
                    format!("{field}.{name}"),
                    format!("is not base64; write plain text under {plain}"),
                )
            })?;
        data.insert(name.clone(), bytes);
    }
    for (name, text) in value[plain].as_object().into_iter().flatten() {
        let text = text.as_str().ok_or_else(|| {
            (
                format!("{plain}.{name}"),
                "is not a string; put it in quotes".to_owned(),
            )
        })?;
        data.insert(name.clone(), text.as_bytes().to_vec());
    }
    Ok(data)
}

#[cfg(test)]
mod tests;
