use serde_json::{Value, json};

use super::{Fault, Schemas};
use crate::Object;

fn parse(value: &Value) -> Result<Vec<Object>, Vec<Fault>> {
    Schemas::new().unwrap().parse(value)
}

fn route(spec: Value) -> Value {
    json!({"apiVersion": "dragoman.dev/v1alpha1", "kind": "LLMRoute", "metadata": {"name": "chat"}, "spec": spec})
}

fn backend(spec: Value) -> Value {
    json!({"apiVersion": "dragoman.dev/v1alpha1", "kind": "LLMBackend", "metadata": {"name": "b"}, "spec": spec})
}

fn only_fault(value: &Value) -> (String, String) {
    let faults = parse(value).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    (faults[0].field.clone(), faults[0].message.clone())
}

#[test]
fn a_sound_manifest_is_read_with_its_defaults() {
    let manifests = parse(&route(
        json!({"backends": [{"name": "a", "backendRef": {"name": "b"}}]}),
    ))
    .unwrap();
    let [Object::Route(route)] = manifests.as_slice() else {
        panic!("{manifests:?}")
    };
    assert_eq!(route.metadata.namespace.as_deref(), Some("default"));
    assert_eq!(route.spec.backends[0].name, "a");
}

#[test]
fn an_unknown_field_is_named() {
    let (field, message) = only_fault(&backend(json!({"url": "http://x", "dialekt": "OpenAI"})));
    assert_eq!(field, "spec.dialekt");
    assert!(message.contains("unknown field"), "{message}");
}

#[test]
fn a_missing_field_is_named() {
    assert_eq!(only_fault(&backend(json!({}))).0, "spec.url");
}

#[test]
fn a_cross_field_rule_speaks_its_message() {
    let both = json!({"url": "http://x", "credential": {"secretRef": {"name": "s", "key": "k"}, "passthrough": {}}});
    let (field, message) = only_fault(&backend(both));
    assert_eq!(field, "spec.credential");
    assert!(message.contains("at most one"), "{message}");
}

#[test]
fn a_bad_regex_is_refused_with_its_place() {
    let spec = json!({"backends": [{"name": "a", "backendRef": {"name": "b"}, "models": {"allow": [{"regex": "("}]}}]});
    let (field, message) = only_fault(&route(spec));
    assert_eq!(field, "spec.backends[0].models.allow[0].regex");
    assert_eq!(
        message,
        "regex is not a valid RE2 regular expression: unclosed group"
    );
}

#[test]
fn an_empty_allow_list_is_refused_with_the_cure() {
    let spec =
        json!({"backends": [{"name": "a", "backendRef": {"name": "b"}, "models": {"allow": []}}]});
    let (field, message) = only_fault(&route(spec));
    assert_eq!(field, "spec.backends[0].models.allow");
    assert!(message.contains("leave it out to admit all"), "{message}");
}

#[test]
fn a_list_gives_its_items_and_a_secret_or_a_config_map_its_text() {
    let list = json!({"kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "aGk="}, "stringData": {"b": "x"}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "hi"}, "binaryData": {"b": "eA=="}},
    ]});
    let manifests = parse(&list).unwrap();
    let [
        Object::Secret(_, super::InputData::Data(data)),
        Object::ConfigMap(_, super::InputData::Data(plain)),
    ] = manifests.as_slice()
    else {
        panic!("{manifests:?}")
    };
    for data in [data, plain] {
        assert_eq!(
            (&*data.values["a"], &*data.values["b"]),
            (&b"hi"[..], &b"x"[..])
        );
    }
}

#[test]
fn other_kinds_and_versions_are_refused_by_name() {
    let mut value = route(json!({}));
    value["kind"] = "Pod".into();
    assert_eq!(only_fault(&value).0, "kind");
    value["kind"] = "LLMRoute".into();
    value["apiVersion"] = "dragoman.dev/v2".into();
    assert_eq!(only_fault(&value).0, "apiVersion");
}

#[test]
fn a_null_is_an_absent_field_but_stays_in_what_is_the_users_own() {
    let spec = json!({"url": "http://x", "credential": null, "timeouts": null,
        "catalog": [{"name": "a", "upstreamName": null, "metadata": {"owner": null}}]});
    let manifests = parse(&backend(spec)).unwrap();
    let [Object::Backend(backend)] = manifests.as_slice() else {
        panic!("{manifests:?}")
    };
    assert_eq!(backend.spec.credential, None);
    let metadata = backend.spec.catalog[0].metadata.as_ref().unwrap();
    assert!(metadata["owner"].is_null());
}

#[test]
fn a_field_of_the_wrong_type_is_one_fault_and_not_several() {
    let spec = json!({"backends": [{"name": "a", "backendRef": "b"}]});
    assert_eq!(only_fault(&route(spec)).0, "spec.backends[0].backendRef");
}

#[test]
fn a_value_of_the_wrong_type_says_what_to_write() {
    let spec = |more: Value| {
        let mut spec = json!({"url": "http://x"});
        spec.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        only_fault(&backend(spec))
    };
    for (wrong, field, message) in [
        (
            json!({"timeouts": {"connect": 5}}),
            "spec.timeouts.connect",
            "is a number; write a duration with units, such as 300ms, 5s or 1h30m",
        ),
        (
            json!({"maxConcurrency": "5"}),
            "spec.maxConcurrency",
            "is a string; write a whole number without quotes",
        ),
        (
            json!({"maxConcurrency": 0}),
            "spec.maxConcurrency",
            "is 0; write 1 or more",
        ),
        (
            json!({"catalog": [{"name": 4}]}),
            "spec.catalog[0].name",
            "is a number; put it in quotes",
        ),
        (
            json!({"catalog": {"name": "a"}}),
            "spec.catalog",
            "is an object; write a list, such as [a, b]",
        ),
        (
            json!({"timeouts": "5s"}),
            "spec.timeouts",
            "is a string; write an object, such as {name: value}",
        ),
        (
            json!({"dialect": 5}),
            "spec.dialect",
            "is a number; put it in quotes",
        ),
    ] {
        assert_eq!(spec(wrong), (field.to_owned(), message.to_owned()));
    }
}

#[test]
fn a_manifest_with_faults_is_read_where_its_structure_allows() {
    let schemas = Schemas::new().unwrap();
    let read = schemas.read(&backend(json!({"url": "http://x", "credential": {"secretRef": {"name": "s", "key": "k"}, "passthrough": {}}})));
    assert!(read.manifest.is_some() && read.faults.len() == 1);
    let read = schemas.read(&backend(json!({"url": 5})));
    assert!(read.manifest.is_none() && read.faults.len() == 1);
}
