//! Addresses from which authentication failed again and again, and how long they are refused for it.
//!
//! - [`Bans`]: what is known, of all policies, exact across threads and bounded
//! - `shard`: a part of it
//!
//! Bans lie beside the config and outlast its edits. A million addresses cannot fill the memory: at most 65,536 are known at once, and two million failures; those
//! that are closest to being forgotten anyway go first, and an address that is banned goes last.

mod shard;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dragoman_config::{BanItem, ObjectKey};
use parking_lot::Mutex;

use super::address::of_ban;
use super::networks::Networks;
use shard::{Shard, Terms};

const SHARDS: usize = 64;
/// So many names of policies are kept before those are dropped that nothing needs.
const MOST_NAMES: usize = 256;

/// The terms of a policy's bans.
#[derive(Debug, Clone)]
pub struct Ban {
    terms: Terms,
    exempt: Networks,
}

impl Ban {
    /// Prepares an item.
    #[must_use]
    pub fn new(item: &BanItem) -> Self {
        let nanos = |millis: u64| millis.saturating_mul(1_000_000);
        Self {
            terms: Terms {
                failures: usize::try_from(item.failures.clamp(1, 1000)).unwrap_or(1),
                window: nanos(item.window_ms),
                duration: nanos(item.duration_ms),
            },
            exempt: Networks::new(&item.exempt),
        }
    }

    /// Whether an address is never banned.
    #[must_use]
    pub fn exempts(&self, address: IpAddr) -> bool {
        self.exempt.contains(address)
    }

    /// The failure with which a ban begins.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.terms.failures
    }

    /// How long a failure counts.
    #[must_use]
    pub fn window(&self) -> Duration {
        Duration::from_nanos(self.terms.window)
    }

    /// How long a ban lasts.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.terms.duration)
    }
}

/// A ban that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Banned {
    /// The policy that bans.
    pub policy: Arc<ObjectKey>,
    /// The address; of IPv6 the first of the /64 that is banned.
    pub address: IpAddr,
    /// How long it lasts from now on.
    pub left: Duration,
}

/// What is known of addresses, of all policies. One per process.
#[derive(Debug)]
pub struct Bans {
    /// What times are counted from.
    epoch: Instant,
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
    /// Bans in all shards, so that requests look into none while there are none.
    bans: AtomicUsize,
    names: Mutex<HashSet<Arc<ObjectKey>>>,
}

impl Default for Bans {
    fn default() -> Self {
        Self {
            epoch: Instant::now(),
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            bans: AtomicUsize::new(0),
            names: Mutex::default(),
        }
    }
}

impl Bans {
    /// How long a policy's ban of an address lasts from `now` on; none: it is not banned.
    pub fn banned(
        &self,
        policy: &ObjectKey,
        ban: &Ban,
        address: IpAddr,
        now: Instant,
    ) -> Option<Duration> {
        if self.bans.load(Ordering::Relaxed) == 0 || ban.exempts(address) {
            return None;
        }
        let (address, now) = (of_ban(address), self.time(now));
        let until = self.shard(address, |shard| shard.until(policy, address, now))?;
        Some(Duration::from_nanos(until - now))
    }

    /// Notes that authentication failed; whether a ban begins with it. An exempt address is not noted.
    pub fn failed(&self, policy: &ObjectKey, ban: &Ban, address: IpAddr, now: Instant) -> bool {
        if ban.exempts(address) {
            return false;
        }
        let (address, now) = (of_ban(address), self.time(now));
        let name = || self.name(policy);
        self.shard(address, |shard| {
            shard.failed(policy, name, ban.terms, address, now)
        })
    }

    /// Begins a ban for so long, or prolongs one: for what others found out. Whether there was none.
    pub fn begin(
        &self,
        policy: &ObjectKey,
        address: IpAddr,
        lasts: Duration,
        now: Instant,
    ) -> bool {
        let (address, now) = (of_ban(address), self.time(now));
        let lasts = u64::try_from(lasts.as_nanos()).unwrap_or(u64::MAX);
        let until = now.saturating_add(lasts);
        let name = || self.name(policy);
        self.shard(address, |shard| {
            shard.ban(policy, name, address, until, now)
        })
    }

    /// All bans that run, ordered by policy and address.
    pub fn list(&self, now: Instant) -> Vec<Banned> {
        let now = self.time(now);
        let mut all = Vec::new();
        for shard in &self.shards {
            self.locked(shard, |shard| {
                all.extend(shard.running(now).map(|(address, track)| Banned {
                    policy: Arc::clone(&track.policy),
                    address,
                    left: Duration::from_nanos(track.until.unwrap_or(now).saturating_sub(now)),
                }));
            });
        }
        all.sort_unstable_by(|a, b| (&a.policy, a.address).cmp(&(&b.policy, b.address)));
        all
    }

    /// Ends every ban of an address, and forgets its failures. Returns the policies whose bans ended.
    pub fn lift(&self, address: IpAddr, now: Instant) -> Vec<Arc<ObjectKey>> {
        let (address, now) = (of_ban(address), self.time(now));
        self.shard(address, |shard| shard.lift(address, |_| true, now))
    }

    /// As [`Bans::lift`], of one policy alone; whether there was a ban.
    pub fn lift_of(&self, policy: &ObjectKey, address: IpAddr, now: Instant) -> bool {
        let (address, now) = (of_ban(address), self.time(now));
        let lifted = self.shard(address, |shard| {
            shard.lift(address, |name| name == policy, now)
        });
        !lifted.is_empty()
    }

    /// How many addresses are banned by some policy.
    pub fn count(&self, now: Instant) -> usize {
        if self.bans.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        let mut addresses: Vec<_> = self.list(now).iter().map(|ban| ban.address).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses.len()
    }

    fn time(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.epoch);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    fn shard<T>(&self, address: IpAddr, act: impl FnOnce(&mut Shard) -> T) -> T {
        // By a hash that nobody outside can foresee: otherwise one shard could be filled on purpose.
        let hash = self.hasher.hash_one(address);
        let at = usize::try_from(hash % SHARDS as u64).unwrap_or(0);
        self.locked(&self.shards[at], act)
    }

    fn locked<T>(&self, shard: &Mutex<Shard>, act: impl FnOnce(&mut Shard) -> T) -> T {
        let mut shard = shard.lock();
        let before = shard.bans();
        let out = act(&mut shard);
        let after = shard.bans();
        // Within the lock, so that the sum is never below what this shard has added.
        if after > before {
            self.bans.fetch_add(after - before, Ordering::Relaxed);
        } else if before > after {
            self.bans.fetch_sub(before - after, Ordering::Relaxed);
        }
        out
    }

    /// A policy's name to share.
    fn name(&self, policy: &ObjectKey) -> Arc<ObjectKey> {
        let mut names = self.names.lock();
        if let Some(name) = names.get(policy) {
            return Arc::clone(name);
        }
        if names.len() >= MOST_NAMES {
            names.retain(|name| Arc::strong_count(name) > 1);
        }
        let name = Arc::new(policy.clone());
        names.insert(Arc::clone(&name));
        name
    }
}
