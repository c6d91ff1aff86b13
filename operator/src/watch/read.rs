//! From what the API server sends to what the compiler takes. What does not parse is an object too.

use std::sync::Arc;

use dragoman_config::{Key, Kind, Object, ObjectKey};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicObject;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Resource;

/// An object's namespace and name.
#[must_use]
pub fn name_of(metadata: &ObjectMeta) -> ObjectKey {
    ObjectKey::new(
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    )
}

/// Reads a resource of `kind`. The status is set apart: whatever stands there, the spec still counts.
#[must_use]
pub fn resource(kind: Kind, object: DynamicObject) -> Resource {
    let DynamicObject {
        mut metadata,
        mut data,
        ..
    } = object;
    metadata.managed_fields = None;
    let key = Key {
        kind,
        object: name_of(&metadata),
    };
    let version = metadata
        .resource_version
        .as_deref()
        .and_then(|version| version.parse().ok());
    let version = version.unwrap_or_default();
    let generation = metadata.generation.unwrap_or_default();
    let uid = metadata.uid.clone().unwrap_or_default();
    let status = data
        .as_object_mut()
        .and_then(|data| data.remove("status"))
        .unwrap_or_default();
    let object = parse(kind, metadata, data).unwrap_or_else(|fault| Object::Malformed {
        key: key.clone(),
        generation,
        message: fault.to_string(),
    });
    Resource {
        key,
        uid,
        version,
        object,
        status,
    }
}

fn parse(kind: Kind, metadata: ObjectMeta, data: Value) -> Result<Object, serde_json::Error> {
    Ok(match kind {
        Kind::Policy => Object::Policy(typed(metadata, data)?),
        Kind::Proxy => Object::Proxy(typed(metadata, data)?),
        Kind::Backend => Object::Backend(typed(metadata, data)?),
        Kind::Map => Object::Map(typed(metadata, data)?),
        Kind::Mapper => Object::Mapper(typed(metadata, data)?),
        Kind::Route => Object::Route(typed(metadata, data)?),
    })
}

fn typed<K: DeserializeOwned>(
    metadata: ObjectMeta,
    data: Value,
) -> Result<Arc<K>, serde_json::Error> {
    let mut whole = match data {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    whole.insert("metadata".into(), serde_json::to_value(metadata)?);
    serde_json::from_value(Value::Object(whole)).map(Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn route(spec: Value, status: Value) -> Resource {
        let object = json!({
            "apiVersion": "dragoman.dev/v1alpha1",
            "kind": "LLMRoute",
            "metadata": {"name": "chat", "namespace": "team-a", "resourceVersion": "41", "generation": 3},
            "spec": spec,
            "status": status,
        });
        resource(Kind::Route, serde_json::from_value(object).unwrap())
    }

    #[test]
    fn a_resource_that_parses_is_read_with_its_status_set_apart() {
        let read = route(json!({"backends": []}), json!({"url": "x"}));
        assert_eq!(read.key.to_string(), "LLMRoute/team-a/chat");
        assert_eq!((read.version, &read.status), (41, &json!({"url": "x"})));
        let Object::Route(route) = read.object else {
            panic!("no route: {:?}", read.object)
        };
        assert_eq!((route.metadata.generation, &route.status), (Some(3), &None));
    }

    #[test]
    fn a_status_that_makes_no_sense_does_not_spoil_the_spec() {
        let read = route(json!({"backends": []}), json!({"conditions": "none"}));
        assert!(matches!(read.object, Object::Route(_)));
    }

    #[test]
    fn a_malformed_object_is_an_object_that_says_what_is_wrong() {
        let read = route(json!({"backends": [], "bakends": 1}), Value::Null);
        let Object::Malformed {
            key,
            generation,
            message,
        } = read.object
        else {
            panic!("it parsed: {:?}", read.object)
        };
        assert_eq!((key, generation), (read.key, 3));
        assert!(message.contains("bakends"), "{message}");
    }
}
