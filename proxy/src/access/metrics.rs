//! What is counted of a policy.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a policy refused a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The address is banned.
    Banned,
    /// The address is of no network that is admitted.
    Network,
    /// No credential, or one that nobody knows.
    Unauthenticated,
    /// The credential cannot be checked at the moment.
    Unchecked,
    /// A rule refuses or answers it.
    Rule,
    /// A rule cannot be evaluated.
    RuleFailed,
    /// The model may not be called.
    Model,
    /// It is over a limit.
    Limit,
    /// A rule refuses the reply.
    Response,
}

/// All of them, in the order of their numbers.
const REASONS: [(Reason, &str); 9] = [
    (Reason::Banned, "banned"),
    (Reason::Network, "network"),
    (Reason::Unauthenticated, "unauthenticated"),
    (Reason::Unchecked, "unchecked"),
    (Reason::Rule, "rule"),
    (Reason::RuleFailed, "rule_failed"),
    (Reason::Model, "model"),
    (Reason::Limit, "limit"),
    (Reason::Response, "response"),
];

/// How often a policy refused a request, by reason. Refusals are rare enough for threads to share a counter.
#[derive(Debug, Default)]
pub struct PolicyMetrics([AtomicU64; REASONS.len()]);

impl PolicyMetrics {
    /// Counts a refusal.
    pub fn refused(&self, reason: Reason) {
        if let Some(count) = self.0.get(reason as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many refusals there were of each reason.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        REASONS.iter().map(|(_, name)| *name).zip(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_counts_under_its_own_name() {
        for (at, (reason, name)) in REASONS.into_iter().enumerate() {
            assert_eq!(reason as usize, at, "{name}");
            let metrics = PolicyMetrics::default();
            metrics.refused(reason);
            let counted: Vec<_> = metrics.counts().filter(|(_, count)| *count > 0).collect();
            assert_eq!(counted, [(name, 1)]);
        }
    }
}
