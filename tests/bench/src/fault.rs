//! Why a measurement cannot be made.

use std::io;

/// Why a measurement cannot be made; figures are never printed from a run that had one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The machine refused something. A retry helps only once the cause is gone.
    #[error("cannot {what}: {source}")]
    Machine {
        /// What was tried, as "cannot …" continues.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// A contender did not answer its first request in time. The contender's fault, or its config's.
    #[error("{name} is not ready after {seconds} s: {last}; it logged:\n{log}")]
    NotReady {
        /// Which contender.
        name: &'static str,
        /// How long it was given.
        seconds: u64,
        /// What its last probe met.
        last: String,
        /// The end of its log.
        log: String,
    },
    /// A reply is not the one that the upstream sent. The contender's fault: what it does is not what is to be measured.
    #[error("wrong reply: {0}")]
    WrongReply(String),
}

impl Fault {
    /// The machine's refusal of `what`, which continues "cannot …".
    pub(crate) fn machine(what: impl Into<String>, source: io::Error) -> Self {
        Self::Machine {
            what: what.into(),
            source,
        }
    }
}
