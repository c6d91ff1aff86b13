//! One thread's finished requests, on their way to the thread that makes rows of them.

use std::cell::{Cell, RefCell};
use std::mem;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::clerk::Intake;
use super::draft::Draft;

/// How long a finished request waits for others. To wake another thread costs more than to note a request.
const WAIT: Duration = Duration::from_millis(100);
/// As many are handed over at once at least.
const MANY: usize = 64;
/// What drafts of requests under way may hold of one thread's memory, in bytes. Beyond that, what passes is counted and not kept.
const LARGEST: usize = 64 << 20;

/// One thread's.
#[derive(Debug)]
pub(crate) struct Desk {
    intake: Arc<Intake>,
    finished: RefCell<Vec<Draft>>,
    /// Whether somebody will hand them over soon.
    armed: Cell<bool>,
    /// What requests under way hold.
    held: Cell<usize>,
}

impl Desk {
    pub(crate) fn new(intake: Arc<Intake>) -> Rc<Self> {
        Rc::new(Self {
            intake,
            finished: RefCell::default(),
            armed: Cell::new(false),
            held: Cell::new(0),
        })
    }

    /// Whether a request under way may hold more.
    pub(crate) fn has_room(&self) -> bool {
        self.held.get() < LARGEST
    }

    /// A request under way holds so much more.
    pub(crate) fn hold(&self, bytes: usize) {
        self.held.set(self.held.get() + bytes);
    }

    /// Takes a request that is over, which `held` so much while it lasted.
    pub(crate) fn finish(self: &Rc<Self>, draft: Draft, held: usize) {
        self.held.set(self.held.get().saturating_sub(held));
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
