//! Everything that is known: resources in, items, conditions and changes out.
//!
//! Each compilation notes what it looked at, so that a change recompiles just what depends on it: one edit costs
//! the same however many resources there are.

mod claims;
mod kept;
mod lookup;
mod members;
mod object;
mod recompile;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use dragoman_crds::{AccessPolicy, LLMBackend, LLMProxy, LLMRoute, Mapper, ModelMap};

use crate::compile;
use crate::{ClusterKeysItem, Key, Kind, ObjectKey, Outcome};
use claims::Claims;
use lookup::Seen;
use members::Members;
use object::{Resource, key_of};

pub(crate) use lookup::{InputLookup, KeyLookup, KeysLookup, Lookup};
pub use object::{
    Changes, ClusterKeys, InputContent, InputData, InputKey, InputKind, Object, Settings,
};

/// Everything that is known.
#[derive(Debug)]
pub struct World {
    settings: Settings,
    resources: BTreeMap<Key, Resource>,
    namespaces: BTreeMap<String, BTreeMap<String, String>>,
    inputs: BTreeMap<InputKey, InputData>,
    /// Every Secret that there is, with its labels.
    secret_labels: BTreeMap<ObjectKey, BTreeMap<String, String>>,
    cluster_keys: Option<Option<ClusterKeysItem>>,
    claims: Claims,
    outcomes: BTreeMap<Key, Outcome>,
    seen: HashMap<Key, BTreeSet<Seen>>,
    dependents: HashMap<Seen, BTreeSet<Key>>,
    members: Members,
    /// What the last version of a route, LLMBackend or LLMProxy that compiled uses: proxies run it while a later one does not compile. One that
    /// has no entry never compiled here: what its version at proxies uses is not known.
    held: HashMap<Key, Vec<Key>>,
    /// Whether everything that there is was applied, so that what compiles is what proxies are sent.
    complete: bool,
}

