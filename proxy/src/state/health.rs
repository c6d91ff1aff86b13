//! One backend's health, as its requests and its active checks tell it.
//!
//! A backend that fails again and again is left out for a while whenever another can answer. Trying it is what
//! brings it back: after the while a single request goes there, and its success ends the matter. A healthy backend's requests read this and write nothing.
//!
//! One that refuses the key that is configured for it, as [`KeyVerdict`] tells, is left out at once; only a request that it accepts, or
//! another key, ends that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dragoman_crds::BackendHealth;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::key_verdict::{KeyVerdict, Purpose, Refused};

/// Failures in a row after which a backend is left out.
const TOLERATED: u32 = 3;
/// How long it is left out first; each further failure doubles it…
const SHORTEST: Duration = Duration::from_secs(1);
/// …up to this.
const LONGEST: Duration = Duration::from_secs(30);

/// How bad a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Nothing can be reached: one is enough.
    Down,
    /// The backend failed this time: several in a row are needed.
    Failing,
}

/// One backend's health.
#[derive(Debug)]
pub struct Health {
    changed: watch::Sender<u64>,
    /// What `since` counts from.
    epoch: Instant,
    /// Failures in a row, of requests.
    failures: AtomicU32,
    /// Failures in a row, of checks, and how many are tolerated; 0: none are made.
    checks: AtomicU32,
    unhealthy_after: AtomicU32,
    /// Until when it is left out, in half milliseconds of `epoch`; odd while a request tries it, 0 when it is not left out.
    until: AtomicU64,
    /// How often in a row it was left out, less one.
    doublings: AtomicU32,
    key: KeyVerdict,
    told: Mutex<Told>,
    /// A copy of `told.health`, so that a success need not lock.
    known: AtomicU32,
}

#[derive(Debug)]
struct Told {
    health: BackendHealth,
    /// Whether it is ill because of its key.
    key: bool,
    message: Option<String>,
    models: Option<u32>,
}

/// What is reported of a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Whether it answers.
    pub health: BackendHealth,
    /// Number of models that it lists, once known.
    pub models: Option<u32>,
    /// The last fault.
    pub message: Option<String>,
}

/// Set in `until` while a request tries the backend.
const TRYING: u64 = 1;

const UNKNOWN: u32 = 0;
const HEALTHY: u32 = 1;
const UNHEALTHY: u32 = 2;

impl Health {
    /// Of a backend that nothing is known of. `changed` is counted up at every transition.
    pub fn new(changed: watch::Sender<u64>) -> Arc<Self> {
        Arc::new(Self {
            changed,
            epoch: Instant::now(),
            failures: AtomicU32::new(0),
            checks: AtomicU32::new(0),
            unhealthy_after: AtomicU32::new(0),
            until: AtomicU64::new(0),
            doublings: AtomicU32::new(0),
            key: KeyVerdict::default(),
            told: Mutex::new(Told {
                health: BackendHealth::Unknown,
                key: false,
                message: None,
                models: None,
            }),
            known: AtomicU32::new(UNKNOWN),
        })
    }

    /// Whether requests should go elsewhere while they can.
    pub fn left_out(&self) -> bool {
        let after = self.unhealthy_after.load(Ordering::Relaxed);
        (after > 0 && self.checks.load(Ordering::Relaxed) >= after) || {
            let until = self.until.load(Ordering::Relaxed);
            until > 0 && self.now() < until
        }
    }

    /// Whether a request may be the first to go there: while it is left out none, afterwards a single one, and the next a
    /// while later should nobody learn what became of that one.
    pub fn admits(&self) -> bool {
        if self.left_out() {
            return false;
        }
        let until = self.until.load(Ordering::Relaxed);
        until == 0 || self.replace(until, SHORTEST, TRYING)
    }

    /// Sets a wait from now on in place of `until`; false when another was faster.
    fn replace(&self, until: u64, wait: Duration, trying: u64) -> bool {
        let wait = u64::try_from(wait.as_millis()).unwrap_or(0) * 2;
        let next = (self.now().saturating_add(wait) & !TRYING) | trying;
        self.until
            .compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// A request of this version of the backend succeeded.
    pub fn succeeded(&self, version: u64, purpose: Purpose) {
        let was_refused = self.key.refuses();
        if !self.key.accepted(version, purpose) {
            if was_refused {
                self.until.store(0, Ordering::Relaxed);
            }
            self.answered();
        }
    }

    /// A request was answered, if only with what the client did wrong.
    pub fn answered(&self) {
        if self.key.refuses() {
            // It is there, and of no use.
            return;
        }
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
            self.until.store(0, Ordering::Relaxed);
        }
        if self.known.load(Ordering::Relaxed) != HEALTHY && !self.checks_failed() {
            self.tell(BackendHealth::Healthy, None);
        }
    }

