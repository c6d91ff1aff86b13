//! Objects to fill a world with, and questions to ask it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::manifest::typed;
use crate::{
    Changes, InputData, Item, Key, Kind, Object, ObjectKey, Outcome, PolicyItem, ProxyItem,
    RouteItem, Settings, Target, Verdict, World,
};

/// A cluster's world, whose default LLMProxy is `system/default`.
pub(super) fn cluster() -> World {
    World::new(Settings {
        default_proxy: Some(ObjectKey::new("system", "default")),
        cluster_domain: "cluster.local".into(),
        standalone: false,
    })
}

/// A world of files.
pub(super) fn files() -> World {
    World::new(Settings {
        default_proxy: None,
        cluster_domain: "cluster.local".into(),
        standalone: true,
    })
}

fn object(kind: Kind, name: &str, spec: Value) -> Object {
    let (namespace, name) = name.split_once('/').unwrap();
    typed(
        kind,
        json!({
            "apiVersion": "dragoman.dev/v1alpha1",
            "kind": kind.as_str(),
            "metadata": {"namespace": namespace, "name": name, "generation": 1},
            "spec": spec,
        }),
    )
    .unwrap()
}

/// The LLMProxy `namespace/name`.
pub(super) fn proxy(name: &str, spec: Value) -> Object {
    object(Kind::Proxy, name, spec)
}

/// `system/default`, for routes of every namespace.
pub(super) fn default_proxy() -> Object {
    proxy("system/default", json!({"allowedRoutes": from("All")}))
}

pub(super) fn from(from: &str) -> Value {
    json!({"namespaces": {"from": from}})
}

pub(super) fn backend(name: &str, spec: Value) -> Object {
    object(Kind::Backend, name, spec)
}

/// An LLMBackend at this URL, without anything else.
pub(super) fn plain(name: &str, url: &str) -> Object {
    backend(name, json!({"url": url}))
}

pub(super) fn policy(name: &str, spec: Value) -> Object {
    object(Kind::Policy, name, spec)
}

pub(super) fn map(name: &str, spec: Value) -> Object {
    object(Kind::Map, name, spec)
}

pub(super) fn mapper(name: &str, spec: Value) -> Object {
    object(Kind::Mapper, name, spec)
}

pub(super) fn route(name: &str, spec: Value) -> Object {
    object(Kind::Route, name, spec)
}

/// A route with one backend, `namespace/name`.
pub(super) fn route_to(name: &str, backend: &str) -> Object {
    route(name, json!({"backends": [referring(backend)]}))
}

/// An entry of `backends`.
pub(super) fn referring(backend: &str) -> Value {
    let (namespace, name) = backend.split_once('/').unwrap();
    json!({"name": name, "backendRef": {"name": name, "namespace": namespace}})
}

/// The same route, created `second` seconds after the epoch.
pub(super) fn created(route: Object, second: i64) -> Object {
    let Object::Route(route) = route else {
        panic!("no route: {route:?}")
    };
    let mut route = (*route).clone();
    let time = jiff::Timestamp::from_second(second).unwrap();
    route.metadata.creation_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(time));
    Object::Route(route.into())
}

pub(super) fn namespace(name: &str, labels: &[(&str, &str)]) -> Object {
    Object::Namespace {
        name: name.into(),
        labels: labels
            .iter()
            .map(|(label, value)| ((*label).into(), (*value).into()))
            .collect(),
    }
}

/// The Secret `namespace/name` with one key, `token`.
pub(super) fn secret(name: &str, token: &str) -> Object {
    secret_of(name, &[("token", token)])
}

pub(super) fn secret_of(name: &str, keys: &[(&str, &str)]) -> Object {
    let keys = keys
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()));
    let values: BTreeMap<_, _> = keys.collect();
    Object::Secret(named(name), InputData::Data(values.into()))
}

/// A Secret of tokens with annotations (`dragoman.dev/` left out) and labels, as a file has it.
pub(super) fn tokens(
    name: &str,
    users: &[(&str, &str)],
    annotations: &[(&str, &str)],
    labels: &[(&str, &str)],
) -> Object {
    let Object::Secret(key, InputData::Data(mut content)) = secret_of(name, users) else {
        panic!("no Secret")
    };
    for (name, word) in annotations {
        let name = format!("dragoman.dev/{name}");
        content.annotations.insert(name, (*word).into());
    }
    content.labels = words(labels);
    Object::Secret(key, InputData::Data(content))
}

