//! All counts of this process, exact across its threads.
//!
//! They are spread over shards, each behind a lock that is held for some nanoseconds. A request that falls under several counts holds all
//! their locks at once, taken in one order, so that it is counted under all of them or under none, whatever others do.
//!
//! Where a shard is full, what counts nothing any more goes first, then counts of mere addresses, which anybody can make, soonest forgotten
//! first; counts of keys, users, routes and namespaces last, and never one of requests that are under way.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};

use super::bound::{CountKey, LimitKey, Measure};
use super::count::Count;
use super::span::{Now, Span};
use super::tally::Tallying;

/// Shards; a power of two.
const SHARDS: usize = 64;
/// The most counts of a shard. Each takes 64 bytes, and 16 for each tick in which something was counted: some 70 MiB at the very most.
const LARGEST: usize = 1024;
/// How many go at once where a shard is full.
const ROOM: usize = LARGEST / 16;

/// The counts of one process. They outlast config.
#[derive(Debug)]
pub struct Counters {
    began: Instant,
    shards: Box<[Mutex<Shard>]>,
    pub(super) redis: Tallying,
}

type Shard = HashMap<CountKey, Entry, BuildHasherDefault<Digested>>;

#[derive(Debug)]
struct Entry {
    kept: Kept,
    /// Whether anybody can make one like it.
    by_address: bool,
    /// When it counts nothing any more, by the steady clock.
    forgotten: u64,
}

#[derive(Debug)]
enum Kept {
    Within(Count),
    /// Requests under way.
    AtOnce(u64),
}

/// Something to be counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charge {
    pub(super) key: CountKey,
    pub(super) measure: Measure,
    pub(super) most: u64,
    pub(super) amount: u64,
    /// The limit, where an address alone stands for the caller: anybody can make more counts like it.
    pub(super) by_address: Option<LimitKey>,
}

/// How a count stands once something was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) used: u64,
    /// Milliseconds until nothing counts any more.
    pub(super) reset: u64,
    /// Whether other addresses are counted with this one, since there are too many.
    pub(super) together: bool,
}

impl Level {
    /// Of a count that nobody else is counted under.
    pub(super) fn new(used: u64, reset: u64) -> Self {
        Self {
            used,
            reset,
            together: false,
        }
    }
}

/// What does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full {
    /// Under which of the charges.
    pub(super) at: usize,
    /// In how many milliseconds it does; absent: never.
    pub(super) wait: Option<u64>,
    pub(super) level: Level,
}

impl Counters {
    /// Nothing is counted yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let shards = (0..SHARDS).map(|_| Mutex::default());
        Arc::new(Self {
            began: Instant::now(),
            shards: shards.collect(),
            redis: Tallying::default(),
        })
    }

    pub(super) fn now(&self) -> Now {
        Now {
            steady: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            utc: Timestamp::now().as_millisecond(),
        }
    }

    /// Counts all of `charges`, which are sorted by key and of which no two have the same, or none where one does not fit: the error is of the one that takes
    /// longest to. With `force`, fitting or not.
    pub(super) fn charge(
        &self,
        charges: &[Charge],
        now: Now,
        force: bool,
    ) -> Result<Vec<Level>, Full> {
        let mut held = self.lock(charges.iter().map(|charge| charge.key));
        if !force {
            let full = charges.iter().enumerate();
            let full =
                full.filter_map(|(at, charge)| held.of(charge.key).judge(at, charge, now).err());
            // Whoever comes again before the last of them has room comes in vain.
            if let Some(full) = full.max_by_key(|full| full.wait.unwrap_or(u64::MAX)) {
                return Err(full);
            }
        }
        let levels = charges
            .iter()
            .map(|charge| held.of(charge.key).count(charge, now));
        Ok(levels.collect())
    }

    /// One request less is under way.
    pub(super) fn leave(&self, key: CountKey) {
        let mut shard = self.shards[shard_of(key)].lock();
        if let Some(entry) = shard.get_mut(&key)
            && let Kept::AtOnce(count) = &mut entry.kept
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                shard.remove(&key);
            }
        }
    }

    /// Counts what was used beside what was reserved in `tick`.
    pub(super) fn settle(
        &self,
        key: CountKey,
        span: Span,
        tick: u64,
        reserved: u64,
        used: u64,
        now: Now,
    ) {
        let mut shard = self.shards[shard_of(key)].lock();
        if let Some(entry) = shard.get_mut(&key)
            && let Kept::Within(count) = &mut entry.kept
        {
            count.total(span, now);
            count.take(reserved.saturating_sub(used), tick);
            count.add(used.saturating_sub(reserved), span, now);
            entry.forgotten = now.steady.saturating_add(count.reset(span, now));
        }
    }

    /// How many counts are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shards of sorted keys, each locked once, in order.
    fn lock(&self, keys: impl Iterator<Item = CountKey>) -> Held<'_> {
        let mut held: Vec<(usize, MutexGuard<'_, Shard>)> = Vec::new();
        for key in keys {
            let at = shard_of(key);
            if held.last().is_none_or(|(last, _)| *last != at) {
                held.push((at, self.shards[at].lock()));
            }
        }
        Held(held)
    }
}

