//! What limits let through: by whom, across threads, and when it is forgotten.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dragoman_config::{CountedItem, LimitItem, ObjectKey, SpanItem};
use dragoman_crds::{Calendar, NameMatch, Per};
use futures::executor::block_on;

use super::bound::Measure;
use super::counters::Charge;
use super::span::{Now, Span};
use super::*;
use crate::access::caller::{Caller, User};

fn key(namespace: &str, name: &str) -> ObjectKey {
    ObjectKey {
        namespace: namespace.into(),
        name: name.into(),
    }
}

fn within(counted: CountedItem, most: u64) -> LimitItem {
    LimitItem {
        per: Per::Key,
        amount: Some((counted, most, SpanItem::Window(3_600_000))),
        concurrency: None,
        models: None,
    }
}

fn requests(most: u64) -> LimitItem {
    within(CountedItem::Requests, most)
}

fn at_once(most: u32) -> LimitItem {
    LimitItem {
        amount: None,
        concurrency: Some(most),
        ..requests(0)
    }
}

fn policy(items: &[LimitItem]) -> Limits {
    Limits::new(&key("team", "gold"), items).unwrap()
}

fn caller(address: &str) -> Caller {
    Caller {
        address: address.parse().unwrap(),
        user: None,
        key: None,
    }
}

fn user(name: &str, key: u8) -> Caller {
    let user = User::new(name.into(), Vec::new(), None);
    Caller {
        user: Some(Arc::new(user)),
        key: Some([key; 32]),
        ..caller("10.0.0.1")
    }
}

/// A request of some caller, as [`ask`] wants it.
struct Request<'a> {
    caller: Caller,
    route: ObjectKey,
    model: Option<&'a str>,
    tokens: u64,
    cost: u64,
}

impl Default for Request<'_> {
    fn default() -> Self {
        Self {
            caller: user("ann", 1),
            route: key("team", "chat"),
            model: Some("gpt"),
            tokens: 0,
            cost: 0,
        }
    }
}

fn ask(
    counters: &Arc<Counters>,
    limits: &[&Limits],
    request: &Request<'_>,
) -> Result<Reservation, Exceeded> {
    let ask = Ask {
        route: &request.route,
        model: request.model,
        others: &[],
        tokens: request.tokens,
        cost: request.cost,
    };
    let limits: Vec<_> = limits.iter().map(|it| (*it, &request.caller)).collect();
    block_on(reserve(&limits, &ask, counters, &Counted::default()))
}

/// How many of these requests are admitted, one after another.
fn admitted(limits: &Limits, requests: &[Request<'_>]) -> Vec<bool> {
    let counters = Counters::new();
    let admitted = requests
        .iter()
        .map(|request| ask(&counters, &[limits], request).is_ok());
    admitted.collect()
}

fn of(caller: Caller) -> Request<'static> {
    Request {
        caller,
        ..Request::default()
    }
}

mod full;

#[test]
fn each_has_a_count_of_their_own() {
    let per = |per| policy(&[LimitItem { per, ..requests(1) }]);
    let of_route = |namespace, name| Request {
        route: key(namespace, name),
        ..Request::default()
    };
    for (limits, first, same, other) in [
        (
            per(Per::Key),
            of(user("ann", 1)),
            of(user("bob", 1)),
            of(user("ann", 2)),
        ),
        (
            per(Per::User),
            of(user("ann", 1)),
            of(user("ann", 2)),
            of(user("bob", 1)),
        ),
        (
            per(Per::Key),
            of(caller("10.0.0.1")),
            of(caller("10.0.0.1")),
            of(caller("10.0.0.2")),
        ),
        (
            per(Per::User),
            of(caller("10.0.0.1")),
            of(caller("10.0.0.1")),
            of(user("10.0.0.1", 1)),
        ),
        (
            per(Per::Address),
            of(user("ann", 1)),
            of(user("bob", 2)),
            of(caller("10.0.0.9")),
        ),
        (
            per(Per::Address),
            of(caller("2001:db8::1")),
            of(caller("2001:db8::ffff:1")),
            of(caller("2001:db8:0:1::1")),
        ),
        (
            per(Per::Route),
            of_route("team", "chat"),
            of_route("team", "chat"),
            of_route("other", "chat"),
        ),
        (
            per(Per::Namespace),
            of_route("team", "chat"),
            of_route("team", "code"),
            of_route("other", "chat"),
        ),
    ] {
        assert_eq!(
            admitted(&limits, &[first, same, other]),
            [true, false, true]
        );
    }
}

#[test]
fn only_the_models_of_a_limit_count_in_any_case() {
    let models = vec![NameMatch {
        exact: None,
        regex: Some("gpt-.*".into()),
    }];
    let limits = policy(&[LimitItem {
        models: Some(models),
        ..requests(1)
    }]);
    let of = |model| Request {
        model,
        ..Request::default()
    };
    let asked = [
        Some("gpt-4"),
        Some("llama"),
        None,
        Some("GPT-5"),
        Some("llama"),
    ];
    assert_eq!(
        admitted(&limits, &asked.map(of)),
        [true, true, true, false, true]
    );
}

