//! Refused tokens, counted: whoever brings too many waits, so that guessing takes for ever and a door that asks somebody else is not run down.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Over which time refusals are counted, from the first one on.
const WINDOW: Duration = Duration::from_mins(1);
/// How many refusals an address has in that time. An IPv6 /64 is one.
const OF_ONE: u32 = 20;
/// How many all together have. This machine, and whoever brought a good token before, are not made to wait for what others do.
const OF_ALL: u32 = 200;
/// The most addresses that are remembered for a good token, and how long.
const MOST_GOOD: usize = 1024;
const GOOD: Duration = Duration::from_hours(24);

/// Who asks, as far as the network tells: an extension that a server adds to each request. Without one, all are one.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// Refused tokens by address. What is remembered is bounded by what is let through.
#[derive(Debug, Default)]
pub struct Attempts(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    all: Option<Refusals>,
    by_address: HashMap<IpAddr, Refusals>,
    good: HashMap<IpAddr, Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Refusals {
    began: Instant,
    count: u32,
}

impl Refusals {
    fn wait(self, most: u32, now: Instant) -> Option<Duration> {
        let passed = now.saturating_duration_since(self.began);
        (self.count >= most && passed < WINDOW).then(|| WINDOW.saturating_sub(passed))
    }

    fn one_more(before: Option<Self>, now: Instant) -> Self {
        let open = before.filter(|open| now.saturating_duration_since(open.began) < WINDOW);
        let (began, count) = open.map_or((now, 0), |open| (open.began, open.count));
        Self {
            began,
            count: count.saturating_add(1),
        }
    }
}

impl Attempts {
    /// How long somebody is to wait before a token of theirs is looked at, right or wrong.
    #[must_use]
    pub fn wait(&self, peer: IpAddr, now: Instant) -> Option<Duration> {
        let (known, address) = (self.0.lock(), place(peer));
        let own = known.by_address.get(&address);
        let own = own.and_then(|own| own.wait(OF_ONE, now));
        let is_good = known
            .good
            .get(&address)
            .is_some_and(|since| now.saturating_duration_since(*since) < GOOD);
        if is_good || address.is_loopback() {
            return own;
        }
        own.max(known.all.and_then(|all| all.wait(OF_ALL, now)))
    }

    /// Counts a token that was refused, and tells our own log of it. The token itself is nobody's to read.
    pub fn refused(&self, peer: IpAddr, now: Instant) {
        let (mut known, address) = (self.0.lock(), place(peer));
        known
            .by_address
            .retain(|_, own| now.saturating_duration_since(own.began) < WINDOW);
        let own = Refusals::one_more(known.by_address.get(&address).copied(), now);
        known.by_address.insert(address, own);
        let all = Refusals::one_more(known.all, now);
        known.all = Some(all);
        drop(known);
        tracing::warn!(address = %peer, "a token was refused");
        if own.count == OF_ONE {
            tracing::warn!(address = %peer, refused = OF_ONE, "tokens from this address are not looked at for a minute");
        }
        if all.count == OF_ALL {
            tracing::warn!(
                refused = OF_ALL,
                "for a minute no tokens are looked at but from addresses that brought a good one before, and from this machine"
            );
        }
    }

    /// Notes a token that was good.
    pub fn opened(&self, peer: IpAddr, now: Instant) {
        let (mut known, address) = (self.0.lock(), place(peer));
        if known.good.len() >= MOST_GOOD && !known.good.contains_key(&address) {
            let oldest = known.good.iter().min_by_key(|(_, since)| **since);
            let oldest = oldest.map(|(address, _)| *address);
            oldest.map(|address| known.good.remove(&address));
        }
        known.good.insert(address, now);
    }
}

/// What counts as one address.
fn place(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            let network = v6.to_bits() & (u128::MAX << 64);
            Ipv6Addr::from_bits(network).into()
        }
        other if other.is_loopback() => Ipv4Addr::LOCALHOST.into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn refuse(attempts: &Attempts, address: &str, times: u32, now: Instant) {
        (0..times).for_each(|_| attempts.refused(at(address), now));
    }

    #[test]
    fn whoever_guesses_waits_and_nobody_else_does() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        refuse(&attempts, "192.0.2.1", OF_ONE - 1, now);
        assert_eq!(attempts.wait(at("192.0.2.1"), now), None);
        let later = now + WINDOW / 2;
        refuse(&attempts, "::ffff:192.0.2.1", 1, later);
        assert_eq!(attempts.wait(at("192.0.2.1"), later), Some(WINDOW / 2));
        assert_eq!(attempts.wait(at("192.0.2.2"), later), None);
        assert_eq!(attempts.wait(at("192.0.2.1"), now + WINDOW), None);
        // A host has a whole network of these.
        (0..OF_ONE).for_each(|host| refuse(&attempts, &format!("2001:db8::{host:x}"), 1, now));
        assert!(attempts.wait(at("2001:db8::ffff"), now).is_some());
        assert_eq!(attempts.wait(at("2001:db8:0:1::1"), now), None);
    }

    #[test]
    fn guesses_from_everywhere_end_and_keep_out_none_that_was_let_in_before() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        attempts.opened(at("192.0.2.1"), now);
        for guess in 0..OF_ALL {
            let address = Ipv4Addr::from_bits(0x0a00_0000 + guess).into();
            assert_eq!(attempts.wait(address, now), None, "{guess}");
            attempts.refused(address, now);
        }
        assert_eq!(attempts.wait(at("198.51.100.1"), now), Some(WINDOW));
        assert_eq!(attempts.wait(at("192.0.2.1"), now), None);
        assert_eq!(attempts.wait(at("127.0.0.1"), now), None);
        assert_eq!(attempts.wait(at("::1"), now), None);
        // Their own guesses count all the same.
        refuse(&attempts, "192.0.2.1", OF_ONE, now);
        assert!(attempts.wait(at("192.0.2.1"), now).is_some());
        assert_eq!(attempts.wait(at("198.51.100.1"), now + WINDOW), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for at in 0..2 * MOST_GOOD as u32 {
            let address = Ipv4Addr::from_bits(0x0a00_0000 + at).into();
            attempts.opened(address, now + Duration::from_millis(at.into()));
        }
        refuse(&attempts, "192.0.2.1", 1, now);
        refuse(&attempts, "192.0.2.2", 1, now + WINDOW);
        let known = attempts.0.lock();
        assert_eq!((known.good.len(), known.by_address.len()), (MOST_GOOD, 1));
    }
}