    /// The upstream answered 401 to the key that is configured for it, of this version of the backend; what that means. A verdict makes
    /// it unhealthy.
    pub fn key_refused(&self, version: u64, purpose: Purpose, message: &str) -> Refused {
        let refused = self.key.refused(version, purpose);
        match refused {
            Refused::Turned | Refused::Known => {
                self.failures.store(0, Ordering::Relaxed);
                self.leave_out();
                self.tell_of(BackendHealth::Unhealthy, true, Some(message));
            }
            Refused::Unclear if purpose == Purpose::Call => self.answered(),
            Refused::Unclear | Refused::Stale => {}
        }
        refused
    }

    /// What is known of the key that is configured for it.
    pub fn key(&self) -> &KeyVerdict {
        &self.key
    }

    /// There is another key as of this version of the backend.
    pub fn key_changed(&self, version: u64) {
        if self.key.forget(version) {
            self.until.store(0, Ordering::Relaxed);
            self.tell(BackendHealth::Unknown, None);
        }
    }

    /// A request failed.
    pub fn failed(&self, severity: Severity, message: &str) {
        let weight = if severity == Severity::Down {
            TOLERATED
        } else {
            1
        };
        let failures = self
            .failures
            .fetch_add(weight, Ordering::Relaxed)
            .saturating_add(weight);
        if failures >= TOLERATED {
            self.leave_out();
            self.tell(BackendHealth::Unhealthy, Some(message));
        }
    }

    /// Leaves it out, twice as long as before. Requests that were on their way when a wait began do not make it longer.
    fn leave_out(&self) {
        let until = self.until.load(Ordering::Relaxed);
        let doublings = match until {
            0 => 0,
            _ if until & TRYING == 0 && self.now() < until => return,
            _ => (self.doublings.load(Ordering::Relaxed) + 1).min(8),
        };
        let wait = SHORTEST.saturating_mul(1 << doublings).min(LONGEST);
        if self.replace(until, wait, 0) {
            self.doublings.store(doublings, Ordering::Relaxed);
        }
    }

    /// A check of this version of the backend succeeded or failed; after `unhealthy_after` failures in a row it is unhealthy.
    pub fn checked(&self, version: u64, outcome: Result<(), String>, unhealthy_after: u32) {
        self.unhealthy_after
            .store(unhealthy_after, Ordering::Relaxed);
        match outcome {
            Ok(()) => {
                self.checks.store(0, Ordering::Relaxed);
                if self.key.accepted(version, Purpose::Check) {
                    // What is checked seldom asks for a key.
                    return;
                }
                self.failures.store(0, Ordering::Relaxed);
                self.until.store(0, Ordering::Relaxed);
                self.tell(BackendHealth::Healthy, None);
            }
            Err(message) => {
                let failures = self
                    .checks
                    .fetch_add(1, Ordering::Relaxed)
                    .saturating_add(1);
                // That the key is refused says more.
                if failures >= unhealthy_after && !self.key.refuses() {
                    self.tell(BackendHealth::Unhealthy, Some(&message));
                }
            }
        }
    }

    /// Checks are no longer made.
    pub fn unchecked(&self) {
        self.unhealthy_after.store(0, Ordering::Relaxed);
        self.checks.store(0, Ordering::Relaxed);
    }

    /// How many models it lists.
    pub fn lists(&self, models: u32) {
        let mut told = self.told.lock();
        if told.models != Some(models) {
            told.models = Some(models);
            drop(told);
            self.changed.send_modify(|count| *count += 1);
        }
    }

    /// What is reported.
    pub fn seen(&self) -> Seen {
        let told = self.told.lock();
        Seen {
            health: told.health,
            models: told.models,
            message: told.message.clone(),
        }
    }

    fn checks_failed(&self) -> bool {
        let after = self.unhealthy_after.load(Ordering::Relaxed);
        after > 0 && self.checks.load(Ordering::Relaxed) >= after
    }

    fn tell(&self, health: BackendHealth, message: Option<&str>) {
        self.tell_of(health, false, message);
    }

    fn tell_of(&self, health: BackendHealth, key: bool, message: Option<&str>) {
        let mut told = self.told.lock();
        if told.health == health && told.key == key {
            return;
        }
        told.health = health;
        told.key = key;
        told.message = message.map(str::to_owned);
        let known = match health {
            BackendHealth::Unknown => UNKNOWN,
            BackendHealth::Healthy => HEALTHY,
            BackendHealth::Unhealthy => UNHEALTHY,
        };
        self.known.store(known, Ordering::Relaxed);
        drop(told);
        self.changed.send_modify(|count| *count += 1);
    }

