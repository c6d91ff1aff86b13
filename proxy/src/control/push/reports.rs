//! What the operator is told, and when: at once after a transaction, at most once a second about health.

use std::collections::BTreeMap;
use std::time::Duration;

use dragoman_config::Key;
use dragoman_config::wire::{BackendReport, Report};
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

    /// When the next report is due, if one is.
    #[must_use]
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The report that was due; `None` when health changed and changed back. The first one tells of all backends,
    /// later ones of those that changed.
    pub(super) fn take(
        &mut self,
        now: Instant,
        digest: &str,
        refused: &BTreeMap<Key, String>,
        health: Vec<BackendReport>,
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
        if !std::mem::take(&mut self.applied) && backends.is_empty() {
            return None;
        }
        self.last = Some(now);
        Some(Report {
            digest: digest.to_owned(),
            refused: refused.clone(),
            backends,
        })
    }
}

#[cfg(test)]
#[path = "reports_tests.rs"]
mod tests;
