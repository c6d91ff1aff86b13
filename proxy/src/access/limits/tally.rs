//! The same counts in Redis, for all proxies together.
//!
//! While Redis answers it decides; what it admits is counted here too, so that a proxy whose Redis goes away knows what it has let through itself.

use std::cell::Cell;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use dragoman_config::{ObjectKey, Secret};
use parking_lot::Mutex;

use super::bound::{CountKey, Measure};
use super::counters::{Charge, Counters, Full, Level};
use super::reserve::{Place, Used};
use super::span::{Now, Span};
use crate::access::bans::{Ban, Bans};
use crate::access::metrics::Told;
use crate::access::redis::{Asking, DEADLINE, Failure, LASTS, PREFIX, Redis, Script, number};

/// Into how many groups those addresses fall that a limit has no room for. How many it has room for, the scripts know.
const GROUPS: u128 = 4096;

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

/// The Redis in use.
#[derive(Debug, Default)]
pub(super) struct Tallying {
    redis: ArcSwapOption<Redis>,
    crowded: Crowded,
    /// What is configured, and why it cannot be used at all.
    configured: Mutex<Option<(Secret, Option<String>)>>,
}

/// Requests of addresses that Redis has no room to count apart.
#[derive(Debug, Default)]
pub(super) struct Crowded {
    requests: AtomicU64,
    told: Told,
}

/// What Redis knows of a reservation.
#[derive(Debug)]
pub(super) struct Ticket {
    redis: Arc<Redis>,
    /// When it was reserved, by Redis' clock.
    reserved: Now,
    lease: u64,
    /// By which keys each of its counts is known.
    keys: Vec<Keys>,
}

/// A lease of a request that was not admitted yet. Dropped, it is given up: also where whoever asks leaves before the answer, which may never come.
struct Asked {
    redis: Arc<Redis>,
    lease: u64,
    admitted: bool,
}

impl Drop for Asked {
    fn drop(&mut self) {
        // Not prolonged: should Redis have it all the same, it runs out.
        if !self.admitted {
            self.redis.release(self.lease);
        }
    }
}

impl Counters {
    /// Counts in this Redis from now on; without one, here. Bans that other proxies found are noted in `bans`.
    pub fn share(&self, redis: Option<&Secret>, bans: &Arc<Bans>) {
        self.share_within(DEADLINE, redis, bans);
    }

    /// The same; a request waits as long as `deadline` for what Redis says.
    pub(in crate::access) fn share_within(
        &self,
        deadline: Duration,
        redis: Option<&Secret>,
        bans: &Arc<Bans>,
    ) {
        let mut configured = self.redis.configured.lock();
        if configured.as_ref().map(|(secret, _)| secret) == redis {
            return;
        }
        let started = redis.map(|secret| Redis::start(secret, deadline, Arc::clone(bans)));
        let (started, fault) = match started.transpose() {
            Ok(started) => (started, None),
            Err(fault) => {
                tracing::warn!(
                    kind = "redis_away",
                    "Redis cannot be used, this proxy counts for itself: {fault}"
                );
                (None, Some(fault))
            }
        };
        self.redis.redis.store(started.map(Arc::new));
        *configured = redis.map(|secret| (secret.clone(), fault));
    }

    /// Counts in this one.
    #[cfg(test)]
    pub(in crate::access) fn share_in(&self, redis: Redis) {
        self.redis.redis.store(Some(Arc::new(redis)));
    }

    /// Who counts.
    #[must_use]
    pub fn shared(&self) -> Shared {
        if let Some(redis) = &*self.redis.redis.load() {
            return redis.away().map_or(Shared::Yes, Shared::Away);
        }
        match &*self.redis.configured.lock() {
            Some((_, Some(fault))) => Shared::Away(fault.clone()),
            _ => Shared::NotConfigured,
        }
    }

    /// A request was counted together with other addresses'.
    pub(super) fn crowded(&self, policy: &ObjectKey) {
        let crowded = &self.redis.crowded;
        crowded.requests.fetch_add(1, Ordering::Relaxed);
        if crowded.told.tells() {
            tracing::warn!(
                kind = "addresses_counted_together",
                "AccessPolicy {policy} limits more addresses than Redis counts apart: further ones are counted together"
            );
        }
    }

    /// How many requests were counted together with other addresses'.
    #[must_use]
    pub fn counted_together(&self) -> u64 {
        self.redis.crowded.requests.load(Ordering::Relaxed)
    }

    /// Tells other proxies that authentication failed, for [`Bans::failed`] counts here alone.
    pub fn failed(&self, policy: &ObjectKey, ban: &Ban, address: std::net::IpAddr) {
        if let Some(redis) = &*self.redis.redis.load()
            && !ban.exempts(address)
        {
            redis.failed(&Failure {
                policy,
                ban,
                address,
            });
        }
    }

    /// How many leases are prolonged.
    #[cfg(test)]
    pub(crate) fn leases(&self) -> usize {
        let redis = self.redis.redis.load();
        redis.as_ref().map_or(0, |redis| redis.leases())
    }

    /// Tells other proxies that bans were lifted here.
    pub fn lifted(&self, policies: &[Arc<ObjectKey>], address: std::net::IpAddr) {
        if let Some(redis) = &*self.redis.redis.load() {
            redis.lifted(policies, address);
        }
    }

