//! One stream from hello to its end: transactions in, reports out.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dragoman_config::Key;
use dragoman_config::wire::{LogState, Logbook};
use dragoman_logbook::ship::remote::Remote;
use http_body::Body;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval, sleep_until};

use super::dial::Stream;
use super::lines::{LineFault, Lines, report_line};
use super::message::{Changes, Message};
use super::reports::{Counting, Reports};
use super::store::{Invalid, Store};
use super::trust::Trust;
use crate::access::limits::Shared;
use crate::control::publish::Publisher;

/// How long an operator may say nothing before the first sync is complete. One that has answered has its lines ready,
/// and answers PINGs even when what makes the lines is stuck.
const SILENCE: Duration = Duration::from_secs(30);

/// How often is looked whether bans or limits are counted, or the log is stored, otherwise than the operator was told.
const COUNTING: Duration = Duration::from_secs(2);

/// How a stream ended.
#[derive(Debug)]
pub(super) enum End {
    /// The operator said goodbye.
    Goodbye,
    /// It closed the stream without a word.
    Closed,
    /// The stream could not be read on.
    Broken(LineFault),
    /// Nothing came for [`SILENCE`], and the first sync was not complete.
    Silent,
    /// What we have is not what the operator believes that we have; the next hello claims nothing.
    Diverged,
}

/// What streams leave behind for their successors.
#[derive(Debug)]
pub(super) struct Progress {
    /// What the operator sent.
    pub(super) store: Store,
    /// Who the operator may be.
    pub(super) trust: Trust,
    /// Items that could not be run, and why.
    pub(super) refused: BTreeMap<Key, String>,
    /// Where the snapshot is written from, after the first sync.
    pub(super) snapshots: Option<watch::Sender<Store>>,
    /// The way to the logbook.
    pub(super) remote: Remote,
    /// Whether the next stream shall bring everything: there is nothing yet, or what there is cannot be built upon.
    pub(super) all: bool,
}

/// One stream.
struct Session<'a> {
    progress: &'a mut Progress,
    publisher: &'a Publisher,
    reports: Reports,
    /// When something came last.
    last: Instant,
    /// What a stream that brings everything has brought so far. It is run when it is complete.
    incoming: Option<Store>,
    synced: bool,
}

/// Follows `stream` to its end. Also tells whether its first sync was complete. `all`: it brings everything, as its hello
/// claimed nothing.
pub(super) async fn follow(
    stream: Stream,
    progress: &mut Progress,
    publisher: &Publisher,
    all: bool,
) -> (End, bool) {
    // Held to the end: dropping the connection closes it.
    let Stream {
        up,
        down,
        at: _,
        _connection,
    } = stream;
    follow_lines(Lines::new(down), &up, progress, publisher, all).await
}

async fn follow_lines<B>(
    lines: Lines<B>,
    up: &mpsc::Sender<Bytes>,
    progress: &mut Progress,
    publisher: &Publisher,
    all: bool,
) -> (End, bool)
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: fmt::Display,
{
    let incoming = all.then(Store::default);
    let reports = Reports::default();
    let mut session = Session {
        progress,
        publisher,
        reports,
        last: Instant::now(),
        incoming,
        synced: false,
    };
    let end = session.run(lines, up).await;
    (end, session.synced)
}

