//! Everything that is known: resources in, items, conditions and changes out.
//!
//! Each compilation notes what it looked at, so that a change recompiles just what depends on it: one edit costs
//! the same however many resources there are.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use dragoman_crds::{LLMBackend, LLMProxy, LLMRoute, ModelMap, SecretKeyReference, condition};
use jiff::Timestamp;

use crate::compile::{self, Findings};
use crate::{Key, Kind, ObjectKey, Outcome, reason};

/// What holds for a whole installation.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The LLMProxy of routes that name none; absent: the only one that there is.
    pub default_proxy: Option<ObjectKey>,
    /// The domain of the cluster's Services.
    pub cluster_domain: String,
    /// Outside a cluster, upstreams may be on loopback.
    pub standalone: bool,
}

/// A resource, or something that resources refer to.
#[derive(Clone, Debug)]
pub enum Object {
    /// An LLMProxy.
    Proxy(Arc<LLMProxy>),
    /// An LLMBackend.
    Backend(Arc<LLMBackend>),
    /// A ModelMap.
    Map(Arc<ModelMap>),
    /// An LLMRoute.
    Route(Arc<LLMRoute>),
    /// A resource that does not parse.
    Malformed {
        /// Which one.
        key: Key,
        /// Its generation.
        generation: i64,
        /// What is wrong with it.
        message: String,
    },
    /// A Namespace.
    Namespace {
        /// Its name.
        name: String,
        /// Its labels.
        labels: BTreeMap<String, String>,
    },
    /// A Secret. One that was never applied counts as not read yet, and what needs it waits.
    Secret(ObjectKey, SecretData),
}

/// What is known of a Secret.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretData {
    /// It does not exist.
    Missing,
    /// Its keys.
    Data(BTreeMap<String, Vec<u8>>),
}

impl std::fmt::Debug for SecretData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Missing => "Missing",
            Self::Data(_) => "Data([secret])",
        })
    }
}

/// What an edit changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Resources whose outcome is different, new or gone.
    pub outcomes: BTreeSet<Key>,
    /// For each LLMProxy, items that its proxies must be given anew or told to forget.
    pub pushes: BTreeMap<ObjectKey, BTreeSet<Key>>,
    /// Whether [`World::wanted_secrets`] changed.
    pub secrets: bool,
}

#[derive(Clone, Debug)]
enum Resource {
    Proxy(Arc<LLMProxy>),
    Backend(Arc<LLMBackend>),
    Map(Arc<ModelMap>),
    Route(Arc<LLMRoute>),
    Malformed(i64, String),
}

/// Something that a compilation looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Seen {
    Resource(Key),
    Outcome(Key),
    Namespace(String),
    Secret(ObjectKey),
    Hostname(String),
    Proxies,
}

/// Everything that is known.
#[derive(Debug)]
pub struct World {
    settings: Settings,
    resources: BTreeMap<Key, Resource>,
    namespaces: BTreeMap<String, BTreeMap<String, String>>,
    secrets: BTreeMap<ObjectKey, SecretData>,
    /// Who claims a hostname, oldest first.
    hostnames: BTreeMap<String, BTreeSet<(Option<Timestamp>, ObjectKey)>>,
    outcomes: BTreeMap<Key, Outcome>,
    seen: HashMap<Key, BTreeSet<Seen>>,
    dependents: HashMap<Seen, BTreeSet<Key>>,
    /// The items of each LLMProxy, each with the number of routes that need it.
    members: BTreeMap<ObjectKey, BTreeMap<Key, usize>>,
}

