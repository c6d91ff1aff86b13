//! The task between queue, spool and sink.
//!
//! One batch is under way at a time. What is in the spool goes before what is in memory. A batch in memory goes to the spool when the sink
//! has failed, or when it has to wait and the queue is half full.

use super::backoff::Backoff;
use super::batch::{Batch, FULL};
use super::progress::Shared;
use super::{Options, Sink};
use crate::fault::Fault;
use crate::record::Record;
use crate::spool::Spool;
use crate::store::Inserted;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

/// How soon a batch that waits looks again whether the queue is half full.
const LOOK: Duration = Duration::from_millis(50);
/// How long a spool that took nothing is left alone.
const REST: Duration = Duration::from_secs(1);

/// Says when all that was offered is safe, or, from a time on, whether what is in memory went to the spool.
#[derive(Debug)]
pub(super) struct Flush {
    pub(super) reply: oneshot::Sender<bool>,
    pub(super) spill_at: Instant,
}

/// A batch on its way to the sink.
struct Flight {
    batch: Arc<Batch>,
    spooled: bool,
    done: Pin<Box<dyn Future<Output = Result<Inserted, Fault>> + Send>>,
}

pub(super) struct Task<S> {
    sink: Arc<S>,
    spool: Option<Spool>,
    options: Options,
    receiver: mpsc::UnboundedReceiver<Record>,
    /// Beside the queue, which may be long and stand still.
    flushes: mpsc::UnboundedReceiver<Flush>,
    progress: Arc<Shared>,
    /// What gathers, and until when.
    open: Batch,
    until: Instant,
    flight: Option<Flight>,
    backoff: Backoff,
    retry_at: Option<Instant>,
    /// Until when the spool is left alone.
    full_until: Option<Instant>,
    flushing: Vec<Flush>,
    closed: bool,
}

impl<S: Sink> Task<S> {
    pub(super) fn new(
        sink: Arc<S>,
        spool: Option<Spool>,
        options: Options,
        receiver: mpsc::UnboundedReceiver<Record>,
        flushes: mpsc::UnboundedReceiver<Flush>,
        progress: Arc<Shared>,
    ) -> Self {
        Self {
            sink,
            spool,
            options,
            receiver,
            flushes,
            progress,
            open: Batch::default(),
            until: Instant::now(),
            flight: None,
            backoff: Backoff::default(),
            retry_at: None,
            full_until: None,
            flushing: Vec::new(),
            closed: false,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            self.start().await;
            self.spill().await;
            self.report();
            if self.is_done() {
                self.answer(true);
                if self.closed {
                    return;
                }
            }
            let ripe = self.is_ripe();
            let gathers = !self.open.is_empty() && !ripe;
            let takes = !self.closed && !self.open.is_full(self.options.batch_rows);
            let looks = ripe && self.spool.is_some();
            let spill_at = self.flushing.iter().map(|flush| flush.spill_at).min();
            tokio::select! {
                biased;
                result = landing(&mut self.flight) => self.land(result).await,
                () = at(spill_at) => self.spill_all().await,
                Some(flush) = self.flushes.recv() => self.flushing.push(flush),
                record = self.receiver.recv(), if takes => self.take(record),
                () = sleep_until(self.until), if gathers => {}
                () = at(self.retry_at) => self.retry_at = None,
                () = tokio::time::sleep(LOOK), if looks => {}
            }
        }
    }

    fn take(&mut self, record: Option<Record>) {
        let Some(record) = record else {
            self.closed = true;
            return;
        };
        if self.open.is_empty() {
            self.until = Instant::now() + self.options.batch_wait;
        }
        self.open.push(record);
    }

    /// Whether what gathered is to go.
    fn is_ripe(&self) -> bool {
        let now = self.closed
            || !self.flushing.is_empty()
            || self.open.is_full(self.options.batch_rows)
            || Instant::now() >= self.until;
        now && !self.open.is_empty()
    }

    fn is_away(&self) -> bool {
        self.progress.away.load(Relaxed)
    }

    fn spool_is_empty(&self) -> bool {
        self.spool.as_ref().is_none_or(Spool::is_empty)
    }

    /// Whether nothing is left to do, or, at the end, nothing that can be done.
    fn is_done(&self) -> bool {
        let rests = self.spool_is_empty() || self.closed && self.is_away();
        self.open.is_empty() && self.receiver.is_empty() && self.flight.is_none() && rests
    }

    /// Sends the next batch, if there is one and it may go.
    async fn start(&mut self) {
        if self.flight.is_some() || self.retry_at.is_some() {
            return;
        }
        let (batch, spooled) = if !self.spool_is_empty() {
            let most = self.options.batch_rows;
            let records = match self.on_disk(move |spool| spool.next(most, FULL)).await {
                Some(Ok(records)) => records,
                Some(Err(error)) => {
                    tracing::error!(%error, "a segment of the spool cannot be read, and is left");
                    self.retry_at = Some(Instant::now() + REST);
                    return;
                }
                None => return,
            };
            let since = self.spool.as_ref().and_then(Spool::since);
            (
                Batch {
                    records,
                    bytes: 0,
                    since,
                },
                true,
            )
        } else if self.is_ripe() {
            (std::mem::take(&mut self.open), false)
        } else {
            return;
        };
        if batch.is_empty() {
            return;
        }
        let (batch, sink) = (Arc::new(batch), Arc::clone(&self.sink));
        let sent = Arc::clone(&batch);
        let done = Box::pin(async move { sink.put(&sent.records).await });
        self.flight = Some(Flight {
            batch,
            spooled,
            done,
        });
    }