impl World {
    /// A world without resources.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            resources: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            inputs: BTreeMap::new(),
            secret_labels: BTreeMap::new(),
            cluster_keys: None,
            claims: Claims::default(),
            outcomes: BTreeMap::new(),
            seen: HashMap::new(),
            dependents: HashMap::new(),
            members: Members::default(),
            held: HashMap::new(),
            complete: false,
        }
    }

    /// Takes in an object, new or changed.
    pub fn apply(&mut self, object: Object) -> Changes {
        let (key, resource) = match object {
            Object::Namespace { name, labels } => {
                if self.namespaces.get(&name) == Some(&labels) {
                    return Changes::default();
                }
                self.namespaces.insert(name.clone(), labels);
                return self.recompile(BTreeSet::new(), vec![Seen::Namespace(name)]);
            }
            Object::Secret(key, data) => return self.secret(key, data),
            Object::SecretLabels(key, labels) => {
                let concerned = self.label(&key, labels);
                return self.recompile(concerned, Vec::new());
            }
            Object::ClusterKeys(keys) => return self.cluster_keys(keys),
            Object::ConfigMap(key, data) => return self.take(InputKey::config_map(key), data),
            Object::Policy(policy) => (
                key_of(Kind::Policy, &policy.metadata),
                Resource::Policy(policy),
            ),
            Object::Proxy(proxy) => (key_of(Kind::Proxy, &proxy.metadata), Resource::Proxy(proxy)),
            Object::Backend(backend) => (
                key_of(Kind::Backend, &backend.metadata),
                Resource::Backend(backend),
            ),
            Object::Mapper(mapper) => (
                key_of(Kind::Mapper, &mapper.metadata),
                Resource::Mapper(mapper),
            ),
            Object::Map(map) => (key_of(Kind::Map, &map.metadata), Resource::Map(map)),
            Object::Route(route) => (key_of(Kind::Route, &route.metadata), Resource::Route(route)),
            Object::Malformed {
                key,
                generation,
                message,
            } => {
                let last = self.resources.get(&key).and_then(Resource::readable);
                let last = last.cloned().map(Box::new);
                (
                    key,
                    Resource::Malformed {
                        generation,
                        message,
                        last,
                    },
                )
            }
        };
        let old = self.resources.get(&key);
        let same = old.is_some_and(|old| old.compiles_like(&resource));
        let mut seen = Vec::new();
        if old.map(Resource::view) != Some(resource.view()) {
            seen.push(Seen::Resource(key.clone()));
        }
        if old.is_none() && key.kind == Kind::Proxy {
            seen.push(Seen::Proxies);
        }
        self.resources.insert(key.clone(), resource);
        if same {
            return Changes::default();
        }
        self.recompile(BTreeSet::from([key]), seen)
    }

    fn take(&mut self, key: InputKey, data: InputData) -> Changes {
        let seen = self.keep(key, data);
        self.recompile(BTreeSet::new(), seen)
    }

    /// Keeps what a Secret or a ConfigMap says; returns what is different.
    fn keep(&mut self, key: InputKey, data: InputData) -> Vec<Seen> {
        let known = self.inputs.get(&key);
        if known == Some(&data) || (known.is_some() && data == InputData::Unreadable) {
            return Vec::new();
        }
        self.inputs.insert(key.clone(), data);
        vec![Seen::Input(key)]
    }

    fn secret(&mut self, key: ObjectKey, data: InputData) -> Changes {
        let mut concerned = BTreeSet::new();
        // A file has its labels with it; a cluster's watch tells them.
        if self.settings.standalone {
            let labels = match &data {
                InputData::Data(content) => Some(content.labels.clone()),
                _ => None,
            };
            concerned = self.label(&key, labels);
        }
        let seen = self.keep(InputKey::secret(key), data);
        self.recompile(concerned, seen)
    }

    /// Keeps a Secret's labels; returns the policies that select it from now on, or no longer.
    fn label(
        &mut self,
        key: &ObjectKey,
        labels: Option<BTreeMap<String, String>>,
    ) -> BTreeSet<Key> {
        let before = self.secret_labels.get(key);
        if before == labels.as_ref() {
            return BTreeSet::new();
        }
        let selects = |policy: &Key, labels: Option<&BTreeMap<String, String>>| {
            let policy = self.policy(&policy.object);
            let selector = policy.and_then(|policy| compile::secret_selector(&policy.spec));
            let pair = selector.zip(labels);
            pair.is_some_and(|(selector, labels)| {
                compile::selects(selector, |label| labels.get(label).map(String::as_str))
            })
        };
        let asking = self.dependents.get(&Seen::Secrets(key.namespace.clone()));
        let concerned = asking.into_iter().flatten();
        let concerned =
            concerned.filter(|policy| selects(policy, before) != selects(policy, labels.as_ref()));
        let concerned = concerned.cloned().collect();
        match labels {
            Some(labels) => self.secret_labels.insert(key.clone(), labels),
            None => self.secret_labels.remove(key),
        };
        concerned
    }

    fn cluster_keys(&mut self, keys: ClusterKeys) -> Changes {
        let keys = match keys {
            ClusterKeys::Known(keys) => Some(keys),
            ClusterKeys::Unreadable if self.cluster_keys.is_some() => return Changes::default(),
            ClusterKeys::Unreadable => None,
        };
        if self.cluster_keys.as_ref() == Some(&keys) {
            return Changes::default();
        }
        self.cluster_keys = Some(keys);
        self.recompile(BTreeSet::new(), vec![Seen::ClusterKeys])
    }

    /// Takes in that a resource is gone.
    pub fn delete_item(&mut self, key: &Key) -> Changes {
        if self.resources.remove(key).is_none() {
            return Changes::default();
        }
        let mut seen = vec![Seen::Resource(key.clone())];
        if key.kind == Kind::Proxy {
            seen.push(Seen::Proxies);
        }
        self.recompile(BTreeSet::from([key.clone()]), seen)
    }

    /// Takes in that a namespace is gone.
    pub fn delete_namespace(&mut self, name: &str) -> Changes {
        self.namespaces.remove(name);
        self.recompile(BTreeSet::new(), vec![Seen::Namespace(name.to_owned())])
    }

    /// The Secrets and ConfigMaps that resources refer to.
    #[must_use]
    pub fn wanted_inputs(&self) -> BTreeSet<InputKey> {
        self.dependents
            .iter()
            .filter(|(_, dependents)| !dependents.is_empty())
            .filter_map(|(seen, _)| match seen {
                Seen::Input(key) => Some(key.clone()),
                _ => None,
            })
            .collect()
    }

    /// The items that the proxies of `proxy` run, its own included, sorted.
    pub fn members(&self, proxy: &ObjectKey) -> impl Iterator<Item = &Key> {
        self.members.of(proxy)
    }

    /// Whether the proxies of `proxy` run the item.
    #[must_use]
    pub fn is_member(&self, proxy: &ObjectKey, item: &Key) -> bool {
        self.members.has(proxy, item)
    }

    /// The LLMProxies whose proxies run the item.
    pub fn running(&self, item: &Key) -> impl Iterator<Item = &ObjectKey> {
        self.members.running(item)
    }

    /// What became of a resource.
    #[must_use]
    pub fn outcome(&self, key: &Key) -> Option<&Outcome> {
        self.outcomes.get(key)
    }

    /// Every resource, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.resources.keys()
    }

    /// The AccessPolicy of this name; where it does not parse, the last version that did.
    #[must_use]
    pub fn policy(&self, key: &ObjectKey) -> Option<&Arc<AccessPolicy>> {
        match self.resource(Kind::Policy, key)? {
            Resource::Policy(policy) => Some(policy),
            _ => None,
        }
    }

    /// The LLMProxy of this name; where it does not parse, the last version that did.
    #[must_use]
    pub fn proxy(&self, key: &ObjectKey) -> Option<&Arc<LLMProxy>> {
        match self.resource(Kind::Proxy, key)? {
            Resource::Proxy(proxy) => Some(proxy),
            _ => None,
        }
    }

    /// The LLMBackend of this name; where it does not parse, the last version that did.
    #[must_use]
    pub fn backend(&self, key: &ObjectKey) -> Option<&Arc<LLMBackend>> {
        match self.resource(Kind::Backend, key)? {
            Resource::Backend(backend) => Some(backend),
            _ => None,
        }
    }

    /// The ModelMap of this name; where it does not parse, the last version that did.
    #[must_use]
    pub fn map(&self, key: &ObjectKey) -> Option<&Arc<ModelMap>> {
        match self.resource(Kind::Map, key)? {
            Resource::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The Mapper of this name; where it does not parse, the last version that did.
    #[must_use]
    pub fn mapper(&self, key: &ObjectKey) -> Option<&Arc<Mapper>> {
        match self.resource(Kind::Mapper, key)? {
            Resource::Mapper(mapper) => Some(mapper),
            _ => None,
        }
    }

    /// The LLMRoute of this name; where it does not parse, the last version that did.
    #[must_use]
    pub fn route(&self, key: &ObjectKey) -> Option<&Arc<LLMRoute>> {
        match self.resource(Kind::Route, key)? {
            Resource::Route(route) => Some(route),
            _ => None,
        }
    }

    fn resource(&self, kind: Kind, key: &ObjectKey) -> Option<&Resource> {
        let key = Key {
            kind,
            object: key.clone(),
        };
        self.resources.get(&key)?.readable()
    }
}

#[cfg(test)]
mod tests;
