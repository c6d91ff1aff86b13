//! When to dial again: within a second after a stream that worked, ever later while dialling fails.

use std::time::Duration;

/// The longest wait after failures.
const LONGEST: Duration = Duration::from_secs(10);
/// The wait after the first failure, and the longest after a stream that worked.
const SHORTEST: Duration = Duration::from_millis(500);

/// The longest wait while there is an operator that does not lead yet: it will in a moment.
const LEADERLESS: Duration = Duration::from_secs(1);

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// A stream worked and ended. A thousand proxies do not come back at once: `random` (0 to 1) spreads them.
    pub(super) fn after_success(&mut self, random: f64) -> Duration {
        self.failures = 0;
        SHORTEST.mul_f64(random)
    }

    /// Dialling failed: half of an interval that doubles each time up to ten seconds, and a random part of the other half.
    pub(super) fn after_failure(&mut self, random: f64) -> Duration {
        self.wait(LONGEST, random)
    }

    /// Somebody answered, but nobody leads: the same, up to a second.
    pub(super) fn without_leader(&mut self, random: f64) -> Duration {
        self.wait(LEADERLESS, random)
    }

    fn wait(&mut self, longest: Duration, random: f64) -> Duration {
        let interval = SHORTEST
            .saturating_mul(1 << self.failures.min(5))
            .min(longest);
        self.failures = self.failures.saturating_add(1);
        interval.mul_f64(0.5 + random / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_wait_twice_as_long_each_time_up_to_ten_seconds() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..8)
            .map(|_| backoff.after_failure(1.0).as_millis())
            .collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
        assert_eq!(Backoff::default().after_failure(0.0).as_millis(), 250);
    }

    #[test]
    fn a_leader_to_come_is_asked_for_every_second() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..4)
            .map(|_| backoff.without_leader(1.0).as_millis())
            .collect();
        assert_eq!(waits, [500, 1000, 1000, 1000]);
    }

    #[test]
    fn after_a_stream_that_worked_it_is_less_than_a_second() {
        let mut backoff = Backoff::default();
        for _ in 0..5 {
            backoff.after_failure(1.0);
        }
        assert!(backoff.after_success(1.0) < Duration::from_secs(1));
        assert_eq!(backoff.after_failure(1.0), SHORTEST);
    }
}
