//! Whether traffic is welcome, and what is missing if not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::state::Shared;

/// Readiness of the process.
#[derive(Debug)]
pub struct Readiness {
    shared: Arc<Shared>,
    source: &'static str,
    terminating: AtomicBool,
}

/// The answer of `/readyz`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Whether traffic is welcome.
    pub ready: bool,
    /// What is missing.
    pub missing: Vec<&'static str>,
}

impl Readiness {
    /// Readiness of a process whose config comes from `source`, as in "config from the operator".
    #[must_use]
    pub fn new(shared: Arc<Shared>, source: &'static str) -> Self {
        Self {
            shared,
            source,
            terminating: AtomicBool::new(false),
        }
    }

    /// The process was told to stop: traffic should go elsewhere from now on, although it is still served.
    pub fn terminate(&self) {
        self.terminating.store(true, Ordering::Relaxed);
    }

    /// Whether traffic is welcome.
    #[must_use]
    pub fn answer(&self) -> Answer {
        let terminating = self.terminating.load(Ordering::Relaxed);
        let missing = match self.shared.is_ready() {
            _ if terminating => vec!["this process is stopping"],
            true => Vec::new(),
            false => vec![self.source],
        };
        Answer {
            ready: missing.is_empty(),
            missing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_from_its_first_config_until_it_is_told_to_stop() {
        let shared = Shared::new(1);
        let readiness = Readiness::new(Arc::clone(&shared), "config from the operator");
        assert_eq!(readiness.answer().missing, ["config from the operator"]);
        shared.set_ready(true);
        assert_eq!(
            readiness.answer(),
            Answer {
                ready: true,
                missing: Vec::new()
            }
        );
        readiness.terminate();
        assert!(!readiness.answer().ready);
    }
}