#[test]
fn a_request_is_counted_under_all_limits_or_under_none() {
    let counters = Counters::new();
    let (wide, narrow) = (
        policy(&[requests(3)]),
        Limits::new(&key("team", "narrow"), &[requests(1)]),
    );
    let narrow = narrow.unwrap();
    let request = Request::default();
    drop(ask(&counters, &[&wide, &narrow], &request).unwrap());
    for _ in 0..5 {
        let refused = ask(&counters, &[&wide, &narrow], &request).unwrap_err();
        assert!(
            refused
                .message
                .starts_with("AccessPolicy team/narrow allows each key 1 requests within 3600s"),
            "{refused}"
        );
    }
    // Of the wide one, two are left.
    assert!(ask(&counters, &[&wide], &request).is_ok());
    assert!(ask(&counters, &[&wide], &request).is_ok());
    assert!(ask(&counters, &[&wide], &request).is_err());
}

#[test]
fn a_policy_that_applies_twice_counts_once() {
    let counters = Counters::new();
    let limits = policy(&[requests(2), requests(5)]);
    let request = Request::default();
    assert!(ask(&counters, &[&limits, &limits], &request).is_ok());
    assert!(ask(&counters, &[&limits, &limits], &request).is_ok());
    assert!(ask(&counters, &[&limits], &request).is_err());
}

#[test]
fn an_edit_of_the_amount_or_the_order_keeps_the_counts() {
    let counters = Counters::new();
    let request = Request::default();
    let before = policy(&[requests(2), within(CountedItem::Tokens, 10)]);
    drop(ask(&counters, &[&before], &request).unwrap());
    let after = policy(&[within(CountedItem::Tokens, 20), requests(3)]);
    let told = ask(&counters, &[&after], &request).unwrap();
    let left: Vec<_> = told.headers().into_iter().map(|(_, value)| value).collect();
    assert_eq!(left[..2], ["3", "1"]);
    let another = Limits::new(&key("team", "other"), &[requests(1)]).unwrap();
    assert!(
        ask(&counters, &[&another], &request).is_ok(),
        "another policy counts apart"
    );
}

#[test]
fn tokens_are_reserved_by_estimate_and_settled_by_use() {
    let counters = Counters::new();
    let limits = policy(&[within(CountedItem::Tokens, 100)]);
    assert!(limits.counts_tokens());
    let of = |tokens| Request {
        tokens,
        ..Request::default()
    };
    let used = |tokens| Used { tokens, cost: 0 };
    let first = ask(&counters, &[&limits], &of(60)).unwrap();
    assert!(first.counts_tokens());
    assert!(ask(&counters, &[&limits], &of(41)).is_err());
    first.settle(used(10));
    first.settle(used(99));
    drop(first);
    // Nothing is known to have been used: all is given back.
    drop(ask(&counters, &[&limits], &of(90)).unwrap());
    let second = ask(&counters, &[&limits], &of(90)).unwrap();
    second.settle(used(190));
    let full = ask(&counters, &[&limits], &of(1)).unwrap_err();
    assert!(full.retry_after > Some(3500), "{:?}", full.retry_after);
    let headers: Vec<_> = full
        .headers
        .iter()
        .map(|(_, value)| value.clone())
        .collect();
    assert_eq!(headers[..2], ["100", "0"]);
}

#[test]
fn cost_counts_apart_from_tokens() {
    let counters = Counters::new();
    let limits = policy(&[within(CountedItem::Cost, 2_500_000)]);
    let of = |cost| Request {
        cost,
        ..Request::default()
    };
    let first = ask(&counters, &[&limits], &of(1_000_000)).unwrap();
    assert_eq!(first.headers().len(), 0);
    first.settle(Used {
        tokens: 7,
        cost: 2_000_000,
    });
    assert!(ask(&counters, &[&limits], &of(500_000)).is_ok());
    let full = ask(&counters, &[&limits], &of(500_001)).unwrap_err();
    assert!(
        full.message.contains("a cost of 2.50 within 3600s"),
        "{full}"
    );
}

#[test]
fn a_place_among_those_under_way_comes_back_on_whatever_thread() {
    let counters = Counters::new();
    let limits = policy(&[at_once(2)]);
    assert!(!limits.counts_tokens());
    let request = Request::default();
    let first = ask(&counters, &[&limits], &request).unwrap();
    let _second = ask(&counters, &[&limits], &request).unwrap();
    let full = ask(&counters, &[&limits], &request).unwrap_err();
    assert_eq!(full.retry_after, Some(1));
    std::thread::spawn(move || drop(first)).join().unwrap();
    let third = ask(&counters, &[&limits], &request);
    assert!(third.is_ok());
    assert!(ask(&counters, &[&limits], &request).is_err());
}

