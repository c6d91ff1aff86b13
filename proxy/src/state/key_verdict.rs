//! What an upstream thinks of the key that is configured for it.
//!
//! Calls decide. A 401 to a key that no call succeeded with yet is the key's; to one that works it may be about the model or the scope that
//! one client asked for, unless the upstream's list or health check is refused, too. A list alone says less: some upstreams show theirs to
//! everybody, and some keys may call and not list.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::backend::BackendName;

/// A call succeeded.
const CALLED: u8 = 1;
/// A call was refused, and none succeeded since.
const CALL_REFUSED: u8 = 2;
/// So was the list of models.
const LIST_REFUSED: u8 = 4;
/// So was the health check.
const CHECK_REFUSED: u8 = 8;

/// How often an unclear refusal may be looked into.
const SELDOM: Duration = Duration::from_secs(5);

/// What was asked with the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Something that a client asked for.
    Call,
    /// The list of models.
    List,
    /// Whether it is well.
    Check,
}

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Nothing: there is another key by now.
    Stale,
    /// Perhaps only that the key does not open what was asked for.
    Unclear,
    /// The key is refused, as of now.
    Turned,
    /// The key is refused, as is known.
    Known,
}

/// The verdict on one backend's key, whatever backend it is.
#[derive(Debug, Default)]
pub struct KeyVerdict {
    state: AtomicU8,
    /// The first version of the backend that has the key: older ones have no say.
    since: AtomicU64,
    /// When an unclear refusal was looked into last.
    looked: Mutex<Option<Instant>>,
}

impl KeyVerdict {
    /// Whether the key is refused.
    pub fn refuses(&self) -> bool {
        refuses(self.state.load(Ordering::Relaxed))
    }

    /// The key was accepted of this version of the backend; whether it still is refused after all.
    pub fn accepted(&self, version: u64, purpose: Purpose) -> bool {
        // What is so already is not written again: every request comes here.
        let state = self.state.load(Ordering::Relaxed);
        let ended = match purpose {
            Purpose::Call => {
                if state != CALLED && version >= self.since.load(Ordering::Relaxed) {
                    self.state.store(CALLED, Ordering::Relaxed);
                }
                return state != CALLED && self.refuses();
            }
            Purpose::List => LIST_REFUSED,
            Purpose::Check => CHECK_REFUSED,
        };
        if state & ended != 0 && version >= self.since.load(Ordering::Relaxed) {
            self.state.fetch_and(!ended, Ordering::Relaxed);
        }
        self.refuses()
    }

    /// The key was refused to this version of the backend.
    pub fn refused(&self, version: u64, purpose: Purpose) -> Refused {
        if version < self.since.load(Ordering::Relaxed) {
            return Refused::Stale;
        }
        let what = match purpose {
            Purpose::Call => CALL_REFUSED,
            Purpose::List => LIST_REFUSED,
            Purpose::Check => CHECK_REFUSED,
        };
        let before = self.state.fetch_or(what, Ordering::Relaxed);
        match (refuses(before), refuses(before | what)) {
            (true, _) => Refused::Known,
            (false, true) => Refused::Turned,
            (false, false) => Refused::Unclear,
        }
    }

    /// Whether it is time to look into an unclear refusal: now and then.
    pub fn is_to_be_looked_into(&self) -> bool {
        let mut looked = self.looked.lock();
        let due = looked.is_none_or(|last| last.elapsed() >= SELDOM);
        if due {
            *looked = Some(Instant::now());
        }
        due
    }

    /// There is another key as of this version; whether the one before was refused.
    pub fn forget(&self, version: u64) -> bool {
        self.since.store(version, Ordering::Relaxed);
        *self.looked.lock() = None;
        refuses(self.state.swap(0, Ordering::Relaxed))
    }
}

fn refuses(state: u8) -> bool {
    if state & CALLED == 0 {
        // A check may ask for another right than calls do, and has its own say on health.
        state & (CALL_REFUSED | LIST_REFUSED) != 0
    } else {
        state & CALL_REFUSED != 0 && state & (LIST_REFUSED | CHECK_REFUSED) != 0
    }
}

/// What is told of a backend whose key is refused: where the key is configured, and never the key.
pub fn words(backend: &BackendName) -> String {
    let (item, at) = match &backend.inline {
        Some(name) => (&backend.item, format!("spec.backends[{name}].inline")),
        None => (&backend.item, "spec".to_owned()),
    };
    format!(
        "the upstream refuses the key that is configured for it (401); correct {at}.credential or {at}.headers of {item}, or the Secret that they name"
    )
}

