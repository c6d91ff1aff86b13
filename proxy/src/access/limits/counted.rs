//! What was counted for a request already, so that nothing counts it twice.

use std::cell::Cell;
use std::time::Duration;

use super::bound::{CountKey, Measure};
use super::reserve::Reservation;

/// Counts of one request under which it was counted before: by the policies of its route, and by those of backends that were asked in vain.
#[derive(Debug, Default)]
pub struct Counted {
    /// These are held until the request is over.
    held: Vec<CountKey>,
    /// The request stays counted under these, though whatever else was reserved was given back.
    stays: Vec<CountKey>,
    /// How long the request has waited for Redis.
    waited: Cell<Duration>,
}

impl Counted {
    /// Nothing is counted under these counts again while `reservation` lasts.
    pub fn hold(&mut self, reservation: &Reservation) {
        let keys = reservation.places().iter().map(|place| place.key);
        self.held.extend(keys);
    }

    /// Gives back what was reserved for a backend that did not answer. That the request came stays counted, and is not counted again.
    pub fn give_back(&mut self, reservation: Reservation) {
        let places = reservation.places().iter();
        let requests = places.filter(|place| matches!(place.measure, Measure::Requests(_)));
        self.stays.extend(requests.map(|place| place.key));
        drop(reservation);
    }

    /// How long the request has waited for Redis so far: it does so for a bounded time altogether, however many backends' limits it is counted under.
    pub(in crate::access) fn waited(&self) -> &Cell<Duration> {
        &self.waited
    }

    pub(super) fn is_held(&self, key: CountKey) -> bool {
        self.held.contains(&key)
    }

    pub(super) fn stays(&self, key: CountKey) -> bool {
        self.stays.contains(&key)
    }
}
