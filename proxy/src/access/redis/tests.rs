//! Proxies that count in one Redis, a real one.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dragoman_config::{BanItem, CountedItem, LimitItem, ObjectKey, Secret, SpanItem};
use dragoman_crds::{Calendar, Per};

use super::scripts::PREFIX;
use super::server::{Server, eventually};
use crate::access::bans::{Ban, Bans};
use crate::access::caller::Caller;
use crate::access::limits::{
    Ask, Counted, Counters, Exceeded, Limits, Reservation, Shared, Used, reserve,
};

/// How long requests wait for a real Redis here: what is counted is the same however busy the machine is. Three times as long is less than a
/// question may take until the connection counts as dead.
const LONG: Duration = Duration::from_millis(300);

/// One proxy's counters.
struct Proxy {
    counters: Arc<Counters>,
    bans: Arc<Bans>,
    runtime: tokio::runtime::Runtime,
}

impl Proxy {
    fn new(url: &str) -> Self {
        let (counters, bans) = (Counters::new(), Arc::<Bans>::default());
        counters.share_within(LONG, Some(&Secret::new(url)), &bans);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        Self {
            counters,
            bans,
            runtime: runtime.unwrap(),
        }
    }

    /// Two that count in this Redis.
    fn two(server: &Server) -> [Self; 2] {
        let proxies = [Self::new(&server.url()), Self::new(&server.url())];
        for proxy in &proxies {
            proxy.await_shared();
        }
        proxies
    }

    fn await_shared(&self) {
        eventually("Redis counts", || self.counters.shared() == Shared::Yes);
    }

    /// Whether an address is banned here.
    fn bans(&self, ban: &Ban, address: IpAddr) -> bool {
        let left = self.bans.banned(&policy(), ban, address, Instant::now());
        left.is_some()
    }

    /// Lifts what is banned here, as the admin server does.
    fn lift(&self, address: IpAddr) {
        let lifted = self.bans.lift(address, Instant::now());
        assert!(!lifted.is_empty());
        self.counters.lifted(&lifted, address);
    }

    fn ask(&self, limits: &Limits, tokens: u64) -> Result<Reservation, Exceeded> {
        self.ask_from(IpAddr::from([10, 0, 0, 1]), limits, tokens)
    }

    fn ask_from(
        &self,
        address: IpAddr,
        limits: &Limits,
        tokens: u64,
    ) -> Result<Reservation, Exceeded> {
        let caller = Caller {
            address,
            user: None,
            key: None,
        };
        let ask = Ask {
            route: &policy(),
            model: None,
            others: &[],
            tokens,
            cost: 0,
        };
        self.runtime.block_on(reserve(
            &[(limits, &caller)],
            &ask,
            &self.counters,
            &Counted::default(),
        ))
    }

    /// How much of the first limit is left.
    fn left(&self, limits: &Limits) -> u64 {
        let value = match self.ask(limits, 0) {
            Ok(held) => held.headers()[1].1.clone(),
            Err(full) => full.headers[1].1.clone(),
        };
        value.to_str().unwrap().parse().unwrap()
    }
}

fn policy() -> ObjectKey {
    ObjectKey {
        namespace: "team".into(),
        name: "gold".into(),
    }
}

fn limit(counted: CountedItem, most: u64, span: SpanItem) -> LimitItem {
    LimitItem {
        per: Per::Address,
        amount: Some((counted, most, span)),
        concurrency: None,
        models: None,
    }
}

const HOUR: SpanItem = SpanItem::Window(3_600_000);

fn limits(items: &[LimitItem]) -> Limits {
    Limits::new(&policy(), items).unwrap()
}

fn ban(failures: u32) -> Ban {
    Ban::new(&BanItem {
        failures,
        window_ms: 60_000,
        duration_ms: 600_000,
        exempt: Vec::new(),
    })
}

fn address(number: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, number])
}

/// What a command says of one of our keys.
fn counted(server: &Server, command: &str, key: &str) -> u64 {
    let key = format!("{PREFIX}{key}");
    redis::cmd(command)
        .arg(key)
        .query(&mut server.connection())
        .unwrap()
}

fn at_once(most: u32) -> LimitItem {
    LimitItem {
        amount: None,
        concurrency: Some(most),
        ..limit(CountedItem::Requests, 0, HOUR)
    }
}

mod deadline;
mod of_addresses;
mod of_bans;
mod under_load;