impl World {
    /// A world without resources.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            resources: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            secrets: BTreeMap::new(),
            hostnames: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            seen: HashMap::new(),
            dependents: HashMap::new(),
            members: BTreeMap::new(),
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
                return self.touched([Seen::Namespace(name)]);
            }
            Object::Secret(key, data) => {
                if self.secrets.get(&key) == Some(&data) {
                    return Changes::default();
                }
                self.secrets.insert(key.clone(), data);
                return self.touched([Seen::Secret(key)]);
            }
            Object::Proxy(proxy) => (key_of(Kind::Proxy, &proxy.metadata), Resource::Proxy(proxy)),
            Object::Backend(backend) => (
                key_of(Kind::Backend, &backend.metadata),
                Resource::Backend(backend),
            ),
            Object::Map(map) => (key_of(Kind::Map, &map.metadata), Resource::Map(map)),
            Object::Route(route) => (key_of(Kind::Route, &route.metadata), Resource::Route(route)),
            Object::Malformed {
                key,
                generation,
                message,
            } => (key, Resource::Malformed(generation, message)),
        };
        let new = !self.resources.contains_key(&key);
        let mut seen = self.claim_hostnames(&key, Some(&resource));
        self.resources.insert(key.clone(), resource);
        if new && key.kind == Kind::Proxy {
            seen.push(Seen::Proxies);
        }
        seen.push(Seen::Resource(key.clone()));
        self.recompile(BTreeSet::from([key]), seen)
    }

    /// Takes in that a resource is gone.
    pub fn delete_item(&mut self, key: &Key) -> Changes {
        if !self.resources.contains_key(key) {
            return Changes::default();
        }
        let mut seen = self.claim_hostnames(key, None);
        self.resources.remove(key);
        if key.kind == Kind::Proxy {
            seen.push(Seen::Proxies);
        }
        seen.push(Seen::Resource(key.clone()));
        self.recompile(BTreeSet::from([key.clone()]), seen)
    }

    /// Takes in that a namespace is gone.
    pub fn delete_namespace(&mut self, name: &str) -> Changes {
        self.namespaces.remove(name);
        self.touched([Seen::Namespace(name.to_owned())])
    }

    /// The Secrets that resources refer to.
    #[must_use]
    pub fn wanted_secrets(&self) -> BTreeSet<ObjectKey> {
        self.dependents
            .iter()
            .filter(|(_, dependents)| !dependents.is_empty())
            .filter_map(|(seen, _)| match seen {
                Seen::Secret(key) => Some(key.clone()),
                _ => None,
            })
            .collect()
    }

    /// The items that the proxies of `proxy` run, its own included, sorted.
    pub fn members(&self, proxy: &ObjectKey) -> impl Iterator<Item = &Key> {
        self.members.get(proxy).into_iter().flat_map(BTreeMap::keys)
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

    /// The LLMProxy of this name.
    #[must_use]
    pub fn proxy(&self, key: &ObjectKey) -> Option<&Arc<LLMProxy>> {
        match self.resource(Kind::Proxy, key)? {
            Resource::Proxy(proxy) => Some(proxy),
            _ => None,
        }
    }

    /// The LLMBackend of this name.
    #[must_use]
    pub fn backend(&self, key: &ObjectKey) -> Option<&Arc<LLMBackend>> {
        match self.resource(Kind::Backend, key)? {
            Resource::Backend(backend) => Some(backend),
            _ => None,
        }
    }

    /// The ModelMap of this name.
    #[must_use]
    pub fn map(&self, key: &ObjectKey) -> Option<&Arc<ModelMap>> {
        match self.resource(Kind::Map, key)? {
            Resource::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The LLMRoute of this name.
    #[must_use]
    pub fn route(&self, key: &ObjectKey) -> Option<&Arc<LLMRoute>> {
        match self.resource(Kind::Route, key)? {
            Resource::Route(route) => Some(route),
            _ => None,
        }
    }

    fn resource(&self, kind: Kind, key: &ObjectKey) -> Option<&Resource> {
        self.resources.get(&Key {
            kind,
            object: key.clone(),
        })
    }

    fn touched<const N: usize>(&mut self, seen: [Seen; N]) -> Changes {
        self.recompile(BTreeSet::new(), seen.into())
    }

    /// Moves the hostname claims of a route to those of `resource`; what others claim too must be looked at again.
    fn claim_hostnames(&mut self, key: &Key, resource: Option<&Resource>) -> Vec<Seen> {
        if key.kind != Kind::Route {
            return Vec::new();
        }
        let mut touched = BTreeSet::new();
        if let Some(Resource::Route(old)) = self.resources.get(key) {
            let created = created(old);
            for hostname in &old.spec.hostnames {
                let hostname = hostname.to_ascii_lowercase();
                if let Some(claims) = self.hostnames.get_mut(&hostname) {
                    claims.remove(&(created, key.object.clone()));
                    if claims.is_empty() {
                        self.hostnames.remove(&hostname);
                    }
                }
                touched.insert(hostname);
            }
        }
        if let Some(Resource::Route(new)) = resource {
            for hostname in &new.spec.hostnames {
                let hostname = hostname.to_ascii_lowercase();
                let claims = self.hostnames.entry(hostname.clone()).or_default();
                claims.insert((created(new), key.object.clone()));
                touched.insert(hostname);
            }
        }
        touched.into_iter().map(Seen::Hostname).collect()
    }

    /// Compiles `first` and everything that looked at `seen`, until nothing changes any more.
    fn recompile(&mut self, first: BTreeSet<Key>, seen: Vec<Seen>) -> Changes {
        let mut changes = Changes::default();
        let mut queue = first;
        for seen in seen {
            queue.extend(self.dependents.get(&seen).into_iter().flatten().cloned());
        }
        // Backends come before routes in the order of keys, and only routes look at outcomes: one pass settles.
        while let Some(key) = queue.pop_first() {
            let Some(outcome) = self.compile(&key, &mut changes) else {
                continue;
            };
            let before = self.outcomes.get(&key);
            if before
                .zip(outcome.as_ref())
                .is_some_and(|(before, after)| !before.differs(after))
            {
                continue;
            }
            queue.extend(
                self.dependents
                    .get(&Seen::Outcome(key.clone()))
                    .into_iter()
                    .flatten()
                    .cloned(),
            );
            self.settle(key, outcome, &mut changes);
        }
        changes
    }

    /// One compilation, and what it looked at. `Some(None)`: the resource is gone. `None`: it never was.
    #[allow(clippy::option_option, reason = "gone and never known are different")]
    fn compile(&mut self, key: &Key, changes: &mut Changes) -> Option<Option<Outcome>> {
        let lookup = Lookup {
            world: self,
            seen: RefCell::default(),
        };
        let outcome = match self.resources.get(key) {
            Some(Resource::Proxy(proxy)) => Some(compile::proxy(proxy, &lookup)),
            Some(Resource::Backend(backend)) => Some(compile::backend(backend, &lookup)),
            Some(Resource::Map(map)) => Some(compile::map(map)),
            Some(Resource::Route(route)) => Some(compile::route(route, &lookup)),
            Some(Resource::Malformed(generation, message)) => {
                Some(malformed(*generation, message, self.outcomes.get(key)))
            }
            None if self.outcomes.contains_key(key) => None,
            None => return None,
        };
        let seen = lookup.seen.into_inner();
        let old = self.seen.remove(key).unwrap_or_default();
        for gone in old.difference(&seen) {
            if let Some(dependents) = self.dependents.get_mut(gone) {
                dependents.remove(key);
                if dependents.is_empty() {
                    self.dependents.remove(gone);
                    if let Seen::Secret(secret) = gone {
                        // Forgotten, so that a later reference reads it afresh.
                        self.secrets.remove(secret);
                        changes.secrets = true;
                    }
                }
            }
        }
        for new in seen.difference(&old) {
            changes.secrets |= matches!(new, Seen::Secret(_)) && !self.dependents.contains_key(new);
            self.dependents
                .entry(new.clone())
                .or_default()
                .insert(key.clone());
        }
        if !seen.is_empty() {
            self.seen.insert(key.clone(), seen);
        }
        Some(outcome)
    }

    /// Puts an outcome in place and works out which proxies must hear of it.
    fn settle(&mut self, key: Key, outcome: Option<Outcome>, changes: &mut Changes) {
        let old = self.outcomes.remove(&key);
        let members = |outcome: Option<&Outcome>| -> BTreeSet<(ObjectKey, Key)> {
            let Some(outcome) = outcome else {
                return BTreeSet::new();
            };
            if key.kind == Kind::Proxy {
                return BTreeSet::from([(key.object.clone(), key.clone())]);
            }
            outcome
                .attached
                .iter()
                .flat_map(|proxy| {
                    std::iter::once(&key)
                        .chain(&outcome.uses)
                        .map(|item| (proxy.clone(), item.clone()))
                })
                .collect()
        };
        let before = members(old.as_ref());
        let after = members(outcome.as_ref());
        for (proxy, item) in before.difference(&after) {
            if let Some(items) = self.members.get_mut(proxy) {
                if let Some(count) = items.get_mut(item) {
                    *count -= 1;
                    if *count == 0 {
                        items.remove(item);
                        changes
                            .pushes
                            .entry(proxy.clone())
                            .or_default()
                            .insert(item.clone());
                    }
                }
                if items.is_empty() {
                    self.members.remove(proxy);
                }
            }
        }
        for (proxy, item) in after.difference(&before) {
            let count = self
                .members
                .entry(proxy.clone())
                .or_default()
                .entry(item.clone())
                .or_default();
            *count += 1;
            if *count == 1 {
                changes
                    .pushes
                    .entry(proxy.clone())
                    .or_default()
                    .insert(item.clone());
            }
        }
        let content = |outcome: Option<&Outcome>| outcome.map(|outcome| outcome.canonical.clone());
        if content(old.as_ref()) != content(outcome.as_ref()) {
            for (proxy, items) in &self.members {
                if items.contains_key(&key) {
                    changes
                        .pushes
                        .entry(proxy.clone())
                        .or_default()
                        .insert(key.clone());
                }
            }
        }
        if let Some(outcome) = outcome {
            self.outcomes.insert(key.clone(), outcome);
        }
        changes.outcomes.insert(key);
    }
}

/// A resource that does not parse keeps its place: what it was attached to holds on to the previous version.
fn malformed(generation: i64, message: &str, before: Option<&Outcome>) -> Outcome {
    let mut findings = Findings::new();
    findings.refuse(reason::MALFORMED, message);
    if let Some(before) = before {
        before
            .attached
            .iter()
            .cloned()
            .for_each(|proxy| findings.attach(proxy));
        before
            .uses
            .iter()
            .cloned()
            .for_each(|item| findings.needs(item));
    }
    findings.finish(generation, Err(message.to_owned()))
}

fn key_of(
    kind: Kind,
    metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
) -> Key {
    Key::new(
        kind,
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    )
}

fn created(route: &LLMRoute) -> Option<Timestamp> {
    route
        .metadata
        .creation_timestamp
        .as_ref()
        .map(|time| time.0)
}

/// What became of the key of a Secret.
pub(crate) enum KeyLookup<'w> {
    Found(&'w [u8]),
    NoKey,
    NoSecret,
    Pending,
}

/// The world as one compilation sees it; it notes what was looked at.
pub(crate) struct Lookup<'w> {
    world: &'w World,
    seen: RefCell<BTreeSet<Seen>>,
}

impl<'w> Lookup<'w> {
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

    /// Why an item that exists cannot be used.
    pub(crate) fn fault_of(&self, item: &Key) -> Option<String> {
        self.see(Seen::Outcome(item.clone()));
        let outcome = self.world.outcomes.get(item)?;
        let refused = |verdict: &&crate::Verdict| {
            !verdict.status
                && matches!(
                    verdict.type_,
                    condition::ACCEPTED | condition::RESOLVED_REFS
                )
        };
        outcome
            .verdicts
            .iter()
            .find(refused)
            .map(|verdict| verdict.message.clone())
    }

    pub(crate) fn namespace(&self, name: &str) -> Option<&'w BTreeMap<String, String>> {
        self.see(Seen::Namespace(name.to_owned()));
        self.world.namespaces.get(name)
    }

    pub(crate) fn hostname_owner(&self, hostname: &str) -> Option<ObjectKey> {
        self.see(Seen::Hostname(hostname.to_owned()));
        let claims = self.world.hostnames.get(hostname)?;
        // A missing creation time (files have none) is older than any; then the name decides.
        claims.first().map(|(_, owner)| owner.clone())
    }

    pub(crate) fn secret(&self, namespace: &str, reference: &SecretKeyReference) -> KeyLookup<'w> {
        let key = ObjectKey::new(namespace, &reference.name);
        self.see(Seen::Secret(key.clone()));
        match self.world.secrets.get(&key) {
            // Files are read as a whole: what is not among them does not exist.
            None if self.world.settings.standalone => KeyLookup::NoSecret,
            None => KeyLookup::Pending,
            Some(SecretData::Missing) => KeyLookup::NoSecret,
            Some(SecretData::Data(data)) => data
                .get(&reference.key)
                .map_or(KeyLookup::NoKey, |value| KeyLookup::Found(value)),
        }
    }
}
