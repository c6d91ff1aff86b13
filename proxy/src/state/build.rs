//! From items to a [`State`]: what has not changed is taken over, what cannot be built stays as it was.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use dragoman_config::names::{BadMap, Names};
use dragoman_config::{
    BackendItem, Item, Key, Kind, LoggingItem, MapItem, ObjectKey, PolicyItem, PolicyTarget,
    ProxyItem, RouteBackendItem, RouteItem, Target,
};
use rustls::ServerConfig;
use tokio::sync::watch;

use super::State;
use super::backend::{Backend, BackendName, Lasting, Unrunnable};
use super::certificates::{self, BadCertificate};
use super::health::Health;
use super::logging::Logging;
use super::metrics::RouteMetrics;
use super::reading::Reading;
use super::route::{Access, Closed, Map, Route};
use super::table::Table;
use crate::access::Memory;
use crate::access::metrics::PolicyMetrics;
use crate::access::networks::Networks;
use crate::access::policy::{Policies, Policy, Unusable};

/// A ModelMap as it is run, with what it was built from.
#[derive(Debug)]
pub(super) struct RunMap {
    item: MapItem,
    names: Arc<Names>,
}

/// Builds states, each from the one before.
pub(super) struct Builder<'a> {
    previous: &'a State,
    changed: &'a watch::Sender<u64>,
    memory: &'a Memory,
    threads: usize,
    proxy: Arc<ProxyItem>,
    https: Option<Arc<ServerConfig>>,
    refused: BTreeMap<Key, String>,
    fresh: bool,
}

/// What came of a publish.
pub(super) struct Built {
    pub(super) state: State,
    /// Items that could not be built, and why: their previous version stayed, if there was one.
    pub(super) refused: BTreeMap<Key, String>,
    /// Whether a backend is new or another than before.
    pub(super) fresh: bool,
}

impl<'a> Builder<'a> {
    pub(super) fn new(
        previous: &'a State,
        changed: &'a watch::Sender<u64>,
        memory: &'a Memory,
        threads: usize,
    ) -> Self {
        let proxy = Arc::clone(&previous.proxy);
        Self {
            previous,
            changed,
            memory,
            threads,
            proxy,
            https: previous.https.clone(),
            refused: BTreeMap::new(),
            fresh: false,
        }
    }

    /// The state of `items`.
    ///
    /// Routes of `invalid`, and those that cannot be built and never could, are closed: they keep their names, so that no
    /// other route answers to them.
    pub(super) fn build(
        mut self,
        items: &BTreeMap<Key, Arc<Item>>,
        invalid: &BTreeMap<Key, String>,
    ) -> Built {
        self.proxy = self.proxy_item(items);
        let mut backends = HashMap::new();
        let mut maps = HashMap::new();
        let mut policies = HashMap::new();
        let mut readings = HashMap::new();
        for (key, item) in items {
            match &**item {
                Item::Policy(item) => {
                    if let Some((policy, reading)) = self.policy(key, item) {
                        policies.insert(key.object.clone(), policy);
                        readings.insert(key.object.clone(), reading);
                    }
                }
                Item::Backend(item) => {
                    let name = BackendName {
                        item: key.clone(),
                        inline: None,
                    };
                    if let Some(backend) = self.backend(name, item) {
                        backends.insert(key.object.clone(), backend);
                    }
                }
                Item::Map(item) => {
                    if let Some(map) = self.map(key, item) {
                        maps.insert(key.object.clone(), map);
                    }
                }
                // A Mapper comes within what uses it.
                Item::Proxy(_) | Item::Mapper(_) | Item::Route(_) => {}
            }
        }
        let shared = resolve(self.proxy.policies.as_deref(), &policies);
        let known = Known {
            items,
            backends: &backends,
            maps: &maps,
            policies: &policies,
            readings: &readings,
            shared: &shared,
        };
        let mut routes = Vec::new();
        for (key, item) in items {
            if let Item::Route(item) = &**item
                && let Some(route) = self.route(key, item, &known)
            {
                routes.push(route);
            }
        }
        let mut table = Table::new(&self.proxy.cluster_domain);
        for (at, route) in routes.iter().enumerate() {
            table.add(at, &route.key, &route.hostnames);
        }
        let closed = closed(&routes, invalid, &self.refused);
        for (at, closed) in closed.iter().enumerate() {
            table.add(routes.len() + at, &closed.key, &[]);
        }
        let proxy = Arc::clone(&self.proxy);
        let logging = self.logging(items);
        let key = items.keys().find(|key| key.kind == Kind::Proxy);
        let key = key.map_or_else(|| self.previous.key.clone(), |key| key.object.clone());
        let counts = count(items);
        let passthrough = Arc::clone(&self.previous.passthrough);
        let trusted = proxy.trusted_proxies.as_deref().unwrap_or_default();
        let trusted = Networks::new(trusted);
        let state = State {
            key,
            proxy,
            https: self.https,
            trusted,
            logging,
            routes,
            closed,
            table,
            backends,
            maps,
            policies,
            readings,
            passthrough,
            counts,
        };
        Built {
            state,
            refused: self.refused,
            fresh: self.fresh,
        }
    }

