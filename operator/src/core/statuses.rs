//! Statuses: when they are looked at, what they should be, whether a write is due.

use std::time::{Duration, Instant};

use dragoman_config::{Key, Kind, ObjectKey};
use dragoman_crds::{
    AccessPolicyStatus, LLMBackendStatus, LLMProxyStatus, LLMRoute, LLMRouteStatus, MapperStatus,
    ModelMapStatus, ProxyCounts,
};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Core, Job};
use crate::children::labels::selector_text;
use crate::children::proxy::Door;
use crate::status::{
    self, Backend, Proxies, RouteFacts, Rows, Upstream, Written, is_urgent, normal, ready_of,
};

/// How long facts gather before a status is drawn from them: an edit and its push make one write.
const GATHER: Duration = Duration::from_millis(25);
/// How often what is not urgent is written at most.
pub(super) const HOT: Duration = Duration::from_secs(10);

/// What is known of a resource's status.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// As it stands, as far as we know.
    pub(super) status: Value,
    /// The version of the object that said so.
    version: u64,
    /// When we last wrote it.
    pub(super) written: Option<Instant>,
    in_flight: bool,
    /// What the watch showed while a write was under way: our own write, or somebody else's after it.
    meanwhile: Option<(u64, Value)>,
    /// A write got no answer, so it may stand or not, whatever we know of the status.
    unsure: bool,
    /// The log was told that the API server refuses this one, and it does ever since.
    refusal_told: bool,
    /// The object's UID.
    pub(super) uid: String,
    /// The Ready that people were told of last.
    pub(super) told: String,
}

impl Entry {
    /// Takes in what the watch shows. Whether it is news.
    fn shown(&mut self, version: u64, status: Value) -> bool {
        self.version = version;
        if self.status == status {
            return false;
        }
        self.told = ready_of(&status).map_or_else(String::new, |(ready, ..)| ready.to_owned());
        self.status = status;
        true
    }
}

impl Core {
    /// Wants a resource's status to be looked at.
    pub(super) fn want_status(&mut self, key: Key, now: Instant) {
        if self.term.is_some() && self.ready {
            self.status_work.want(key, now + GATHER);
        }
    }

    /// Takes in a status as a watch shows it. What is not as we left it is looked at again.
    pub(super) fn status_seen(
        &mut self,
        key: &Key,
        uid: String,
        version: u64,
        status: Value,
        now: Instant,
    ) {
        let entry = self.statuses.entry(key.clone()).or_default();
        if version <= entry.version && entry.version != 0 {
            return;
        }
        entry.uid = uid;
        let status = as_ours(key.kind, status);
        if entry.in_flight {
            entry.meanwhile = Some((version, status));
        } else if entry.shown(version, status) {
            self.want_status(key.clone(), now);
        }
    }

    /// The job that writes a resource's status, if that is due.
    pub(super) fn status_job(&mut self, key: &Key, now: Instant, clock: Timestamp) -> Option<Job> {
        let before = self
            .statuses
            .get(key)
            .map(|entry| entry.status.clone())
            .unwrap_or_default();
        let after = self.draw(key, &before, clock)?;
        let entry = self.statuses.entry(key.clone()).or_default();
        if after == before && !entry.unsure {
            return None;
        }
        if let Some(next) = entry.written.map(|written| written + HOT)
            && next > now
            && !entry.unsure
            && !is_urgent(&before, &after)
        {
            self.status_work.want(key.clone(), next);
            return None;
        }
        entry.in_flight = true;
        Some(Job::WriteStatus {
            key: key.clone(),
            after,
        })
    }

    pub(super) fn status_written(
        &mut self,
        key: Key,
        after: Value,
        written: kube::Result<Written>,
        now: Instant,
    ) {
        match &written {
            // It answers, and has its reasons: nobody is served by a flood.
            Err(kube::Error::Api(status)) => {
                self.status_work.turned_away(&key, asked(status), now);
            }
            _ => self.status_work.done(&key, written.is_ok(), now),
        }
        let Some(entry) = self.statuses.get_mut(&key) else {
            return;
        };
        entry.in_flight = false;
        match written {
            // An older version is one of an object of the same name that is gone.
            Ok(Written::Done(version)) if version >= entry.version => {
                entry.status = after;
                entry.version = version;
                entry.written = Some(now);
                entry.unsure = false;
                entry.refusal_told = false;
            }
            Ok(_) => {}
            Err(fault) => {
                // Of an API server that is away the watches speak, once for all; a refusal is told once, not once an attempt.
                let refused = matches!(fault, kube::Error::Api(_));
                if refused && !std::mem::replace(&mut entry.refusal_told, true) {
                    tracing::warn!(%key, %fault, "a status could not be written; it is tried again");
                } else {
                    tracing::debug!(%key, %fault, "a status could not be written");
                }
                entry.unsure = true;
            }
        }
        let meanwhile = entry.meanwhile.take();
        let newer = meanwhile.filter(|(version, _)| *version > entry.version);
        if newer.is_some_and(|(version, status)| entry.shown(version, status)) {
            self.want_status(key.clone(), now);
        }
        self.want_news(key, now);
    }

