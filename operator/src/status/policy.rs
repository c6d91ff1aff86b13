//! An AccessPolicy's status.

use dragoman_config::Outcome;
use dragoman_crds::AccessPolicyStatus;
use jiff::Timestamp;

use super::Draft;

/// What is said of an AccessPolicy.
#[must_use]
pub fn policy(
    outcome: &Outcome,
    previous: &AccessPolicyStatus,
    now: Timestamp,
) -> AccessPolicyStatus {
    let draft = Draft::new(outcome, &previous.conditions, now);
    AccessPolicyStatus {
        observed_generation: Some(outcome.generation),
        conditions: draft.finish("every rule is sound, and every Secret is there"),
    }
}