    /// The proxy's own item; the last one in use while there is none, or none that can be run.
    fn proxy_item(&mut self, items: &BTreeMap<Key, Arc<Item>>) -> Arc<ProxyItem> {
        let found = items.iter().find_map(|(key, item)| match &**item {
            Item::Proxy(item) => Some((key, item)),
            _ => None,
        });
        let Some((key, item)) = found else {
            return Arc::clone(&self.previous.proxy);
        };
        match self.https_of(item) {
            Ok(https) => self.https = https,
            Err(fault) => {
                self.refuse(key, &fault.into());
                // HTTPS stays as it was; the rest is run, since what guards requests is part of it.
                let certificates = self.previous.proxy.certificates.clone();
                return Arc::new(ProxyItem {
                    certificates,
                    ..item.clone()
                });
            }
        }
        if *item == *self.previous.proxy {
            return Arc::clone(&self.previous.proxy);
        }
        Arc::new(item.clone())
    }

    /// What the request log keeps. What cannot be run leaves it as it was.
    fn logging(&mut self, items: &BTreeMap<Key, Arc<Item>>) -> Arc<Logging> {
        let usual = || LoggingItem::usual(!self.proxy.deny_loopback);
        let item = self.proxy.logging.clone().unwrap_or_else(usual);
        if self.previous.logging.is(&item) {
            return Arc::clone(&self.previous.logging);
        }
        match Logging::new(&item) {
            Ok(logging) => Arc::new(logging),
            Err(fault) => {
                if let Some(key) = items.keys().find(|key| key.kind == Kind::Proxy) {
                    self.refuse(key, &fault.into());
                }
                Arc::clone(&self.previous.logging)
            }
        }
    }

    /// What HTTPS is served with. The same certificates stay the same, so that sessions can be resumed.
    fn https_of(&self, item: &ProxyItem) -> Result<Option<Arc<ServerConfig>>, BadCertificate> {
        let certificates = item.certificates.as_deref().unwrap_or_default();
        if certificates.is_empty() {
            return Ok(None);
        }
        match &self.previous.https {
            Some(https) if item.certificates == self.previous.proxy.certificates => {
                Ok(Some(Arc::clone(https)))
            }
            _ => certificates::server(certificates).map(Some),
        }
    }

    fn refuse(&mut self, key: &Key, why: &Unrunnable) {
        self.refused.insert(key.clone(), why.to_string());
    }