    /// Counts in Redis. None where it does not count. `waited`: how long the request has waited for it before, to which this wait is added.
    pub(super) async fn tally(
        &self,
        charges: &[Charge],
        waited: &Cell<Duration>,
    ) -> Option<Result<(Vec<Level>, Ticket), Full>> {
        let redis = self.redis.redis.load_full()?;
        if redis.away().is_some() {
            return None;
        }
        let at_once = charges
            .iter()
            .filter(|charge| charge.measure == Measure::Concurrency);
        let (lease, name) = redis.lease(at_once.map(|charge| key(charge.key)).collect());
        let mut asked = Asked {
            redis: Arc::clone(&redis),
            lease,
            admitted: false,
        };
        let mut args = vec![name, number(LASTS)];
        for charge in charges {
            let (kind, window, tick) = kind(charge.measure);
            args.push(kind.to_vec());
            args.extend([charge.most, charge.amount, window, tick].map(number));
        }
        let asking = Asking {
            script: Script::Reserve,
            keys: charges.iter().flat_map(keys).collect(),
            args,
        };
        let undone = (Arc::clone(&redis), charges.to_vec());
        let late = move |answer: Vec<i64>| {
            // It was counted here meanwhile. That it came is true there too; what it takes is settled here.
            let (redis, charges) = undone;
            if let [1, now, levels @ ..] = answer.as_slice() {
                let ticket = Ticket::of(redis, lease, *now, &charges, &read(levels));
                let places: Vec<Place> = charges.iter().map(Place::of).collect();
                ticket.settle(&places, Used::default());
                ticket.leave(&places);
            }
        };
        let answer = redis.ask(asking, waited, late).await.ok()?;
        match answer.as_slice() {
            [1, now, levels @ ..] => {
                asked.admitted = true;
                let levels = read(levels);
                let ticket = Ticket::of(Arc::clone(&redis), lease, *now, charges, &levels);
                Some(Ok((levels, ticket)))
            }
            [0, _, which, wait, level @ ..] => Some(Err(Full {
                at: usize::try_from(*which).unwrap_or(1).saturating_sub(1),
                wait: u64::try_from(*wait).ok(),
                level: *read(level).first()?,
            })),
            _ => None,
        }
    }
}

/// How counts stand, as the script tells it.
fn read(levels: &[i64]) -> Vec<Level> {
    let levels = levels.chunks_exact(3).map(|level| Level {
        used: unsigned(level[0]),
        reset: unsigned(level[1]),
        together: level[2] == 1,
    });
    levels.collect()
}

impl Ticket {
    fn of(redis: Arc<Redis>, lease: u64, now: i64, charges: &[Charge], levels: &[Level]) -> Self {
        let keys = charges.iter().zip(levels).map(|(charge, level)| {
            let [own, addresses, group] = keys(charge);
            if level.together {
                [group.clone(), group.clone(), group]
            } else {
                [own, addresses, group]
            }
        });
        Self {
            redis,
            reserved: at(now),
            lease,
            keys: keys.collect(),
        }
    }

    /// Counts what was used in place of what was reserved.
    pub(super) fn settle(&self, places: &[Place], used: Used) {
        let mut asking = Asking {
            script: Script::Settle,
            keys: Vec::new(),
            args: Vec::new(),
        };
        for (place, keys) in places.iter().zip(&self.keys) {
            let (Some(used), Some(span)) = (place.measure.uses(&used), place.measure.span()) else {
                continue;
            };
            let (more, sign) = if used >= place.amount {
                (used - place.amount, "")
            } else {
                (place.amount - used, "-")
            };
            if more == 0 {
                continue;
            }
            let (kind, window, tick) = kind(place.measure);
            asking.keys.extend_from_slice(keys);
            asking.args.push(kind.to_vec());
            asking.args.push(number(span.tick(self.reserved)));
            asking.args.push([sign.as_bytes(), &number(more)].concat());
            asking.args.push(format!("{window}:{tick}").into_bytes());
        }
        if !asking.keys.is_empty() {
            self.redis.tell(asking);
        }
    }

    /// The request is no longer under way.
    pub(super) fn leave(self, places: &[Place]) {
        let name = self.redis.release(self.lease);
        let mut asking = Asking {
            script: Script::Settle,
            keys: Vec::new(),
            args: Vec::new(),
        };
        for (place, keys) in places.iter().zip(&self.keys) {
            if place.measure == Measure::Concurrency {
                asking.keys.extend_from_slice(keys);
                let rest = [&b"0"[..], b"0:0"].map(<[u8]>::to_vec);
                asking.args.push(b"c".to_vec());
                asking.args.push(name.clone());
                asking.args.extend(rest);
            }
        }
        if !asking.keys.is_empty() {
            self.redis.tell(asking);
        }
    }
}

/// What a script calls it, the window's milliseconds, and a tick's.
fn kind(measure: Measure) -> (&'static [u8], u64, u64) {
    match measure.span() {
        None => (b"c", 0, 0),
        Some(Span::Window { length, tick }) => (b"w", length, tick),
        Some(Span::Day) => (b"d", 0, 0),
        Some(Span::Month) => (b"m", 0, 0),
    }
}

fn key(of: CountKey) -> Vec<u8> {
    format!("{PREFIX}limit:{of:032x}").into_bytes()
}

/// The keys by which scripts know a count: its own; where it is of an address alone, of which there may be too many, the key that knows those that its limit
/// counts, and the count of a group of those that there is no room for; otherwise its own again. Requests under way are never too many.
type Keys = [Vec<u8>; 3];

fn keys(charge: &Charge) -> Keys {
    let own = key(charge.key);
    match (charge.by_address, charge.measure.span()) {
        (Some(limit), Some(_)) => {
            // Counts are digests: any part of them is as good as another.
            let group = charge.key % GROUPS;
            let of_limit =
                |what: &dyn Display| format!("{PREFIX}limit:{limit:032x}:{what}").into_bytes();
            [own, of_limit(&"addresses"), of_limit(&group)]
        }
        _ => [own.clone(), own.clone(), own],
    }
}

/// Redis has one clock.
fn at(now: i64) -> Now {
    Now {
        steady: unsigned(now),
        utc: now,
    }
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
