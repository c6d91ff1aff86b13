//! The rules of the election, without clock or cluster.
//!
//! As client-go's: other machines' clocks are not believed. A holder is gone when its record has not changed for
//! the lease's duration by our own clock.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::record::Record;

/// How long a lease holds without being renewed.
pub(super) const DURATION: Duration = Duration::from_secs(15);
/// How often its holder renews it.
pub(super) const RENEWAL: Duration = Duration::from_secs(5);
/// How long after its last renewal a holder still believes that it leads. Less than [`DURATION`], so that two never do.
pub(super) const BELIEF: Duration = Duration::from_secs(10);
/// How often what failed is tried again.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// What a candidate does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Write this record: it takes or renews the lease.
    Write(Box<Record>),
    /// Wait until then, or until the record changes.
    Wait(Instant),
}

/// A candidate's view.
#[derive(Debug)]
pub(super) struct Election {
    me: String,
    address: Option<String>,
    seen: Option<(Record, Instant)>,
}

impl Election {
    pub(super) fn new(me: String, address: Option<String>) -> Self {
        Self {
            me,
            address,
            seen: None,
        }
    }

    /// Takes in the record as it stands, at `now`. The same record again keeps its time.
    pub(super) fn observe(&mut self, record: Option<Record>, now: Instant) {
        match (&self.seen, record) {
            (Some((seen, _)), Some(record)) if *seen == record => {}
            (_, record) => self.seen = record.map(|record| (record, now)),
        }
    }

    /// Who holds the lease, and where, unless it is us or nobody.
    pub(super) fn leader(&self) -> Option<Option<String>> {
        let (record, _) = self.seen.as_ref()?;
        (!record.holder.is_empty() && record.holder != self.me).then(|| record.address.clone())
    }

    /// What to do at `now`; `clock` is what stands in the record for others to read.
    pub(super) fn step(&self, now: Instant, clock: Timestamp) -> Step {
        let mut record = Record {
            holder: self.me.clone(),
            address: self.address.clone(),
            renewed: Some(clock),
            seconds: i32::try_from(DURATION.as_secs()).unwrap_or(i32::MAX),
            acquired: Some(clock),
            transitions: 0,
            version: None,
        };
        let Some((seen, since)) = &self.seen else {
            return Step::Write(Box::new(record));
        };
        record.version.clone_from(&seen.version);
        record.transitions = seen.transitions;
        if seen.holder == self.me {
            record.acquired = seen.acquired;
            return match *since + RENEWAL {
                due if now < due => Step::Wait(due),
                _ => Step::Write(Box::new(record)),
            };
        }
        let duration = Duration::from_secs(u64::try_from(seen.seconds).unwrap_or(1));
        let gone = *since + duration;
        if !seen.holder.is_empty() && now < gone {
            return Step::Wait(gone);
        }
        record.transitions += 1;
        Step::Write(Box::new(record))
    }

    /// The record that gives the lease up, if it is ours.
    pub(super) fn release(&self, clock: Timestamp) -> Option<Record> {
        let (seen, _) = self.seen.as_ref()?;
        (seen.holder == self.me).then(|| Record {
            holder: String::new(),
            address: None,
            renewed: Some(clock),
            seconds: 1,
            ..seen.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_by(holder: &str, version: &str) -> Record {
        Record {
            holder: holder.into(),
            address: Some(format!("{holder}:9443")),
            renewed: Some(Timestamp::UNIX_EPOCH),
            seconds: 15,
            acquired: None,
            transitions: 3,
            version: Some(version.into()),
        }
    }

    fn me(seen: Option<Record>, now: Instant) -> Election {
        let mut election = Election::new("me".into(), Some("me:9443".into()));
        election.observe(seen, now);
        election
    }

    fn writes(step: Step) -> Record {
        match step {
            Step::Write(record) => *record,
            Step::Wait(_) => panic!("it waits"),
        }
    }

    #[test]
    fn without_a_lease_the_first_to_come_takes_it() {
        let now = Instant::now();
        let record = writes(me(None, now).step(now, Timestamp::UNIX_EPOCH));
        assert_eq!((record.holder.as_str(), record.version), ("me", None));
    }

    #[test]
    fn a_released_lease_is_taken_at_once() {
        let now = Instant::now();
        let record = writes(me(Some(held_by("", "1")), now).step(now, Timestamp::UNIX_EPOCH));
        assert_eq!(
            (record.transitions, record.version.as_deref()),
            (4, Some("1"))
        );
    }

    #[test]
    fn a_live_holder_is_left_alone_and_a_dead_one_replaced_after_the_duration() {
        let now = Instant::now();
        let mut election = me(Some(held_by("other", "1")), now);
        assert_eq!(
            election.step(now, Timestamp::UNIX_EPOCH),
            Step::Wait(now + DURATION)
        );
        let later = now + Duration::from_secs(10);
        election.observe(Some(held_by("other", "2")), later);
        assert_eq!(
            election.step(later, Timestamp::UNIX_EPOCH),
            Step::Wait(later + DURATION)
        );
        writes(election.step(later + DURATION, Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn seeing_the_same_record_again_does_not_prolong_a_dead_holder() {
        let now = Instant::now();
        let mut election = me(Some(held_by("other", "1")), now);
        election.observe(Some(held_by("other", "1")), now + Duration::from_secs(14));
        writes(election.step(now + DURATION, Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn another_machines_clock_is_not_believed() {
        let now = Instant::now();
        let mut ahead = held_by("other", "1");
        ahead.renewed = Timestamp::from_second(4_000_000_000).ok();
        writes(me(Some(ahead), now).step(now + DURATION, Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn the_holder_renews_in_time_and_keeps_when_it_began() {
        let now = Instant::now();
        let mut own = held_by("me", "1");
        own.acquired = Timestamp::from_second(77).ok();
        let election = me(Some(own), now);
        assert_eq!(
            election.step(now, Timestamp::UNIX_EPOCH),
            Step::Wait(now + RENEWAL)
        );
        let record = writes(election.step(now + RENEWAL, Timestamp::UNIX_EPOCH));
        assert_eq!(
            (record.acquired, record.transitions),
            (Timestamp::from_second(77).ok(), 3)
        );
    }

    #[test]
    fn only_the_holder_releases() {
        let now = Instant::now();
        assert_eq!(
            me(Some(held_by("other", "1")), now).release(Timestamp::UNIX_EPOCH),
            None
        );
        let released = me(Some(held_by("me", "1")), now)
            .release(Timestamp::UNIX_EPOCH)
            .unwrap();
        assert_eq!((released.holder.as_str(), released.address), ("", None));
    }

    #[test]
    fn a_leader_stops_believing_before_anybody_else_may_lead() {
        assert!(BELIEF + RENEWAL <= DURATION);
    }
}
