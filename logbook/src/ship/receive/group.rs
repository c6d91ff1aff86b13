//! Batches that wait for the database are stored together: a commit costs hardly more for the rows of many proxies than for those of one.
//!
//! One group is with the database at a time. Whoever brought a batch may go meanwhile; it is stored all the same.

use crate::fault::Fault;
use crate::record::Record;
use crate::store::Inserted;
use crate::writer::Sink;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::oneshot;

/// The rows and the bytes at which a group is not added to.
const ROWS: usize = 2000;
const BYTES: usize = 16 << 20;

type Answer = Result<Inserted, Fault>;

/// The way of batches into one sink.
#[derive(Debug)]
pub(super) struct Group<S> {
    sink: S,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Batch>,
    /// Whether a task looks after what waits.
    busy: bool,
}

#[derive(Debug)]
struct Batch {
    records: Vec<Record>,
    answer: oneshot::Sender<Answer>,
}

/// A batch of a group: where its rows are, and who waits for them.
#[derive(Debug)]
struct Member {
    ids: Vec<String>,
    answer: oneshot::Sender<Answer>,
}

impl<S: Sink> Group<S> {
    pub(super) fn new(sink: S) -> Arc<Self> {
        Arc::new(Self {
            sink,
            state: Mutex::default(),
        })
    }

    /// Stores a batch, with others if there are any.
    pub(super) async fn store(self: &Arc<Self>, records: Vec<Record>) -> Answer {
        let (answer, answered) = oneshot::channel();
        let begins = {
            let mut state = self.state.lock();
            state.waiting.push_back(Batch { records, answer });
            !std::mem::replace(&mut state.busy, true)
        };
        if begins {
            let busy = Busy(Arc::clone(self));
            tokio::spawn(async move { busy.drain().await });
        }
        answered
            .await
            .unwrap_or_else(|_| Err(Fault::Away("the batch was lost on its way".into())))
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.state.lock().waiting.len()
    }

    #[cfg(test)]
    pub(super) fn is_busy(&self) -> bool {
        self.state.lock().busy
    }

    /// The first that wait, and their rows; none, and nobody is busy any more.
    fn next(&self) -> Option<(Vec<Record>, Vec<Member>)> {
        let mut state = self.state.lock();
        let (mut records, mut members, mut bytes) = (Vec::new(), Vec::new(), 0);
        while records.len() < ROWS
            && bytes < BYTES
            && let Some(batch) = state.waiting.pop_front()
        {
            bytes += batch.records.iter().map(Record::size).sum::<usize>();
            let ids = batch.records.iter().map(|record| record.id.clone());
            members.push(Member {
                ids: ids.collect(),
                answer: batch.answer,
            });
            records.extend(batch.records);
        }
        state.busy = !members.is_empty();
        state.busy.then_some((records, members))
    }
}

/// The task that looks after what waits. However it ends, another may begin.
struct Busy<S: Sink>(Arc<Group<S>>);

impl<S: Sink> Busy<S> {
    async fn drain(self) {
        while let Some((records, members)) = self.0.next() {
            match self.0.sink.put(&records).await {
                Ok(inserted) => tell(inserted, members),
                Err(fault) => {
                    // What waits would wait as long for the same answer.
                    let waiting = std::mem::take(&mut self.0.state.lock().waiting);
                    let waiting = waiting.into_iter().map(|batch| batch.answer);
                    let asked = members.into_iter().map(|member| member.answer);
                    // Who asked may have gone.
                    let told =
                        |answer: oneshot::Sender<Answer>| drop(answer.send(Err(fault.clone())));
                    asked.chain(waiting).for_each(told);
                }
            }
        }
    }
}

impl<S: Sink> Drop for Busy<S> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut state = self.0.state.lock();
            state.busy = false;
            state.waiting.clear();
        }
    }
}

/// Tells each batch what became of its rows. Which of them were known is known of the group alone, and said of those that come first.
fn tell(mut inserted: Inserted, members: Vec<Member>) {
    for Member { ids, answer } in members {
        let of_others = |(id, _): &(String, Fault)| !ids.contains(id);
        let (others, refused) = inserted.refused.into_iter().partition(of_others);
        inserted.refused = others;
        let mut own = Inserted {
            refused,
            ..Inserted::default()
        };
        let taken = (ids.len() - own.refused.len().min(ids.len())) as u64;
        own.known = inserted.known.min(taken);
        inserted.known -= own.known;
        own.stored = taken - own.known;
        let _ = answer.send(Ok(own));
    }
}