    /// What the status should be.
    fn draw(&mut self, key: &Key, before: &Value, clock: Timestamp) -> Option<Value> {
        let outcome = self.world.outcome(key)?.clone();
        let status = match key.kind {
            Kind::Policy => value(&status::policy(
                &outcome,
                self.sharing(key).as_ref(),
                &typed::<AccessPolicyStatus>(before),
                clock,
            )),
            Kind::Map => value(&status::map(
                &outcome,
                &typed::<ModelMapStatus>(before),
                clock,
            )),
            Kind::Mapper => value(&status::mapper(
                &outcome,
                &typed::<MapperStatus>(before),
                clock,
            )),
            Kind::Backend => {
                let used = self.is_used(key);
                let merged = self.health.merged(&Upstream {
                    item: key.clone(),
                    inline: None,
                });
                let before = typed::<LLMBackendStatus>(before);
                value(&status::backend(
                    &outcome,
                    used,
                    merged.as_ref(),
                    &before,
                    clock,
                ))
            }
            Kind::Proxy => {
                let standing = self.standing(key, &outcome);
                let (counts, digest) = self.count(&key.object);
                let routes = self
                    .world
                    .members(&key.object)
                    .filter(|item| item.kind == Kind::Route)
                    .count();
                let proxies = Proxies {
                    counts,
                    routes,
                    selector: &selector_text(&key.object.name),
                    digest: &digest,
                    banned: self.banned(&key.object),
                    rows: self.rows(&key.object),
                    standing,
                };
                value(&status::proxy(
                    &outcome,
                    &proxies,
                    &typed::<LLMProxyStatus>(before),
                    clock,
                ))
            }
            Kind::Route => {
                let standing = self.standing(key, &outcome);
                let route = self.world.route(&key.object);
                let proxy = outcome.attached.first().map(|proxy| {
                    (
                        proxy,
                        self.world
                            .proxy(proxy)
                            .map_or(Door::Http(80), |resource| Door::of(resource)),
                    )
                });
                let backends = route
                    .map(|route| self.backends(key, route))
                    .unwrap_or_default();
                let facts = RouteFacts {
                    restricted: route.is_some_and(|route| self.is_restricted(route, &outcome)),
                    route: route.map(AsRef::as_ref),
                    proxy,
                    backends,
                    standing,
                };
                value(&status::route(
                    &outcome,
                    &facts,
                    &typed::<LLMRouteStatus>(before),
                    clock,
                ))
            }
        };
        Some(normal(status))
    }

    /// What the proxies of an LLMProxy say of their rows.
    fn rows(&self, proxy: &ObjectKey) -> Rows {
        let ours = self.streams.values().filter(|it| it.proxy == *proxy);
        Rows::of(ours.filter_map(|connected| connected.log))
    }

    pub(super) fn count(&self, proxy: &ObjectKey) -> (ProxyCounts, String) {
        let desired = self.replicas.get(proxy).copied().unwrap_or_else(|| {
            self.world
                .proxy(proxy)
                .and_then(|proxy| proxy.spec.deployment.replicas)
                .unwrap_or(1)
        });
        let Some(shelf) = self.shelves.get(proxy) else {
            return (
                ProxyCounts {
                    desired,
                    ..ProxyCounts::default()
                },
                String::new(),
            );
        };
        let (version, digest) = shelf.current();
        let (connected, programmed) = shelf.standing(version);
        let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let counts = ProxyCounts {
            desired,
            connected: number(connected),
            programmed: number(programmed),
        };
        (counts, digest.to_string())
    }

    fn backends(&self, key: &Key, route: &LLMRoute) -> Vec<Backend> {
        let backend = |backend: &dragoman_crds::RouteBackend| {
            let upstream = match &backend.backend_ref {
                Some(reference) => {
                    let namespace = reference
                        .namespace
                        .as_ref()
                        .unwrap_or(&key.object.namespace);
                    let item = Key::new(Kind::Backend, namespace.clone(), reference.name.clone());
                    Upstream { item, inline: None }
                }
                None => Upstream {
                    item: key.clone(),
                    inline: Some(backend.name.clone()),
                },
            };
            Backend {
                name: backend.name.clone(),
                merged: self.health.merged(&upstream),
            }
        };
        route.spec.backends.iter().map(backend).collect()
    }
}

/// How long the API server asks to be left alone.
fn asked(status: &kube::core::Status) -> Duration {
    let details = status.details.as_ref();
    let seconds = details.map_or(0, |details| details.retry_after_seconds);
    Duration::from_secs(seconds.into())
}

fn typed<T: DeserializeOwned + Default>(status: &Value) -> T {
    serde_json::from_value(status.clone()).unwrap_or_default()
}

fn value<T: Serialize>(status: &T) -> Value {
    serde_json::to_value(status).unwrap_or_default()
}

/// A status in the form that ours has, so that the two can be compared.
fn as_ours(kind: Kind, status: Value) -> Value {
    normal(match kind {
        Kind::Policy => value(&typed::<AccessPolicyStatus>(&status)),
        Kind::Proxy => value(&typed::<LLMProxyStatus>(&status)),
        Kind::Backend => value(&typed::<LLMBackendStatus>(&status)),
        Kind::Map => value(&typed::<ModelMapStatus>(&status)),
        Kind::Mapper => value(&typed::<MapperStatus>(&status)),
        Kind::Route => value(&typed::<LLMRouteStatus>(&status)),
    })
}