#[test]
fn proxies_that_share_a_redis_share_their_bounds_exactly() {
    let server = Server::start(&[]);
    let limits = limits(&[limit(CountedItem::Requests, 100, HOUR), at_once(6)]);
    let (admitted, under_way, most) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (server, limits) = (&server, &limits);
            let (admitted, under_way, most) = (&admitted, &under_way, &most);
            scope.spawn(move || {
                let [one, two] = Proxy::two(server);
                let began = Instant::now();
                // On a busy machine answers are late, and say nothing of exactness.
                let (mut answers, mut full) = (0, false);
                while answers < 100 || !full {
                    assert!(began.elapsed() < Duration::from_secs(120), "{answers}");
                    let proxy = if answers % 2 == 0 { &one } else { &two };
                    let held = proxy.ask(limits, 0);
                    if proxy.counters.shared() == Shared::Yes {
                        answers += 1;
                        full = held
                            .as_ref()
                            .is_err_and(|over| over.message.contains("100 requests"));
                    } else {
                        proxy.await_shared();
                    }
                    if let Ok(held) = held.as_ref()
                        && held.is_shared()
                    {
                        admitted.fetch_add(1, Ordering::SeqCst);
                        let now = under_way.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        under_way.fetch_sub(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    assert!(admitted.load(Ordering::SeqCst) <= 100);
    assert!(most.load(Ordering::SeqCst) <= 6);
    let [one, _] = Proxy::two(&server);
    let counted = 100 - one.left(&self::limits(&[limit(CountedItem::Requests, 100, HOUR)]));
    assert!(counted >= admitted.into_inner(), "{counted}");
    assert_eq!(counted, 100, "at least 400 were answered");
}

#[test]
fn what_one_proxy_reserves_and_settles_the_other_sees() {
    let server = Server::start(&[]);
    let [one, two] = Proxy::two(&server);
    for span in [
        HOUR,
        SpanItem::Calendar(Calendar::Day),
        SpanItem::Calendar(Calendar::Month),
    ] {
        let limits = limits(&[limit(CountedItem::Tokens, 1000, span)]);
        let held = one.ask(&limits, 600).unwrap();
        assert_eq!(two.left(&limits), 400);
        let full = two.ask(&limits, 401).unwrap_err();
        assert!(
            full.retry_after.is_some() && full.message.contains("1000 tokens"),
            "{full}"
        );
        held.settle(Used {
            tokens: 250,
            cost: 0,
        });
        eventually("the rest is given back", || two.left(&limits) == 750);
        let held = two.ask(&limits, 100).unwrap();
        held.settle(Used {
            tokens: 900,
            cost: 0,
        });
        eventually("more is counted than was reserved", || {
            one.left(&limits) == 0
        });
        let never = one.ask(&limits, 1001).unwrap_err();
        assert!(never.message.contains("this request alone"), "{never}");
        assert_eq!(never.retry_after, None);
    }
}

#[test]
fn places_under_way_come_back_and_those_of_a_dead_proxy_run_out() {
    let server = Server::start(&[]);
    let [one, two] = Proxy::two(&server);
    let limits = limits(&[at_once(2)]);
    let first = one.ask(&limits, 0).unwrap();
    let second = two.ask(&limits, 0).unwrap();
    assert!(one.ask(&limits, 0).is_err());
    drop(first);
    eventually("the place comes back", || one.ask(&limits, 0).is_ok());
    // A proxy that died long ago, and one that was alive a moment ago.
    let mut redis = server.connection();
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg("*limit:*")
        .query(&mut redis)
        .unwrap();
    let ends: Vec<(String, u64)> = redis::cmd("ZRANGE")
        .arg(&keys[0])
        .arg(0)
        .arg(-1)
        .arg("WITHSCORES")
        .query(&mut redis)
        .unwrap();
    let (clock, _): (u64, u64) = redis::cmd("TIME").query(&mut redis).unwrap();
    assert!(
        ends.iter()
            .all(|(_, end)| (clock * 1000..=clock * 1000 + 31_000).contains(end))
    );
    redis::cmd("ZADD")
        .arg(&keys[0])
        .arg(clock * 1000 - 1)
        .arg("dead:1")
        .exec(&mut redis)
        .unwrap();
    eventually("the dead one's is free", || one.ask(&limits, 0).is_ok());
    redis::cmd("ZADD")
        .arg(&keys[0])
        .arg(clock * 1000 + 60_000)
        .arg("alive:1")
        .exec(&mut redis)
        .unwrap();
    assert!(one.ask(&limits, 0).is_err());
    drop(second);
}

#[test]
fn a_client_that_leaves_while_redis_fails_keeps_no_place() {
    let mut server = Server::start(&[]);
    let proxy = Proxy::new(&server.url());
    proxy.await_shared();
    server.freeze();
    let limits = limits(&[at_once(1)]);
    proxy.runtime.block_on(async {
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
        let (of, counted) = ([(&limits, &caller)], Counted::default());
        let mut asked = std::pin::pin!(reserve(&of, &ask, &proxy.counters, &counted));
        assert!(futures::poll!(asked.as_mut()).is_pending());
        assert_eq!(proxy.counters.leases(), 1);
    });
    server.kill();
    assert_eq!(proxy.counters.leases(), 0);
}

#[test]
fn without_redis_each_proxy_counts_for_itself_and_waits_a_few_times_at_most() {
    let mut server = Server::start(&[]);
    let [one, _] = Proxy::two(&server);
    let limits = limits(&[limit(CountedItem::Requests, 10, HOUR)]);
    for _ in 0..4 {
        drop(one.ask(&limits, 0).unwrap());
    }
    server.freeze();
    let mut admitted = 4;
    let mut slow = 0;
    for _ in 0..20 {
        let began = Instant::now();
        admitted += u64::from(one.ask(&limits, 0).is_ok());
        slow += u64::from(began.elapsed() >= LONG);
    }
    // It knows what it let through before.
    assert_eq!(admitted, 10);
    assert!(slow <= 5, "asked {slow} times though it was slow");
    assert!(matches!(one.counters.shared(), Shared::Away(why) if why.contains("slow")));
    server.thaw();
    one.await_shared();
    server.kill();
    eventually("its death is seen", || one.counters.shared() != Shared::Yes);
    assert!(one.ask(&limits, 0).is_err(), "it goes on counting here");
    server.restart();
    one.await_shared();
    assert_eq!(
        one.left(&limits),
        9,
        "a Redis that lost its memory begins anew"
    );
}

#[test]
fn a_redis_that_cannot_be_used_is_told_without_its_password() {
    let server = Server::start(&["--requirepass", "right"]);
    for url in [
        format!("{}?pass=secret", server.url()),
        "redis://user:secret@127.0.0.1:1".to_owned(),
        "nonsense://user:secret@host".to_owned(),
    ] {
        let proxy = Proxy::new(&url);
        eventually(
            "it is away",
            || matches!(proxy.counters.shared(), Shared::Away(why) if !why.contains("not reached")),
        );
        let Shared::Away(why) = proxy.counters.shared() else {
            unreachable!()
        };
        assert!(!why.contains("secret"), "{why}");
        let limits = limits(&[limit(CountedItem::Requests, 1, HOUR)]);
        assert!(proxy.ask(&limits, 0).is_ok());
        assert!(proxy.ask(&limits, 0).is_err());
    }
    let right = Proxy::new(&format!("{}?pass=right", server.url()));
    right.await_shared();
    right.counters.share(None, &right.bans);
    assert_eq!(right.counters.shared(), Shared::NotConfigured);
}

#[test]
fn a_user_of_redis_needs_no_more_than_is_documented() {
    let rights = "--user dragoman on >pass resetchannels ~{dragoman}:* -@all +evalsha +script|load +time +hgetall +hget +hset +hdel +hincrby +zadd +zrem +zcard +zscore +zrange +zrevrange +zrangebyscore +zremrangebyscore +pexpire +pttl";
    let server = Server::start(&rights.split(' ').collect::<Vec<_>>());
    let proxy = Proxy::new(&format!("{}?user=dragoman&pass=pass", server.url()));
    proxy.await_shared();
    let limits = limits(&[limit(CountedItem::Tokens, 100, HOUR), at_once(1)]);
    let held = proxy.ask(&limits, 10).unwrap();
    assert!(held.is_shared());
    held.settle(Used {
        tokens: 20,
        cost: 0,
    });
    drop(held);
    eventually("it is settled", || proxy.ask(&limits, 80).is_ok());
    let ban = ban(2);
    let address = address(7);
    for _ in 0..2 {
        proxy.counters.failed(&policy(), &ban, address);
    }
    eventually("it is banned", || proxy.bans(&ban, address));
    proxy.lift(address);
    eventually("it is lifted there too", || {
        counted(&server, "ZCARD", "bans") == 0
    });
}

/// The scripts' calendar, at a time of ours: the month and its rest, and a day's rest.
fn calendar(redis: &mut redis::Connection, milliseconds: i64) -> (u64, u64, u64) {
    let time = include_str!("lua/time.lua").replace("redis.call('TIME')", "ARGV");
    let source =
        format!("{time} local m, left = month() return {{m, left, left_of('d', tick_of('d'))}}");
    let script = redis::Script::new(&source);
    let (seconds, micros) = (milliseconds / 1000, milliseconds % 1000 * 1000);
    script.arg(seconds).arg(micros).invoke(redis).unwrap()
}

#[test]
fn the_scripts_know_the_calendar() {
    use crate::access::limits::{Now, Span};
    let server = Server::start(&[]);
    let mut redis = server.connection();
    for text in [
        "1970-01-01T00:00:00Z",
        "1999-12-31T23:59:59.999Z",
        "2000-02-29T12:00:00.001Z",
        "2026-11-21T12:34:56.789Z",
        "2026-11-30T23:59:59.999Z",
        "2028-02-28T00:00:00Z",
        "2028-02-29T23:59:59Z",
        "2028-03-01T00:00:00Z",
        "2100-02-28T23:00:00Z",
        "2100-03-01T00:00:00Z",
        "2100-12-31T00:00:00Z",
    ] {
        let utc = text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let now = Now { steady: 0, utc };
        let month = Span::Month.tick(now);
        let expected = (
            month,
            Span::Month.left(month, now),
            Span::Day.left(Span::Day.tick(now), now),
        );
        assert_eq!(calendar(&mut redis, utc), expected, "{text}");
    }
}