/// Keys are digests: their first bits are as good as any, and sorted keys have sorted shards.
fn shard_of(key: CountKey) -> usize {
    let first = u8::try_from(key >> 120).unwrap_or_default();
    usize::from(first) * SHARDS / 256
}

/// Shards that are locked.
struct Held<'c>(Vec<(usize, MutexGuard<'c, Shard>)>);

struct Held1<'h>(&'h mut Shard);

impl Held<'_> {
    fn of(&mut self, key: CountKey) -> Held1<'_> {
        let wanted = shard_of(key);
        let at = self.0.partition_point(|(at, _)| *at < wanted);
        Held1(&mut self.0[at].1)
    }
}

impl Held1<'_> {
    fn judge(&mut self, at: usize, charge: &Charge, now: Now) -> Result<(), Full> {
        let (amount, most) = (charge.amount, charge.most);
        let level = Level::new;
        let full = |wait, level| Err(Full { at, wait, level });
        match (
            self.0.get_mut(&charge.key).map(|entry| &mut entry.kept),
            charge.measure.span(),
        ) {
            (Some(Kept::Within(count)), Some(span)) => {
                let used = count.total(span, now);
                if used.saturating_add(amount) <= most {
                    return Ok(());
                }
                let wait = count.wait(amount, most, span, now);
                full(wait, level(used, count.reset(span, now)))
            }
            (Some(Kept::AtOnce(count)), None) if *count >= most => {
                full(Some(ONE_SECOND), level(*count, ONE_SECOND))
            }
            (None, Some(_)) if amount > most => full(None, level(0, 0)),
            _ => Ok(()),
        }
    }

    fn count(&mut self, charge: &Charge, now: Now) -> Level {
        if self.0.len() >= LARGEST && !self.0.contains_key(&charge.key) {
            make_room(self.0, now);
        }
        let entry = self.0.entry(charge.key).or_insert_with(|| Entry {
            kept: match charge.measure.span() {
                Some(_) => Kept::Within(Count::default()),
                None => Kept::AtOnce(0),
            },
            by_address: charge.by_address.is_some(),
            forgotten: 0,
        });
        let level = match (&mut entry.kept, charge.measure.span()) {
            (Kept::Within(count), Some(span)) => {
                count.add(charge.amount, span, now);
                let used = count.total(span, now);
                Level::new(used, count.reset(span, now))
            }
            (Kept::AtOnce(count), _) => {
                *count = count.saturating_add(1);
                Level::new(*count, 0)
            }
            // A digest says what is counted too.
            (Kept::Within(_), None) => Level::new(0, 0),
        };
        entry.forgotten = now.steady.saturating_add(level.reset);
        level
    }
}

/// How soon a place among the requests under way may be free: nobody knows.
const ONE_SECOND: u64 = 1000;

fn make_room(shard: &mut Shard, now: Now) {
    shard.retain(|_, entry| entry.is_under_way() || entry.forgotten > now.steady);
    let surplus = (shard.len() + ROOM).saturating_sub(LARGEST);
    if surplus == 0 {
        return;
    }
    let mut order: Vec<_> = shard
        .iter()
        .filter(|(_, entry)| !entry.is_under_way())
        .map(|(key, entry)| (!entry.by_address, entry.forgotten, *key))
        .collect();
    order.sort_unstable();
    for (_, _, key) in order.iter().take(surplus) {
        shard.remove(key);
    }
}

impl Entry {
    fn is_under_way(&self) -> bool {
        matches!(self.kept, Kept::AtOnce(count) if count > 0)
    }
}

/// The hash of what is a digest already.
#[derive(Debug, Default)]
struct Digested(u64);

impl Hasher for Digested {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, digest: u128) {
        // The lower half: the upper tells the shard.
        self.0 = u64::try_from(digest & u128::from(u64::MAX)).unwrap_or_default();
    }
}
