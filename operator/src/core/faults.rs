//! What faults of the API server mean, and which of them the log was told of: each once while it lasts.

use std::collections::BTreeMap;

/// What a fault means for who tries again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// No answer, or one that the next attempt may change. One outage is one fault, whatever each attempt says of it.
    Passing,
    /// A refusal, in the API server's words, which stays until somebody edits something.
    Refusal(String),
}

impl Fault {
    /// What the client says.
    pub(super) fn of(fault: &kube::Error) -> Self {
        match fault {
            kube::Error::Api(status)
                if (400..500).contains(&status.code) && !matches!(status.code, 408 | 409 | 429) =>
            {
                Self::Refusal(status.message.clone())
            }
            _ => Self::Passing,
        }
    }

    /// The same of one object of several: another's refusal is another fault.
    pub(super) fn of_object(self, object: &str) -> Self {
        match self {
            Self::Passing => Self::Passing,
            Self::Refusal(words) => Self::Refusal(format!("{object}: {words}")),
        }
    }
}

/// The fault of each key that lasts and was told.
#[derive(Debug)]
pub(super) struct Told<K>(BTreeMap<K, Fault>);

impl<K: Ord + Clone> Told<K> {
    /// Whether a fault is another one than the one that was told; from here on it is told.
    pub(super) fn is_news(&mut self, key: &K, fault: &Fault) -> bool {
        self.0.insert(key.clone(), fault.clone()).as_ref() != Some(fault)
    }

    /// It works, or nobody needs it any more: the next fault is news.
    pub(super) fn over(&mut self, key: &K) {
        self.0.remove(key);
    }
}

impl<K> Default for Told<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_news_once_and_another_one_is_news_again() {
        let mut told = Told::default();
        let quota = Fault::Refusal("exceeded quota".into());
        assert!(told.is_news(&"a", &Fault::Passing));
        assert!(!told.is_news(&"a", &Fault::Passing));
        assert!(told.is_news(&"b", &Fault::Passing));
        assert!(told.is_news(&"a", &quota));
        assert!(!told.is_news(&"a", &quota));
        told.over(&"a");
        assert!(told.is_news(&"a", &quota));
    }
}
