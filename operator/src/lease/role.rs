//! What a replica is at present: the leader, for a term, or one who follows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// What this replica is.
#[derive(Clone, Debug)]
pub enum Role {
    /// It serves and writes, while the term holds.
    Leading(Term),
    /// Another one does, at this address where it is known.
    Following(Option<String>),
}

/// One unbroken time of leadership. A process that was frozen past its term's end finds it over before it sends another byte.
#[derive(Clone, Debug)]
pub struct Term {
    begun: Instant,
    /// Milliseconds after `begun`.
    until: Arc<AtomicU64>,
    over: CancellationToken,
}

impl Term {
    /// A term that holds until `until` unless it is extended.
    #[must_use]
    pub fn new(now: Instant, until: Instant) -> Self {
        let term = Self {
            begun: now,
            until: Arc::default(),
            over: CancellationToken::new(),
        };
        term.extend(until);
        term
    }

    /// Extends the term.
    pub fn extend(&self, until: Instant) {
        let until = until.duration_since(self.begun).as_millis();
        self.until
            .store(u64::try_from(until).unwrap_or(u64::MAX), Ordering::Release);
    }

    /// When it ends.
    #[must_use]
    pub fn until(&self) -> Instant {
        self.begun + Duration::from_millis(self.until.load(Ordering::Acquire))
    }

    /// Whether this replica still leads, by its own clock.
    #[must_use]
    pub fn holds(&self) -> bool {
        !self.over.is_cancelled() && Instant::now() < self.until()
    }

    /// Ends the term.
    pub fn end(&self) {
        self.over.cancel();
    }

    /// Waits for the term's end.
    pub fn ended(&self) -> WaitForCancellationFuture<'_> {
        self.over.cancelled()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_over_when_its_time_is_even_if_nobody_ended_it() {
        let now = Instant::now();
        let term = Term::new(now - Duration::from_secs(20), now - Duration::from_secs(5));
        assert!(!term.holds());
        term.extend(now + Duration::from_secs(60));
        assert!(term.holds());
        term.end();
        assert!(!term.holds());
    }
}
