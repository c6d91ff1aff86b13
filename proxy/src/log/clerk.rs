//! The thread that makes rows of finished requests, and offers them to the logbook's writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use dragoman_config::wire::LogState;
use dragoman_logbook::record::Record;
use dragoman_logbook::writer::Writer;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::draft::Draft;
use super::metrics::Metrics;
use super::replays::Replays;
use super::row;
use super::standing::Standing;
use super::tokens::{self, Tokens};
use crate::state::Shared;
use crate::trace::{Finished, Tracer};

/// What finished requests may hold in memory until rows are made of them, in bytes.
const LARGEST: usize = 64 << 20;
/// The attribute that leads from a row to its trace.
const TRACE: &str = "trace_id";

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
    /// Where spans go, if anywhere.
    tracer: Option<Arc<Tracer>>,
    standing: Mutex<Standing>,
    replays: Replays,
}

impl Intake {
    /// Takes requests from now on. Those that have begun before leave no row.
    pub fn open(&self) {
        self.open.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Where replies that are on record are asked for.
    pub(crate) fn replays(&self) -> &Replays {
        &self.replays
    }

    /// What the rows come to, and how the log does, in Prometheus' text format.
    pub fn metrics_text(&self) -> String {
        let dropped = self.dropped.load(Ordering::Relaxed);
        let mut text = self.metrics.text(&self.writer.progress(), dropped);
        if let Some(tracer) = &self.tracer {
            text += &tracer.metrics_text();
        }
        text
    }

    /// What makes traces, if anything does.
    pub(crate) fn tracer(&self) -> Option<&Tracer> {
        self.tracer.as_deref()
    }

    /// Whether rows are stored, as of now.
    pub(crate) fn standing(&self) -> LogState {
        if !self.is_open() {
            return LogState::NotKept;
        }
        let progress = self.writer.progress();
        let lost = self.dropped.load(Ordering::Relaxed) + progress.dropped + progress.refused;
        self.standing.lock().look(&progress, lost, Instant::now())
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
    tracer: Option<Arc<Tracer>>,
    tokens: Tokens,
}

impl Clerk {
    /// A clerk, and the place, not open yet, where finished requests are handed to it. Spans go to `tracer`, if there is one.
    #[must_use]
    pub(crate) fn new(
        shared: Arc<Shared>,
        writer: Writer,
        replays: Replays,
        tracer: Option<Tracer>,
    ) -> (Self, Intake) {
        let tracer = tracer.map(Arc::new);
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
            tracer: tracer.clone(),
            standing: Mutex::default(),
            replays,
        };
        let clerk = Self {
            finished,
            held,
            dropped,
            metrics,
            shared,
            writer,
            tracer,
            tokens: Tokens::default(),
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
                () = tokio::time::sleep(tokens::KEPT), if self.tokens.are_held() => {
                    self.tokens.rest(Instant::now());
                    continue;
                }
            };
            let Some(finished) = finished else { return };
            for draft in finished {
                let held = draft.held();
                let record = self.record(draft);
                self.held.fetch_sub(held, Ordering::Relaxed);
                self.metrics.count(&record);
                // What finds no room is counted by the writer.
                let _ = self.writer.offer(record);
                tokio::task::consume_budget().await;
            }
            self.tokens.rest(Instant::now());
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

    fn record(&mut self, mut draft: Draft) -> Record {
        let finished = draft.traced.take().map(|traced| Finished {
            traced,
            started: draft.started,
            took: draft.took,
            tries: draft.tried.iter().map(|tried| tried.took).collect(),
        });
        let state = self.shared.state();
        let mut record = row::record(draft, &state, &self.metrics, &mut self.tokens);
        if let Some((tracer, finished)) = self.tracer.as_ref().zip(finished)
            && let Some(trace) = finished.traced.id()
        {
            tracer.take(finished.spans(&record));
            let attributes = record.attributes.get_or_insert_default();
            attributes.entry(TRACE).or_insert_with(|| trace.into());
        }
        record
    }
}