impl Session<'_> {
    async fn run<B>(&mut self, mut lines: Lines<B>, up: &mpsc::Sender<Bytes>) -> End
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: fmt::Display,
    {
        let mut health = self.publisher.shared().health_changed();
        let mut counting = interval(COUNTING);
        loop {
            let due = self.reports.due();
            tokio::select! {
                line = lines.next() => match line {
                    Ok(Some(line)) => if let Some(end) = self.line(line) { return end },
                    Ok(None) => return End::Closed,
                    Err(fault) => return End::Broken(fault),
                },
                permit = permit_at(due, up) => match permit {
                    Some(permit) => self.report(permit),
                    None => return End::Closed,
                },
                _ = counting.tick() => self.reports.counts(&self.counting(), Instant::now()),
                Ok(()) = health.changed() => self.reports.health_changed(Instant::now()),
                () = sleep_until(self.last + SILENCE), if !self.synced => return End::Silent,
            }
        }
    }

    /// Acts on a line; the stream's end if it is one.
    fn line(&mut self, line: Message) -> Option<End> {
        self.last = Instant::now();
        match line {
            Message::Transaction(changes) => return self.transaction(changes),
            Message::Synced => self.synced(),
            Message::Goodbye => return Some(End::Goodbye),
            Message::Logbook(logbook) => self.logbook(&logbook),
            Message::Unknown(kind) => {
                tracing::debug!(kind, "the operator says what this version does not know");
            }
        }
        None
    }

    /// Sends rows there from now on; at once, since what comes next may be a route whose rows the ticket is for.
    fn logbook(&self, logbook: &Logbook) {
        let Logbook {
            url,
            ca_pem,
            ticket,
        } = logbook;
        let directed = self.progress.remote.direct(url, ca_pem, ticket.expose());
        if let Err(fault) = directed {
            tracing::error!(%fault, "the operator named a logbook that rows cannot be sent to; they wait");
        }
    }

    fn transaction(&mut self, mut changes: Changes) -> Option<End> {
        if let Some(pem) = changes.ca_pem.take() {
            self.progress.trust.announce(pem);
        }
        if let Some(incoming) = &mut self.incoming {
            if incoming.apply(changes).diverged {
                tracing::warn!("the operator's digest of its own config differs from ours");
            }
            return None;
        }
        let applied = self.progress.store.apply(changes);
        tracing::debug!(changes = applied.changes, "transaction applied");
        tell(applied.invalid);
        if applied.changes > 0 {
            self.publish();
        }
        if applied.diverged {
            self.progress.all = true;
            return Some(End::Diverged);
        }
        self.reports.applied(Instant::now());
        if self.synced {
            self.snapshot();
        }
        None
    }

    fn synced(&mut self) {
        if let Some(mut all) = self.incoming.take() {
            all.succeed(&self.progress.store);
            self.progress.store = all;
            self.progress.all = false;
            tell(self.progress.store.invalid());
            self.publish();
        }
        self.synced = true;
        self.reports.synced(Instant::now());
        self.publisher.shared().set_ready(true);
        self.snapshot();
        tracing::info!(
            digest = self.progress.store.digest(),
            "in sync with the operator"
        );
    }

    fn publish(&mut self) {
        let refused = publish(&self.progress.store, self.publisher);
        for (item, why) in &refused {
            if self.progress.refused.get(item) != Some(why) {
                tracing::error!(%item, why, "this item cannot be run; its previous version stays, if there is one");
            }
        }
        self.progress.refused = refused;
    }

    fn report(&mut self, permit: mpsc::Permit<'_, Bytes>) {
        let digest = self.progress.store.digest();
        let foreign = self.progress.store.foreign();
        let health = self.publisher.shared().health();
        let report = self.reports.take(
            Instant::now(),
            digest,
            &self.progress.refused,
            health,
            self.counting(),
        );
        if let Some(report) = report {
            permit.send(report_line(report, foreign));
        }
    }

    /// How this proxy counts bans and limits, and whether its log is stored.
    fn counting(&self) -> Counting {
        let shared = self.publisher.shared();
        let banned = shared.bans().count(std::time::Instant::now());
        Counting {
            banned: u32::try_from(banned).unwrap_or(u32::MAX),
            redis_away: match shared.counters().shared() {
                Shared::Away(why) => Some(why),
                Shared::NotConfigured | Shared::Yes => None,
            },
            log: Some(
                shared
                    .log()
                    .map_or(LogState::NotKept, |intake| intake.standing()),
            ),
        }
    }

    fn snapshot(&self) {
        if let Some(snapshots) = &self.progress.snapshots {
            snapshots.send_replace(self.progress.store.clone());
        }
    }
}

/// Runs what is in `store`. Returns what cannot be run, and why, as the operator is told.
#[must_use]
pub(super) fn publish(store: &Store, publisher: &Publisher) -> BTreeMap<Key, String> {
    let mut refused = publisher.publish_with_invalid(store.items(), &store.unusable());
    refused.extend(store.unreadable());
    refused
}

/// Logs items that do not compile.
fn tell(invalid: Vec<Invalid>) {
    for Invalid {
        name: item,
        reason: why,
        previous,
    } in invalid
    {
        if previous {
            tracing::warn!(%item, why, "this item does not compile; its previous version stays");
        } else {
            tracing::warn!(%item, why, "this item does not compile; what needs it is refused");
        }
    }
}

/// Room for a line, once one is due; `None` when the stream is gone. While the network is slow reports gather, and
/// reading goes on.
async fn permit_at(
    due: Option<Instant>,
    up: &mpsc::Sender<Bytes>,
) -> Option<mpsc::Permit<'_, Bytes>> {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
    up.reserve().await.ok()
}

/// Writes a snapshot of each store that comes, the last one at least, until there can be no more.
pub(super) async fn write_snapshots(
    snapshot: super::snapshot::Snapshot,
    mut stores: watch::Receiver<Store>,
) {
    let snapshot = Arc::new(snapshot);
    let mut failed = false;
    while stores.changed().await.is_ok() {
        let store = stores.borrow_and_update().clone();
        let to = Arc::clone(&snapshot);
        let written = tokio::task::spawn_blocking(move || to.write(&store)).await;
        match written {
            Ok(Ok(())) => failed = false,
            Ok(Err(fault)) if !failed => {
                failed = true;
                tracing::warn!(%fault, "no snapshot: a restart needs the operator");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
