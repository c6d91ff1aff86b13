//! The one task that owns the core: events in, jobs out, nothing shared.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dragoman_config::ClusterKeys;
use jiff::Timestamp;
use kube::Client;
use kube::runtime::events::Recorder;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::perform::perform;
use super::{Core, Done, Job};
use crate::lease::Role;
use crate::metrics::Metrics;
use crate::push::FromStream;
use crate::watch::Seen;

/// How long the core sleeps when nothing is due.
const IDLE: Duration = Duration::from_secs(60);

/// What the core hears, and whom it tells.
pub struct Inputs {
    /// Events of watches.
    pub seen: mpsc::Receiver<Seen>,
    /// What streams say.
    pub streams: mpsc::Receiver<FromStream>,
    /// Whether this replica leads.
    pub role: watch::Receiver<Role>,
    /// What proxies trust.
    pub bundle: watch::Receiver<Arc<str>>,
    /// What verifies the cluster's ServiceAccounts, once that is known.
    pub cluster_keys: watch::Receiver<Option<ClusterKeys>>,
    /// Set once everything was listed.
    pub ready: Arc<AtomicBool>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl Core {
    /// Takes what is due at `now`.
    pub fn jobs(&mut self, now: Instant, clock: Timestamp) -> Vec<Job> {
        let mut jobs = Vec::new();
        while let Some(name) = self.input_reads.take(now) {
            jobs.push(Job::ReadInput(name));
        }
        if !self.acts() {
            return jobs;
        }
        while let Some(name) = self.proxy_work.take(now) {
            match self.proxy_job(&name, now) {
                Some(job) => jobs.push(job),
                None => self.proxy_work.done(&name, true, now),
            }
        }
        while let Some(name) = self.route_work.take(now) {
            match self.route_job(&name, now) {
                Some(job) => jobs.push(job),
                None => self.route_work.done(&name, true, now),
            }
        }
        while let Some(key) = self.status_work.take(now) {
            match self.status_job(&key, now, clock) {
                Some(job) => jobs.push(job),
                None => self.status_work.done(&key, true, now),
            }
        }
        while let Some(key) = self.news.take(now) {
            match self.news_job(&key) {
                Some(job) => jobs.push(job),
                None => self.news.done(&key, true, now),
            }
        }
        jobs
    }

    /// When something is due next.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        let others = [
            self.proxy_work.next(),
            self.route_work.next(),
            self.status_work.next(),
            self.news.next(),
        ];
        let others = others.into_iter().flatten().filter(|_| self.acts());
        others.chain(self.input_reads.next()).min()
    }

    /// Takes in what came of a job.
    pub fn done(&mut self, done: Done, now: Instant) {
        match done {
            Done::ReadInput(name, read) => self.input_answered(name, read, now),
            Done::ApplyProxy {
                proxy,
                written,
                fault,
            } => self.proxy_applied(proxy, written, fault, now),
            Done::SettleService(route, settled) => self.service_settled(route, settled, now),
            Done::WriteStatus(key, after, written) => self.status_written(key, after, written, now),
            Done::Told(key) => self.news.done(&key, true, now),
        }
    }
}

/// Runs the core until `stop`.
pub async fn run(
    mut core: Core,
    mut inputs: Inputs,
    client: Client,
    recorder: Recorder,
    stop: CancellationToken,
) {
    let mut jobs: JoinSet<Done> = JoinSet::new();
    loop {
        let now = Instant::now();
        for job in core.jobs(now, to_the_second(Timestamp::now())) {
            let (client, recorder, metrics) = (
                client.clone(),
                recorder.clone(),
                Arc::clone(&inputs.metrics),
            );
            jobs.spawn(async move { perform(&client, &recorder, &metrics, job).await });
        }
        let wake = core.next_due().unwrap_or(now + IDLE);
        tokio::select! {
            () = stop.cancelled() => return,
            Some(seen) = inputs.seen.recv() => {
                let now = Instant::now();
                core.seen(seen, now);
                // What waits already belongs together more often than not.
                while let Ok(seen) = inputs.seen.try_recv() {
                    core.seen(seen, now);
                }
            }
            Some(message) = inputs.streams.recv() => core.from_stream(message, Instant::now()),
            Some(done) = jobs.join_next() => match done {
                Ok(done) => core.done(done, Instant::now()),
                Err(fault) => tracing::error!(%fault, "a job ended without a result"),
            },
            Ok(()) = inputs.bundle.changed() => core.authorities_turned(Instant::now()),
            Ok(()) = inputs.cluster_keys.changed() => {
                let keys = inputs.cluster_keys.borrow_and_update().clone();
                if let Some(keys) = keys {
                    core.cluster_keys(keys, Instant::now());
                }
            }
            Ok(()) = inputs.role.changed() => {
                let role = inputs.role.borrow_and_update().clone();
                match role {
                    Role::Leading(term) => {
                        inputs.metrics.leading.set(1);
                        core.lead(term, Instant::now());
                    }
                    Role::Following(_) => {
                        inputs.metrics.leading.set(0);
                        core.follow();
                    }
                }
            }
            () = tokio::time::sleep_until(wake.into()) => {}
        }
        if core.is_ready() {
            inputs.ready.store(true, Ordering::Release);
        }
    }
}

/// Conditions carry seconds; with more, what we wrote would differ from what we read.
fn to_the_second(clock: Timestamp) -> Timestamp {
    Timestamp::from_second(clock.as_second()).unwrap_or(clock)
}
