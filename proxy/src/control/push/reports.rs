//! What the operator is told, and when: at once after a transaction, at most once a second about health and bans.

use std::collections::BTreeMap;
use std::time::Duration;

use dragoman_config::Key;
use dragoman_config::wire::{BackendReport, LogState, Report};
use tokio::time::Instant;

/// The shortest time between two reports that tell of health alone.
const HEALTH_EVERY: Duration = Duration::from_secs(1);

/// The reports of one stream.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// When the next one is due.
    due: Option<Instant>,
    /// Whether it is due for more than health.
    applied: bool,
    /// When the last one left.
    last: Option<Instant>,
    /// What the operator knows of each backend.
    told: BTreeMap<(Key, Option<String>), BackendReport>,
    /// What it knows of what is counted.
    counting: Option<Counting>,
}

/// How a proxy counts, and keeps its log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counting {
    /// How many addresses are banned.
    pub(super) banned: u32,
    /// Why bans and limits are not shared, although they should be.
    pub(super) redis_away: Option<String>,
    /// Whether rows of the request log are stored.
    pub(super) log: Option<LogState>,
}

impl Reports {
    /// A transaction was applied, or the first sync ended.
    pub(super) fn applied(&mut self, now: Instant) {
        self.applied = true;
        self.due = Some(now);
    }

    /// The first sync ended: the operator hears of us even when it had nothing to send.
    pub(super) fn synced(&mut self, now: Instant) {
        if self.last.is_none() {
            self.applied(now);
        }
    }

    /// A backend's health changed.
    pub(super) fn health_changed(&mut self, now: Instant) {
        let earliest = self.last.map_or(now, |last| (last + HEALTH_EVERY).max(now));
        self.due.get_or_insert(earliest);
    }

    /// How this proxy counts may have changed.
    pub(super) fn counts(&mut self, counting: &Counting, now: Instant) {
        if self.counting.as_ref().is_some_and(|told| told != counting) {
            self.health_changed(now);
        }
    }

    /// When the next report is due, if one is.
    #[must_use]
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The report that was due; `None` when what changed has changed back. The first one tells of all backends,
    /// later ones of those that changed.
    pub(super) fn take(
        &mut self,
        now: Instant,
        digest: &str,
        refused: &BTreeMap<Key, String>,
        health: Vec<BackendReport>,
        counting: Counting,
    ) -> Option<Report> {
        self.due = None;
        let known = std::mem::take(&mut self.told);
        let mut backends = Vec::new();
        for report in health {
            let name = (report.item.clone(), report.backend.clone());
            if known.get(&name) != Some(&report) {
                backends.push(report.clone());
            }
            self.told.insert(name, report);
        }
        let same = backends.is_empty() && self.counting.as_ref() == Some(&counting);
        if !std::mem::take(&mut self.applied) && same {
            return None;
        }
        self.counting = Some(counting.clone());
        self.last = Some(now);
        Some(Report {
            digest: digest.to_owned(),
            refused: refused.clone(),
            backends,
            banned: Some(counting.banned),
            redis_away: counting.redis_away,
            log: counting.log,
        })
    }
}

#[cfg(test)]
#[path = "reports_tests.rs"]
mod tests;
