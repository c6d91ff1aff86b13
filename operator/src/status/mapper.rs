//! A Mapper's status.

use dragoman_config::Outcome;
use dragoman_crds::MapperStatus;
use jiff::Timestamp;

use super::Draft;

/// What is said of a Mapper.
#[must_use]
pub fn mapper(outcome: &Outcome, previous: &MapperStatus, now: Timestamp) -> MapperStatus {
    let draft = Draft::new(outcome, &previous.conditions, now);
    MapperStatus {
        observed_generation: Some(outcome.generation),
        conditions: draft.finish("every expression compiles and every test passes"),
    }
}
