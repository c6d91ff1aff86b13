//! When a directory, or one file, was edited: as the kernel tells, and by looking every two seconds in case it did not.
//!
//! The kernel forgets: links that are swapped outside the directory, network file systems, a full queue.

use std::path::Path;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

/// How long it must be quiet after an edit: editors and mounts touch several entries for one.
const QUIET: Duration = Duration::from_millis(50);
/// How long an edit waits for quiet at most.
const LONGEST: Duration = Duration::from_millis(500);
/// How often we look without having been told.
const LOOK: Duration = Duration::from_secs(2);

/// Tells of edits below a directory, or of a file.
#[derive(Debug)]
pub(super) struct Watch {
    edits: mpsc::Receiver<()>,
    look: tokio::time::Interval,
    /// Held: dropping it ends the watch.
    _watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Watches `source`. Must be called within a runtime.
    #[must_use]
    pub(super) fn new(source: &Path) -> Self {
        // One that waits is enough: it says that something changed.
        let (edited, edits) = mpsc::channel(1);
        let told = move |event: notify::Result<notify::Event>| {
            if event.is_err() || event.is_ok_and(|event| is_edit(event.kind)) {
                let _full = edited.try_send(());
            }
        };
        let watcher = notify::recommended_watcher(told).and_then(|mut watcher| {
            let (place, mode) = place(source);
            watcher.watch(place, mode)?;
            Ok(watcher)
        });
        let watcher = watcher.inspect_err(|fault| {
            tracing::warn!(%fault, "edits are not told at once; looking every two seconds");
        });
        let mut look = interval_at(Instant::now() + LOOK, LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            edits,
            look,
            _watcher: watcher.ok(),
        }
    }

    /// Waits until there may be something new to read.
    pub(super) async fn edited(&mut self) {
        tokio::select! {
            _ = self.look.tick() => {}
            Some(()) = self.edits.recv() => {
                let end = Instant::now() + LONGEST;
                while Instant::now() < end && matches!(timeout(QUIET, self.edits.recv()).await, Ok(Some(()))) {}
            }
        }
    }
}

/// Where edits of `source` can be seen. Most editors replace a file, and a watch of the file itself would stay with the old one.
fn place(source: &Path) -> (&Path, RecursiveMode) {
    match source.parent() {
        _ if !source.is_file() => (source, RecursiveMode::Recursive),
        Some(parent) if parent.as_os_str().is_empty() => {
            (Path::new("."), RecursiveMode::NonRecursive)
        }
        Some(parent) => (parent, RecursiveMode::NonRecursive),
        None => (source, RecursiveMode::NonRecursive),
    }
}

/// Reading is no edit, else our own would set us off again.
fn is_edit(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}
