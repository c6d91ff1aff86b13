//! What is offered is stored, whatever the sink does meanwhile, and nobody waits for it.

use super::*;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;
use tempfile::TempDir;
use tokio::sync::Notify;

/// A sink that is as one says.
#[derive(Clone, Default)]
struct Fake(Arc<Inner>);

#[derive(Default)]
struct Inner {
    mood: Mutex<Mood>,
    changed: Notify,
    /// Ids in the order in which they came first.
    stored: Mutex<Vec<String>>,
    calls: Mutex<usize>,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Mood {
    #[default]
    Well,
    Away,
    Frozen,
}

impl Fake {
    fn be(&self, mood: Mood) {
        *self.0.mood.lock() = mood;
        self.0.changed.notify_waiters();
    }

    fn stored(&self) -> Vec<String> {
        self.0.stored.lock().clone()
    }

    fn take(&self, records: &[Record]) -> Inserted {
        let mut stored = self.0.stored.lock();
        let mut inserted = Inserted::default();
        for record in records {
            if record.path == "/poison" {
                inserted
                    .refused
                    .push((record.id.clone(), Fault::Row("poison".into())));
            } else if stored.contains(&record.id) {
                inserted.known += 1;
            } else {
                stored.push(record.id.clone());
                inserted.stored += 1;
            }
        }
        inserted
    }
}

impl Sink for Fake {
    async fn put(&self, records: &[Record]) -> Result<Inserted, Fault> {
        *self.0.calls.lock() += 1;
        loop {
            let changed = self.0.changed.notified();
            let mood = *self.0.mood.lock();
            match mood {
                Mood::Well => return Ok(self.take(records)),
                Mood::Away => return Err(Fault::Away("gone".into())),
                Mood::Frozen => changed.await,
            }
        }
    }
}

fn record(i: usize) -> Record {
    Record {
        id: format!("{i:05}"),
        request_body: Some("x".repeat(1000)),
        ..Record::default()
    }
}

fn spool(folder: &Path) -> Option<Spool> {
    Some(Spool::open(folder, 1 << 30).unwrap())
}

fn quick() -> Options {
    Options {
        batch_rows: 10,
        batch_wait: Duration::from_millis(10),
        ..Options::default()
    }
}

/// Waits until something holds.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn all(n: usize) -> Vec<String> {
    (0..n).map(|i| record(i).id).collect()
}

#[tokio::test]
async fn what_is_offered_is_stored_in_order_and_leaves_the_queue_empty() {
    let sink = Fake::default();
    let (writer, _task) = Writer::start(sink.clone(), None, quick());
    (0..25).for_each(|i| writer.offer(record(i)).unwrap());
    assert!(writer.flush(Duration::from_secs(30)).await);
    assert_eq!(sink.stored(), all(25));
    let progress = writer.progress();
    assert_eq!(
        (progress.committed, progress.queued_bytes, progress.lag),
        (25, 0, Duration::ZERO)
    );
    assert!(*sink.0.calls.lock() >= 3);
}

#[tokio::test]
async fn a_record_alone_is_stored_without_a_flush() {
    let sink = Fake::default();
    let (writer, _task) = Writer::start(sink.clone(), None, quick());
    writer.offer(record(0)).unwrap();
    eventually("it is stored", || sink.stored() == all(1)).await;
}

#[tokio::test]
async fn what_comes_while_the_sink_is_away_is_spooled_and_stored_in_order_afterwards() {
    let folder = TempDir::new().unwrap();
    let sink = Fake::default();
    sink.be(Mood::Away);
    let (writer, _task) = Writer::start(sink.clone(), spool(folder.path()), quick());
    (0..200).for_each(|i| writer.offer(record(i)).unwrap());
    eventually("all is on disk", || writer.progress().queued_bytes == 0).await;
    let progress = writer.progress();
    assert!(progress.away && progress.spool_bytes > 200_000 && progress.lag > Duration::ZERO);
    sink.be(Mood::Well);
    eventually("all is stored", || writer.progress().committed == 200).await;
    assert_eq!(sink.stored(), all(200));
    eventually("the spool is empty", || writer.progress().spool_bytes == 0).await;
    assert_eq!(
        (writer.progress().known, writer.progress().away),
        (0, false)
    );
}

