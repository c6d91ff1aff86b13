//! Objects that resources own: when they are written, and what came of it.

use std::time::{Duration, Instant};

use dragoman_config::{Key, Kind, ObjectKey};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::faults::Fault;
use super::{Core, Job};
use crate::children::apply::{Settled, Unapplied};
use crate::children::{labels, proxy, route};
use crate::watch::Source;
use crate::watch::read::name_of;

/// How long somebody else's change of an object of ours stands: whoever fights us loses, slowly.
const DRIFT: Duration = Duration::from_millis(500);
/// How often a Service that is in the way is looked at again: no watch tells that it went.
const CONFLICT: Duration = Duration::from_secs(10);

/// What is known of a route's Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RouteService {
    /// It is as it should be.
    Settled,
    /// It is somebody else's; the cure.
    Conflict(String),
    /// The API server refused it; its words.
    Failed(String),
}

impl Core {
    /// Wants what a resource owns to be looked at, because the resource changed.
    pub(super) fn want_children(&mut self, key: &Key, now: Instant) {
        if self.term.is_none() || !self.ready {
            return;
        }
        match key.kind {
            Kind::Proxy => {
                self.proxy_work.urge(key.object.clone(), now);
                // Their Services follow its port.
                let routes: Vec<ObjectKey> = self
                    .world
                    .members(&key.object)
                    .filter(|item| item.kind == Kind::Route)
                    .map(|item| item.object.clone())
                    .collect();
                for route in routes {
                    self.route_work.urge(route, now);
                }
            }
            Kind::Route => self.route_work.urge(key.object.clone(), now),
            Kind::Policy | Kind::Backend | Kind::Map | Kind::Mapper => {}
        }
    }

    /// Takes in that the authorities changed: every LLMProxy's ConfigMap must hold them.
    pub fn authorities_turned(&mut self, now: Instant) {
        let proxies: Vec<Key> = self
            .world
            .keys()
            .filter(|key| key.kind == Kind::Proxy)
            .cloned()
            .collect();
        for key in proxies {
            self.want_children(&key, now);
        }
    }

    /// An object of ours was seen; somebody may have changed it.
    pub(super) fn drifted(
        &mut self,
        source: Source,
        name: ObjectKey,
        metadata: &ObjectMeta,
        now: Instant,
    ) {
        if let Some(owner) = self.owned.apply(source, name, metadata) {
            self.want_again(owner, now);
        }
    }

    /// An object of ours is gone.
    pub(super) fn lost(&mut self, source: Source, name: ObjectKey, now: Instant) {
        if let Some(owner) = self.owned.delete(source, name) {
            self.want_again(owner, now);
        }
    }

    fn want_again(&mut self, owner: Key, now: Instant) {
        if self.term.is_none() || !self.ready {
            return;
        }
        match owner.kind {
            Kind::Proxy => self.proxy_work.want(owner.object, now + DRIFT),
            Kind::Route => self.route_work.want(owner.object, now + DRIFT),
            Kind::Policy | Kind::Backend | Kind::Map | Kind::Mapper => {}
        }
    }

    /// Whether a resource is being deleted, or its namespace is: what it owns goes too.
    fn goes(&self, resource: &ObjectMeta) -> bool {
        let namespace = resource.namespace.as_deref().unwrap_or_default();
        resource.deletion_timestamp.is_some() || self.terminating.contains(namespace)
    }

    /// The job that brings an LLMProxy's objects to what they should be.
    pub(super) fn proxy_job(&mut self, name: &ObjectKey, now: Instant) -> Option<Job> {
        let resource = self.world.proxy(name)?;
        if self.goes(&resource.metadata) {
            return None;
        }
        // Its objects would be the operator's own.
        if name.namespace == self.installation.namespace
            && labels::object_name(&name.name) == self.installation.service_name
        {
            let fault = format!(
                "{name} would take the name of the operator's own objects; name the LLMProxy otherwise"
            );
            if self.proxy_faults.insert(name.clone(), fault).is_none() {
                let object = name.clone();
                self.want_status(
                    Key {
                        kind: Kind::Proxy,
                        object,
                    },
                    now,
                );
            }
            return None;
        }
        let bundle = self.identity.bundle().borrow().clone();
        let children = proxy::children(resource, &self.installation, &bundle);
        Some(Job::ApplyProxy {
            proxy: name.clone(),
            children,
        })
    }

