//! The core: one task owns what is known and decides what is done. It talks to nobody itself: events come in,
//! [`Job`]s come out, and [`run()`] performs them.

mod access;
mod admission;
mod adoption;
mod children;
mod faults;
mod health;
mod inputs;
mod job;
mod known;
mod news;
mod perform;
mod run;
mod standing;
mod statuses;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dragoman_config::{InputKey, Key, ObjectKey, Settings, World};
use k8s_openapi::api::core::v1::Service;
use tokio::sync::Notify;

use self::admission::Connected;
use self::children::RouteService;
use self::faults::Told;
pub use self::job::{Done, Job};
pub use self::run::{Inputs, run};
use self::statuses::{Entry, HOT};
use crate::children::Installation;
use crate::index::owned::Owned;
use crate::index::pods::Pods;
use crate::lease::Term;
use crate::pki::Identity;
use crate::push::shelf::{Shelf, StreamId};
use crate::schedule::Schedule;
use crate::status::Health;
use crate::watch::Source;

/// How long a Secret, or a status whose write got no answer, waits at most: traffic and people wait for them.
const SOON: Duration = Duration::from_secs(5);
/// After so many failures nobody else waits for a Secret any more; what needs it still does.
const ENOUGH: u32 = 3;
/// How long proxies get to find a new leader before it writes how many there are.
const ARRIVAL: Duration = Duration::from_secs(2);

/// Everything that is known, and what is to be done about it.
pub struct Core {
    installation: Installation,
    identity: Arc<Identity>,
    /// Told when the Secret of the authorities changed.
    authorities_changed: Arc<Notify>,
    world: World,
    listed: BTreeSet<Source>,
    /// Whether the cluster's keys were read, or could not be.
    keys_told: bool,
    ready: bool,
    term: Option<Term>,

    wanted_inputs: BTreeSet<InputKey>,
    unread_inputs: BTreeSet<InputKey>,
    input_reads: Schedule<InputKey>,
    /// How often in a row one could not be read.
    input_faults: BTreeMap<InputKey, u32>,
    input_faults_told: Told<InputKey>,

    pods: Pods,
    owned: Owned,
    services: BTreeMap<ObjectKey, Service>,
    replicas: BTreeMap<ObjectKey, i32>,
    proxy_work: Schedule<ObjectKey>,
    proxy_faults: BTreeMap<ObjectKey, String>,
    route_work: Schedule<ObjectKey>,
    route_services: BTreeMap<ObjectKey, RouteService>,
    /// Of LLMProxies and routes: what was wrong with what they own.
    children_told: Told<Key>,

    shelves: BTreeMap<ObjectKey, Arc<Shelf>>,
    /// Items that are on a shelf without being members, because proxies have and must keep them.
    adopted: BTreeMap<ObjectKey, BTreeSet<Key>>,
    streams: HashMap<StreamId, Connected>,
    next_stream: StreamId,
    health: Health,
    /// Whether each AccessPolicy asks who is calling, as statuses were drawn with it.
    asking: BTreeMap<Key, bool>,
    /// What each item needs, and who needs it.
    uses: BTreeMap<Key, Vec<Key>>,
    users: BTreeMap<Key, BTreeSet<Key>>,
    /// Items whose status waits until every proxy of an LLMProxy runs a version.
    waiting: BTreeMap<ObjectKey, BTreeSet<(u64, Key)>>,

    statuses: BTreeMap<Key, Entry>,
    status_work: Schedule<Key>,
    /// Resources that people are to be told of.
    news: Schedule<Key>,
    /// Namespaces that are being deleted: nothing can be made in them any more.
    terminating: BTreeSet<String>,
}

impl Core {
    /// A core that knows nothing yet.
    #[must_use]
    pub fn new(
        installation: Installation,
        identity: Arc<Identity>,
        authorities_changed: Arc<Notify>,
    ) -> Self {
        let settings = Settings {
            default_proxy: Some(ObjectKey::new(installation.namespace.clone(), "default")),
            cluster_domain: installation.cluster_domain.clone(),
            standalone: false,
        };
        Self {
            installation,
            identity,
            authorities_changed,
            world: World::new(settings),
            listed: BTreeSet::new(),
            keys_told: false,
            ready: false,
            term: None,
            wanted_inputs: BTreeSet::new(),
            unread_inputs: BTreeSet::new(),
            input_reads: Schedule::new(16).waiting_at_most(SOON),
            input_faults: BTreeMap::new(),
            input_faults_told: Told::default(),
            pods: Pods::default(),
            owned: Owned::default(),
            services: BTreeMap::new(),
            replicas: BTreeMap::new(),
            proxy_work: Schedule::new(4),
            proxy_faults: BTreeMap::new(),
            route_work: Schedule::new(8),
            route_services: BTreeMap::new(),
            children_told: Told::default(),
            shelves: BTreeMap::new(),
            adopted: BTreeMap::new(),
            streams: HashMap::new(),
            next_stream: 1,
            health: Health::default(),
            asking: BTreeMap::new(),
            uses: BTreeMap::new(),
            users: BTreeMap::new(),
            waiting: BTreeMap::new(),
            statuses: BTreeMap::new(),
            status_work: Schedule::new(8).waiting_at_most(SOON),
            news: Schedule::new(8),
            terminating: BTreeSet::new(),
        }
    }

    /// Whether every index has listed and every Secret that is needed was read, and the cluster's keys too: nothing is served before.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Takes in that this replica leads from now on.
    pub fn lead(&mut self, term: Term, now: Instant) {
        self.term = Some(term);
        for entry in self.statuses.values_mut() {
            entry.written = now.checked_sub(HOT.saturating_sub(ARRIVAL));
        }
        self.want_everything(now);
    }

    /// Takes in that this replica leads no longer: it writes nothing any more.
    pub fn follow(&mut self) {
        self.term = None;
        self.proxy_work.clear();
        self.route_work.clear();
        self.status_work.clear();
        self.news.clear();
        self.waiting.clear();
    }

    /// Whether this replica may write and serve, by its own clock.
    fn acts(&self) -> bool {
        self.ready && self.term.as_ref().is_some_and(Term::holds)
    }

    fn want_everything(&mut self, now: Instant) {
        let keys: Vec<Key> = self.world.keys().cloned().collect();
        for key in keys {
            self.want_children(&key, now);
            self.want_status(key, now);
        }
    }

    /// Becomes ready once everything was listed and read.
    fn check_ready(&mut self, now: Instant) {
        let listed = self.listed.len() == Source::ALL.len() && self.keys_told;
        if self.ready || !listed || !self.unread_inputs.is_empty() {
            return;
        }
        tracing::info!(
            resources = self.world.keys().count(),
            "everything is listed"
        );
        self.ready = true;
        self.world.listed();
        self.want_everything(now);
    }
}