    fn backend(&mut self, name: BackendName, item: &BackendItem) -> Option<Arc<Backend>> {
        let previous = self.previous.backend(&name);
        if let Some(previous) = &previous
            && previous.is(item, &self.proxy)
        {
            return Some(Arc::clone(previous));
        }
        let lasting = match &previous {
            Some(previous) if previous.leads_to(&item.url) => previous.lasting.clone(),
            // Elsewhere nothing is known yet; what is in flight still counts against the bound.
            Some(previous) => Lasting {
                health: Health::new(self.changed.clone()),
                in_flight: Arc::clone(&previous.lasting.in_flight),
            },
            None => Lasting {
                health: Health::new(self.changed.clone()),
                in_flight: Arc::default(),
            },
        };
        match Backend::build(name.clone(), item, &self.proxy, lasting) {
            Ok(backend) => {
                self.fresh = true;
                if previous.is_some_and(|previous| backend.has_another_key_than(&previous)) {
                    backend.lasting.health.key_changed(backend.id);
                }
                Some(Arc::new(backend))
            }
            Err(fault) => {
                self.refuse(&name.item, &fault);
                previous
            }
        }
    }

    fn policy(&mut self, key: &Key, item: &PolicyItem) -> Option<(Arc<Policy>, Arc<Reading>)> {
        let previous = self.previous.policies.get(&key.object);
        let previous = previous.zip(self.previous.readings.get(&key.object));
        if let Some((previous, reading)) = previous
            && previous.is(item)
        {
            return Some((Arc::clone(previous), Arc::clone(reading)));
        }
        let metrics = previous.map_or_else(
            || Arc::new(PolicyMetrics::default()),
            |(previous, _)| Arc::clone(&previous.metrics),
        );
        match Policy::build(&key.object, item, self.memory, metrics) {
            Ok(policy) => Some((Arc::new(policy), Arc::new(Reading::of(item)))),
            Err(fault) => {
                let previous =
                    previous.map(|(policy, reading)| (Arc::clone(policy), Arc::clone(reading)));
                self.refuse(key, &Unrunnable::Policy(fault));
                previous
            }
        }
    }

    fn map(&mut self, key: &Key, item: &MapItem) -> Option<Arc<RunMap>> {
        let previous = self.previous.maps.get(&key.object);
        if let Some(previous) = previous
            && previous.item == *item
        {
            return Some(Arc::clone(previous));
        }
        match Names::new(item) {
            Ok(names) => Some(Arc::new(RunMap {
                item: item.clone(),
                names: Arc::new(names),
            })),
            Err(faults) => {
                let told = |BadMap { field, fault }: &BadMap| format!("spec.{field}: {fault}");
                let faults = faults.iter().map(told).collect::<Vec<_>>().join("; ");
                self.refuse(key, &Unrunnable::Names(faults));
                previous.cloned()
            }
        }
    }

