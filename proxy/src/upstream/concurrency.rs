//! A bound on requests in flight, shared by all threads.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::fault::Fault;

/// At most so many requests at once, counted exactly across the threads that hold a clone.
#[derive(Debug, Clone)]
pub struct Concurrency {
    in_flight: Arc<AtomicUsize>,
    limit: usize,
}

impl Concurrency {
    /// A bound of `limit` on what `in_flight` counts. A changed bound takes the old counter along.
    pub fn new(in_flight: Arc<AtomicUsize>, limit: usize) -> Self {
        Concurrency { in_flight, limit }
    }

    /// A place among those in flight, held until it is dropped.
    pub(crate) fn enter(&self) -> Result<Permit, Fault> {
        self.in_flight
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| {
                (now < self.limit).then_some(now + 1)
            })
            .map_err(|_| Fault::Saturated { limit: self.limit })?;
        Ok(Permit(Arc::clone(&self.in_flight)))
    }
}

/// A place among the requests in flight.
#[derive(Debug)]
pub(crate) struct Permit(Arc<AtomicUsize>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_holds_and_a_place_comes_back() {
        let bound = Concurrency::new(Arc::default(), 2);
        let first = bound.enter().unwrap();
        let _second = bound.clone().enter().unwrap();
        assert!(matches!(bound.enter(), Err(Fault::Saturated { limit: 2 })));
        drop(first);
        assert!(bound.enter().is_ok());
    }
}
