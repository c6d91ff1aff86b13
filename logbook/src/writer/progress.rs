//! How far the writer is, for metrics and conditions.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How it goes. Counts are since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Records that are committed.
    pub committed: u64,
    /// Records that had been committed before they were sent once more.
    pub known: u64,
    /// Records that the database can never hold.
    pub refused: u64,
    /// Records that found no room in the queue.
    pub dropped: u64,
    /// Records that went through the spool.
    pub spooled: u64,
    /// Bytes of records in memory.
    pub queued_bytes: usize,
    /// Bytes of the spool.
    pub spool_bytes: u64,
    /// How long the oldest record that is not committed waits.
    pub lag: Duration,
    /// Whether the sink failed last time.
    pub away: bool,
}

#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) committed: AtomicU64,
    pub(super) known: AtomicU64,
    pub(super) refused: AtomicU64,
    dropped: AtomicU64,
    pub(super) spooled: AtomicU64,
    queued: AtomicUsize,
    pub(super) spool: AtomicU64,
    pub(super) oldest: parking_lot::Mutex<Option<Instant>>,
    pub(super) away: AtomicBool,
}

impl Shared {
    /// Takes room in the queue, if there is.
    pub(super) fn reserve(&self, size: usize, most: usize) -> bool {
        let taken = self.queued.fetch_update(Relaxed, Relaxed, |queued| {
            queued.checked_add(size).filter(|sum| *sum <= most)
        });
        taken.is_ok()
    }

    pub(super) fn release(&self, size: usize) {
        self.queued.fetch_sub(size, Relaxed);
    }

    pub(super) fn queued(&self) -> usize {
        self.queued.load(Relaxed)
    }

    pub(super) fn drop_one(&self) {
        self.dropped.fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self) -> Progress {
        Progress {
            committed: self.committed.load(Relaxed),
            known: self.known.load(Relaxed),
            refused: self.refused.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            spooled: self.spooled.load(Relaxed),
            queued_bytes: self.queued(),
            spool_bytes: self.spool.load(Relaxed),
            lag: self
                .oldest
                .lock()
                .map(|since| since.elapsed())
                .unwrap_or_default(),
            away: self.away.load(Relaxed),
        }
    }
}
