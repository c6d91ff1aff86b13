//! The same counts in Redis, for all proxies together.
//!
//! While Redis answers it decides; what it admits is counted here too, so that a proxy whose Redis goes away knows what it has let through itself.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use dragoman_config::{ObjectKey, Secret};
use parking_lot::Mutex;

use super::bound::{CountKey, Measure};
use super::counters::{Charge, Counters, Full, Level};
use super::reserve::{Place, Used};
use super::span::{Now, Span};
use crate::access::bans::{Ban, Bans};
use crate::access::redis::{Asking, DEADLINE, Failure, LASTS, PREFIX, Redis, Script, number};

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
    /// What is configured, and why it cannot be used at all.
    configured: Mutex<Option<(Secret, Option<String>)>>,
}

/// What Redis knows of a reservation.
#[derive(Debug)]
pub(super) struct Ticket {
    redis: Arc<Redis>,
    /// When it was reserved, by Redis' clock.
    reserved: Now,
    lease: u64,
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
            keys: charges.iter().map(|charge| key(charge.key)).collect(),
            args,
        };
        let ticket = |now: i64| Ticket {
            redis: Arc::clone(&redis),
            reserved: at(now),
            lease,
        };
        let undone = (Arc::clone(&redis), charges.to_vec());
        let late = move |answer: Vec<i64>| {
            // It was counted here meanwhile. That it came is true there too; what it takes is settled here.
            let (redis, charges) = undone;
            if let [1, now, ..] = answer.as_slice() {
                let reserved = at(*now);
                let ticket = Ticket {
                    redis,
                    reserved,
                    lease,
                };
                let places: Vec<Place> = charges.iter().map(Place::of).collect();
                ticket.settle(&places, Used::default());
                ticket.leave(&places);
            }
        };
        let answer = redis.ask(asking, waited, late).await.ok()?;
        match answer.as_slice() {
            [1, now, levels @ ..] => {
                asked.admitted = true;
                let levels = levels.chunks_exact(2).map(|level| Level {
                    used: unsigned(level[0]),
                    reset: unsigned(level[1]),
                });
                Some(Ok((levels.collect(), ticket(*now))))
            }
            [0, _, which, wait, used, reset] => Some(Err(Full {
                at: usize::try_from(*which).unwrap_or(1).saturating_sub(1),
                wait: u64::try_from(*wait).ok(),
                level: Level {
                    used: unsigned(*used),
                    reset: unsigned(*reset),
                },
            })),
            _ => None,
        }
    }
}

impl Ticket {
    /// Counts what was used in place of what was reserved.
    pub(super) fn settle(&self, places: &[Place], used: Used) {
        let mut asking = Asking {
            script: Script::Settle,
            keys: Vec::new(),
            args: Vec::new(),
        };
        for place in places {
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
            asking.keys.push(key(place.key));
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
        for place in places {
            if place.measure == Measure::Concurrency {
                asking.keys.push(key(place.key));
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