#[cfg(test)]
mod tests {
    use dragoman_config::{Key, Kind};

    use super::*;

    #[test]
    fn the_next_call_that_succeeds_ends_a_refusal_and_a_list_for_everybody_does_not() {
        let verdict = KeyVerdict::default();
        assert_eq!(verdict.refused(1, Purpose::Call), Refused::Turned);
        assert_eq!(verdict.refused(1, Purpose::Call), Refused::Known);
        assert!(verdict.accepted(1, Purpose::List) && verdict.refuses());
        assert!(!verdict.accepted(1, Purpose::Call) && !verdict.refuses());
    }

    #[test]
    fn a_key_that_calls_but_may_not_list_is_no_bad_key() {
        let verdict = KeyVerdict::default();
        let said = verdict.refused(1, Purpose::List);
        assert_eq!(said, Refused::Turned, "all that is known");
        assert!(!verdict.accepted(1, Purpose::Call));
        assert_eq!(verdict.refused(1, Purpose::List), Refused::Unclear);
        assert!(!verdict.refuses());
    }

    #[test]
    fn one_clients_401_is_no_verdict_on_a_key_that_others_use() {
        let verdict = KeyVerdict::default();
        assert!(!verdict.accepted(1, Purpose::Call));
        for _ in 0..10 {
            assert_eq!(verdict.refused(1, Purpose::Call), Refused::Unclear);
        }
        assert!(!verdict.refuses());
    }

    #[test]
    fn a_key_that_worked_is_refused_once_its_list_or_its_check_is_too_whichever_comes_first() {
        for other in [Purpose::List, Purpose::Check] {
            for order in [[Purpose::Call, other], [other, Purpose::Call]] {
                let verdict = KeyVerdict::default();
                verdict.accepted(1, Purpose::Call);
                assert_eq!(verdict.refused(1, order[0]), Refused::Unclear);
                assert_eq!(verdict.refused(1, order[1]), Refused::Turned);
                assert!(verdict.refuses());
                // What was refused is accepted: so is the key.
                assert!(!verdict.accepted(1, other) && !verdict.refuses());
            }
        }
    }

    #[test]
    fn a_success_in_between_forgets_what_was_refused() {
        let verdict = KeyVerdict::default();
        verdict.accepted(1, Purpose::Call);
        verdict.refused(1, Purpose::List);
        verdict.accepted(1, Purpose::Call);
        assert_eq!(verdict.refused(1, Purpose::Call), Refused::Unclear);
    }

    #[test]
    fn a_list_that_was_refused_is_accepted_with_the_next_list() {
        let verdict = KeyVerdict::default();
        assert_eq!(verdict.refused(1, Purpose::List), Refused::Turned);
        assert!(!verdict.accepted(1, Purpose::List) && !verdict.refuses());
    }

    #[test]
    fn what_the_key_before_gets_says_nothing_of_this_one() {
        let verdict = KeyVerdict::default();
        verdict.refused(1, Purpose::Call);
        assert!(verdict.forget(2) && !verdict.refuses());
        assert_eq!(verdict.refused(1, Purpose::Call), Refused::Stale);
        verdict.accepted(1, Purpose::Call);
        assert_eq!(verdict.refused(2, Purpose::Call), Refused::Turned);
    }

    #[test]
    fn an_unclear_refusal_is_looked_into_once_at_a_time() {
        let verdict = KeyVerdict::default();
        assert!(verdict.is_to_be_looked_into() && !verdict.is_to_be_looked_into());
    }

    #[test]
    fn a_refused_keys_words_name_the_field_that_holds_it() {
        let item = Key::new(Kind::Route, "team-a", "chat");
        let inline = Some("main".to_owned());
        let said = words(&BackendName { item, inline });
        assert!(
            said.contains("spec.backends[main].inline.credential"),
            "{said}"
        );
        assert!(said.contains("LLMRoute/team-a/chat"), "{said}");
        let item = Key::new(Kind::Backend, "team-a", "main");
        let said = words(&BackendName { item, inline: None });
        assert!(said.contains("spec.credential") && said.contains("LLMBackend/team-a/main"));
    }
}
