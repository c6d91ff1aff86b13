//! What the proxy runs: items made ready, published whole, read by every request without a lock.
//!
//! - [`shared`]: the one place that control and data path share
//! - [`build`]: items → state, reusing what did not change
//! - [`table`]: host or path prefix → route
//! - [`route`], [`backend`]: what an item became
//! - [`reading`]: what policies look at in a request
//! - [`cors`]: what pages of other origins may do
//! - [`dialect`]: what a backend's dialect means for how it is called
//! - [`certificates`]: what HTTPS is served with; [`validity`]: when one ends
//! - [`health`], [`key_verdict`], [`checks`]: which backends answer
//! - [`listing`]: which models they list
//! - [`secrets`]: what nobody is quoted of them
//! - [`logging`]: what the request log keeps
//! - [`metrics`]: what is counted

pub mod backend;
mod build;
pub mod certificates;
mod checks;
pub mod cors;
pub mod dialect;
pub mod health;
pub mod key_verdict;
pub mod listing;
pub mod logging;
pub mod metrics;
pub mod paths;
pub mod reading;
pub mod route;
pub mod secrets;
mod shared;
pub mod table;
mod validity;

use std::collections::HashMap;
use std::sync::Arc;

use dragoman_config::names::Names;
use dragoman_config::{Kind, ObjectKey, ProxyItem};

use crate::access::networks::Networks;
use crate::access::policy::Policy;
use backend::{Backend, BackendName};
use build::RunMap;
use logging::Logging;
use reading::Reading;
use route::{Closed, Route};
pub use shared::Shared;
use table::{Found, Table};

/// One version of everything that requests need. Never changed: a publish makes another.
#[derive(Debug)]
pub struct State {
    /// The LLMProxy.
    pub key: ObjectKey,
    /// Its settings.
    pub proxy: Arc<ProxyItem>,
    /// What HTTPS is served with; absent: it is not served.
    pub https: Option<Arc<rustls::ServerConfig>>,
    /// Whose word on a client's address is believed.
    pub trusted: Networks,
    /// What the request log keeps.
    pub logging: Arc<Logging>,
    /// Routes, by the numbers that the table gives.
    pub routes: Vec<Arc<Route>>,
    /// Routes that cannot be run; the table numbers them after `routes`.
    closed: Vec<Closed>,
    table: Table,
    backends: HashMap<ObjectKey, Arc<Backend>>,
    maps: HashMap<ObjectKey, Arc<RunMap>>,
    policies: HashMap<ObjectKey, Arc<Policy>>,
    /// What each policy looks at.
    readings: HashMap<ObjectKey, Arc<Reading>>,
    passthrough: Arc<Names>,
    /// Items by kind: proxies, backends, maps, routes, policies.
    counts: [usize; 5],
}

impl State {
    /// The state of a proxy that was told nothing yet.
    fn empty() -> Self {
        let proxy = ProxyItem {
            cluster_domain: "cluster.local".into(),
            denied_cidrs: Vec::new(),
            deny_loopback: true,
            body_bytes: 32 << 20,
            header_bytes: 64 << 10,
            log_level: None,
            policies: None,
            trusted_proxies: None,
            certificates: None,
            redis: None,
            logging: None,
        };
        Self {
            table: Table::new(&proxy.cluster_domain),
            key: ObjectKey::new("default", "default"),
            proxy: Arc::new(proxy),
            https: None,
            routes: Vec::new(),
            closed: Vec::new(),
            backends: HashMap::new(),
            maps: HashMap::new(),
            policies: HashMap::new(),
            readings: HashMap::new(),
            trusted: Networks::new(&[]),
            logging: Arc::default(),
            passthrough: Arc::new(Names::passthrough()),
            counts: [0; 5],
        }
    }

    /// What a request of this host and path is for.
    pub fn find<'p>(&self, host: &str, path: &'p str) -> Found<'p> {
        self.table.find(host, path)
    }

    /// The route of this number, if it is closed.
    pub fn closed(&self, at: usize) -> Option<&Closed> {
        self.closed.get(at.checked_sub(self.routes.len())?)
    }

    fn route(&self, key: &ObjectKey) -> Option<&Arc<Route>> {
        self.routes
            .binary_search_by(|route| route.key.cmp(key))
            .ok()
            .and_then(|at| self.routes.get(at))
    }

    fn backend(&self, name: &BackendName) -> Option<Arc<Backend>> {
        match &name.inline {
            None => self.backends.get(&name.item.object).cloned(),
            Some(inline) => {
                debug_assert_eq!(name.item.kind, Kind::Route);
                let entry = self.route(&name.item.object)?.backend(inline)?;
                entry
                    .backend
                    .as_ref()
                    .ok()
                    .filter(|backend| backend.name == *name)
                    .cloned()
            }
        }
    }

    /// Every backend, inline ones too.
    fn all_backends(&self) -> impl Iterator<Item = &Arc<Backend>> {
        let inline = self.routes.iter().flat_map(|route| &route.backends);
        let inline = inline.filter_map(|entry| entry.backend.as_ref().ok());
        self.backends
            .values()
            .chain(inline.filter(|backend| backend.name.inline.is_some()))
    }
}
