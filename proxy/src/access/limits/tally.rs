//! The same counts in Redis, for all proxies together.

use super::counters::{Charge, Counters, Full, Level};
use super::reserve::{Place, Used};

/// Who counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shared {
    /// Each proxy for itself: no Redis is configured.
    NotConfigured,
    /// Redis, for all proxies.
    Yes,
    /// Each proxy for itself, since Redis does not answer, and why.
    Away(String),
}

/// What Redis knows of a reservation.
#[derive(Debug)]
pub(super) struct Ticket;

impl Ticket {
    pub(super) fn settle(&self, _places: &[Place], _used: Used) {}

    pub(super) fn leave(self, _places: &[Place]) {}
}

impl Counters {
    /// Counts in Redis. None where it does not count.
    pub(super) async fn tally(
        &self,
        _charges: &[Charge],
    ) -> Option<Result<(Vec<Level>, Ticket), Full>> {
        None
    }

    /// Who counts.
    #[must_use]
    pub fn shared(&self) -> Shared {
        Shared::NotConfigured
    }
}
