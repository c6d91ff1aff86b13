//! What goes into a world and what comes out of an edit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dragoman_crds::{
    AccessPolicy, AllowedRoutes, InlineBackends, LLMBackend, LLMProxy, LLMRoute, Mapper,
    MapperSpec, ModelMap, NameMatch, ProxyAllowedRoutes,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::compile::{changing_rule, lends_identity, wants_policy};
use crate::{ClusterKeysItem, Key, Kind, ObjectKey};

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
    /// An AccessPolicy.
    Policy(Arc<AccessPolicy>),
    /// An LLMProxy.
    Proxy(Arc<LLMProxy>),
    /// An LLMBackend.
    Backend(Arc<LLMBackend>),
    /// A ModelMap.
    Map(Arc<ModelMap>),
    /// A Mapper.
    Mapper(Arc<Mapper>),
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
    /// A Secret. One that was never applied counts as not read yet, and what needs it waits, routes to backends that need it
    /// included.
    Secret(ObjectKey, InputData),
    /// A ConfigMap, to which the same applies.
    ConfigMap(ObjectKey, InputData),
    /// The labels of a Secret, by which policies select it; absent: it is gone. Outside a cluster what [`Object::Secret`] holds counts.
    SecretLabels(ObjectKey, Option<BTreeMap<String, String>>),
    /// What verifies the tokens of the cluster's ServiceAccounts. What was never applied is not known yet, and what needs it waits.
    ClusterKeys(ClusterKeys),
}

/// What is known of the keys of the cluster's ServiceAccounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterKeys {
    /// They could not be read yet. What was known before stands.
    Unreadable,
    /// These.
    Known(ClusterKeysItem),
}

/// What of the cluster's own kinds a resource may take its values from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum InputKind {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
}

/// A Secret or a ConfigMap by its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InputKey {
    /// Which of the two.
    pub kind: InputKind,
    /// Its namespace and name.
    pub object: ObjectKey,
}

impl InputKey {
    /// A Secret.
    #[must_use]
    pub fn secret(object: ObjectKey) -> Self {
        let kind = InputKind::Secret;
        Self { kind, object }
    }

    /// A ConfigMap.
    #[must_use]
    pub fn config_map(object: ObjectKey) -> Self {
        let kind = InputKind::ConfigMap;
        Self { kind, object }
    }

    /// The object that says what is known of it.
    #[must_use]
    pub fn with(self, data: InputData) -> Object {
        match self.kind {
            InputKind::Secret => Object::Secret(self.object, data),
            InputKind::ConfigMap => Object::ConfigMap(self.object, data),
        }
    }
}

impl std::fmt::Display for InputKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind {
            InputKind::Secret => "Secret",
            InputKind::ConfigMap => "ConfigMap",
        };
        write!(f, "{kind} {}", self.object)
    }
}

/// What is known of a Secret or a ConfigMap.
#[derive(Clone, PartialEq, Eq)]
pub enum InputData {
    /// It does not exist.
    Missing,
    /// It could not be read yet: what needs it has a fault, and what needs that goes on without. What was known before stands.
    Unreadable,
    /// What it says.
    Data(InputContent),
}

/// What a Secret or a ConfigMap says.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct InputContent {
    /// Its keys.
    pub values: BTreeMap<String, Vec<u8>>,
    /// Its annotations, as far as they are ours.
    pub annotations: BTreeMap<String, String>,
    /// Its labels, outside a cluster alone.
    pub labels: BTreeMap<String, String>,
}

impl InputContent {
    /// Keeps those annotations that mean something here: others change often, and may be as large as the object.
    #[must_use]
    pub fn annotated(mut self, annotations: BTreeMap<String, String>) -> Self {
        let ours = |name: &str| {
            let group = name.split_once('/').map(|(group, _)| group);
            group == Some(dragoman_crds::GROUP)
        };
        self.annotations = annotations;
        self.annotations.retain(|name, _| ours(name));
        self
    }
}

impl From<BTreeMap<String, Vec<u8>>> for InputContent {
    fn from(values: BTreeMap<String, Vec<u8>>) -> Self {
        Self {
            values,
            ..Self::default()
        }
    }
}

impl std::fmt::Debug for InputContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[hidden]")
    }
}

impl std::fmt::Debug for InputData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Missing => "Missing",
            Self::Unreadable => "Unreadable",
            Self::Data(_) => "Data([hidden])",
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
    /// Whether [`World::wanted_inputs`] changed.
    pub inputs: bool,
}

