//! What is counted of a policy.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use dragoman_config::ObjectKey;

use super::limits::{Counters, Shared};

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

/// A kind of line in the log. Each has a clock of its own, so that none keeps another from being told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// A credential cannot be checked.
    Unchecked,
    /// An address was banned.
    Banned,
    /// A rule on requests failed.
    RuleFailed,
    /// A rule was passed over.
    PassedOver,
    /// A rule refused a reply.
    ReplyRefused,
    /// A rule on a reply failed.
    ReplyFailed,
}

/// How many kinds of lines there are.
const LINES: usize = Line::ReplyFailed as usize + 1;

/// How often a policy refused a request, by reason. Refusals are rare enough for threads to share a counter.
#[derive(Debug, Default)]
pub struct PolicyMetrics {
    refused: [AtomicU64; REASONS.len()],
    /// Rules that were passed over, since the service that they ask failed.
    passed_over: AtomicU64,
    /// The clock of each kind of line in the log.
    told: [Told; LINES],
}

/// Seconds between two lines of the log that say much the same: whoever can provoke them must not fill a disk.
const QUIET: i64 = 10;

/// When something was last told in the log, in seconds since 1970.
#[derive(Debug, Default)]
pub struct Told(AtomicI64);

impl Told {
    /// Whether it is time for another line.
    pub fn tells(&self) -> bool {
        let now = jiff::Timestamp::now().as_second();
        let last = self.0.load(Ordering::Relaxed);
        now - last >= QUIET
            && self
                .0
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

impl PolicyMetrics {
    /// Counts a refusal.
    pub fn refused(&self, reason: Reason) {
        if let Some(count) = self.refused.get(reason as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a rule that was passed over, since the service that it asks failed.
    pub fn passed_over(&self) {
        self.passed_over.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether it is time for another line of this kind in the log.
    pub fn tells(&self, line: Line) -> bool {
        self.told.get(line as usize).is_some_and(Told::tells)
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
    policies: impl Iterator<Item = (&'a ObjectKey, &'a PolicyMetrics)> + Clone,
    banned: usize,
    counters: &Counters,
) -> String {
    let mut text = String::from(
        "# HELP dragoman_policy_refusals_total Requests and replies that an AccessPolicy refused, by reason.\n# TYPE dragoman_policy_refusals_total counter\n",
    );
    for (key, metrics) in policies.clone() {
        for (reason, count) in metrics.counts().filter(|(_, count)| *count > 0) {
            let ObjectKey { namespace, name } = key;
            let _ = writeln!(
                text,
                "dragoman_policy_refusals_total{{namespace=\"{namespace}\",policy=\"{name}\",reason=\"{reason}\"}} {count}"
            );
        }
    }
    text.push_str(
        "# HELP dragoman_policy_rules_passed_over_total Rules of an AccessPolicy that were passed over, since the service that they ask failed.\n# TYPE dragoman_policy_rules_passed_over_total counter\n",
    );
    for (key, metrics) in policies {
        let count = metrics.passed_over.load(Ordering::Relaxed);
        if count > 0 {
            let ObjectKey { namespace, name } = key;
            let _ = writeln!(
                text,
                "dragoman_policy_rules_passed_over_total{{namespace=\"{namespace}\",policy=\"{name}\"}} {count}"
            );
        }
    }
    let _ = write!(
        text,
        "# HELP dragoman_banned_addresses Addresses that are banned.\n# TYPE dragoman_banned_addresses gauge\ndragoman_banned_addresses {banned}\n"
    );
    let up = match counters.shared() {
        Shared::NotConfigured => return text,
        Shared::Yes => 1,
        Shared::Away(_) => 0,
    };
    let _ = write!(
        text,
        "# HELP dragoman_shared_state_up Whether the Redis that counts for all proxies answers.\n# TYPE dragoman_shared_state_up gauge\ndragoman_shared_state_up {up}\n"
    );
    let together = counters.counted_together();
    let _ = write!(
        text,
        "# HELP dragoman_limit_requests_counted_together_total Requests of addresses that Redis has no room to count apart.\n# TYPE dragoman_limit_requests_counted_together_total counter\ndragoman_limit_requests_counted_together_total {together}\n"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_kind_of_line_keeps_another_from_being_told() {
        let metrics = PolicyMetrics::default();
        for line in [
            Line::Unchecked,
            Line::Banned,
            Line::RuleFailed,
            Line::PassedOver,
            Line::ReplyRefused,
            Line::ReplyFailed,
        ] {
            assert!(metrics.tells(line), "{line:?}");
            assert!(!metrics.tells(line), "{line:?}");
        }
    }

    #[test]
    fn each_reason_counts_under_its_own_name() {
        for (at, (reason, name)) in REASONS.into_iter().enumerate() {
            assert_eq!(reason as usize, at, "{name}");
            let metrics = PolicyMetrics::default();
            metrics.refused(reason);
            let key = ObjectKey::new("a", "p");
            let told = text(std::iter::once((&key, &metrics)), 2, &Counters::new());
            let line = format!(
                "dragoman_policy_refusals_total{{namespace=\"a\",policy=\"p\",reason=\"{name}\"}} 1"
            );
            assert!(told.lines().any(|told| told == line), "{told}");
            let counted: Vec<_> = metrics.counts().filter(|(_, count)| *count > 0).collect();
            assert_eq!(counted, [(name, 1)]);
        }
    }
}
