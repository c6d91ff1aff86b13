use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::shard::{MOST_ADDRESSES, MOST_FAILURES};
use super::*;

fn policy(name: &str) -> ObjectKey {
    ObjectKey::new("team", name)
}

fn ban(failures: u32, window_ms: u64, duration_ms: u64) -> Ban {
    Ban::new(&BanItem {
        failures,
        window_ms,
        duration_ms,
        exempt: vec!["10.0.0.0/8".parse().unwrap()],
    })
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn after(bans: &Bans, millis: u64) -> Instant {
    bans.epoch + Duration::from_millis(millis)
}

const MALLORY: &str = "192.0.2.66";

#[test]
fn the_nth_failure_within_the_window_bans_and_not_the_one_before() {
    let (bans, policy, ban) = (Bans::default(), policy("a"), ban(3, 1000, 5000));
    let mallory = address(MALLORY);
    for at in [0, 10] {
        assert!(!bans.failed(&policy, &ban, mallory, after(&bans, at)));
        assert_eq!(bans.banned(&policy, &ban, mallory, after(&bans, at)), None);
    }
    assert!(bans.failed(&policy, &ban, mallory, after(&bans, 20)));
    let left = bans.banned(&policy, &ban, mallory, after(&bans, 20));
    assert_eq!(left, Some(Duration::from_secs(5)));
    let left = bans.banned(&policy, &ban, mallory, after(&bans, 5019));
    assert_eq!(left, Some(Duration::from_millis(1)));
    assert_eq!(bans.count(after(&bans, 5019)), 1);
}

#[test]
fn a_ban_ends_on_time_and_what_was_before_counts_no_more() {
    let (bans, policy, ban) = (Bans::default(), policy("a"), ban(2, 60_000, 100));
    let mallory = address(MALLORY);
    bans.failed(&policy, &ban, mallory, after(&bans, 0));
    assert!(bans.failed(&policy, &ban, mallory, after(&bans, 1)));
    assert!(
        bans.banned(&policy, &ban, mallory, after(&bans, 100))
            .is_some()
    );
    assert_eq!(bans.banned(&policy, &ban, mallory, after(&bans, 101)), None);
    assert_eq!(bans.bans.load(Ordering::Relaxed), 0);
    assert!(!bans.failed(&policy, &ban, mallory, after(&bans, 102)));
    assert!(bans.failed(&policy, &ban, mallory, after(&bans, 103)));
}

#[test]
fn the_window_slides_exactly() {
    let (policy, ban) = (policy("a"), ban(2, 1000, 5000));
    let mallory = address(MALLORY);
    let nanos = Duration::from_nanos;
    for (gap, begins) in [(999_999_999, true), (1_000_000_000, false)] {
        let bans = Bans::default();
        bans.failed(&policy, &ban, mallory, bans.epoch + nanos(7));
        let again = bans.epoch + nanos(7 + gap);
        assert_eq!(bans.failed(&policy, &ban, mallory, again), begins);
    }
}

#[test]
fn an_exempt_address_is_never_banned_not_even_after_the_fact() {
    let (bans, policy, ban) = (Bans::default(), policy("a"), ban(1, 1000, 5000));
    let exempt = address("::ffff:10.1.1.1");
    assert!(!bans.failed(&policy, &ban, exempt, after(&bans, 0)));
    assert_eq!(bans.banned(&policy, &ban, exempt, after(&bans, 0)), None);
    bans.begin(&policy, exempt, Duration::from_secs(9), after(&bans, 0));
    assert_eq!(bans.banned(&policy, &ban, exempt, after(&bans, 0)), None);
}

#[test]
fn an_ipv6_address_is_banned_with_its_64() {
    let (bans, policy, ban) = (Bans::default(), policy("a"), ban(2, 1000, 5000));
    let now = after(&bans, 0);
    assert!(!bans.failed(&policy, &ban, address("2001:db8::1"), now));
    assert!(bans.failed(&policy, &ban, address("2001:db8::ffff:2"), now));
    assert!(
        bans.banned(&policy, &ban, address("2001:db8::3"), now)
            .is_some()
    );
    assert_eq!(
        bans.banned(&policy, &ban, address("2001:db8:0:1::3"), now),
        None
    );
    assert_eq!(bans.list(now)[0].address, address("2001:db8::"));
}

#[test]
fn policies_count_apart() {
    let (bans, a, b, ban) = (
        Bans::default(),
        policy("a"),
        policy("b"),
        ban(2, 1000, 5000),
    );
    let (now, mallory) = (after(&bans, 0), address(MALLORY));
    bans.failed(&a, &ban, mallory, now);
    assert!(!bans.failed(&b, &ban, mallory, now));
    assert!(bans.failed(&a, &ban, mallory, now));
    assert_eq!(bans.banned(&b, &ban, mallory, now), None);
    assert!(bans.failed(&b, &ban, mallory, now));
    let names: Vec<_> = bans
        .list(now)
        .iter()
        .map(|ban| ban.policy.name.clone())
        .collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(bans.count(now), 1);
}

#[test]
fn a_lifted_ban_is_gone_and_its_failures_with_it() {
    let (bans, a, b, ban) = (
        Bans::default(),
        policy("a"),
        policy("b"),
        ban(2, 1000, 5000),
    );
    let (now, mallory) = (after(&bans, 0), address(MALLORY));
    for policy in [&a, &a, &b] {
        bans.failed(policy, &ban, mallory, now);
    }
    assert_eq!(bans.lift(mallory, now), [Arc::new(a.clone())]);
    assert_eq!(bans.lift(mallory, now), []);
    assert_eq!(bans.banned(&a, &ban, mallory, now), None);
    assert!(!bans.failed(&b, &ban, mallory, now));
    assert_eq!(bans.count(now), 0);
    bans.begin(&a, mallory, Duration::from_secs(1), now);
    assert!(!bans.lift_of(&b, mallory, now));
    assert!(bans.lift_of(&a, mallory, now));
}

#[test]
fn a_ban_that_others_tell_is_prolonged_and_never_cut() {
    let (bans, policy, ban) = (Bans::default(), policy("a"), ban(2, 1000, 5000));
    let (now, mallory) = (after(&bans, 0), address(MALLORY));
    let seconds = Duration::from_secs;
    assert!(bans.begin(&policy, mallory, seconds(9), now));
    assert!(!bans.begin(&policy, mallory, seconds(5), now));
    assert_eq!(bans.banned(&policy, &ban, mallory, now), Some(seconds(9)));
}

#[test]
fn a_flood_of_addresses_does_not_fill_the_memory_and_does_not_drive_out_a_ban() {
    let (bans, policy, ban) = (Bans::default(), policy("a"), ban(3, 600_000, 600_000));
    let mallory = address(MALLORY);
    for _ in 0..3 {
        bans.failed(&policy, &ban, mallory, after(&bans, 0));
    }
    for number in 0..300_000_u64 {
        let other = if number % 2 == 0 {
            IpAddr::V4(Ipv4Addr::from_bits(0x0b00_0000 + number as u32))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(u128::from(number) << 64))
        };
        bans.failed(&policy, &ban, other, after(&bans, 1 + number / 300));
    }
    let (mut addresses, mut failures) = (0, 0);
    for shard in &bans.shards {
        let (known, remembered) = shard.lock().measure();
        addresses += known;
        failures += remembered;
    }
    assert_eq!(addresses, SHARDS * MOST_ADDRESSES);
    assert!(failures <= SHARDS * MOST_FAILURES);
    assert!(
        bans.banned(&policy, &ban, mallory, after(&bans, 2000))
            .is_some()
    );
    assert_eq!(bans.count(after(&bans, 2000)), 1);
}

