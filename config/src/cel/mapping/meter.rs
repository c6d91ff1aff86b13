//! What an evaluation may cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kube_cel::cel::ExecutionError;

/// What every evaluation may cost, whatever it works on. A unit is about a byte that is copied.
const BASE: usize = 8 << 20;
/// How often an evaluation may copy its whole input besides.
const TIMES: usize = 8;
/// What a value costs besides its bytes, and a turn of a macro.
pub(super) const NODE: usize = 48;

/// What is said where the bound is reached.
pub(super) const TOO_MUCH: &str = "it takes too much work for a body of this size; read less of the body within macros, and build less of it twice";

/// What is left of an evaluation's budget.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    left: Arc<AtomicUsize>,
    full: Arc<AtomicUsize>,
}

impl Meter {
    /// With nothing to spend.
    pub(super) fn empty() -> Self {
        Self {
            left: Arc::default(),
            full: Arc::default(),
        }
    }

    /// Begins an evaluation whose input costs `input`.
    pub(super) fn begin(&self, input: usize) {
        let full = input.saturating_mul(TIMES).saturating_add(BASE);
        self.full.store(full, Ordering::Relaxed);
        self.refill();
    }

    /// Takes `cost` off.
    pub(super) fn spend(&self, cost: usize) -> Result<(), ExecutionError> {
        let left = self.left.load(Ordering::Relaxed).saturating_sub(cost);
        self.left.store(left, Ordering::Relaxed);
        if left == 0 {
            return Err(ExecutionError::function_error("", TOO_MUCH));
        }
        Ok(())
    }

    pub(super) fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }

    pub(super) fn is_spent(&self) -> bool {
        self.left() == 0
    }

    pub(super) fn refill(&self) {
        self.left
            .store(self.full.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}
