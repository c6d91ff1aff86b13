//! A Redis that many ask at once, that is full, slow, or cannot be written to.

use dragoman_config::{CountedItem, ObjectKey, SpanItem};

use super::super::scripts::{PREFIX, Script};
use super::super::server::{Server, eventually};
use super::{HOUR, LONG, Proxy, address, at_once, limit, limits, policy};
use crate::access::caller::Caller;
use crate::access::limits::{Ask, Counted, Limits, Shared, reserve};

#[test]
fn places_at_once_that_many_ask_for_and_hold_are_given_out_exactly() {
    let server = Server::start(&[]);
    let key = format!("{PREFIX}limit:{:032x}", 7);
    // As proxies ask, but for their patience: on a busy machine that is no test of exactness.
    let reserves = |redis: &mut redis::Connection, lease: &str| {
        let script = Script::Reserve.compiled();
        let mut asking = script.key(&key);
        asking.key(&key).key(&key);
        for arg in [lease, "30000", "c", "6", "1", "0", "0"] {
            asking.arg(arg);
        }
        let answer: Vec<i64> = asking.invoke(redis).unwrap();
        answer[0] == 1
    };
    let held: Vec<String> = std::thread::scope(|scope| {
        let asks = |thread: usize| {
            let (server, reserves) = (&server, &reserves);
            scope.spawn(move || {
                let mut redis = server.connection();
                let leases = (0..20).map(|turn| format!("{thread}:{turn}"));
                let held = leases.filter(|lease| reserves(&mut redis, lease));
                held.collect::<Vec<_>>()
            })
        };
        let threads: Vec<_> = (0..8).map(asks).collect();
        let held = threads.into_iter().map(|thread| thread.join().unwrap());
        held.flatten().collect()
    });
    assert_eq!(held.len(), 6, "{held:?}");
    let mut redis = server.connection();
    let script = Script::Settle.compiled();
    let mut gives_back = script.key(&key);
    gives_back.key(&key).key(&key);
    for arg in ["c", &held[0], "0", "0:0"] {
        gives_back.arg(arg);
    }
    let _: i64 = gives_back.invoke(&mut redis).unwrap();
    assert!(reserves(&mut redis, "one more"));
    assert!(!reserves(&mut redis, "too many"));
}

#[test]
fn of_several_full_limits_redis_tells_of_the_one_that_takes_longest() {
    let server = Server::start(&[]);
    let [one, two] = Proxy::two(&server);
    let minutes = (1..9).map(|minutes| SpanItem::Window(minutes * 60_000));
    let windows = minutes.map(|window| limit(CountedItem::Requests, 1, window));
    let all: Vec<_> = windows.chain([at_once(1)]).collect();
    let all = limits(&all);
    let _held = one.ask(&all, 0);
    // On a busy machine an answer may come too late to count.
    let mut full = two.ask(&all, 0);
    eventually("all are full", || {
        if full.is_ok() {
            full = two.ask(&all, 0);
        }
        full.is_err()
    });
    let full = full.unwrap_err();
    assert!(full.retry_after > Some(470), "{full}");
    let never = limits(&[
        limit(CountedItem::Requests, 1, SpanItem::Window(60_000)),
        limit(CountedItem::Tokens, 100, HOUR),
    ]);
    let full = two.ask(&never, 101).unwrap_err();
    assert!(full.message.contains("this request alone"), "{full}");
    assert_eq!(full.retry_after, None);
}

#[test]
fn a_redis_that_can_be_read_alone_is_away() {
    for (options, why) in [
        (&["--maxmemory", "100000"][..], "OOM"),
        (&["--replicaof", "127.0.0.1", "1"], "READONLY"),
    ] {
        let server = Server::start(options);
        let proxy = Proxy::new(&server.url());
        eventually(
            why,
            || matches!(proxy.counters.shared(), Shared::Away(said) if said.contains(why)),
        );
        let mut redis = server.connection();
        let mut cure = redis::cmd(if why == "OOM" { "CONFIG" } else { "REPLICAOF" });
        match why {
            "OOM" => cure.arg("SET").arg("maxmemory").arg("0"),
            _ => cure.arg("NO").arg("ONE"),
        };
        cure.exec(&mut redis).unwrap();
        proxy.await_shared();
    }
}

#[test]
fn a_request_waits_for_redis_once_however_often_it_is_counted() {
    let server = Server::start(&[]);
    let proxy = Proxy::new(&server.url());
    proxy.await_shared();
    server.freeze();
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
    let all: Vec<_> = (1..9)
        .map(|most| {
            let key = ObjectKey::new("team", format!("backend-{most}"));
            Limits::new(&key, &[limit(CountedItem::Requests, most, HOUR)]).unwrap()
        })
        .collect();
    let counted = Counted::default();
    proxy.runtime.block_on(async {
        for limits in &all {
            let of = [(limits, &caller)];
            let held = reserve(&of, &ask, &proxy.counters, &counted).await;
            assert!(!held.unwrap().is_shared());
        }
    });
    let waited = counted.waited().get();
    assert!(waited >= LONG, "{waited:?}");
    // Late once, not thrice.
    let shared = proxy.counters.shared();
    let slow = matches!(&shared, Shared::Away(why) if why.contains("slow"));
    assert!(!slow, "{shared:?}");
}
