//! A ModelMap's status.

use dragoman_config::Outcome;
use dragoman_crds::ModelMapStatus;
use jiff::Timestamp;

use super::Draft;

/// What is said of a ModelMap.
#[must_use]
pub fn map(outcome: &Outcome, previous: &ModelMapStatus, now: Timestamp) -> ModelMapStatus {
    let draft = Draft::new(outcome, &previous.conditions, now);
    ModelMapStatus {
        observed_generation: Some(outcome.generation),
        conditions: draft.finish("all rules are sound"),
    }
}
