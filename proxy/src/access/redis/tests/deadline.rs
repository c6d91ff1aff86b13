//! How long a request waits for a Redis that hangs, as proxies wait, by a clock that stands still while anything else happens.

use std::time::Duration;

use dragoman_config::{CountedItem, ObjectKey};
use tokio::runtime::Builder;
use tokio::time::Instant;

use super::super::service::{DEADLINE, LATE, Redis};
use super::{HOUR, address, limit, policy};
use crate::access::caller::Caller;
use crate::access::limits::{Ask, Counted, Counters, Limits, Shared, reserve};

#[test]
fn a_redis_that_hangs_costs_a_request_five_milliseconds_in_all_and_soon_nothing() {
    let asleep = Builder::new_current_thread().build().unwrap();
    let counters = Counters::new();
    counters.share_in(Redis::hanging(&asleep, DEADLINE));
    // Those of the route, and of the backends that are asked one after another.
    let all: Vec<_> = (0..9)
        .map(|at| {
            let key = ObjectKey::new("team", format!("policy-{at}"));
            Limits::new(&key, &[limit(CountedItem::Requests, 1000, HOUR)]).unwrap()
        })
        .collect();
    let caller = Caller {
        address: address(1),
        user: None,
        key: None,
    };
    let ask = Ask {
        route: &policy(),
        model: None,
        others: &[],
        tokens: 0,
        cost: 0,
    };
    let request = async || {
        let (counted, began) = (Counted::default(), Instant::now());
        for limits in &all {
            let held = reserve(&[(limits, &caller)], &ask, &counters, &counted).await;
            assert!(!held.unwrap().is_shared());
        }
        began.elapsed()
    };
    let mut clock = Builder::new_current_thread();
    let clock = clock.enable_time().start_paused(true).build().unwrap();
    clock.block_on(async {
        // A timer may be a millisecond late.
        let most = Duration::from_millis(5);
        for time in 0..LATE {
            assert_eq!(counters.shared(), Shared::Yes, "it was late {time} times");
            let cost = request().await;
            assert!((DEADLINE..=most).contains(&cost), "{cost:?}");
        }
        assert!(matches!(counters.shared(), Shared::Away(why) if why.contains("slow")));
        for _ in 0..10 {
            assert_eq!(request().await, Duration::ZERO);
        }
    });
}