/// What a cluster's watch tells of a Secret.
pub(super) fn labelled(name: &str, labels: &[(&str, &str)]) -> Object {
    Object::SecretLabels(named(name), Some(words(labels)))
}

fn words(words: &[(&str, &str)]) -> BTreeMap<String, String> {
    let words = words.iter();
    words
        .map(|(name, word)| ((*name).into(), (*word).into()))
        .collect()
}

pub(super) fn no_secret(name: &str) -> Object {
    Object::Secret(named(name), InputData::Missing)
}

/// The Secret `namespace/name` as one that could not be read.
pub(super) fn unreadable(name: &str) -> Object {
    Object::Secret(named(name), InputData::Unreadable)
}

/// An object of this key that does not parse.
pub(super) fn malformed(name: &str) -> Object {
    Object::Malformed {
        key: key(name),
        generation: 2,
        message: "unknown field `x`".into(),
    }
}

/// A credential from the key `token` of a Secret.
pub(super) fn token_of(secret: &str) -> Value {
    json!({"secretRef": {"name": secret, "key": "token"}})
}

pub(super) fn named(name: &str) -> ObjectKey {
    let (namespace, name) = name.split_once('/').unwrap();
    ObjectKey::new(namespace, name)
}

/// The key `Kind/namespace/name`.
pub(super) fn key(name: &str) -> Key {
    name.parse().unwrap()
}

pub(super) fn outcome<'w>(world: &'w World, name: &str) -> &'w Outcome {
    world.outcome(&key(name)).unwrap()
}

/// The item of a route that compiled.
pub(super) fn route_item<'w>(world: &'w World, name: &str) -> &'w RouteItem {
    match outcome(world, name).item.as_deref() {
        Ok(Item::Route(route)) => route,
        other => panic!("{name}: {other:?}"),
    }
}

/// The item of an AccessPolicy that compiled.
pub(super) fn policy_item<'w>(world: &'w World, name: &str) -> &'w PolicyItem {
    match outcome(world, name).item.as_deref() {
        Ok(Item::Policy(policy)) => policy,
        other => panic!("{name}: {other:?}"),
    }
}

/// The item of an LLMProxy that compiled.
pub(super) fn proxy_item<'w>(world: &'w World, name: &str) -> &'w ProxyItem {
    match outcome(world, name).item.as_deref() {
        Ok(Item::Proxy(proxy)) => proxy,
        other => panic!("{name}: {other:?}"),
    }
}

/// Where the first backend of a route leads.
pub(super) fn target<'w>(world: &'w World, name: &str) -> &'w Target {
    &route_item(world, name).backends[0].target
}

/// The verdict of this type.
pub(super) fn verdict<'w>(world: &'w World, name: &str, type_: &str) -> &'w Verdict {
    let verdicts = &outcome(world, name).verdicts;
    verdicts
        .iter()
        .find(|verdict| verdict.type_ == type_)
        .unwrap()
}

/// Asserts that a verdict is false for this reason, and that its message names all of `parts`.
pub(super) fn refused(world: &World, name: &str, type_: &str, reason: &str, parts: &[&str]) {
    let verdict = verdict(world, name, type_);
    assert!(!verdict.status, "{name}: {verdict:?}");
    assert_eq!(verdict.reason, reason, "{}", verdict.message);
    for part in parts {
        assert!(
            verdict.message.contains(part),
            "{part}: {}",
            verdict.message
        );
    }
}

/// Asserts that every verdict holds.
pub(super) fn holds(world: &World, name: &str) {
    let outcome = outcome(world, name);
    assert!(outcome.holds(), "{name}: {:?}", outcome.verdicts);
}

/// The items of an LLMProxy, as text.
pub(super) fn members(world: &World, proxy: &str) -> Vec<String> {
    world.members(&named(proxy)).map(Key::to_string).collect()
}

/// What an edit pushes, as `proxy: item` lines.
pub(super) fn pushes(changes: &Changes) -> Vec<String> {
    changes
        .pushes
        .iter()
        .flat_map(|(proxy, items)| items.iter().map(move |item| format!("{proxy}: {item}")))
        .collect()
}

/// Whose outcome an edit changed, as text.
pub(super) fn outcomes(changes: &Changes) -> Vec<String> {
    changes.outcomes.iter().map(Key::to_string).collect()
}

/// Applies everything.
pub(super) fn fill(world: &mut World, objects: impl IntoIterator<Item = Object>) {
    for object in objects {
        world.apply(object);
    }
}
