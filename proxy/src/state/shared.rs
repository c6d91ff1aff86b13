//! What control and data path share: the state in use, health, metrics, readiness, drain.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use arc_swap::{ArcSwap, Guard};
use dragoman_config::wire::BackendReport;
use dragoman_config::{Item, Key, ObjectKey};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::State;
use super::build::Builder;
use super::checks::Checks;
use super::metrics::{self, InFlight};
use super::validity;
use crate::access::bans::Bans;
use crate::access::identity::KeySets;
use crate::access::limits::Counters;
use crate::access::metrics::{Line, Reason};
use crate::access::{self, Memory};
use crate::log::{self, Intake};
use crate::upstream::Denied;

/// One per process.
#[derive(Debug)]
pub struct Shared {
    state: ArcSwap<State>,
    /// Counted up by each publish, so that a thread sees with one read whether its copy is current.
    version: AtomicU64,
    publishing: Mutex<Checks>,
    health: watch::Sender<u64>,
    ready: AtomicBool,
    draining: watch::Sender<bool>,
    https: watch::Sender<bool>,
    memory: Memory,
    /// Where finished requests are handed over, where a log of them is kept.
    log: OnceLock<Arc<Intake>>,
    serving: log::Threads,
    threads: Box<[Thread]>,
}

/// What one thread counts, far enough from the next one's that they share no cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Thread {
    in_flight: InFlight,
    unrouted: AtomicU64,
}

impl Shared {
    /// For so many request threads; nothing is served until something is published.
    #[must_use]
    pub fn new(threads: usize) -> Arc<Self> {
        Arc::new(Self {
            state: ArcSwap::from_pointee(State::empty()),
            version: AtomicU64::new(0),
            publishing: Mutex::new(Checks::default()),
            health: watch::Sender::new(0),
            ready: AtomicBool::new(false),
            draining: watch::Sender::new(false),
            https: watch::Sender::new(false),
            memory: Memory::default(),
            log: OnceLock::new(),
            serving: log::Threads::default(),
            threads: (0..threads.max(1)).map(|_| Thread::default()).collect(),
        })
    }

    /// Runs `items`, all of them at once, for every request that comes from now on. Returns the items that cannot be run,
    /// and why; for those the previous version stays, where there is one.
    pub fn publish(&self, items: BTreeMap<Key, Arc<Item>>) -> BTreeMap<Key, String> {
        self.publish_with_invalid(items, &BTreeMap::new())
    }

    /// As [`Shared::publish`], told of items that do not compile and never did, and why. A route among them keeps its own
    /// names and answers 503 (`route_unusable`), instead of leaving them to another.
    pub fn publish_with_invalid(
        &self,
        items: BTreeMap<Key, Arc<Item>>,
        invalid: &BTreeMap<Key, String>,
    ) -> BTreeMap<Key, String> {
        let mut checks = self.publishing.lock();
        let previous = self.state.load_full();
        let built = Builder::new(&previous, &self.health, &self.memory, self.threads.len())
            .build(&items, invalid);
        checks.follow(built.state.all_backends());
        let proxy = &built.state.proxy;
        self.memory.key_sets.deny(Denied {
            ranges: proxy.denied_cidrs.clone(),
            loopback: proxy.deny_loopback,
        });
        let https = built.state.https.is_some();
        self.counters()
            .share(built.state.proxy.redis.as_ref(), self.bans());
        self.state.store(Arc::new(built.state));
        self.version.fetch_add(1, Ordering::Release);
        self.https
            .send_if_modified(|before| std::mem::replace(before, https) != https);
        drop(checks);
        if built.fresh {
            self.health.send_modify(|count| *count += 1);
        }
        built.refused
    }

    /// The state in use.
    pub fn state(&self) -> Guard<Arc<State>> {
        self.state.load()
    }

    /// What is remembered of callers, and outlasts config.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// How often something was published.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Every backend's health.
    #[must_use]
    pub fn health(&self) -> Vec<BackendReport> {
        let state = self.state.load();
        let reports = state.all_backends().map(|backend| {
            let seen = backend.lasting.health.seen();
            BackendReport {
                item: backend.name.item.clone(),
                backend: backend.name.inline.clone(),
                health: seen.health,
                models: seen.models,
                message: seen.message,
            }
        });
        reports.collect()
    }

