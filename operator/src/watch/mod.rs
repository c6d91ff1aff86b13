//! Watches: everything that the API server tells us, as one stream of events.

pub mod backoff;
mod follow;
pub mod read;
mod relist;
mod seen;

use dragoman_config::Kind;
use dragoman_crds::{AccessPolicy, LLMBackend, LLMProxy, LLMRoute, Mapper, ModelMap};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{ApiResource, PartialObjectMeta};
use kube::core::DynamicObject;
use kube::runtime::watcher::Config;
use kube::{Api, Client, Resource as _};
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

use self::follow::{Listener, follow};
pub use self::seen::{Change, Resource, Seen, Source, Thing};
use crate::children::labels;

/// Begins every watch; they end when the listener is gone or the set is dropped.
pub fn begin(client: &Client, listener: &Sender<Seen>) -> JoinSet<()> {
    let listener = Listener::new(listener.clone());
    let mut watches = JoinSet::new();
    for kind in [
        Kind::Policy,
        Kind::Proxy,
        Kind::Mapper,
        Kind::Backend,
        Kind::Map,
        Kind::Route,
    ] {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &api_resource(kind));
        let convert = move |object| Thing::Resource(Box::new(read::resource(kind, object)));
        watches.spawn(follow(
            Source::Resources(kind),
            api,
            Config::default(),
            convert,
            listener.clone(),
        ));
    }
    let namespace = |object: PartialObjectMeta<Namespace>| {
        let metadata = object.metadata;
        Thing::Namespace {
            name: metadata.name.unwrap_or_default(),
            labels: metadata.labels.unwrap_or_default(),
            terminating: metadata.deletion_timestamp.is_some(),
        }
    };
    let everything = Api::<PartialObjectMeta<Namespace>>::all(client.clone());
    watches.spawn(follow(
        Source::Namespaces,
        everything,
        Config::default(),
        namespace,
        listener.clone(),
    ));

    // Helm keeps whole releases in Secrets: many, large, and nobody's credential.
    let secrets = Config::default().fields("type!=helm.sh/release.v1");
    let secret = |object: PartialObjectMeta<Secret>| {
        let name = read::name_of(&object.metadata);
        Thing::Secret(name, object.metadata.labels.unwrap_or_default())
    };
    watches.spawn(follow(
        Source::Secrets,
        Api::all(client.clone()),
        secrets,
        secret,
        listener.clone(),
    ));

    let pods = Config::default().labels(labels::PROXY);
    let pod = |object: PartialObjectMeta<Pod>| {
        Thing::Pod(read::name_of(&object.metadata), Box::new(object.metadata))
    };
    watches.spawn(follow(
        Source::Pods,
        Api::all(client.clone()),
        pods,
        pod,
        listener.clone(),
    ));

    let ours = Config::default().labels(labels::OURS);
    let deployment = |object: Deployment| Thing::Deployment(Box::new(object));
    let all = Api::all(client.clone());
    watches.spawn(follow(
        Source::Deployments,
        all,
        ours.clone(),
        deployment,
        listener.clone(),
    ));
    let service = |object: Service| Thing::Service(Box::new(object));
    let all = Api::all(client.clone());
    watches.spawn(follow(
        Source::Services,
        all,
        ours.clone(),
        service,
        listener.clone(),
    ));
    let all = Api::<PartialObjectMeta<ServiceAccount>>::all(client.clone());
    watches.spawn(follow(
        Source::ServiceAccounts,
        all,
        ours.clone(),
        owned,
        listener.clone(),
    ));
    let all = Api::<PartialObjectMeta<PodDisruptionBudget>>::all(client.clone());
    watches.spawn(follow(
        Source::Budgets,
        all,
        ours.clone(),
        owned,
        listener.clone(),
    ));
    let all = Api::<PartialObjectMeta<ConfigMap>>::all(client.clone());
    watches.spawn(follow(
        Source::OwnedConfigMaps,
        all,
        ours,
        owned,
        listener.clone(),
    ));
    // The cluster's CA is in every namespace, and nobody's input.
    let others = Config::default().fields("metadata.name!=kube-root-ca.crt");
    let map =
        |object: PartialObjectMeta<ConfigMap>| Thing::ConfigMap(read::name_of(&object.metadata));
    watches.spawn(follow(
        Source::ConfigMaps,
        Api::all(client.clone()),
        others,
        map,
        listener.clone(),
    ));
    watches
}

fn owned<K>(object: PartialObjectMeta<K>) -> Thing {
    Thing::Owned(read::name_of(&object.metadata), Box::new(object.metadata))
}

/// How the API server calls a kind of ours.
#[must_use]
pub fn api_resource(kind: Kind) -> ApiResource {
    match kind {
        Kind::Policy => ApiResource::erase::<AccessPolicy>(&()),
        Kind::Proxy => ApiResource::erase::<LLMProxy>(&()),
        Kind::Backend => ApiResource::erase::<LLMBackend>(&()),
        Kind::Map => ApiResource::erase::<ModelMap>(&()),
        Kind::Mapper => ApiResource::erase::<Mapper>(&()),
        Kind::Route => ApiResource::erase::<LLMRoute>(&()),
    }
}

/// A kind's `apiVersion`.
#[must_use]
pub fn api_version() -> String {
    LLMProxy::api_version(&()).into_owned()
}
