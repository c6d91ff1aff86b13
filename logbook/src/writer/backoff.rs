//! How long to wait before a sink that failed is tried again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Doubling waits up to five seconds, each shortened by up to half at random, so that many proxies do not come back at once.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    pub(super) fn next(&mut self) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.failures.min(10));
        self.failures += 1;
        doubled.min(LONGEST).mul_f64(rand::random_range(0.5..=1.0))
    }

    pub(super) const fn succeeded(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_five_seconds_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::default();
        assert!(backoff.next() <= FIRST);
        let longest = (0..100).map(|_| backoff.next()).max().unwrap();
        assert!(longest <= LONGEST && longest > LONGEST / 2);
        backoff.succeeded();
        assert!(backoff.next() <= FIRST);
    }
}
