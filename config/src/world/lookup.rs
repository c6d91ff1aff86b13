//! What a compilation sees, and the note of it that decides what an edit compiles anew.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dragoman_crds::{AccessPolicy, LLMBackend, LLMProxy, Mapper, ModelMap, SecretKeyReference};

use super::claims::Host;
use super::{InputContent, InputData, InputKey, Settings, World};
use crate::{ClusterKeysItem, Item, Key, Kind, MapperItem, ObjectKey, Verdict};

/// The label with which Kubernetes names a namespace.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Something that a compilation looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Seen {
    /// Whether a resource exists and whom it admits.
    Resource(Key),
    /// Whether another resource can be used.
    Outcome(Key),
    Namespace(String),
    Input(InputKey),
    Hostname(Host),
    /// Which Secrets of a namespace a selector selects.
    Secrets(String),
    /// What verifies the cluster's ServiceAccounts.
    ClusterKeys,
    /// Which LLMProxies there are.
    Proxies,
}

/// What became of the key of a Secret.
pub(crate) enum KeyLookup<'w> {
    Found(&'w [u8]),
    NoKey,
    NoSecret,
    /// Not asked for yet.
    Pending,
    /// Asked for in vain so far.
    Unreadable,
}

/// What became of a Secret or a ConfigMap.
pub(crate) enum InputLookup<'w> {
    Found(&'w InputContent),
    Missing,
    /// Not asked for yet.
    Pending,
    /// Asked for in vain so far.
    Unreadable,
}

/// What is known of the cluster's keys.
pub(crate) enum KeysLookup<'w> {
    Known(&'w ClusterKeysItem),
    /// Not read yet.
    Pending,
    /// Read in vain so far.
    Unreadable,
}

/// The labels of a namespace.
pub(crate) struct NamespaceLabels<'w> {
    name: String,
    labels: Option<&'w BTreeMap<String, String>>,
}

impl NamespaceLabels<'_> {
    /// The value of the label `key`; every namespace carries its name.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let label = self.labels.and_then(|labels| labels.get(key));
        label
            .or_else(|| (key == NAME_LABEL).then_some(&self.name))
            .map(String::as_str)
    }
}

/// The world as one compilation sees it; it notes what was looked at.
pub(crate) struct Lookup<'w> {
    world: &'w World,
    seen: RefCell<BTreeSet<Seen>>,
}

impl<'w> Lookup<'w> {
    pub(super) fn new(world: &'w World) -> Self {
        Self {
            world,
            seen: RefCell::default(),
        }
    }

    pub(super) fn into_seen(self) -> BTreeSet<Seen> {
        self.seen.into_inner()
    }

    fn see(&self, seen: Seen) {
        self.seen.borrow_mut().insert(seen);
    }

