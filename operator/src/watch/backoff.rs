//! How long to wait after a failure: longer each time, never two clients in step.

use std::time::Duration;

use rand::Rng;

/// Waits that double from a first to a longest, with jitter of half.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Begins at `first`, ends at `longest`.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            failures: 0,
        }
    }

    /// The next wait: between half of the step and all of it.
    pub fn wait(&mut self) -> Duration {
        let step = self
            .first
            .saturating_mul(1 << self.failures.min(16))
            .min(self.longest);
        self.failures = self.failures.saturating_add(1);
        step.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    /// Something worked: the next failure counts as the first.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        assert!(backoff.wait() <= Duration::from_millis(100));
        for _ in 0..40 {
            backoff.wait();
        }
        let longest = backoff.wait();
        assert!(longest >= Duration::from_millis(2500) && longest <= Duration::from_secs(5));
        backoff.reset();
        assert!(backoff.wait() <= Duration::from_millis(100));
    }
}
