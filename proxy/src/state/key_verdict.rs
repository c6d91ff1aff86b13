//! What an upstream thinks of the key that is configured for it.
//!
//! Calls decide. A list of models says less: some upstreams show theirs to everybody, and some keys may call and not list.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// Nothing is known.
const UNKNOWN: u8 = 0;
/// A call succeeded.
const ACCEPTED: u8 = 1;
/// The list of models was refused, and nothing was called so far.
const NOT_LISTED: u8 = 2;
/// A call was refused.
const REFUSED: u8 = 3;

/// What was asked with the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Something that a client asked for.
    Call,
    /// The list of models.
    List,
}

/// The verdict on one backend's key, whatever backend it is.
#[derive(Debug, Default)]
pub struct KeyVerdict {
    state: AtomicU8,
    /// The first version of the backend that has the key: older ones have no say.
    since: AtomicU64,
}

impl KeyVerdict {
    /// Whether the key is refused.
    pub fn refuses(&self) -> bool {
        self.state.load(Ordering::Relaxed) >= NOT_LISTED
    }

    /// The key was accepted; whether it still is refused after all.
    pub fn accepted(&self, purpose: Purpose) -> bool {
        // What is so already is not written again: every request comes here.
        let state = self.state.load(Ordering::Relaxed);
        match (purpose, state) {
            (Purpose::Call, ACCEPTED) => {}
            (Purpose::Call, _) => self.state.store(ACCEPTED, Ordering::Relaxed),
            (Purpose::List, NOT_LISTED) => self.state.store(UNKNOWN, Ordering::Relaxed),
            (Purpose::List, REFUSED) => return true,
            (Purpose::List, _) => {}
        }
        false
    }

    /// The key was refused to this version of the backend; whether that is a verdict.
    pub fn refused(&self, version: u64, purpose: Purpose) -> bool {
        if version < self.since.load(Ordering::Relaxed) {
            return false;
        }
        match (purpose, self.state.load(Ordering::Relaxed)) {
            (Purpose::Call, _) => self.state.store(REFUSED, Ordering::Relaxed),
            (Purpose::List, ACCEPTED) => return false,
            (Purpose::List, REFUSED) => {}
            (Purpose::List, _) => self.state.store(NOT_LISTED, Ordering::Relaxed),
        }
        true
    }

    /// There is another key as of this version; whether the one before was refused.
    pub fn forget(&self, version: u64) -> bool {
        self.since.store(version, Ordering::Relaxed);
        self.state.swap(UNKNOWN, Ordering::Relaxed) >= NOT_LISTED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_call_that_succeeds_ends_a_refusal_and_a_list_for_everybody_does_not() {
        let verdict = KeyVerdict::default();
        assert!(verdict.refused(1, Purpose::Call) && verdict.refuses());
        assert!(verdict.accepted(Purpose::List) && verdict.refuses());
        assert!(!verdict.accepted(Purpose::Call) && !verdict.refuses());
    }

    #[test]
    fn a_key_that_calls_but_may_not_list_is_no_bad_key() {
        let verdict = KeyVerdict::default();
        assert!(verdict.refused(1, Purpose::List), "all that is known");
        assert!(!verdict.accepted(Purpose::Call));
        assert!(!verdict.refused(1, Purpose::List) && !verdict.refuses());
    }

    #[test]
    fn a_list_that_was_refused_is_accepted_with_the_next_list() {
        let verdict = KeyVerdict::default();
        assert!(verdict.refused(1, Purpose::List));
        assert!(!verdict.accepted(Purpose::List) && !verdict.refuses());
    }

    #[test]
    fn what_the_key_before_gets_says_nothing_of_this_one() {
        let verdict = KeyVerdict::default();
        assert!(verdict.refused(1, Purpose::Call));
        assert!(verdict.forget(2) && !verdict.refuses());
        assert!(!verdict.refused(1, Purpose::Call) && !verdict.refuses());
        assert!(verdict.refused(2, Purpose::Call));
    }
}
