//! Whether rows are stored, in a word, as the operator is told.

use std::time::{Duration, Instant};

use dragoman_config::wire::LogState;
use dragoman_logbook::writer::Progress;

/// How long a row may wait before it is late. One is committed within a second while all is well, and an update of the logbook takes some.
const LATE: Duration = Duration::from_secs(15);
/// When rows that were late are in time again: well below that, so that the word does not flicker.
const IN_TIME: Duration = Duration::from_secs(5);
/// How long a loss is told.
const TOLD: Duration = Duration::from_mins(10);

/// What has been seen so far.
#[derive(Debug, Default)]
pub(super) struct Standing {
    lost: u64,
    lost_at: Option<Instant>,
    late: bool,
}

impl Standing {
    /// How it goes now. `lost` counts rows that were lost since the start.
    pub(super) fn look(&mut self, progress: &Progress, lost: u64, now: Instant) -> LogState {
        if lost > self.lost {
            self.lost = lost;
            self.lost_at = Some(now);
        }
        self.late = progress.lag >= if self.late { IN_TIME } else { LATE };
        let fresh = |at: Instant| now.saturating_duration_since(at) < TOLD;
        if self.lost_at.is_some_and(fresh) {
            LogState::Dropped
        } else if !self.late {
            LogState::Stored
        } else if progress.away {
            LogState::LogbookAway
        } else {
            LogState::Lagging
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(seconds: u64, away: bool) -> Progress {
        Progress {
            lag: Duration::from_secs(seconds),
            away,
            ..Progress::default()
        }
    }

    #[test]
    fn rows_that_wait_are_told_with_the_reason_and_until_they_are_well_in_time() {
        let (mut standing, now) = (Standing::default(), Instant::now());
        let mut look = |progress| standing.look(&progress, 0, now);
        assert_eq!(look(waits(0, false)), LogState::Stored);
        // A logbook that restarts is no news.
        assert_eq!(look(waits(10, true)), LogState::Stored);
        assert_eq!(look(waits(20, true)), LogState::LogbookAway);
        assert_eq!(look(waits(10, false)), LogState::Lagging);
        assert_eq!(look(waits(4, false)), LogState::Stored);
        assert_eq!(look(waits(10, false)), LogState::Stored);
    }

    #[test]
    fn a_loss_is_told_for_a_while_whatever_else_is_so() {
        let (mut standing, now) = (Standing::default(), Instant::now());
        let well = waits(0, false);
        assert_eq!(standing.look(&well, 3, now), LogState::Dropped);
        assert_eq!(standing.look(&waits(60, true), 3, now), LogState::Dropped);
        let later = now + TOLD;
        assert_eq!(standing.look(&well, 3, later), LogState::Stored);
        assert_eq!(standing.look(&well, 4, later), LogState::Dropped);
    }
}