#[test]
fn failures_are_bounded_however_many_a_policy_allows() {
    let (mut shard, policy, ban) = (Shard::default(), policy("a"), ban(1000, 600_000, 1000));
    for number in 0..100_u32 {
        let other = IpAddr::V4(Ipv4Addr::from_bits(0x0b00_0000 + number));
        for _ in 0..600 {
            let name = || Arc::new(policy.clone());
            shard.failed(&policy, name, ban.terms, other, u64::from(number));
        }
    }
    let (addresses, failures) = shard.measure();
    assert_eq!((addresses, failures), (54, 54 * 600));
    assert!(failures <= MOST_FAILURES);
}

#[test]
fn threads_count_together_and_exactly_one_of_them_begins_the_ban() {
    let (bans, policy, ban) = (Bans::default(), policy("a"), ban(800, 600_000, 600_000));
    let begun = AtomicUsize::new(0);
    let now = after(&bans, 0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100 {
                    if bans.failed(&policy, &ban, address(MALLORY), now) {
                        begun.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(begun.into_inner(), 1);
    assert!(bans.banned(&policy, &ban, address(MALLORY), now).is_some());
}

proptest! {
    /// Against a plain reading of what the fields say.
    #[test]
    fn bans_begin_and_end_as_a_plain_reading_of_all_failures_has_it(
        events in proptest::collection::vec((0_u64..40, 0_u8..3, 0_u8..2), 0..120),
        failures in 1_u32..5,
    ) {
        let (window, duration) = (100, 70);
        let (bans, ban) = (Bans::default(), ban(failures, window, duration));
        let mut plain: HashMap<(u8, u8), (Vec<u64>, u64)> = HashMap::new();
        let mut now = 0;
        for (wait, last, which) in events {
            now += wait;
            let policy = policy(&which.to_string());
            let address = IpAddr::from([192, 0, 2, last]);
            let (seen, until) = plain.entry((last, which)).or_default();
            let banned = (*until > now).then(|| Duration::from_millis(*until - now));
            prop_assert_eq!(bans.banned(&policy, &ban, address, after(&bans, now)), banned);
            if banned.is_some() {
                continue;
            }
            seen.push(now);
            let begins = seen.iter().filter(|at| **at + window > now).count() >= failures as usize;
            if begins {
                seen.clear();
                *until = now + duration;
            }
            prop_assert_eq!(bans.failed(&policy, &ban, address, after(&bans, now)), begins);
            let running = plain.values().filter(|(_, until)| *until > now).count();
            prop_assert_eq!(bans.list(after(&bans, now)).len(), running);
        }
    }
}