    /// What became of the batch that was under way.
    async fn land(&mut self, result: Result<Inserted, Fault>) {
        let Some(Flight {
            batch,
            spooled,
            done,
        }) = self.flight.take()
        else {
            return;
        };
        drop(done);
        match result {
            Ok(inserted) => {
                self.progress.committed.fetch_add(inserted.stored, Relaxed);
                self.progress.known.fetch_add(inserted.known, Relaxed);
                self.refuse(&inserted.refused);
                if self.progress.away.swap(false, Relaxed) {
                    tracing::info!("the request log is stored again");
                }
            }
            Err(fault) if fault.may_retry() => {
                if !self.progress.away.swap(true, Relaxed) {
                    tracing::warn!(%fault, "the request log is not stored for now");
                }
                self.retry_at = Some(Instant::now() + self.backoff.next());
                if !spooled {
                    self.keep(batch).await;
                }
                return;
            }
            Err(fault) => {
                let all: Vec<_> = batch
                    .records
                    .iter()
                    .map(|record| (record.id.clone(), fault.clone()))
                    .collect();
                self.refuse(&all);
            }
        }
        self.backoff.succeeded();
        if spooled {
            // There is room again.
            self.full_until = None;
            if let Some(Err(error)) = self.on_disk(Spool::acknowledge).await {
                tracing::error!(%error, "a segment of the spool cannot be deleted");
                self.retry_at = Some(Instant::now() + REST);
            }
        } else {
            self.progress.release(batch.bytes);
        }
    }

    fn refuse(&self, refused: &[(String, Fault)]) {
        self.progress
            .refused
            .fetch_add(refused.len() as u64, Relaxed);
        for (id, fault) in refused {
            tracing::warn!(id, %fault, "a request is missing from the log");
        }
    }

    /// A batch that did not get through goes to the spool, or else before what gathers.
    async fn keep(&mut self, batch: Arc<Batch>) {
        if self.put_by(&batch).await {
            return self.progress.release(batch.bytes);
        }
        let Ok(mut batch) = Arc::try_unwrap(batch) else {
            return;
        };
        let open = std::mem::take(&mut self.open);
        batch.records.extend(open.records);
        batch.bytes += open.bytes;
        self.open = batch;
    }

    /// What gathered goes to the spool, if it should.
    async fn spill(&mut self) {
        let half = self.progress.queued() >= self.options.max_bytes / 2;
        if self.is_ripe() && (half || self.is_away()) && self.spool.is_some() {
            self.spill_open().await;
        }
    }

    /// Returns whether nothing is left in what gathers.
    async fn spill_open(&mut self) -> bool {
        if self.open.is_empty() {
            return true;
        }
        let batch = Arc::new(std::mem::take(&mut self.open));
        if self.put_by(&batch).await {
            self.progress.release(batch.bytes);
            return true;
        }
        self.open = Arc::try_unwrap(batch).unwrap_or_default();
        false
    }

    /// The time to flush is nearly over: all that is in memory goes to the spool, what is under way too, in case it never gets there.
    async fn spill_all(&mut self) {
        self.full_until = None;
        let mut safe = self.spill_open().await;
        while safe && let Ok(record) = self.receiver.try_recv() {
            self.open.push(record);
            if self.open.is_full(self.options.batch_rows) || self.receiver.is_empty() {
                safe = self.spill_open().await;
            }
        }
        if let Some(batch) = self
            .flight
            .as_ref()
            .filter(|flight| !flight.spooled)
            .map(|flight| Arc::clone(&flight.batch))
        {
            safe &= self.put_by(&batch).await;
        }
        self.answer(safe);
    }

    fn answer(&mut self, safe: bool) {
        for Flush { reply, .. } in self.flushing.drain(..) {
            // Who asked may have given up.
            let _ = reply.send(safe);
        }
    }

    /// Appends a batch to the spool, and returns whether it is there.
    async fn put_by(&mut self, batch: &Arc<Batch>) -> bool {
        if self.full_until.is_some_and(|until| Instant::now() < until) {
            return false;
        }
        let records = Arc::clone(batch);
        match self
            .on_disk(move |spool| spool.append(&records.records))
            .await
        {
            Some(Ok(())) => {
                self.progress
                    .spooled
                    .fetch_add(batch.records.len() as u64, Relaxed);
                true
            }
            Some(Err(full)) => {
                tracing::warn!(%full, "records wait in memory");
                self.full_until = Some(Instant::now() + REST);
                false
            }
            None => false,
        }
    }

    /// Works on the spool where blocking is allowed.
    async fn on_disk<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Spool) -> T + Send + 'static,
    ) -> Option<T> {
        let mut spool = self.spool.take()?;
        let worked = tokio::task::spawn_blocking(move || {
            let result = work(&mut spool);
            (spool, result)
        });
        let Ok((spool, result)) = worked.await else {
            tracing::error!("the spool of the request log is out of use");
            return None;
        };
        self.spool = Some(spool);
        Some(result)
    }

    fn report(&self) {
        let spool = self.spool.as_ref();
        self.progress
            .spool
            .store(spool.map_or(0, Spool::bytes), Relaxed);
        let flying = self.flight.as_ref().and_then(|flight| flight.batch.since);
        let waiting = [flying, spool.and_then(Spool::since), self.open.since];
        *self.progress.oldest.lock() = waiting.into_iter().flatten().min();
    }
}

/// The end of what is under way; never, if nothing is.
async fn landing(flight: &mut Option<Flight>) -> Result<Inserted, Fault> {
    match flight {
        Some(flight) => (&mut flight.done).await,
        None => pending().await,
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}
