//! From finished requests to the log, without making anybody wait.
//!
//! Records are offered to a queue that is bounded by bytes. A task gathers them into batches and hands these to a [`Sink`]. While that is away, or so slow that the
//! queue is half full, batches go to a [`Spool`], which is replayed first when it is back.

mod backoff;
mod batch;
mod progress;
mod task;

use crate::fault::Fault;
use crate::record::Record;
use crate::spool::Spool;
use crate::store::{Inserted, Store};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

pub use progress::Progress;

/// How long the disk may take at the end of a flush.
const DISK: Duration = Duration::from_secs(10);

/// What takes batches: a store, or the way to a logbook that has one.
pub trait Sink: Send + Sync + 'static {
    /// Takes records, and returns when they are committed. Those that are there already are left as they are.
    fn put(&self, records: &[Record]) -> impl Future<Output = Result<Inserted, Fault>> + Send;
}

impl Sink for Store {
    async fn put(&self, records: &[Record]) -> Result<Inserted, Fault> {
        self.insert(records).await
    }
}

/// How much is held in memory, and how batches are made.
#[derive(Debug, Clone)]
pub struct Options {
    /// What records may hold in memory, in bytes, those on their way to the sink included.
    pub max_bytes: usize,
    /// The most records of a batch.
    pub batch_rows: usize,
    /// How long a batch waits for more.
    pub batch_wait: Duration,
}

impl Default for Options {
    /// 64 MiB, 500 records, 200 milliseconds.
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            batch_rows: 500,
            batch_wait: Duration::from_millis(200),
        }
    }
}

/// The record was dropped and counted, because the queue is full: neither the sink nor the spool takes what comes. Nobody waits, so there is no retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request log's queue is full")]
pub struct Dropped;

/// Where finished requests are offered. Cheap to clone. When the last clone is gone, the task stores or spools what is left, and ends.
#[derive(Debug, Clone)]
pub struct Writer {
    sender: mpsc::UnboundedSender<Record>,
    flushes: mpsc::UnboundedSender<task::Flush>,
    progress: Arc<progress::Shared>,
    max_bytes: usize,
}

impl Writer {
    /// Starts the task on the current runtime. Without a spool, records wait in memory alone.
    pub fn start<S: Sink>(
        sink: S,
        spool: Option<Spool>,
        options: Options,
    ) -> (Self, JoinHandle<()>) {
        // Bounded by the bytes that [`Self::offer`] takes account of.
        let (sender, receiver) = mpsc::unbounded_channel();
        let (flushes, flushed) = mpsc::unbounded_channel();
        let progress = Arc::new(progress::Shared::default());
        let max_bytes = options.max_bytes;
        let task = task::Task::new(
            Arc::new(sink),
            spool,
            options,
            receiver,
            flushed,
            Arc::clone(&progress),
        );
        (
            Self {
                sender,
                flushes,
                progress,
                max_bytes,
            },
            tokio::spawn(task.run()),
        )
    }

    /// Takes a record, and never waits.
    ///
    /// # Errors
    /// [`Dropped`] when the queue is full.
    pub fn offer(&self, record: Record) -> Result<(), Dropped> {
        let size = record.size();
        if self.progress.reserve(size, self.max_bytes) {
            if self.sender.send(record).is_ok() {
                return Ok(());
            }
            self.progress.release(size);
        }
        self.progress.drop_one();
        Err(Dropped)
    }

    /// Waits until all that was offered, and all that was spooled, is committed, at most for some time. After that, what is still in memory goes to the spool,
    /// whether or not it is on its way to the sink, which may take the disk up to ten seconds more. Returns whether nothing is in memory alone any more.
    pub async fn flush(&self, within: Duration) -> bool {
        let (reply, done) = oneshot::channel();
        let spill_at = tokio::time::Instant::now() + within;
        if self.flushes.send(task::Flush { reply, spill_at }).is_err() {
            return false;
        }
        let safe = tokio::time::timeout(within + DISK, done).await;
        safe.is_ok_and(|safe| safe.unwrap_or(false))
    }

    /// How it goes.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.read()
    }
}

#[cfg(test)]
mod tests;
