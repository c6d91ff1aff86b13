//! One thread's finished requests, on their way to the thread that makes rows of them.

use std::cell::{Cell, RefCell};
use std::mem;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use dragoman_config::ObjectKey;
use http::HeaderMap;
use slab::Slab;

use super::clerk::Intake;
use super::draft::{Draft, Notes};
use super::live::Ask;
use super::row;
use crate::serve::Delivery;
use crate::trace::Traced;

/// How long a finished request waits for others. To wake another thread costs more than to note a request.
const WAIT: Duration = Duration::from_millis(100);
/// As many are handed over at once at least.
const MANY: usize = 64;
/// What drafts of requests under way may hold of one thread's memory, in bytes. Beyond that, what passes is counted and not kept.
const LARGEST: usize = 64 << 20;

/// What the error of a request says that somebody cancelled.
const CANCELLED: &str = "it was cancelled through the API of requests in flight";
/// What the error of a request says that was running when its time was up.
const ENDED: &str = "the proxy stopped before the reply ended";

/// One thread's.
#[derive(Debug)]
pub(crate) struct Desk {
    intake: Arc<Intake>,
    finished: RefCell<Vec<Draft>>,
    /// Whether somebody will hand them over soon.
    armed: Cell<bool>,
    /// What requests under way hold.
    held: Cell<usize>,
    running: RefCell<Slab<Entry>>,
}

/// A request under way.
#[derive(Debug)]
struct Entry {
    notes: Notes,
    /// What ends it.
    delivery: Rc<Delivery>,
}

impl Desk {
    pub(crate) fn new(intake: Arc<Intake>) -> Rc<Self> {
        Rc::new(Self {
            intake,
            finished: RefCell::default(),
            armed: Cell::new(false),
            held: Cell::new(0),
            running: RefCell::default(),
        })
    }

    /// A request begins. Its place among those under way is told.
    pub(crate) fn begin(&self, notes: &Notes, delivery: &Rc<Delivery>) -> usize {
        self.running.borrow_mut().insert(Entry {
            notes: notes.clone(),
            delivery: Rc::clone(delivery),
        })
    }

    /// Answers what is asked of requests under way. `proxy`: the LLMProxy.
    pub(crate) fn answer(&self, ask: Ask, proxy: &ObjectKey) {
        let running = self.running.borrow();
        match ask {
            Ask::List(reply) => {
                let mut all = Vec::with_capacity(running.len());
                for (_, entry) in running.iter() {
                    entry
                        .notes
                        .note(|draft| all.push(row::running(draft, proxy)));
                }
                let _ = reply.send(all);
            }
            Ask::EndAll(reply) => {
                for (_, entry) in running.iter() {
                    entry.notes.note(|draft| draft.fault = Some(ENDED.into()));
                    entry.delivery.cut();
                }
                let _ = reply.send(());
            }
            Ask::Cancel(id, reply) => {
                let mut found = false;
                for (_, entry) in running.iter() {
                    entry.notes.note(|draft| {
                        if draft.id.to_string() == *id {
                            found = true;
                            draft.fault = Some(CANCELLED.into());
                            entry.delivery.cut();
                        }
                    });
                }
                let _ = reply.send(found);
            }
        }
    }

    /// Whether a log is kept of requests that begin now.
    pub(crate) fn is_open(&self) -> bool {
        self.intake.is_open()
    }

    /// A request's place in a trace, where traces are made.
    pub(crate) fn traced(&self, headers: &HeaderMap) -> Option<Box<Traced>> {
        let tracer = self.intake.tracer()?;
        Some(Traced::begin(headers, tracer.sampler()))
    }

    /// Whether a request under way may hold more.
    pub(crate) fn has_room(&self) -> bool {
        self.held.get() < LARGEST
    }

    /// A request under way holds so much more.
    pub(crate) fn hold(&self, bytes: usize) {
        self.held.set(self.held.get() + bytes);
    }

    /// Takes the request at this place, which is over.
    pub(crate) fn finish(self: &Rc<Self>, place: usize, took: Duration) {
        let entry = self.running.borrow_mut().try_remove(place);
        let Some(mut draft) = entry.and_then(|entry| entry.notes.take()) else {
            return;
        };
        draft.took = took;
        self.held.set(self.held.get().saturating_sub(draft.room));
        let mut finished = self.finished.borrow_mut();
        finished.push(draft);
        let many = finished.len() >= MANY;
        drop(finished);
        if many {
            return self.hand_over();
        }
        if !self.armed.replace(true) {
            let desk = Rc::clone(self);
            tokio::task::spawn_local(async move {
                tokio::time::sleep(WAIT).await;
                desk.armed.set(false);
                desk.hand_over();
            });
        }
    }

    /// Hands over what is finished.
    pub(crate) fn hand_over(&self) {
        let finished = mem::take(&mut *self.finished.borrow_mut());
        if !finished.is_empty() {
            self.intake.take(finished);
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.hand_over();
    }
}
