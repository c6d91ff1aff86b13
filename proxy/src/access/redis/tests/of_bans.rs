//! Bans that proxies share, through a real Redis.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::super::scripts::PREFIX;
use super::super::server::{Server, eventually};
use super::{Proxy, address, ban, counted, policy};

/// As many as are kept of addresses and of bans.
const MOST: u64 = 65_536;

fn fails(proxy: &Proxy, failures: u32, address: IpAddr) {
    for _ in 0..failures {
        proxy.counters.failed(&policy(), &ban(failures), address);
    }
}

fn banned(proxy: &Proxy, address: IpAddr) -> bool {
    proxy.bans(&ban(1), address)
}

/// Waits until both have asked for what changed, which another ban shows.
fn both_have_asked(one: &Proxy, two: &Proxy, address: IpAddr) {
    fails(one, 1, address);
    for proxy in [one, two] {
        eventually("another ban is known", || banned(proxy, address));
    }
}

#[test]
fn bans_are_shared_and_lifted_together() {
    let server = Server::start(&[]);
    let [one, two] = Proxy::two(&server);
    let ban = ban(4);
    let address: IpAddr = "2001:db8::7".parse().unwrap();
    // Two failures at each: neither would ban by itself.
    for proxy in [&one, &two, &one] {
        proxy.counters.failed(&policy(), &ban, address);
    }
    both_have_asked(&one, &two, super::address(1));
    assert!(!banned(&one, address) && !banned(&two, address));
    two.counters.failed(&policy(), &ban, address);
    for proxy in [&one, &two] {
        eventually("it is banned", || banned(proxy, address));
        let left = proxy.bans.banned(&policy(), &ban, address, Instant::now());
        assert!(left.unwrap() > Duration::from_secs(590));
    }
    one.lift(address);
    eventually("it is lifted at the other", || !banned(&two, address));
    both_have_asked(&one, &two, super::address(2));
    assert!(!banned(&one, address), "a lifted ban does not come back");
    // Its failures are forgotten with it.
    for _ in 0..3 {
        one.counters.failed(&policy(), &ban, address);
    }
    both_have_asked(&one, &two, super::address(3));
    assert!(!banned(&one, address));
}

#[test]
fn failures_at_many_proxies_at_once_are_counted_one_by_one() {
    let server = Server::start(&[]);
    let proxies: Vec<Proxy> = (0..8).map(|_| Proxy::new(&server.url())).collect();
    let failures = 8 * 25;
    let (ban, address) = (ban(failures), address(9));
    std::thread::scope(|scope| {
        for proxy in &proxies {
            proxy.await_shared();
            scope.spawn(|| {
                for _ in 0..25 {
                    proxy.counters.failed(&policy(), &ban, address);
                }
            });
        }
    });
    for proxy in &proxies {
        eventually("the last failure bans everywhere", || {
            banned(proxy, address)
        });
    }
    // One less than that bans nobody.
    let other = super::address(10);
    std::thread::scope(|scope| {
        for (at, proxy) in proxies.iter().enumerate() {
            let ban = &ban;
            scope.spawn(move || {
                for _ in usize::from(at == 0)..25 {
                    proxy.counters.failed(&policy(), ban, other);
                }
            });
        }
    });
    eventually("all are counted", || {
        let mut redis = server.connection();
        let counted: Option<u64> = redis::cmd("HGET")
            .arg(format!("{PREFIX}failures"))
            .arg("")
            .query(&mut redis)
            .unwrap();
        counted == Some(u64::from(failures) - 1)
    });
    both_have_asked(&proxies[0], &proxies[1], super::address(11));
    assert!(!proxies.iter().any(|proxy| banned(proxy, other)));
}

#[test]
fn a_ban_that_is_lifted_while_redis_is_away_stays_lifted_and_is_lifted_everywhere() {
    let server = Server::start(&[]);
    let [one, two] = Proxy::two(&server);
    both_have_asked(&one, &two, address(1));
    server.freeze();
    for proxy in [&one, &two] {
        eventually("it is away", || {
            proxy.counters.shared() != crate::access::limits::Shared::Yes
        });
    }
    one.lift(address(1));
    server.thaw();
    for proxy in [&one, &two] {
        proxy.await_shared();
    }
    eventually("it is lifted at the other", || !banned(&two, address(1)));
    both_have_asked(&one, &two, address(2));
    assert!(!banned(&one, address(1)) && !banned(&two, address(1)));
}