#[test]
fn bounds_are_exact_across_threads() {
    let counters = Counters::new();
    let limits = policy(&[
        requests(1000),
        at_once(5),
        within(CountedItem::Tokens, 1 << 40),
    ]);
    let other = Limits::new(&key("team", "silver"), &[requests(1500)]).unwrap();
    let (admitted, most) = (AtomicU64::new(0), AtomicU64::new(0));
    let under_way = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (counters, limits, other) = (&counters, &limits, &other);
            let (admitted, most, under_way) = (&admitted, &most, &under_way);
            scope.spawn(move || {
                for turn in 0..2000 {
                    let request = Request {
                        tokens: turn,
                        ..Request::default()
                    };
                    let both = [limits, other];
                    let order = if thread % 2 == 0 {
                        &both[..]
                    } else {
                        &[other, limits]
                    };
                    let Ok(held) = ask(counters, order, &request) else {
                        continue;
                    };
                    let now = under_way.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    admitted.fetch_add(1, Ordering::SeqCst);
                    std::thread::yield_now();
                    under_way.fetch_sub(1, Ordering::SeqCst);
                    held.settle(Used { tokens: 1, cost: 0 });
                }
            });
        }
    });
    assert_eq!(admitted.into_inner(), 1000);
    assert!(most.into_inner() <= 5);
    // What was used is counted to the last token.
    let limits = policy(&[within(CountedItem::Tokens, 1 << 40)]);
    let held = ask(&counters, &[&limits], &Request::default()).unwrap();
    let left: Vec<_> = held.headers().into_iter().map(|(_, value)| value).collect();
    assert_eq!(
        left[1].to_str().unwrap().parse::<u64>().unwrap(),
        (1 << 40) - 1000
    );
}

fn charge(key: u128, by_address: Option<u128>) -> Charge {
    Charge {
        key,
        measure: Measure::Requests(Span::new(SpanItem::Window(60_000))),
        most: 10,
        amount: 1,
        by_address,
    }
}

/// A digest: the shard is told by its first bits, the rest by a number.
fn digest(number: u128) -> u128 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}

#[test]
fn ever_more_addresses_take_bounded_room_and_push_no_key_out() {
    let counters = Counters::new();
    let now = counters.now();
    let keyed: Vec<_> = (0..1000).map(|n| charge(digest(n), None)).collect();
    for charge in &keyed {
        counters.charge(&[*charge], now, false).unwrap();
    }
    let under_way = Charge {
        measure: Measure::Concurrency,
        most: 1,
        ..charge(digest(1_000_001), Some(0))
    };
    counters.charge(&[under_way], now, false).unwrap();
    for number in 2_000_000..2_200_000 {
        counters
            .charge(&[charge(digest(number), Some(0))], now, false)
            .unwrap();
    }
    assert!(counters.len() <= 64 * 1024, "{}", counters.len());
    for charge in &keyed {
        let levels = counters.charge(&[*charge], now, false).unwrap();
        assert_eq!(levels[0].used, 2);
    }
    assert!(counters.charge(&[under_way], now, false).is_err());
}

#[test]
fn a_window_slides_and_a_day_ends_at_midnight() {
    let counters = Counters::new();
    let day = Charge {
        measure: Measure::Requests(Span::new(SpanItem::Calendar(Calendar::Day))),
        most: 1,
        ..charge(digest(1), None)
    };
    let at = |utc: &str| Now {
        steady: 0,
        utc: utc.parse::<jiff::Timestamp>().unwrap().as_millisecond(),
    };
    let (late, midnight) = (at("2026-11-21T23:59:58Z"), at("2026-11-22T00:00:00Z"));
    assert!(counters.charge(&[day], late, false).is_ok());
    let full = counters.charge(&[day], late, false).unwrap_err();
    assert_eq!(full.wait, Some(2000));
    assert!(counters.charge(&[day], midnight, false).is_ok());
    assert!(counters.charge(&[day], midnight, false).is_err());

    let window = Charge {
        most: 1,
        ..charge(digest(2), None)
    };
    let at = |steady| Now { steady, utc: 0 };
    assert!(counters.charge(&[window], at(5), false).is_ok());
    let full = counters.charge(&[window], at(59_000), false).unwrap_err();
    let wait = full.wait.unwrap();
    assert!(
        counters
            .charge(&[window], at(59_000 + wait - 1), false)
            .is_err()
    );
    assert!(counters.charge(&[window], at(59_000 + wait), false).is_ok());
    // No sooner than the window, and no later than a 64th after it.
    assert!((60_005..=60_005 + 60_000 / 64 + 1).contains(&(59_000 + wait)));
}

#[test]
fn an_address_in_either_form_is_one() {
    let mapped: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
    let limits = policy(&[LimitItem {
        per: Per::Address,
        ..requests(1)
    }]);
    let asked = [
        caller("10.0.0.1"),
        caller(&mapped.to_canonical().to_string()),
    ];
    assert_eq!(admitted(&limits, &asked.map(of)), [true, false]);
}
