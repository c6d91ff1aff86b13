//! One address of an upstream: its waiting connections, its load and whether it can be reached.

use std::{cell::Cell, net::SocketAddr, rc::Rc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use super::{concurrency::Permit, h1::pool::Pool, h2::session::Sessions};

/// How long an address is passed over after its first failure; doubled by each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest that one is passed over.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// One address, as one thread sees it.
#[derive(Debug)]
pub(crate) struct Address {
    pub(crate) socket: SocketAddr,
    pub(crate) pool: Rc<Pool>,
    pub(crate) sessions: Rc<Sessions>,
    /// Whether its last connection spoke HTTP/2; `None` before the first.
    pub(crate) http2: Cell<Option<bool>>,
    /// Connections that may be shared are opened one at a time, so that all who wait share the first.
    pub(crate) opening: Mutex<()>,
    in_flight: Cell<usize>,
    /// Connections that failed since the last one that did not.
    failures: Cell<u32>,
    /// Until when it is passed over.
    paused: Cell<Option<Instant>>,
}

impl Address {
    pub(crate) fn new(socket: SocketAddr) -> Rc<Self> {
        Rc::new(Address {
            socket,
            pool: Rc::default(),
            sessions: Rc::default(),
            http2: Cell::default(),
            opening: Mutex::default(),
            in_flight: Cell::default(),
            failures: Cell::default(),
            paused: Cell::default(),
        })
    }

    /// Counts a request until the guard is dropped.
    pub(crate) fn enter(self: &Rc<Self>, permit: Option<Permit>) -> InFlight {
        self.in_flight.set(self.in_flight.get() + 1);
        InFlight {
            address: Rc::clone(self),
            permit,
        }
    }

    /// A connection was made: whatever was wrong is over.
    pub(crate) fn reached(&self) {
        self.failures.set(0);
        self.paused.set(None);
    }

    /// No connection could be made.
    pub(crate) fn failed(&self) {
        let failures = self.failures.get();
        let pause = FIRST_PAUSE
            .saturating_mul(1 << failures.min(16))
            .min(LONGEST_PAUSE);
        self.failures.set(failures + 1);
        self.paused.set(Some(Instant::now() + pause));
        self.pool.clear();
        self.sessions.clear();
    }
}

/// The best of `addresses` that is not among `tried`: reachable before paused, then fewest in flight, and of equals the next one after `turn`.
///
/// Where all are paused the one whose pause ends first is taken: there is always one to try.
pub(crate) fn choose<'a>(
    addresses: &'a [Rc<Address>],
    tried: &[SocketAddr],
    turn: usize,
) -> Option<&'a Rc<Address>> {
    let mut now = None;
    let start = turn.checked_rem(addresses.len())?;
    let (before, after) = addresses.split_at(start);
    after
        .iter()
        .chain(before)
        .filter(|address| !tried.contains(&address.socket))
        .min_by_key(|address| {
            let paused = address.paused.get().filter(|until| {
                let now = *now.get_or_insert_with(Instant::now);
                *until > now
            });
            (paused, address.in_flight.get())
        })
}

/// A request on its way to an address.
#[derive(Debug)]
pub(crate) struct InFlight {
    address: Rc<Address>,
    permit: Option<Permit>,
}

impl InFlight {
    /// Leaves the address for another; the place among all in flight is kept.
    pub(crate) fn leave(mut self) -> Option<Permit> {
        self.permit.take()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.address
            .in_flight
            .set(self.address.in_flight.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(count: u8) -> Vec<Rc<Address>> {
        (1..=count)
            .map(|last| Address::new(SocketAddr::from(([10, 0, 0, last], 80))))
            .collect()
    }

    fn chosen(addresses: &[Rc<Address>], tried: &[SocketAddr], turn: usize) -> Option<u16> {
        choose(addresses, tried, turn).map(|address| match address.socket.ip() {
            std::net::IpAddr::V4(v4) => u16::from(v4.octets()[3]),
            std::net::IpAddr::V6(_) => 0,
        })
    }

    #[test]
    fn equals_take_turns() {
        let all = addresses(3);
        assert_eq!(
            [0, 1, 2, 3].map(|turn| chosen(&all, &[], turn)),
            [1, 2, 3, 1].map(Some)
        );
    }

    #[test]
    fn the_least_loaded_is_taken() {
        let all = addresses(3);
        let _loads = [all[0].enter(None), all[2].enter(None)];
        assert_eq!(
            [0, 1, 2].map(|turn| chosen(&all, &[], turn)),
            [2, 2, 2].map(Some)
        );
        let load = all[1].enter(None);
        let _more = all[0].enter(None);
        drop(load);
        assert_eq!(chosen(&all, &[], 0), Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn an_unreachable_address_is_passed_over_for_a_growing_time() {
        let all = addresses(2);
        all[0].failed();
        assert_eq!(chosen(&all, &[], 0), Some(2));
        tokio::time::advance(Duration::from_millis(501)).await;
        assert_eq!(chosen(&all, &[], 0), Some(1));
        all[0].failed();
        tokio::time::advance(Duration::from_millis(501)).await;
        assert_eq!(chosen(&all, &[], 0), Some(2));
        all[0].reached();
        assert_eq!(chosen(&all, &[], 0), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_address_is_never_ejected() {
        let all = addresses(2);
        all[0].failed();
        tokio::time::advance(Duration::from_millis(100)).await;
        all[1].failed();
        assert_eq!(chosen(&all, &[], 1), Some(1));
        assert_eq!(chosen(&all, &[all[0].socket], 1), Some(2));
        assert_eq!(chosen(&all, &[all[0].socket, all[1].socket], 1), None);
    }
}
