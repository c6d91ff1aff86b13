//! What is to be done when: one entry a key, never two at once, failures backed off.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The wait after a first failure; it doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_millis(500);
/// The longest wait after a failure.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct Entry {
    due: Option<Instant>,
    running: bool,
    failures: u32,
}

/// Keys that want work, each at a time. A key that is wanted while its work runs is done once more afterwards.
#[derive(Debug)]
pub struct Schedule<K> {
    entries: BTreeMap<K, Entry>,
    times: BTreeSet<(Instant, K)>,
    running: usize,
    at_once: usize,
    longest: Duration,
}

impl<K: Ord + Clone> Schedule<K> {
    /// An empty schedule that lets `at_once` keys run at the same time.
    #[must_use]
    pub fn new(at_once: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            times: BTreeSet::new(),
            running: 0,
            at_once,
            longest: LONGEST_RETRY,
        }
    }

    /// Waits at most `longest` after a failure.
    #[must_use]
    pub fn waiting_at_most(self, longest: Duration) -> Self {
        Self { longest, ..self }
    }

    /// Wants `key` at `at`, or earlier where it was wanted earlier already. A key in back-off stays in it.
    pub fn want(&mut self, key: K, at: Instant) {
        let entry = self.entries.entry(key.clone()).or_default();
        match entry.due {
            Some(due) if due <= at || entry.failures > 0 => return,
            Some(due) => {
                self.times.remove(&(due, key.clone()));
            }
            None => {}
        }
        entry.due = Some(at);
        if !entry.running {
            self.times.insert((at, key));
        }
    }

    /// Wants `key` at `at` although it failed before: something changed that may cure it.
    pub fn urge(&mut self, key: K, at: Instant) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.failures = 0;
        }
        self.want(key, at);
    }

    /// Forgets `key`; work that runs may still end.
    pub fn forget(&mut self, key: &K) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        if let Some(due) = entry.due.take() {
            self.times.remove(&(due, key.clone()));
        }
        if !entry.running {
            self.entries.remove(key);
        }
    }

    /// Takes the next key that is due at `now`; its work runs until [`Schedule::done`].
    pub fn take(&mut self, now: Instant) -> Option<K> {
        if self.running >= self.at_once || self.times.first().is_none_or(|(due, _)| *due > now) {
            return None;
        }
        let (_, key) = self.times.pop_first()?;
        let entry = self.entries.entry(key.clone()).or_default();
        entry.due = None;
        entry.running = true;
        self.running += 1;
        Some(key)
    }

    /// Takes in that the work on `key` ended; after a failure it is due again, later each time.
    pub fn done(&mut self, key: &K, succeeded: bool, now: Instant) {
        let wait = (!succeeded).then_some((Duration::ZERO, self.longest));
        self.ended(key, wait, now);
    }

    /// Takes in that the work on `key` was turned away by somebody who has too much to do, or will not do it: it is due again in
    /// `at_least`, and later each time, up to the longest wait that there is, whoever waits for it.
    pub fn turned_away(&mut self, key: &K, at_least: Duration, now: Instant) {
        let at_least = at_least.min(LONGEST_RETRY);
        self.ended(key, Some((at_least, LONGEST_RETRY)), now);
    }

    /// The work on `key` ended; after a failure with the shortest and the longest wait.
    fn ended(&mut self, key: &K, wait: Option<(Duration, Duration)>, now: Instant) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        if std::mem::take(&mut entry.running) {
            self.running -= 1;
        }
        match wait {
            None => entry.failures = 0,
            Some((shortest, longest)) => {
                let wait = FIRST_RETRY.saturating_mul(1 << entry.failures.min(10));
                entry.failures += 1;
                entry.due = Some(now + wait.clamp(shortest, longest.max(shortest)));
            }
        }
        match entry.due {
            Some(due) => {
                self.times.insert((due, key.clone()));
            }
            None => {
                self.entries.remove(key);
            }
        }
    }

    /// When something is next due, if anything may run.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        if self.running >= self.at_once {
            return None;
        }
        self.times.first().map(|(due, _)| *due)
    }

    /// Whether nothing is wanted and nothing runs.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets everything that does not run.
    pub fn clear(&mut self) {
        self.times.clear();
        self.entries.retain(|_, entry| {
            entry.due = None;
            entry.running
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_wish_counts_and_nothing_runs_early() {
        let now = Instant::now();
        let mut schedule = Schedule::new(2);
        schedule.want("a", now + Duration::from_secs(10));
        schedule.want("a", now + Duration::from_secs(1));
        schedule.want("a", now + Duration::from_secs(5));
        assert_eq!(schedule.take(now), None);
        assert_eq!(schedule.next(), Some(now + Duration::from_secs(1)));
        assert_eq!(schedule.take(now + Duration::from_secs(1)), Some("a"));
        schedule.done(&"a", true, now);
        assert!(schedule.is_idle());
    }

    #[test]
    fn a_key_runs_once_at_a_time_and_again_when_it_was_wanted_meanwhile() {
        let now = Instant::now();
        let mut schedule = Schedule::new(2);
        schedule.want("a", now);
        assert_eq!(schedule.take(now), Some("a"));
        schedule.want("a", now);
        assert_eq!(schedule.take(now), None);
        schedule.done(&"a", true, now);
        assert_eq!(schedule.take(now), Some("a"));
    }

    #[test]
    fn failures_wait_longer_each_time_and_wishes_do_not_cut_the_wait() {
        let now = Instant::now();
        let mut schedule = Schedule::new(1);
        schedule.want("a", now);
        schedule.take(now);
        schedule.done(&"a", false, now);
        schedule.want("a", now);
        assert_eq!(schedule.next(), Some(now + FIRST_RETRY));
        let later = now + FIRST_RETRY;
        assert_eq!(schedule.take(later), Some("a"));
        schedule.done(&"a", false, later);
        assert_eq!(schedule.next(), Some(later + FIRST_RETRY * 2));
    }

    #[test]
    fn what_somebody_waits_for_is_tried_again_within_its_own_limit() {
        let limit = Duration::from_secs(5);
        let mut now = Instant::now();
        let mut schedule = Schedule::new(1).waiting_at_most(limit);
        schedule.want("a", now);
        for _ in 0..10 {
            schedule.take(now);
            schedule.done(&"a", false, now);
            let next = schedule.next().unwrap();
            assert!(next <= now + limit);
            now = next;
        }
    }

    #[test]
    fn who_is_turned_away_waits_as_long_as_was_asked_and_longer_each_time() {
        let mut now = Instant::now();
        let mut schedule = Schedule::new(1).waiting_at_most(Duration::from_secs(5));
        schedule.want("a", now);
        let mut waits = Vec::new();
        for _ in 0..9 {
            schedule.take(now);
            schedule.turned_away(&"a", Duration::from_secs(3), now);
            let next = schedule.next().unwrap();
            waits.push((next - now).as_secs());
            now = next;
        }
        assert_eq!(waits, [3, 3, 3, 4, 8, 16, 32, 60, 60]);
        schedule.take(now);
        schedule.turned_away(&"a", Duration::from_hours(3), now);
        assert_eq!(schedule.next(), Some(now + LONGEST_RETRY));
    }

    #[test]
    fn an_edit_that_may_cure_a_failure_does_not_wait() {
        let now = Instant::now();
        let mut schedule = Schedule::new(1);
        schedule.want("a", now);
        schedule.take(now);
        schedule.done(&"a", false, now);
        schedule.urge("a", now);
        assert_eq!(schedule.take(now), Some("a"));
    }

    #[test]
    fn no_more_run_than_are_allowed() {
        let now = Instant::now();
        let mut schedule = Schedule::new(1);
        schedule.want("a", now);
        schedule.want("b", now);
        assert_eq!(schedule.take(now), Some("a"));
        assert_eq!((schedule.take(now), schedule.next()), (None, None));
        schedule.done(&"a", true, now);
        assert_eq!(schedule.take(now), Some("b"));
    }

    #[test]
    fn what_was_forgotten_while_it_ran_does_not_hold_a_place() {
        let now = Instant::now();
        let mut schedule = Schedule::new(1);
        schedule.want("a", now);
        schedule.take(now);
        schedule.clear();
        schedule.done(&"a", true, now);
        schedule.want("b", now);
        assert_eq!(schedule.take(now), Some("b"));
    }
}
