//! A part of what is known of addresses: bounded, and always ready to forget what matters least.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use dragoman_config::ObjectKey;

/// The most addresses of a shard.
pub(super) const MOST_ADDRESSES: usize = 1024;
/// The most failures of a shard that are remembered, eight bytes each.
pub(super) const MOST_FAILURES: usize = 1 << 15;

/// What is known of an address under one policy. Times are nanoseconds of the epoch of [`Bans`](super::Bans).
#[derive(Debug)]
pub(super) struct Track {
    pub(super) policy: Arc<ObjectKey>,
    /// When authentication failed, oldest first.
    failures: VecDeque<u64>,
    /// When the last of them no longer counts.
    forgotten: u64,
    /// The end of a ban that has begun.
    pub(super) until: Option<u64>,
}

impl Track {
    /// Whether nothing of it counts any more.
    fn is_over(&self, now: u64) -> bool {
        self.until.is_none_or(|until| until <= now) && self.forgotten <= now
    }
}

/// What goes first: addresses that are not banned, and of those, and of those that are, the one whose time is over first.
type Rank = (bool, u64);

#[derive(Debug, Default)]
struct Known {
    rank: Rank,
    tracks: Vec<Track>,
}

impl Known {
    fn failures(&self) -> usize {
        self.tracks.iter().map(|track| track.failures.len()).sum()
    }

    fn bans(&self) -> usize {
        self.tracks
            .iter()
            .filter(|track| track.until.is_some())
            .count()
    }
}

/// Some of the addresses.
#[derive(Debug, Default)]
pub(super) struct Shard {
    known: HashMap<IpAddr, Known>,
    order: BTreeSet<(Rank, IpAddr)>,
    failures: usize,
    /// Bans, those included whose end nobody has noticed yet.
    bans: usize,
}

/// How an address that failed is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) failures: usize,
    pub(super) window: u64,
    pub(super) duration: u64,
}

impl Shard {
    pub(super) fn bans(&self) -> usize {
        self.bans
    }

    /// When the ban of an address ends.
    pub(super) fn until(&mut self, policy: &ObjectKey, address: IpAddr, now: u64) -> Option<u64> {
        let known = self.known.get(&address)?;
        let track = known.tracks.iter().find(|track| *track.policy == *policy)?;
        let until = track.until?;
        if until > now {
            return Some(until);
        }
        self.change(address, now, |_| ());
        None
    }

    /// Notes a failure; whether a ban begins with it. `name` gives the policy's name where the shard has none to share.
    pub(super) fn failed(
        &mut self,
        policy: &ObjectKey,
        name: impl FnOnce() -> Arc<ObjectKey>,
        terms: Terms,
        address: IpAddr,
        now: u64,
    ) -> bool {
        let begins = self.change(address, now, |tracks| {
            let track = track(tracks, policy, name);
            if track.until.is_some() {
                return false;
            }
            // One that is exactly as old as the window counts no more.
            while track
                .failures
                .front()
                .is_some_and(|at| at.saturating_add(terms.window) <= now)
            {
                track.failures.pop_front();
            }
            if track.failures.len() + 1 >= terms.failures {
                track.begin(now.saturating_add(terms.duration));
                return true;
            }
            track.failures.push_back(now);
            track.forgotten = track.forgotten.max(now.saturating_add(terms.window));
            false
        });
        self.make_room(address);
        begins
    }

    /// Begins a ban, or prolongs one; whether there was none.
    pub(super) fn ban(
        &mut self,
        policy: &ObjectKey,
        name: impl FnOnce() -> Arc<ObjectKey>,
        address: IpAddr,
        until: u64,
        now: u64,
    ) -> bool {
        let begins = self.change(address, now, |tracks| {
            let track = track(tracks, policy, name);
            let begins = track.until.is_none();
            track.begin(track.until.map_or(until, |before| before.max(until)));
            begins
        });
        self.make_room(address);
        begins
    }