#[tokio::test]
async fn a_sink_that_hangs_lets_the_queue_go_to_the_spool_when_it_is_half_full() {
    let folder = TempDir::new().unwrap();
    let sink = Fake::default();
    sink.be(Mood::Frozen);
    let options = Options {
        max_bytes: 400_000,
        ..quick()
    };
    let (writer, _task) = Writer::start(sink.clone(), spool(folder.path()), options);
    for i in 0..2000 {
        eventually("there is room", || writer.offer(record(i)).is_ok()).await;
        assert!(writer.progress().queued_bytes <= 400_000);
    }
    assert!(writer.progress().spooled > 1000);
    sink.be(Mood::Well);
    eventually("all is stored", || writer.progress().committed == 2000).await;
    let stored: BTreeSet<_> = sink.stored().into_iter().collect();
    assert_eq!(stored.len(), 2000);
}

#[tokio::test]
async fn what_finds_no_room_is_dropped_at_once_and_counted() {
    let sink = Fake::default();
    sink.be(Mood::Frozen);
    let options = Options {
        max_bytes: 50_000,
        ..quick()
    };
    let (writer, _task) = Writer::start(sink.clone(), None, options);
    let taken = (0..1000)
        .filter(|i| writer.offer(record(*i)).is_ok())
        .count();
    assert!(taken < 50);
    assert_eq!(writer.progress().dropped, 1000 - taken as u64);
    sink.be(Mood::Well);
    eventually("what was taken is stored", || sink.stored().len() == taken).await;
    assert!(writer.offer(record(5000)).is_ok());
}

#[tokio::test]
async fn a_full_spool_makes_the_queue_fill_and_both_drain_afterwards() {
    let folder = TempDir::new().unwrap();
    let sink = Fake::default();
    sink.be(Mood::Away);
    let small = Spool::open(folder.path(), 50_000).unwrap();
    let options = Options {
        max_bytes: 100_000,
        ..quick()
    };
    let (writer, _task) = Writer::start(sink.clone(), Some(small), options);
    let mut taken = 0;
    eventually("nothing more fits", || {
        taken += usize::from(writer.offer(record(taken)).is_ok());
        writer.progress().dropped > 100
    })
    .await;
    let progress = writer.progress();
    assert!(progress.spool_bytes <= 50_000 && progress.queued_bytes <= 100_000);
    sink.be(Mood::Well);
    eventually("what was taken is stored", || {
        writer.progress().committed == taken as u64
    })
    .await;
    assert_eq!(sink.stored().len(), taken);
}

#[tokio::test]
async fn a_flush_while_the_sink_hangs_leaves_all_on_disk_for_the_next_process() {
    let folder = TempDir::new().unwrap();
    let sink = Fake::default();
    sink.be(Mood::Frozen);
    let (writer, task) = Writer::start(sink.clone(), spool(folder.path()), quick());
    (0..25).for_each(|i| writer.offer(record(i)).unwrap());
    assert!(writer.flush(Duration::from_millis(400)).await);
    task.abort();
    sink.be(Mood::Well);
    let (writer, _task) = Writer::start(sink.clone(), spool(folder.path()), quick());
    eventually("all is stored", || writer.progress().committed == 25).await;
    let stored: BTreeSet<_> = sink.stored().into_iter().collect();
    assert_eq!(stored.into_iter().collect::<Vec<_>>(), all(25));
}

#[tokio::test]
async fn a_flush_without_a_spool_says_that_rows_are_in_memory_alone() {
    let sink = Fake::default();
    sink.be(Mood::Away);
    let (writer, _task) = Writer::start(sink, None, quick());
    writer.offer(record(0)).unwrap();
    assert!(!writer.flush(Duration::from_millis(100)).await);
}

#[tokio::test]
async fn a_poisoned_row_is_counted_and_blocks_nothing() {
    let sink = Fake::default();
    let (writer, _task) = Writer::start(sink.clone(), None, quick());
    writer
        .offer(Record {
            path: "/poison".into(),
            ..record(99)
        })
        .unwrap();
    (0..5).for_each(|i| writer.offer(record(i)).unwrap());
    assert!(writer.flush(Duration::from_secs(30)).await);
    assert_eq!((writer.progress().refused, sink.stored()), (1, all(5)));
}

#[tokio::test]
async fn the_task_ends_when_nobody_can_offer_any_more() {
    let folder = TempDir::new().unwrap();
    let sink = Fake::default();
    let (writer, task) = Writer::start(sink.clone(), spool(folder.path()), quick());
    (0..25).for_each(|i| writer.offer(record(i)).unwrap());
    drop(writer);
    task.await.unwrap();
    assert_eq!(sink.stored(), all(25));
}