    /// The job that brings a route's Service to what it should be, if it is not already.
    pub(super) fn route_job(&mut self, name: &ObjectKey, now: Instant) -> Option<Job> {
        let resource = self.world.route(name)?;
        if self.goes(&resource.metadata) {
            return None;
        }
        let key = Key {
            kind: Kind::Route,
            object: name.clone(),
        };
        let outcome = self.world.outcome(&key)?;
        let proxy = outcome.attached.first();
        let serves = proxy.and_then(|proxy| self.world.proxy(proxy));
        let port = serves.map_or(80, |serves| proxy::service_port(serves));
        let tls = serves.is_some_and(|serves| serves.spec.tls.is_some());
        let domain = &self.installation.cluster_domain;
        let wanted = route::wanted(resource, proxy, port, tls, domain);
        let route_uid = resource.metadata.uid.clone().unwrap_or_default();
        let known = self.services.get(name);
        match route::step(known, &wanted, &route_uid) {
            route::Step::Keep => {
                self.route_service(name.clone(), RouteService::Settled, now);
                None
            }
            _ => Some(Job::SettleService {
                route: name.clone(),
                known: known.cloned().map(Box::new),
                wanted: Box::new(wanted),
                route_uid,
            }),
        }
    }

    fn route_service(&mut self, route: ObjectKey, state: RouteService, now: Instant) {
        let key = Key {
            kind: Kind::Route,
            object: route,
        };
        if !matches!(state, RouteService::Failed(_)) {
            self.children_told.over(&key);
        }
        if self.route_services.get(&key.object) != Some(&state) {
            self.route_services.insert(key.object.clone(), state);
            self.want_status(key, now);
        }
    }

    pub(super) fn proxy_applied(
        &mut self,
        proxy: ObjectKey,
        written: Vec<(Source, ObjectMeta)>,
        fault: Option<(String, Unapplied)>,
        now: Instant,
    ) {
        for (source, metadata) in written {
            self.owned.wrote(source, name_of(&metadata), &metadata);
        }
        let fault = fault.filter(|(object, fault)| match fault {
            Unapplied::Refused(fault) if is_too_late(fault) => {
                tracing::debug!(%proxy, %object, "nothing is made any more in a namespace that goes");
                false
            }
            _ => true,
        });
        self.proxy_work.done(&proxy, fault.is_none(), now);
        let key = Key {
            kind: Kind::Proxy,
            object: proxy.clone(),
        };
        let before = self.proxy_faults.get(&proxy).cloned();
        match fault {
            None => {
                self.children_told.over(&key);
                self.proxy_faults.remove(&proxy);
            }
            Some((object, fault)) => {
                let kind = match &fault {
                    Unapplied::Taken => Fault::Refusal(fault.to_string()),
                    Unapplied::Refused(fault) => Fault::of(fault),
                };
                let kind = kind.of_object(&object);
                if self.children_told.is_news(&key, &kind) {
                    tracing::warn!(%proxy, %object, %fault, "an object of an LLMProxy could not be applied; it is tried again");
                } else {
                    tracing::debug!(%proxy, %object, %fault, "an object of an LLMProxy still cannot be applied");
                }
                // What may pass by itself says nothing of what was refused before: the condition would flap.
                if let Fault::Refusal(refusal) = kind {
                    self.proxy_faults.insert(proxy.clone(), refusal);
                }
            }
        }
        if self.proxy_faults.get(&proxy) != before.as_ref() {
            self.want_status(key, now);
        }
    }

    pub(super) fn service_settled(
        &mut self,
        route: ObjectKey,
        settled: kube::Result<Settled>,
        now: Instant,
    ) {
        let too_late = settled.as_ref().is_err_and(is_too_late);
        self.route_work
            .done(&route, settled.is_ok() || too_late, now);
        match settled {
            Err(_) if too_late => {
                tracing::debug!(%route, "no Service is made any more in a namespace that goes");
            }
            Ok(Settled::Done(written)) => {
                if let Some(metadata) = written {
                    self.owned
                        .wrote(Source::Services, name_of(&metadata), &metadata);
                }
                self.route_service(route, RouteService::Settled, now);
            }
            Ok(Settled::Conflict(cure)) => {
                self.route_work.want(route.clone(), now + CONFLICT);
                self.route_service(route, RouteService::Conflict(cure), now);
            }
            Err(fault) => {
                let key = Key {
                    kind: Kind::Route,
                    object: route.clone(),
                };
                let kind = Fault::of(&fault).of_object("its Service");
                if self.children_told.is_news(&key, &kind) {
                    tracing::warn!(%route, %fault, "a route's Service could not be written; it is tried again");
                } else {
                    tracing::debug!(%route, %fault, "a route's Service still cannot be written");
                }
                if let Fault::Refusal(refusal) = kind {
                    self.route_service(route, RouteService::Failed(refusal), now);
                }
            }
        }
    }
}

/// Whether the API server refused to make something because its namespace is being deleted.
fn is_too_late(fault: &kube::Error) -> bool {
    let kube::Error::Api(status) = fault else {
        return false;
    };
    let mut causes = status.details.iter().flat_map(|details| &details.causes);
    causes.any(|cause| cause.reason == "NamespaceTerminating")
}