/// A resource as a world keeps it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Resource {
    Policy(Arc<AccessPolicy>),
    Proxy(Arc<LLMProxy>),
    Backend(Arc<LLMBackend>),
    Map(Arc<ModelMap>),
    Mapper(Arc<Mapper>),
    Route(Arc<LLMRoute>),
    Malformed {
        generation: i64,
        message: String,
        /// The last version that parsed, which proxies still run.
        last: Option<Box<Resource>>,
    },
}

/// A backend that a map's rule names: the places of rule and target, the rule's match, the name.
type NamedBackend<'r> = ((usize, usize), &'r NameMatch, &'r str);

/// What those who refer to a resource see of it; an edit of anything else does not concern them.
#[derive(PartialEq)]
pub(super) enum View<'r> {
    /// Whom it admits, and which of its rules chooses models or backends.
    Policy(&'r AllowedRoutes, Option<&'r str>),
    /// Whom it admits, and whether it does so without a policy of the route's own.
    Proxy(&'r ProxyAllowedRoutes, InlineBackends, bool),
    /// Whom it admits, and whether it needs a proxy of its own namespace.
    Backend(&'r AllowedRoutes, bool),
    /// Whom it admits, and which backends its rules name.
    Map(&'r AllowedRoutes, Vec<NamedBackend<'r>>),
    /// All of it becomes a part of what uses it.
    Mapper(&'r MapperSpec),
    Route,
    Unreadable,
}

impl Resource {
    /// The version that counts: the last one that parsed.
    pub(super) fn readable(&self) -> Option<&Self> {
        match self {
            Self::Malformed { last, .. } => last.as_deref(),
            other => Some(other),
        }
    }

    pub(super) fn view(&self) -> View<'_> {
        match self.readable() {
            Some(Self::Policy(policy)) => {
                View::Policy(&policy.spec.allowed_routes, changing_rule(&policy.spec))
            }
            Some(Self::Proxy(proxy)) => View::Proxy(
                &proxy.spec.allowed_routes,
                proxy.spec.backends.inline,
                wants_policy(&proxy.spec),
            ),
            Some(Self::Backend(backend)) => {
                View::Backend(&backend.spec.allowed_routes, lends_identity(&backend.spec))
            }
            Some(Self::Map(map)) => View::Map(&map.spec.allowed_routes, named_backends(map)),
            Some(Self::Mapper(mapper)) => View::Mapper(&mapper.spec),
            Some(Self::Route(_)) => View::Route,
            Some(Self::Malformed { .. }) | None => View::Unreadable,
        }
    }

    /// Whether compiling `other` gives what compiling this gave: only status or metadata that nothing reads may differ.
    pub(super) fn compiles_like(&self, other: &Self) -> bool {
        let meta = |a: &ObjectMeta, b: &ObjectMeta| {
            a.generation == b.generation && a.creation_timestamp == b.creation_timestamp
        };
        match (self, other) {
            (Self::Policy(a), Self::Policy(b)) => {
                meta(&a.metadata, &b.metadata) && a.spec == b.spec
            }
            (Self::Proxy(a), Self::Proxy(b)) => meta(&a.metadata, &b.metadata) && a.spec == b.spec,
            (Self::Backend(a), Self::Backend(b)) => {
                meta(&a.metadata, &b.metadata) && a.spec == b.spec
            }
            (Self::Map(a), Self::Map(b)) => meta(&a.metadata, &b.metadata) && a.spec == b.spec,
            (Self::Mapper(a), Self::Mapper(b)) => {
                meta(&a.metadata, &b.metadata) && a.spec == b.spec
            }
            (Self::Route(a), Self::Route(b)) => meta(&a.metadata, &b.metadata) && a.spec == b.spec,
            (Self::Malformed { .. }, Self::Malformed { .. }) => self == other,
            _ => false,
        }
    }
}

/// The backends that a map's rules name, in order.
fn named_backends(map: &ModelMap) -> Vec<NamedBackend<'_>> {
    let rules = map.spec.rules.iter().enumerate();
    rules
        .flat_map(|(at, rule)| {
            let targets = rule.target.iter().chain(&rule.fallbacks);
            targets.enumerate().filter_map(move |(place, target)| {
                let backend = target.backend.as_deref()?;
                Some(((at, place), &rule.r#match, backend))
            })
        })
        .collect()
}

pub(super) fn key_of(kind: Kind, metadata: &ObjectMeta) -> Key {
    Key::new(
        kind,
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    )
}

pub(super) fn created(route: &LLMRoute) -> Option<Timestamp> {
    route
        .metadata
        .creation_timestamp
        .as_ref()
        .map(|time| time.0)
}