    fn route(&mut self, key: &Key, item: &RouteItem, known: &Known<'_>) -> Option<Arc<Route>> {
        let Known {
            items,
            backends,
            maps,
            policies,
            readings,
            shared,
        } = known;
        let map = match &item.model_map {
            None => Map::Names(Arc::clone(&self.previous.passthrough)),
            Some(Target::Item(key)) if key.kind == Kind::Map => match maps.get(&key.object) {
                Some(map) => Map::Names(Arc::clone(&map.names)),
                None => Map::Closed(format!("{key} does not exist or cannot be used")),
            },
            Some(Target::Unresolved(why)) => Map::Closed(why.clone()),
            Some(Target::Item(_) | Target::Inline(_)) => Map::Closed("its ModelMap is none".into()),
        };
        let upstreams: Vec<_> = item
            .backends
            .iter()
            .map(|entry| match &entry.target {
                Target::Item(key) => backends
                    .get(&key.object)
                    .cloned()
                    .ok_or_else(|| format!("{key} does not exist or cannot be used")),
                Target::Inline(inline) => {
                    let name = BackendName {
                        item: key.clone(),
                        inline: Some(entry.name.clone()),
                    };
                    let built = self.backend(name, inline);
                    built.ok_or_else(|| {
                        format!("its inline backend {:?} cannot be used", entry.name)
                    })
                }
                Target::Unresolved(why) => Err(why.clone()),
            })
            .collect();
        let own = |entry: &RouteBackendItem| match &entry.target {
            Target::Item(key) => match items.get(key).map(|item| &**item) {
                Some(Item::Backend(item)) => resolve(item.policies.as_deref(), policies),
                _ => Policies::none(),
            },
            Target::Inline(inline) => resolve(inline.policies.as_deref(), policies),
            Target::Unresolved(_) => Policies::none(),
        };
        let route = shared.and(&resolve(item.policies.as_deref(), policies));
        let own = item.backends.iter().map(own);
        let access = Access {
            backends: own.collect(),
            route,
        };
        let previous = self.previous.route(&key.object).cloned();
        if let Some(previous) = &previous
            && previous.is(item, &map, &upstreams, &access)
        {
            return Some(Arc::clone(previous));
        }
        let metrics = previous.as_ref().map_or_else(
            || Arc::new(RouteMetrics::new(self.threads)),
            |previous| Arc::clone(&previous.metrics),
        );
        let reading = |policies: &Policies| Reading::all(policies, readings);
        let key_of = key.object.clone();
        match Route::build(key_of, item, map, upstreams, (access, &reading), metrics) {
            Ok(route) => Some(Arc::new(route)),
            Err(fault) => {
                self.refuse(key, &fault);
                previous
            }
        }
    }
}

/// What routes are put together from.
struct Known<'a> {
    items: &'a BTreeMap<Key, Arc<Item>>,
    backends: &'a HashMap<ObjectKey, Arc<Backend>>,
    maps: &'a HashMap<ObjectKey, Arc<RunMap>>,
    policies: &'a HashMap<ObjectKey, Arc<Policy>>,
    readings: &'a HashMap<ObjectKey, Arc<Reading>>,
    /// The proxy's own policies.
    shared: &'a Policies,
}

/// The policies that are named, all of them or none.
fn resolve(
    targets: Option<&[PolicyTarget]>,
    policies: &HashMap<ObjectKey, Arc<Policy>>,
) -> Policies {
    let targets = targets.unwrap_or_default().iter();
    let found: Result<_, String> = targets
        .map(|target| match target {
            PolicyTarget::Item(key) => policies
                .get(&key.object)
                .cloned()
                .ok_or_else(|| format!("{key} does not exist or cannot be used")),
            PolicyTarget::Unresolved(why) => Err(why.clone()),
        })
        .collect();
    match found {
        Ok(found) => Policies::Apply(found),
        Err(why) => Policies::Closed(Arc::new(Unusable::new(why))),
    }
}

/// Every route that has no version which runs.
fn closed(
    routes: &[Arc<Route>],
    invalid: &BTreeMap<Key, String>,
    refused: &BTreeMap<Key, String>,
) -> Vec<Closed> {
    let mut closed = BTreeMap::new();
    for (key, why) in refused.iter().chain(invalid) {
        let runs = || routes.binary_search_by(|route| route.key.cmp(&key.object));
        if key.kind == Kind::Route && runs().is_err() {
            closed.insert(&key.object, why);
        }
    }
    let closed = closed.into_iter();
    closed
        .map(|(key, why)| Closed {
            key: key.clone(),
            fault: Unusable::new(why),
        })
        .collect()
}

fn count(items: &BTreeMap<Key, Arc<Item>>) -> [usize; 5] {
    let mut counts = [0; 5];
    for key in items.keys() {
        let at = match key.kind {
            Kind::Proxy => 0,
            Kind::Backend => 1,
            Kind::Map => 2,
            Kind::Route => 3,
            Kind::Policy => 4,
            Kind::Mapper => continue,
        };
        counts[at] += 1;
    }
    counts
}
