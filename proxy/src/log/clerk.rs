//! The thread that makes rows of finished requests, and offers them to the logbook's writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use dragoman_logbook::writer::Writer;
use tokio::sync::{mpsc, oneshot};

use super::draft::Draft;
use super::metrics::Metrics;
use super::row;
use crate::state::Shared;

/// What finished requests may hold in memory until rows are made of them, in bytes.
const LARGEST: usize = 64 << 20;

/// Where threads hand finished requests over.
#[derive(Debug)]
pub struct Intake {
    sender: mpsc::UnboundedSender<Vec<Draft>>,
    /// Whether there is anywhere for rows to go.
    open: AtomicBool,
    held: Arc<AtomicUsize>,
    /// Requests that no row is made of, since the clerk is behind.
    dropped: Arc<AtomicU64>,
    metrics: Arc<Metrics>,
    writer: Writer,
}

impl Intake {
    /// Takes requests from now on. Those that have begun before leave no row.
    pub fn open(&self) {
        self.open.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// What the rows come to, and how the log does, in Prometheus' text format.
    pub fn metrics_text(&self) -> String {
        let dropped = self.dropped.load(Ordering::Relaxed);
        self.metrics.text(&self.writer.progress(), dropped)
    }

    pub(crate) fn take(&self, finished: Vec<Draft>) {
        let size: usize = finished.iter().map(|draft| draft.held()).sum();
        let count = finished.len() as u64;
        let before = self.held.fetch_add(size, Ordering::Relaxed);
        // Bounded by the bytes that are taken account of here.
        if before > LARGEST || self.sender.send(finished).is_err() {
            self.held.fetch_sub(size, Ordering::Relaxed);
            self.dropped.fetch_add(count, Ordering::Relaxed);
        }
    }
}

/// Makes rows.
#[derive(Debug)]
pub struct Clerk {
    finished: mpsc::UnboundedReceiver<Vec<Draft>>,
    held: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
    metrics: Arc<Metrics>,
    shared: Arc<Shared>,
    writer: Writer,
}

impl Clerk {
    /// A clerk, and the place, not open yet, where finished requests are handed to it.
    #[must_use]
    pub fn new(shared: Arc<Shared>, writer: Writer) -> (Self, Intake) {
        let (sender, finished) = mpsc::unbounded_channel();
        let (held, dropped) = (Arc::default(), Arc::default());
        let metrics: Arc<Metrics> = Arc::default();
        let intake = Intake {
            sender,
            open: AtomicBool::new(false),
            held: Arc::clone(&held),
            dropped: Arc::clone(&dropped),
            metrics: Arc::clone(&metrics),
            writer: writer.clone(),
        };
        let clerk = Self {
            finished,
            held,
            dropped,
            metrics,
            shared,
            writer,
        };
        (clerk, intake)
    }

    /// Makes rows until it is told to stop, and of what was handed over until then.
    pub async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut told = 0;
        loop {
            let finished = tokio::select! {
                biased;
                finished = self.finished.recv() => finished,
                _ = &mut stop => self.finished.try_recv().ok(),
            };
            let Some(finished) = finished else { return };
            for draft in finished {
                let held = draft.held();
                let record = row::record(draft, &self.shared.state(), &self.metrics);
                self.held.fetch_sub(held, Ordering::Relaxed);
                self.metrics.count(&record);
                // What finds no room is counted by the writer.
                let _ = self.writer.offer(record);
                tokio::task::consume_budget().await;
            }
            let lost = self.dropped.load(Ordering::Relaxed) + self.writer.progress().dropped;
            if lost > told {
                tracing::warn!(
                    lost,
                    "the request log is behind: requests are not on record"
                );
                told = lost;
            }
        }
    }
}
