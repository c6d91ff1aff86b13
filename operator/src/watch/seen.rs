//! What watches report.

use std::collections::BTreeMap;

use dragoman_config::{Key, Kind, Object, ObjectKey};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

/// One watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// A kind of ours.
    Resources(Kind),
    /// All Namespaces.
    Namespaces,
    /// All Secrets but Helm's, by metadata.
    Secrets,
    /// The proxies' Pods, by metadata.
    Pods,
    /// Deployments that we made.
    Deployments,
    /// Services that we made.
    Services,
    /// ServiceAccounts that we made, by metadata.
    ServiceAccounts,
    /// PodDisruptionBudgets that we made, by metadata.
    Budgets,
    /// ConfigMaps that we made, by metadata.
    OwnedConfigMaps,
    /// All ConfigMaps but those that every namespace has, by metadata.
    ConfigMaps,
}

impl Source {
    /// Every watch.
    pub const ALL: [Self; 15] = [
        Self::Resources(Kind::Policy),
        Self::Resources(Kind::Proxy),
        Self::Resources(Kind::Mapper),
        Self::Resources(Kind::Backend),
        Self::Resources(Kind::Map),
        Self::Resources(Kind::Route),
        Self::Namespaces,
        Self::Secrets,
        Self::Pods,
        Self::Deployments,
        Self::Services,
        Self::ServiceAccounts,
        Self::Budgets,
        Self::OwnedConfigMaps,
        Self::ConfigMaps,
    ];

    /// What is watched, for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resources(kind) => kind.as_str(),
            Self::Namespaces => "Namespace",
            Self::Secrets => "Secret",
            Self::Pods => "Pod",
            Self::Deployments => "Deployment",
            Self::Services => "Service",
            Self::ServiceAccounts => "ServiceAccount",
            Self::Budgets => "PodDisruptionBudget",
            Self::OwnedConfigMaps | Self::ConfigMaps => "ConfigMap",
        }
    }
}

/// One event of one watch.
#[derive(Debug)]
pub struct Seen {
    /// Which watch.
    pub source: Source,
    /// What happened.
    pub change: Change,
}

/// What happened.
#[derive(Debug)]
pub enum Change {
    /// An object exists, or changed.
    Applied(Thing),
    /// An object is gone.
    Deleted(ObjectKey),
    /// The watch has listed everything there is.
    Listed,
}

/// An object as far as the operator cares.
#[derive(Debug)]
pub enum Thing {
    /// One of our resources.
    Resource(Box<Resource>),
    /// A Namespace.
    Namespace {
        /// Its name.
        name: String,
        /// Its labels, which decide about references.
        labels: BTreeMap<String, String>,
        /// Whether it is being deleted.
        terminating: bool,
    },
    /// A Secret exists or changed; its labels decide about policies.
    Secret(ObjectKey, BTreeMap<String, String>),
    /// A ConfigMap exists or changed.
    ConfigMap(ObjectKey),
    /// A Pod.
    Pod(ObjectKey, Box<ObjectMeta>),
    /// A Deployment that we made.
    Deployment(Box<Deployment>),
    /// A Service that we made.
    Service(Box<Service>),
    /// Something else that we made.
    Owned(ObjectKey, Box<ObjectMeta>),
}

/// One of our resources, read.
#[derive(Debug)]
pub struct Resource {
    /// Which one.
    pub key: Key,
    /// Its UID, which tells it from another of the same name.
    pub uid: String,
    /// Its version, as a number that grows; 0 where it is none.
    pub version: u64,
    /// What it says.
    pub object: Object,
    /// Its status as it stands.
    pub status: Value,
}