    /// Half milliseconds since `epoch`.
    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).map_or(u64::MAX, |now| now * 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> (Arc<Health>, watch::Receiver<u64>) {
        let (sender, receiver) = watch::channel(0);
        (Health::new(sender), receiver)
    }

    #[test]
    fn one_failure_is_forgiven_and_three_in_a_row_are_not() {
        let (health, changes) = health();
        health.failed(Severity::Failing, "502");
        health.failed(Severity::Failing, "502");
        assert!(!health.left_out());
        health.succeeded(1, Purpose::Call);
        health.failed(Severity::Failing, "502");
        health.failed(Severity::Failing, "502");
        assert!(!health.left_out());
        health.failed(Severity::Failing, "the third");
        assert!(health.left_out());
        let seen = health.seen();
        assert_eq!(seen.health, BackendHealth::Unhealthy);
        assert_eq!(seen.message.as_deref(), Some("the third"));
        assert_eq!(*changes.borrow(), 2);
    }

    #[test]
    fn what_cannot_be_reached_is_left_out_at_once_and_a_success_brings_it_back() {
        let (health, _) = health();
        health.failed(Severity::Down, "refused");
        assert!(health.left_out());
        health.succeeded(1, Purpose::Call);
        assert!(!health.left_out());
        assert_eq!(health.seen().health, BackendHealth::Healthy);
    }

    #[test]
    fn checks_decide_by_their_own_count_and_requests_cannot_overrule_them() {
        let (health, _) = health();
        health.checked(1, Err("503".into()), 2);
        assert!(!health.left_out());
        health.checked(1, Err("503".into()), 2);
        assert!(health.left_out());
        health.succeeded(1, Purpose::Call);
        assert!(health.left_out());
        assert_eq!(health.seen().health, BackendHealth::Unhealthy);
        health.checked(1, Ok(()), 2);
        assert!(!health.left_out());
    }

    #[test]
    fn failures_at_once_count_as_one_wait_and_only_the_next_is_longer() {
        let (health, _) = health();
        for _ in 0..50 {
            health.failed(Severity::Down, "refused");
        }
        assert!(health.until.load(Ordering::Relaxed) <= health.now() + 2000);
        assert_eq!(health.doublings.load(Ordering::Relaxed), 0);
        // The wait is over.
        health.until.store(2, Ordering::Relaxed);
        while health.now() <= 2 {
            std::hint::spin_loop();
        }
        assert!(!health.left_out());
        assert!(health.admits());
        assert!(!health.admits());
        for _ in 0..50 {
            health.failed(Severity::Down, "refused");
        }
        assert_eq!(health.doublings.load(Ordering::Relaxed), 1);
        assert!(!health.admits());
        health.succeeded(1, Purpose::Call);
        assert!(health.admits() && health.admits());
    }

    #[test]
    fn a_refused_key_is_told_at_once_and_ends_with_the_next_success() {
        let (health, changes) = health();
        health.succeeded(1, Purpose::List);
        for _ in 0..3 {
            health.key_refused(1, Purpose::Call, "it refuses the key");
        }
        assert!(health.left_out());
        let seen = health.seen();
        assert_eq!(seen.health, BackendHealth::Unhealthy);
        assert_eq!(seen.message.as_deref(), Some("it refuses the key"));
        // Neither what asks for no key nor what is answered with another error speaks for it.
        health.checked(1, Ok(()), 2);
        health.succeeded(1, Purpose::List);
        health.answered();
        assert!(health.left_out());
        assert_eq!(health.seen(), seen);
        health.succeeded(1, Purpose::Call);
        assert!(!health.left_out());
        assert_eq!(health.seen().health, BackendHealth::Healthy);
        assert_eq!(*changes.borrow(), 3);
    }

    #[test]
    fn a_401_to_a_key_that_works_leaves_nobody_out_until_the_list_is_refused_too() {
        let (health, _) = health();
        health.succeeded(1, Purpose::Call);
        for _ in 0..5 {
            health.key_refused(1, Purpose::Call, "it refuses the key");
        }
        assert!(!health.left_out());
        assert_eq!(health.seen().health, BackendHealth::Healthy);
        health.key_refused(1, Purpose::List, "it refuses the key");
        assert!(health.left_out());
        assert_eq!(health.seen().message.as_deref(), Some("it refuses the key"));
        // What is known is not told anew because checks fail of it, too.
        health.checked(1, Err("401".into()), 1);
        assert_eq!(health.seen().message.as_deref(), Some("it refuses the key"));
        health.checked(1, Ok(()), 1);
        health.succeeded(1, Purpose::Call);
        assert!(!health.left_out());
        assert_eq!(health.seen().health, BackendHealth::Healthy);
    }

    #[test]
    fn another_key_begins_anew_and_what_was_told_is_the_latest_reason() {
        let (health, _) = health();
        health.failed(Severity::Down, "connection refused");
        health.key_refused(1, Purpose::Call, "it refuses the key");
        assert_eq!(health.seen().message.as_deref(), Some("it refuses the key"));
        health.failed(Severity::Down, "connection refused");
        assert_eq!(health.seen().message.as_deref(), Some("connection refused"));
        health.key_changed(2);
        assert!(!health.left_out());
        assert_eq!(health.seen().health, BackendHealth::Unknown);
        health.key_refused(1, Purpose::Call, "it refuses the key");
        assert_eq!(health.seen().health, BackendHealth::Unknown);
    }

    #[test]
    fn a_steady_state_is_told_once() {
        let (health, changes) = health();
        for _ in 0..5 {
            health.succeeded(1, Purpose::Call);
        }
        assert_eq!(*changes.borrow(), 1);
    }
}
