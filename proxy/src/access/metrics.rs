//! What is counted of a policy.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use dragoman_config::ObjectKey;

use super::limits::Shared;

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
pub struct PolicyMetrics {
    refused: [AtomicU64; REASONS.len()],
    /// When something was last told in the log, in seconds since 1970.
    told: AtomicI64,
}

/// Seconds between two lines of the log that say much the same of a policy: whoever can provoke them must not fill a disk.
const QUIET: i64 = 10;

impl PolicyMetrics {
    /// Counts a refusal.
    pub fn refused(&self, reason: Reason) {
        if let Some(count) = self.refused.get(reason as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether it is time for another line in the log.
    pub fn tells(&self) -> bool {
        let now = jiff::Timestamp::now().as_second();
        let last = self.told.load(Ordering::Relaxed);
        now - last >= QUIET
            && self
                .told
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// How many refusals there were of each reason.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let counts = self
            .refused
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        REASONS.iter().map(|(_, name)| *name).zip(counts)
    }
}

/// Writes what is counted of policies in [Prometheus' text format](https://prometheus.io/docs/instrumenting/exposition_formats/).
pub fn text<'a>(
    policies: impl Iterator<Item = (&'a ObjectKey, &'a PolicyMetrics)>,
    banned: usize,
    shared: &Shared,
) -> String {
    let mut text = String::from(
        "# HELP dragoman_policy_refusals_total Requests and replies that an AccessPolicy refused, by reason.\n# TYPE dragoman_policy_refusals_total counter\n",
    );
    for (key, metrics) in policies {
        for (reason, count) in metrics.counts().filter(|(_, count)| *count > 0) {
            let ObjectKey { namespace, name } = key;
            let _ = writeln!(
                text,
                "dragoman_policy_refusals_total{{namespace=\"{namespace}\",policy=\"{name}\",reason=\"{reason}\"}} {count}"
            );
        }
    }
    let _ = write!(
        text,
        "# HELP dragoman_banned_addresses Addresses that are banned.\n# TYPE dragoman_banned_addresses gauge\ndragoman_banned_addresses {banned}\n"
    );
    let up = match shared {
        Shared::NotConfigured => return text,
        Shared::Yes => 1,
        Shared::Away(_) => 0,
    };
    let _ = write!(
        text,
        "# HELP dragoman_shared_state_up Whether the Redis that counts for all proxies answers.\n# TYPE dragoman_shared_state_up gauge\ndragoman_shared_state_up {up}\n"
    );
    text
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
            let key = ObjectKey::new("a", "p");
            let told = text(std::iter::once((&key, &metrics)), 2, &Shared::NotConfigured);
            let line = format!(
                "dragoman_policy_refusals_total{{namespace=\"a\",policy=\"p\",reason=\"{name}\"}} 1"
            );
            assert!(told.lines().any(|told| told == line), "{told}");
            let counted: Vec<_> = metrics.counts().filter(|(_, count)| *count > 0).collect();
            assert_eq!(counted, [(name, 1)]);
        }
    }
}
