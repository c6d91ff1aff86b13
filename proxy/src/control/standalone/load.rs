//! From files to items: what `run` serves and `check` proves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dragoman_config::manifest::{DEFAULT_NAMESPACE, Schemas};
use dragoman_config::{
    InputData, InputKey, Item, Key, Kind, Object, ObjectKey, Settings, World, reason,
};
use dragoman_crds::{LLMProxy, LLMProxySpec, RoutesFrom};
use serde::{Deserialize, Serialize};

use super::objects::Objects;
use super::{Fault, Files};

/// The domain of Services outside a cluster.
const CLUSTER_DOMAIN: &str = "cluster.local";
/// The name of the LLMProxy that stands in when the files hold none.
const DEFAULT_PROXY: &str = "default";
/// The label that Kubernetes gives every namespace.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// Files without a fault.
#[derive(Debug, Serialize, Deserialize)]
pub struct Loaded {
    /// What a proxy runs.
    pub items: BTreeMap<Key, Arc<Item>>,
    /// What it cannot run, and why. Routes among them are closed.
    pub invalid: BTreeMap<Key, String>,
    /// Number of objects in the files.
    pub objects: usize,
    /// Number of files.
    pub files: usize,
}

/// This program's schemas are of no use: a fault of the program.
#[derive(Debug, thiserror::Error)]
#[error("this build of dragoman-proxy is broken: {0}")]
pub struct Unprepared(String);

/// Reads, validates and compiles manifests.
#[derive(Debug)]
pub struct Loader {
    schemas: Schemas,
}

impl Loader {
    /// A loader for this version's schemas.
    ///
    /// # Errors
    /// [`Unprepared`].
    pub fn new() -> Result<Self, Unprepared> {
        Schemas::new()
            .map(|schemas| Self { schemas })
            .map_err(|fault| Unprepared(fault.to_string()))
    }

    /// Makes items of `files`.
    ///
    /// # Errors
    /// Every fault of every file, in the order of files and lines.
    pub fn load(&self, files: Files) -> Result<Loaded, Vec<Fault>> {
        let count = files.texts.len();
        let mut objects = Objects::read(files, &self.schemas);
        let proxy = only_proxy(&mut objects);
        let mut world = World::new(Settings {
            default_proxy: Some(proxy.clone()),
            cluster_domain: CLUSTER_DOMAIN.into(),
            standalone: true,
        });
        for (name, mut labels) in std::mem::take(&mut objects.namespaces) {
            labels.insert(NAMESPACE_NAME.into(), name.clone());
            world.apply(Object::Namespace { name, labels });
        }
        if objects.proxies.is_empty() {
            world.apply(Object::Proxy(Arc::new(default_proxy())));
        }
        let mut inputs = BTreeSet::new();
        for object in std::mem::take(&mut objects.known) {
            match &object {
                Object::Secret(key, _) => drop(inputs.insert(InputKey::secret(key.clone()))),
                Object::ConfigMap(key, _) => {
                    inputs.insert(InputKey::config_map(key.clone()));
                }
                _ => {}
            }
            world.apply(object);
        }
        // What is in no file does not exist; to find out may uncover what else is wanted.
        while let Some(missing) = world.wanted_inputs().difference(&inputs).next().cloned() {
            world.apply(missing.clone().with(InputData::Missing));
            inputs.insert(missing);
        }
        blame_verdicts(&mut objects, &world, &proxy);
        if !objects.faults.is_empty() {
            objects.faults.sort();
            return Err(objects.faults);
        }
        let mut items = BTreeMap::new();
        let mut invalid = BTreeMap::new();
        for key in world.members(&proxy) {
            match world.outcome(key).map(|outcome| &outcome.item) {
                Some(Ok(item)) => drop(items.insert(key.clone(), Arc::clone(item))),
                Some(Err(why)) => drop(invalid.insert(key.clone(), why.clone())),
                None => {}
            }
        }
        Ok(Loaded {
            items,
            invalid,
            objects: objects.count,
            files: count,
        })
    }
}

/// The LLMProxy that this process is: the one in the files, or the default.
fn only_proxy(objects: &mut Objects) -> ObjectKey {
    let proxies = objects.proxies.clone();
    let Some((first, others)) = proxies.split_first() else {
        return ObjectKey::new(DEFAULT_NAMESPACE, DEFAULT_PROXY);
    };
    for other in others {
        objects.blame(
            &format!("{} {other}", Kind::Proxy.as_str()),
            "",
            format!("outside a cluster one process is one LLMProxy, and {first} is here already; remove one of the two"),
        );
    }
    first.clone()
}

/// Like the chart's: routes of every namespace may attach.
fn default_proxy() -> LLMProxy {
    let mut proxy = LLMProxy::new(DEFAULT_PROXY, LLMProxySpec::default());
    proxy.metadata.namespace = Some(DEFAULT_NAMESPACE.into());
    proxy.spec.allowed_routes.namespaces.from = RoutesFrom::All;
    proxy
}

fn blame_verdicts(objects: &mut Objects, world: &World, proxy: &ObjectKey) {
    // Then it may admit nothing, or what it admits is not known.
    let proxy_is_faulty = objects.is_faulty(&format!("{} {proxy}", Kind::Proxy.as_str()));
    let is_cascade = |reason: &str| match reason {
        // What it refers to is at fault, and speaks for itself.
        reason::REF_INVALID => true,
        reason::NO_PROXY | reason::NOT_ALLOWED_BY_PROXY | reason::INLINE_BACKEND_DENIED => {
            proxy_is_faulty
        }
        _ => false,
    };
    let keys = world.keys().filter(|key| !objects.malformed.contains(key));
    for key in keys.cloned().collect::<Vec<_>>() {
        let verdicts = world
            .outcome(&key)
            .map_or(&[][..], |outcome| &outcome.verdicts);
        let object = format!("{} {}", key.kind.as_str(), key.object);
        for (reason, fault) in verdicts.iter().flat_map(|verdict| &verdict.faults) {
            let (field, told) = told(fault);
            // A rule of the schema may have said it.
            if !is_cascade(reason) && !objects.is_blamed(&object, field) {
                objects.blame(&object, field, told);
            }
        }
    }
}

/// A fault as its field and what is wrong there.
fn told(fault: &str) -> (&str, &str) {
    match fault.split_once(": ") {
        Some((field, told)) if field.starts_with("spec.") => {
            (field.split(' ').next().unwrap_or(field), told)
        }
        _ => ("", fault),
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
