//! A candidate at work: it watches the Lease, takes it, renews it, and gives it up.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::PostParams;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::election::{BELIEF, Election, RETRY, Step};
use super::record::Record;
use super::{Role, Term};
use crate::children::labels::FIELD_MANAGER;

/// The Lease's name, in the operator's namespace.
const LEASE: &str = "dragoman-operator";
/// How long a replica that stops tells proxies who leads instead.
const LINGER: Duration = Duration::from_millis(1200);
/// How long one write may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// One replica in the election.
#[derive(Debug)]
pub struct Candidate {
    leases: Api<Lease>,
    owner: Option<OwnerReference>,
    election: Election,
    stored: Option<Lease>,
    role: watch::Sender<Role>,
    term: Option<Term>,
    failing: bool,
}

impl Candidate {
    /// A candidate called `me`, whose push server listens at `address`. A Lease that it makes is `owner`'s.
    #[must_use]
    pub fn new(
        client: Client,
        namespace: &str,
        owner: Option<OwnerReference>,
        me: String,
        address: Option<String>,
    ) -> Self {
        Self {
            leases: Api::namespaced(client, namespace),
            owner,
            election: Election::new(me, address),
            stored: None,
            role: watch::channel(Role::Following(None)).0,
            term: None,
            failing: false,
        }
    }

    /// What this replica is, now and whenever it changes.
    #[must_use]
    pub fn role(&self) -> watch::Receiver<Role> {
        self.role.subscribe()
    }

    /// Runs until `stop`, then gives the lease up.
    pub async fn run(mut self, stop: CancellationToken) {
        let config = watcher::Config::default().fields(&format!("metadata.name={LEASE}"));
        let mut events = pin!(
            watcher::watcher(self.leases.clone(), config)
                .default_backoff()
                .fuse()
        );
        self.look().await;
        while !stop.is_cancelled() {
            let wake = match self.election.step(Instant::now(), Timestamp::now()) {
                Step::Write(record) => match self.write(*record).await {
                    true => continue,
                    false => Instant::now() + RETRY,
                },
                Step::Wait(until) => until,
            };
            let wake = self
                .term
                .as_ref()
                .map_or(wake, |term| wake.min(term.until()));
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep_until(wake.into()) => {}
                Some(event) = events.next() => self.event(event),
            }
            self.settle();
        }
        self.release().await;
        // Proxies that dial before they hear that this Pod goes are sent on to the successor.
        let until = tokio::time::Instant::now() + LINGER;
        while let Ok(Some(event)) = tokio::time::timeout_at(until, events.next()).await {
            self.event(event);
        }
    }

    fn event(&mut self, event: Result<watcher::Event<Lease>, watcher::Error>) {
        match event {
            Ok(watcher::Event::Apply(lease) | watcher::Event::InitApply(lease)) => {
                self.observe(Some(lease));
            }
            Ok(watcher::Event::Delete(_)) => self.observe(None),
            Ok(_) => {}
            Err(fault) => tracing::debug!(%fault, "the watch on the lease failed"),
        }
    }

    /// Reads the Lease as it stands.
    async fn look(&mut self) {
        match tokio::time::timeout(PATIENCE, self.leases.get_opt(LEASE)).await {
            Ok(Ok(lease)) => self.observe(lease),
            Ok(Err(fault)) => self.fails(&fault.to_string()),
            Err(_) => self.fails("the API server does not answer"),
        }
    }

    fn observe(&mut self, lease: Option<Lease>) {
        let newer =
            |version: Option<&String>| version.and_then(|version| version.parse::<u64>().ok());
        let known = newer(
            self.stored
                .as_ref()
                .and_then(|lease| lease.metadata.resource_version.as_ref()),
        );
        let seen = newer(
            lease
                .as_ref()
                .and_then(|lease| lease.metadata.resource_version.as_ref()),
        );
        if let (Some(known), Some(seen)) = (known, seen)
            && seen < known
        {
            // The watch is behind what a write of ours was answered with.
            return;
        }
        self.election
            .observe(lease.as_ref().map(Record::read), Instant::now());
        self.stored = lease;
        self.settle();
    }

    /// Writes a record and leads by it. False when it must be tried again later.
    async fn write(&mut self, record: Record) -> bool {
        let began = Instant::now();
        let lease = record.write(LEASE, self.stored.as_ref(), self.owner.as_ref());
        let parameters = PostParams {
            field_manager: Some(FIELD_MANAGER.into()),
            ..PostParams::default()
        };
        let written = match self.stored {
            Some(_) => {
                tokio::time::timeout(PATIENCE, self.leases.replace(LEASE, &parameters, &lease))
                    .await
            }
            None => tokio::time::timeout(PATIENCE, self.leases.create(&parameters, &lease)).await,
        };
        match written {
            Ok(Ok(lease)) => {
                self.observe(Some(lease));
                self.failing = false;
                self.lead(began);
                return true;
            }
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => {
                self.look().await
            }
            Ok(Err(fault)) => self.fails(&fault.to_string()),
            Err(_) => self.fails("the API server does not answer"),
        }
        false
    }

    /// Reports a fault once until the lease is written again.
    fn fails(&mut self, fault: &str) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(
                fault,
                "the lease cannot be read or written; it is tried again"
            );
        }
    }

    fn lead(&mut self, began: Instant) {
        match self.term.as_ref().filter(|term| term.holds()) {
            Some(term) => term.extend(began + BELIEF),
            None => {
                let term = Term::new(began, began + BELIEF);
                tracing::info!("this replica leads");
                self.term = Some(term.clone());
                self.role.send_replace(Role::Leading(term));
            }
        }
    }

    /// Ends a term that is over, and tells who leads instead.
    fn settle(&mut self) {
        let elsewhere = self.election.leader();
        if let Some(term) = &self.term {
            if term.holds() && elsewhere.is_none() {
                return;
            }
            tracing::warn!("this replica no longer leads");
            term.end();
            self.term = None;
        }
        let address = elsewhere.flatten();
        self.role.send_if_modified(|role| {
            let same = matches!(role, Role::Following(known) if *known == address);
            if !same {
                *role = Role::Following(address);
            }
            !same
        });
    }

    async fn release(&mut self) {
        // First the streams, then the lease: nobody serves beside the successor.
        if let Some(term) = self.term.take() {
            term.end();
        }
        self.role.send_replace(Role::Following(None));
        if let Some(record) = self.election.release(Timestamp::now()) {
            let lease = record.write(LEASE, self.stored.as_ref(), self.owner.as_ref());
            let parameters = PostParams {
                field_manager: Some(FIELD_MANAGER.into()),
                ..PostParams::default()
            };
            match tokio::time::timeout(PATIENCE, self.leases.replace(LEASE, &parameters, &lease))
                .await
            {
                Ok(Ok(_)) => tracing::info!("the lease is released"),
                Ok(Err(fault)) => {
                    tracing::warn!(%fault, "the lease could not be released; it runs out")
                }
                Err(_) => tracing::warn!("the lease could not be released; it runs out"),
            }
        }
    }
}