#[test]
fn a_redis_that_lost_its_memory_lifts_no_ban_and_tells_of_new_ones() {
    let mut server = Server::start(&[]);
    let [one, two] = Proxy::two(&server);
    both_have_asked(&one, &two, address(1));
    server.kill();
    for proxy in [&one, &two] {
        eventually("it is away", || {
            proxy.counters.shared() != crate::access::limits::Shared::Yes
        });
    }
    server.restart();
    for proxy in [&one, &two] {
        proxy.await_shared();
    }
    both_have_asked(&one, &two, address(2));
    assert!(banned(&one, address(1)) && banned(&two, address(1)));
    one.lift(address(1));
    eventually("it is lifted at the other", || !banned(&two, address(1)));
}

/// Puts so many bans, and addresses from which authentication failed once, into Redis.
fn crowd(server: &Server, many: u64) {
    let mut redis = server.connection();
    let (clock, _): (u64, u64) = redis::cmd("TIME").query(&mut redis).unwrap();
    let key = |key: &str| format!("{PREFIX}{key}");
    let names: Vec<String> = (0..many)
        .map(|at| format!("team gold 10.{}.{}.{}", at >> 16, at >> 8 & 255, at & 255))
        .collect();
    for names in names.chunks(4096) {
        let mut all = redis::pipe();
        for (at, name) in names.iter().enumerate() {
            all.zadd(key("bans"), name, clock * 1000 + 600_000).ignore();
            all.zadd(key("changes"), name, at as u64 + 1).ignore();
            all.zadd(key("failing"), name, clock * 1000 + 60_000)
                .ignore();
            all.hset(key("failures"), name, format!("{} ", clock * 1000))
                .ignore();
        }
        all.hincr(key("failures"), "", names.len()).ignore();
        all.exec(&mut redis).unwrap();
    }
}

#[test]
fn a_crowd_of_addresses_takes_a_bounded_share_of_redis() {
    let server = Server::start(&[]);
    crowd(&server, MOST);
    let proxy = Proxy::new(&server.url());
    proxy.await_shared();
    for number in 0..8 {
        fails(&proxy, 1, address(number));
        proxy
            .counters
            .failed(&policy(), &ban(2), address(100 + number));
    }
    let both = || {
        let of = |member: u8, key: &str| {
            let name = format!("team gold {}", address(member));
            let found: Option<f64> = redis::cmd("ZSCORE")
                .arg(format!("{PREFIX}{key}"))
                .arg(name)
                .query(&mut server.connection())
                .unwrap();
            found.is_some()
        };
        of(7, "bans") && of(107, "failing")
    };
    eventually("the newest are there", both);
    for (command, key) in [
        ("ZCARD", "bans"),
        ("ZCARD", "changes"),
        ("ZCARD", "failing"),
    ] {
        assert_eq!(counted(&server, command, key), MOST, "{key}");
    }
    assert_eq!(
        counted(&server, "HLEN", "failures"),
        MOST + 1,
        "and how many there are"
    );
}

#[test]
fn a_new_proxy_is_told_of_all_bans_bit_by_bit() {
    let server = Server::start(&[]);
    crowd(&server, 2000);
    let proxy = Proxy::new(&server.url());
    eventually("all are known", || proxy.bans.count(Instant::now()) == 2000);
}

#[test]
fn failures_beyond_the_window_count_no_more_and_are_forgotten() {
    let server = Server::start(&[]);
    let proxy = Proxy::new(&server.url());
    proxy.await_shared();
    let short = crate::access::bans::Ban::new(&dragoman_config::BanItem {
        failures: 2,
        window_ms: 50,
        duration_ms: 600_000,
        exempt: Vec::new(),
    });
    proxy.counters.failed(&policy(), &short, address(1));
    eventually("it is noted", || counted(&server, "ZCARD", "failing") == 1);
    eventually("it is forgotten", || {
        counted(&server, "EXISTS", "failing") == 0
    });
    assert_eq!(counted(&server, "EXISTS", "failures"), 0);
    proxy.counters.failed(&policy(), &short, address(1));
    eventually("it is noted", || counted(&server, "ZCARD", "failing") == 1);
    assert_eq!(counted(&server, "EXISTS", "bans"), 0);
}
