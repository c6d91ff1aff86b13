//! Limits of addresses, of which anybody can have ever more.

use dragoman_config::{CountedItem, SpanItem};

use super::super::scripts::{PREFIX, Script};
use super::super::server::{Server, eventually};
use super::{HOUR, Proxy, address, limit, limits};
use crate::access::limits::Used;

/// As many addresses as a limit counts apart.
const MOST: usize = 65_536;
/// Milliseconds of a window, and of a tick.
const WINDOW: [&str; 2] = ["3600000", "56250"];

/// A limit's counts in Redis, asked as proxies ask.
struct Counts {
    _server: Server,
    redis: redis::Connection,
}

impl Counts {
    fn new() -> Self {
        let server = Server::start(&[]);
        let redis = server.connection();
        Self {
            _server: server,
            redis,
        }
    }

    /// An address' own count, and what else is known of its limit: all are of one group.
    fn keys(own: &str) -> [String; 3] {
        [own, "l:addresses", "l:7"].map(|key| format!("{PREFIX}limit:{key}"))
    }

    /// Lets a request of an address through, if it is within so many. Whether it was, and whether it was counted together with others.
    fn reserve(&mut self, own: &str, most: &str) -> (bool, bool) {
        let script = Script::Reserve.compiled();
        let mut asking = script.arg("lease");
        for arg in ["30000", "w", most, "1"].into_iter().chain(WINDOW) {
            asking.arg(arg);
        }
        for key in Self::keys(own) {
            asking.key(key);
        }
        let answer: Vec<i64> = asking.invoke(&mut self.redis).unwrap();
        (answer[0] == 1, answer.last() == Some(&1))
    }

    /// So much more was used than reserved.
    fn settle(&mut self, own: &str, more: &str) {
        let script = Script::Settle.compiled();
        let mut asking = script.arg("w");
        for arg in ["0", more, &WINDOW.join(":")] {
            asking.arg(arg);
        }
        for key in Self::keys(own) {
            asking.key(key);
        }
        let _: i64 = asking.invoke(&mut self.redis).unwrap();
    }

    /// What a command says of the addresses that are known, or of a count.
    fn says(&mut self, command: &str, key: &str) -> usize {
        let key = format!("{PREFIX}limit:{key}");
        let said = redis::cmd(command).arg(key).query(&mut self.redis);
        said.unwrap()
    }

    fn known(&mut self) -> usize {
        self.says("ZCARD", "l:addresses")
    }

    /// Adds so many addresses, whose counts are over in so many milliseconds.
    fn crowd(&mut self, many: usize, left: i64) {
        crowd(&mut self.redis, &Self::keys("")[1], many, left);
    }
}

fn crowd(redis: &mut redis::Connection, addresses: &str, many: usize, left: i64) {
    let (clock, _): (i64, i64) = redis::cmd("TIME").query(redis).unwrap();
    let numbers: Vec<usize> = (0..many).collect();
    for numbers in numbers.chunks(4096) {
        let mut all = redis::pipe();
        for number in numbers {
            all.zadd(addresses, number, clock * 1000 + left).ignore();
        }
        all.exec(redis).unwrap();
    }
}

#[test]
fn addresses_that_there_is_no_room_for_are_let_through_together_what_one_may_be() {
    let mut counts = Counts::new();
    assert_eq!(counts.reserve("known", "3"), (true, false));
    counts.crowd(MOST - 1, 600_000);
    assert_eq!(counts.reserve("one", "3"), (true, true));
    assert_eq!(counts.reserve("two", "3"), (true, true));
    assert_eq!(counts.reserve("one", "3"), (true, true));
    for new in ["one", "two", "three"] {
        assert_eq!(counts.reserve(new, "3"), (false, true));
        assert_eq!(counts.says("EXISTS", new), 0, "{new}");
    }
    // Who was there before notices nothing.
    for fits in [true, true, false] {
        assert_eq!(counts.reserve("known", "3"), (fits, false));
    }
    assert_eq!(counts.known(), MOST);
}