    /// Changes whenever [`Shared::health`] may say something else.
    #[must_use]
    pub fn health_changed(&self) -> watch::Receiver<u64> {
        self.health.subscribe()
    }

    /// Which addresses are banned, whatever becomes of the config.
    #[must_use]
    pub fn bans(&self) -> &Arc<Bans> {
        &self.memory.bans
    }

    /// What limits have counted.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.memory.counters
    }

    /// The keys of issuers of JSON Web Tokens that are fetched.
    #[must_use]
    pub fn key_sets(&self) -> &Arc<KeySets> {
        &self.memory.key_sets
    }

    /// Keeps a log of requests from now on: of threads that begin to serve later.
    pub fn keep_log(&self, intake: Arc<Intake>) {
        // There is one log in a process's life.
        let _ = self.log.set(intake);
    }

    /// Where finished requests are handed over, where a log of them is kept.
    pub fn log(&self) -> Option<&Arc<Intake>> {
        self.log.get()
    }

    /// The threads that serve, which know the requests that have not ended.
    pub fn threads_that_serve(&self) -> &log::Threads {
        &self.serving
    }

    /// Sets whether config is complete and traffic welcome.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// Whether config is complete and traffic welcome.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Begins to drain: no new connection, no further request on an idle one, replies on their way end as they would.
    pub fn drain(&self) {
        self.ready.store(false, Ordering::Relaxed);
        self.draining.send_replace(true);
    }

    /// Becomes true when draining begins.
    #[must_use]
    pub fn draining(&self) -> watch::Receiver<bool> {
        self.draining.subscribe()
    }

    /// Whether HTTPS is to be served, which the config says.
    #[must_use]
    pub fn https(&self) -> watch::Receiver<bool> {
        self.https.subscribe()
    }

    /// How many request threads there are.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads.len()
    }

    /// The count of a thread's requests in flight.
    pub(crate) fn in_flight_of(&self, thread: usize) -> &InFlight {
        &self.threads[thread % self.threads.len()].in_flight
    }

    /// Counts a request that no route was found for.
    pub(crate) fn unrouted(&self, thread: usize) {
        self.threads[thread % self.threads.len()]
            .unrouted
            .fetch_add(1, Ordering::Relaxed);
    }

    /// Requests whose reply is not complete.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.threads
            .iter()
            .map(|thread| thread.in_flight.count())
            .sum()
    }

    /// Counts a reply that the policy refused, and says whether the log is to tell in this line.
    pub(crate) fn refused_reply(&self, policy: &ObjectKey, reason: Reason, line: Line) -> bool {
        let state = self.state.load();
        state.policies.get(policy).is_some_and(|policy| {
            policy.metrics.refused(reason);
            policy.metrics.tells(line)
        })
    }

    /// Counts a rule of the policy that was passed over, and says whether the log is to tell.
    pub(crate) fn passed_over(&self, policy: &ObjectKey) -> bool {
        let state = self.state.load();
        state.policies.get(policy).is_some_and(|policy| {
            policy.metrics.passed_over();
            policy.metrics.tells(Line::PassedOver)
        })
    }

    /// All metrics in Prometheus' text format.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        let state = self.state.load();
        let routes = state.routes.iter().map(|route| {
            (
                route.key.namespace.as_str(),
                route.key.name.as_str(),
                &*route.metrics,
            )
        });
        let kinds = [
            "LLMProxy",
            "LLMBackend",
            "ModelMap",
            "LLMRoute",
            "AccessPolicy",
        ];
        let items: Vec<_> = kinds.into_iter().zip(state.counts).collect();
        let unrouted = self
            .threads
            .iter()
            .map(|thread| thread.unrouted.load(Ordering::Relaxed));
        let mut text = metrics::text(routes, self.in_flight(), &items, unrouted.sum());
        let certificates = state.proxy.certificates.iter().flatten();
        let ends =
            certificates.filter_map(|one| Some((one.name.as_str(), validity::end(&one.chain)?)));
        metrics::more(&mut text, self.is_ready(), ends);
        let policies = state.policies.values();
        text.push_str(&access::metrics::text(
            policies.map(|policy| (&policy.key, &*policy.metrics)),
            self.memory.bans.count(Instant::now()),
            &self.memory.counters,
        ));
        if let Some(log) = self.log() {
            text.push_str(&log.metrics_text());
        }
        text
    }
}