    /// Forgets all of an address for which `which` holds; the policies whose bans end with it.
    pub(super) fn lift(
        &mut self,
        address: IpAddr,
        which: impl Fn(&ObjectKey) -> bool,
        now: u64,
    ) -> Vec<Arc<ObjectKey>> {
        let mut lifted = Vec::new();
        if self.known.contains_key(&address) {
            self.change(address, now, |tracks| {
                tracks.retain(|track| {
                    let goes = which(&track.policy);
                    if goes && track.until.is_some_and(|until| until > now) {
                        lifted.push(Arc::clone(&track.policy));
                    }
                    !goes
                });
            });
        }
        lifted
    }

    /// The bans that run, after those that are over have been forgotten.
    pub(super) fn running(&mut self, now: u64) -> impl Iterator<Item = (IpAddr, &Track)> {
        let banned = self.order.range(((true, 0), IpAddr::from([0, 0, 0, 0]))..);
        let banned: Vec<IpAddr> = banned.map(|(_, address)| *address).collect();
        for address in &banned {
            self.change(*address, now, |_| ());
        }
        banned.into_iter().flat_map(|address| {
            let known = self.known.get(&address);
            let tracks = known.into_iter().flat_map(|known| &known.tracks);
            tracks
                .filter(|track| track.until.is_some())
                .map(move |track| (address, track))
        })
    }

    /// Changes what is known of an address, and keeps order and sums; what is over is forgotten before.
    fn change<T>(
        &mut self,
        address: IpAddr,
        now: u64,
        edit: impl FnOnce(&mut Vec<Track>) -> T,
    ) -> T {
        let mut entry = match self.known.entry(address) {
            Entry::Occupied(entry) => entry,
            Entry::Vacant(entry) => entry.insert_entry(Known::default()),
        };
        let known = entry.get_mut();
        self.order.remove(&(known.rank, address));
        self.failures -= known.failures();
        self.bans -= known.bans();
        for track in &mut known.tracks {
            if track.until.is_some_and(|until| until <= now) {
                track.until = None;
            }
        }
        known.tracks.retain(|track| !track.is_over(now));
        let out = edit(&mut known.tracks);
        if known.tracks.is_empty() {
            entry.remove();
            return out;
        }
        let ends = |track: &Track| match track.until {
            Some(until) => (true, until),
            None => (false, track.forgotten),
        };
        known.rank = known.tracks.iter().map(ends).max().unwrap_or_default();
        self.order.insert((known.rank, address));
        self.failures += known.failures();
        self.bans += known.bans();
        out
    }

    /// Forgets what matters least while there is too much; the address at hand last.
    fn make_room(&mut self, at_hand: IpAddr) {
        while self.known.len() > MOST_ADDRESSES || self.failures > MOST_FAILURES {
            let others = self.order.iter().filter(|(_, address)| *address != at_hand);
            let Some(least) = others.copied().next() else {
                return;
            };
            self.order.remove(&least);
            if let Some(known) = self.known.remove(&least.1) {
                self.failures -= known.failures();
                self.bans -= known.bans();
            }
        }
    }
}

impl Track {
    fn begin(&mut self, until: u64) {
        self.failures = VecDeque::new();
        self.forgotten = 0;
        self.until = Some(until);
    }
}

fn track<'t>(
    tracks: &'t mut Vec<Track>,
    policy: &ObjectKey,
    name: impl FnOnce() -> Arc<ObjectKey>,
) -> &'t mut Track {
    let at = tracks.iter().position(|track| *track.policy == *policy);
    let at = at.unwrap_or_else(|| {
        tracks.push(Track {
            policy: name(),
            failures: VecDeque::new(),
            forgotten: 0,
            until: None,
        });
        tracks.len() - 1
    });
    &mut tracks[at]
}

#[cfg(test)]
impl Shard {
    /// How many addresses are known, and how many failures.
    pub(super) fn measure(&self) -> (usize, usize) {
        assert_eq!(self.known.len(), self.order.len());
        let failures: usize = self.known.values().map(Known::failures).sum();
        assert_eq!(failures, self.failures);
        (self.known.len(), failures)
    }
}