#[test]
fn an_address_for_which_there_is_room_again_begins_with_what_it_was_let_through() {
    let mut counts = Counts::new();
    counts.crowd(MOST, 600_000);
    for new in ["one", "two", "one"] {
        assert_eq!(counts.reserve(new, "3"), (true, true));
    }
    let mut forget = redis::cmd("ZREM");
    forget.arg(&Counts::keys("")[1]).arg(7);
    forget.exec(&mut counts.redis).unwrap();
    assert_eq!(counts.reserve("one", "3"), (false, false));
    assert_eq!(counts.reserve("one", "4"), (true, false));
    // The room was one's.
    assert_eq!(counts.reserve("two", "3"), (false, true));
    assert_eq!(counts.known(), MOST);
}

#[test]
fn counts_that_are_over_make_room() {
    let mut counts = Counts::new();
    counts.crowd(MOST, -1);
    assert_eq!(counts.reserve("one", "3"), (true, false));
    // Some at a time: no request waits for thousands of them.
    assert_eq!(counts.known(), MOST - 63);
    assert_eq!(counts.reserve("two", "3"), (true, false));
    assert_eq!(counts.known(), MOST - 126);
}

#[test]
fn what_is_used_after_an_address_count_was_over_is_not_forgotten() {
    let mut counts = Counts::new();
    counts.settle("late", "2");
    assert_eq!(counts.known(), 1, "there is room for it");
    assert_eq!(counts.reserve("late", "2"), (false, false));
    counts.crowd(MOST - 1, 600_000);
    counts.settle("later", "2");
    assert_eq!(counts.says("EXISTS", "later"), 0);
    assert_eq!(counts.reserve("later", "2"), (false, true));
    assert_eq!(counts.known(), MOST);
}

#[test]
fn proxies_settle_what_they_count_together_and_say_so() {
    let server = Server::start(&[]);
    let [one, two] = Proxy::two(&server);
    let limits = limits(&[limit(CountedItem::Tokens, 1000, HOUR)]);
    let _own = one.ask_from(address(1), &limits, 900).unwrap();
    let mut redis = server.connection();
    let known: Vec<String> = redis::cmd("KEYS")
        .arg("*:addresses")
        .query(&mut redis)
        .unwrap();
    let [known] = known.as_slice() else {
        panic!("{known:?}")
    };
    crowd(&mut redis, known, MOST - 1, 600_000);
    let held = one.ask_from(address(2), &limits, 600).unwrap();
    assert!(held.is_shared());
    let full = two.ask_from(address(2), &limits, 401).unwrap_err();
    assert!(full.message.contains("with others"), "{full}");
    held.settle(Used {
        tokens: 250,
        cost: 0,
    });
    eventually("the rest is given back", || {
        two.ask_from(address(2), &limits, 750).is_ok()
    });
    for proxy in [&one, &two] {
        assert!(proxy.counters.counted_together() >= 1);
    }
    let own = two.ask_from(address(1), &limits, 101).unwrap_err();
    assert!(!own.message.contains("with others"), "{own}");
    let count: usize = redis::cmd("ZCARD").arg(known).query(&mut redis).unwrap();
    assert_eq!(count, MOST);
}

#[test]
fn nothing_is_left_of_addresses_whose_window_has_passed() {
    let server = Server::start(&[]);
    let proxy = Proxy::new(&server.url());
    proxy.await_shared();
    let limits = limits(&[limit(CountedItem::Requests, 5, SpanItem::Window(50))]);
    for number in 0..5 {
        let _ = proxy.ask_from(address(number), &limits, 0);
    }
    eventually("all is forgotten", || {
        let left: Vec<String> = redis::cmd("KEYS")
            .arg("*limit:*")
            .query(&mut server.connection())
            .unwrap();
        left.is_empty()
    });
}