    pub(crate) fn settings(&self) -> &'w Settings {
        &self.world.settings
    }

    /// The LLMProxy of routes that name none; the count where that is ambiguous.
    pub(crate) fn default_proxy(&self) -> Result<ObjectKey, usize> {
        if let Some(proxy) = &self.world.settings.default_proxy {
            return Ok(proxy.clone());
        }
        self.see(Seen::Proxies);
        let mut proxies = self
            .world
            .resources
            .keys()
            .filter(|key| key.kind == Kind::Proxy);
        match (proxies.next(), proxies.count()) {
            (Some(only), 0) => Ok(only.object.clone()),
            (None, _) => Err(0),
            (Some(_), more) => Err(more + 1),
        }
    }

    pub(crate) fn policy(&self, key: &ObjectKey) -> Option<&'w AccessPolicy> {
        self.see(Seen::Resource(Key {
            kind: Kind::Policy,
            object: key.clone(),
        }));
        self.world.policy(key).map(Arc::as_ref)
    }

    pub(crate) fn proxy(&self, key: &ObjectKey) -> Option<&'w LLMProxy> {
        self.see(Seen::Resource(Key {
            kind: Kind::Proxy,
            object: key.clone(),
        }));
        self.world.proxy(key).map(Arc::as_ref)
    }

    pub(crate) fn backend(&self, key: &ObjectKey) -> Option<&'w LLMBackend> {
        self.see(Seen::Resource(Key {
            kind: Kind::Backend,
            object: key.clone(),
        }));
        self.world.backend(key).map(Arc::as_ref)
    }

    pub(crate) fn map(&self, key: &ObjectKey) -> Option<&'w ModelMap> {
        self.see(Seen::Resource(Key {
            kind: Kind::Map,
            object: key.clone(),
        }));
        self.world.map(key).map(Arc::as_ref)
    }

    pub(crate) fn mapper(&self, key: &ObjectKey) -> Option<&'w Mapper> {
        self.see(Seen::Resource(Key {
            kind: Kind::Mapper,
            object: key.clone(),
        }));
        self.world.mapper(key).map(Arc::as_ref)
    }

    /// What a Mapper that exists became; none while it has a fault.
    pub(crate) fn mapper_item(&self, item: &Key) -> Option<&'w MapperItem> {
        self.see(Seen::Outcome(item.clone()));
        match self.world.outcomes.get(item)?.item.as_deref() {
            Ok(Item::Mapper(mapper)) => Some(mapper),
            _ => None,
        }
    }

    /// Why an item that exists cannot be used.
    pub(crate) fn fault_of(&self, item: &Key) -> Option<&'w Verdict> {
        self.see(Seen::Outcome(item.clone()));
        self.world.outcomes.get(item)?.fault()
    }

    /// Whether the resource exists, although it does not parse and never did.
    pub(crate) fn unreadable(&self, key: &Key) -> bool {
        self.see(Seen::Resource(key.clone()));
        let resource = self.world.resources.get(key);
        resource.is_some_and(|resource| resource.readable().is_none())
    }

    /// The value of a namespace's label; files have no namespaces, but each has its name.
    pub(crate) fn namespace(&self, name: &str) -> Option<NamespaceLabels<'w>> {
        self.see(Seen::Namespace(name.to_owned()));
        let labels = self.world.namespaces.get(name);
        if labels.is_none() && !self.world.settings.standalone {
            return None;
        }
        Some(NamespaceLabels {
            name: name.to_owned(),
            labels,
        })
    }

    pub(crate) fn hostname_owner(
        &self,
        proxy: &ObjectKey,
        hostname: &str,
    ) -> Option<&'w ObjectKey> {
        let host = (proxy.clone(), hostname.to_owned());
        self.see(Seen::Hostname(host.clone()));
        self.world.claims.owner(&host)
    }

    pub(crate) fn secret(&self, namespace: &str, reference: &SecretKeyReference) -> KeyLookup<'w> {
        let key = InputKey::secret(ObjectKey::new(namespace, &reference.name));
        self.see(Seen::Input(key.clone()));
        match self.world.inputs.get(&key) {
            // Files are read as a whole: what is not among them does not exist.
            None if self.world.settings.standalone => KeyLookup::NoSecret,
            None => KeyLookup::Pending,
            Some(InputData::Missing) => KeyLookup::NoSecret,
            Some(InputData::Unreadable) => KeyLookup::Unreadable,
            Some(InputData::Data(content)) => content
                .values
                .get(&reference.key)
                .map_or(KeyLookup::NoKey, |value| KeyLookup::Found(value)),
        }
    }

    pub(crate) fn config_map(&self, namespace: &str, name: &str) -> InputLookup<'w> {
        self.input(InputKey::config_map(ObjectKey::new(namespace, name)))
    }

    /// A Secret as a whole.
    pub(crate) fn whole_secret(&self, namespace: &str, name: &str) -> InputLookup<'w> {
        self.input(InputKey::secret(ObjectKey::new(namespace, name)))
    }

    fn input(&self, key: InputKey) -> InputLookup<'w> {
        self.see(Seen::Input(key.clone()));
        match self.world.inputs.get(&key) {
            None if self.world.settings.standalone => InputLookup::Missing,
            None => InputLookup::Pending,
            Some(InputData::Missing) => InputLookup::Missing,
            Some(InputData::Unreadable) => InputLookup::Unreadable,
            Some(InputData::Data(content)) => InputLookup::Found(content),
        }
    }

    /// The Secrets of a namespace by name, with their labels.
    pub(crate) fn secrets(
        &self,
        namespace: &str,
    ) -> impl Iterator<Item = (&'w str, &'w BTreeMap<String, String>)> {
        self.see(Seen::Secrets(namespace.to_owned()));
        let first = ObjectKey::new(namespace, "");
        let secrets = self.world.secret_labels.range(first..);
        let namespace = namespace.to_owned();
        secrets
            .take_while(move |(key, _)| key.namespace == namespace)
            .map(|(key, labels)| (key.name.as_str(), labels))
    }

    pub(crate) fn cluster_keys(&self) -> KeysLookup<'w> {
        self.see(Seen::ClusterKeys);
        match &self.world.cluster_keys {
            None => KeysLookup::Pending,
            Some(None) => KeysLookup::Unreadable,
            Some(Some(keys)) => KeysLookup::Known(keys),
        }
    }

    /// What an item uses as it stands.
    pub(crate) fn uses_of(&self, item: &Key) -> &'w [Key] {
        self.see(Seen::Outcome(item.clone()));
        let outcome = self.world.outcomes.get(item);
        outcome.map_or(&[], |outcome| &outcome.uses)
    }
}
