//! How fast a stream is written to: at once after a quiet time, in batches under churn.

use std::time::{Duration, Instant};

/// How long changes gather after a push.
const SHORTEST: Duration = Duration::from_millis(10);
/// How long they gather at most.
const LONGEST: Duration = Duration::from_millis(500);
/// More changes a second than this are churn.
const CHURN: f64 = 200.0;

/// When one stream may be written to next.
#[derive(Debug)]
pub(super) struct Pace {
    gap: Duration,
    last: Option<Instant>,
}

impl Pace {
    /// Nothing was written yet.
    #[must_use]
    pub(super) fn new() -> Self {
        Self {
            gap: SHORTEST,
            last: None,
        }
    }

    /// When the next push may go.
    #[must_use]
    pub(super) fn next(&self, now: Instant) -> Instant {
        self.last.map_or(now, |last| now.max(last + self.gap))
    }

    /// Takes in that a push goes at `now` with `changes` edits.
    pub(super) fn pushed(&mut self, now: Instant, changes: u64) {
        let elapsed = self.last.map_or(LONGEST, |last| now.duration_since(last));
        #[allow(clippy::cast_precision_loss, reason = "a rate, not a count")]
        let rate = changes as f64 / elapsed.as_secs_f64().max(0.001);
        self.gap = if rate > CHURN {
            self.gap * 2
        } else {
            self.gap / 2
        }
        .clamp(SHORTEST, LONGEST);
        self.last = Some(now);
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes whatever gathers while one edit comes every `every`; how long the last gap was.
    fn churn(pace: &mut Pace, from: Instant, every: Duration, edits: u32) -> Duration {
        let mut pushed = 0;
        while pushed < edits {
            let first = from + every * (pushed + 1);
            let at = pace.next(first);
            let gathered =
                u32::try_from((at - from).as_nanos() / every.as_nanos()).unwrap() - pushed;
            pace.pushed(at, gathered.into());
            pushed += gathered;
        }
        pace.gap
    }

    #[test]
    fn the_first_change_after_a_quiet_time_leaves_at_once() {
        let now = Instant::now();
        let mut pace = Pace::new();
        assert_eq!(pace.next(now), now);
        pace.pushed(now, 1);
        let later = now + Duration::from_millis(100);
        assert_eq!(pace.next(later), later);
    }

    #[test]
    fn changes_right_after_a_push_gather_for_ten_milliseconds() {
        let now = Instant::now();
        let mut pace = Pace::new();
        pace.pushed(now, 1);
        assert_eq!(pace.next(now + Duration::from_millis(1)), now + SHORTEST);
    }

    #[test]
    fn churn_gathers_longer_and_never_longer_than_half_a_second() {
        let gap = churn(
            &mut Pace::new(),
            Instant::now(),
            Duration::from_millis(1),
            5000,
        );
        assert_eq!(gap, LONGEST);
    }

    #[test]
    fn edits_by_hand_never_wait_for_more_than_ten_milliseconds() {
        let gap = churn(
            &mut Pace::new(),
            Instant::now(),
            Duration::from_millis(20),
            500,
        );
        assert_eq!(gap, SHORTEST);
    }

    #[test]
    fn churn_that_ends_is_forgotten() {
        let mut pace = Pace::new();
        let now = Instant::now();
        churn(&mut pace, now, Duration::from_millis(1), 5000);
        let gap = churn(
            &mut pace,
            now + Duration::from_secs(20),
            Duration::from_millis(100),
            50,
        );
        assert_eq!(gap, SHORTEST);
    }
}
