//! What a shelf promises.

use super::*;
use dragoman_config::Kind;
use dragoman_config::wire::{Down, Transaction};

fn name(name: &str) -> Key {
    Key::new(Kind::Route, "ns", name)
}

fn put(item: &str, content: &str) -> Update {
    let invalid = Content::Invalid(content.to_owned());
    Update {
        name: name(item),
        content: Some((invalid, content.as_bytes().into())),
    }
}

fn gone(item: &str) -> Update {
    Update {
        name: name(item),
        content: None,
    }
}

/// A proxy that applies what it is sent, as real ones do.
#[derive(Default)]
struct Proxy {
    items: BTreeMap<Key, (String, Content)>,
    digest: String,
}

impl Proxy {
    fn read(&mut self, line: &[u8]) -> Transaction {
        assert_eq!(line.last(), Some(&b'\n'));
        let Down::Transaction(transaction) = serde_json::from_slice(line).unwrap() else {
            panic!("no transaction: {line:?}")
        };
        for put in &transaction.put {
            self.items
                .insert(put.name.clone(), (put.hash.clone(), put.content.clone()));
        }
        for name in &transaction.delete {
            self.items.remove(name);
        }
        let have = self
            .items
            .iter()
            .map(|(name, (hash, _))| (name, hash.as_str()));
        assert_eq!(
            transaction.digest,
            hash::digest(have),
            "the digest is that of what the proxy has"
        );
        self.digest = transaction.digest.clone();
        transaction
    }

    fn have(&self) -> BTreeMap<Key, String> {
        self.items
            .iter()
            .map(|(name, (hash, _))| (name.clone(), hash.clone()))
            .collect()
    }

    fn catch_up(&mut self, shelf: &Shelf, stream: StreamId) -> Option<Transaction> {
        match shelf.next(stream, None) {
            Next::Line(line) => Some(self.read(&line.bytes)),
            Next::Nothing => None,
            Next::TooMuch => panic!("too much"),
        }
    }
}

fn shelf(updates: impl IntoIterator<Item = Update>) -> Arc<Shelf> {
    let shelf = Shelf::new([7; 32]);
    shelf.update(updates, Instant::now());
    shelf
}

fn connected(shelf: &Shelf, stream: StreamId) -> Proxy {
    let mut proxy = Proxy::default();
    for line in shelf.begin(stream, BTreeMap::new(), None) {
        proxy.read(&line);
    }
    proxy
}

#[test]
fn a_proxy_that_has_everything_is_sent_nothing_but_the_digest() {
    let shelf = shelf([put("a", "1"), put("b", "1")]);
    let mut proxy = connected(&shelf, 1);
    let lines = shelf.begin(2, proxy.have(), None);
    let again = proxy.read(&lines[0]);
    assert_eq!(
        (lines.len(), again.put.len(), again.delete.len()),
        (1, 0, 0)
    );
}

#[test]
fn a_proxy_that_was_away_is_sent_the_difference_and_what_is_gone() {
    let shelf = shelf([put("a", "1"), put("b", "1"), put("c", "1")]);
    let mut proxy = connected(&shelf, 1);
    shelf.end(1);
    shelf.update([put("a", "2"), gone("b")], Instant::now());
    let lines = shelf.begin(2, proxy.have(), None);
    let difference = proxy.read(&lines[0]);
    assert_eq!(
        (difference.put[0].name.clone(), difference.put.len()),
        (name("a"), 1)
    );
    assert_eq!(difference.delete, [name("b")]);
}

#[test]
fn what_is_put_down_as_invalid_is_kept_by_those_that_have_it_and_agrees_for_all() {
    let shelf = shelf([put("a", "1")]);
    let had = BTreeMap::from([(name("old"), "hash of content".to_owned())]);
    assert_eq!(shelf.lacking(had.keys()), [name("old")].into());
    shelf.update([Update::invalid(name("old"), "kept")], Instant::now());
    assert!(shelf.lacking(had.keys()).is_empty());
    let mut proxy = Proxy::default();
    let content = Content::Invalid("stands for content".into());
    proxy
        .items
        .insert(name("old"), (had[&name("old")].clone(), content));
    for line in shelf.begin(1, had, None) {
        let transaction = proxy.read(&line);
        assert!(transaction.delete.is_empty(), "{transaction:?}");
    }
    let fresh = connected(&shelf, 2);
    assert_eq!(proxy.have(), fresh.have());
    assert_eq!(proxy.digest, fresh.digest);
    shelf.update([gone("old")], Instant::now());
    let released = proxy.catch_up(&shelf, 1).unwrap();
    assert_eq!(released.delete, [name("old")]);
}

#[test]
fn one_edit_sends_one_item() {
    let shelf = shelf([put("a", "1"), put("b", "1")]);
    let mut proxy = connected(&shelf, 1);
    assert!(shelf.update([put("b", "2")], Instant::now()));
    let transaction = proxy.catch_up(&shelf, 1).unwrap();
    assert_eq!(
        (transaction.put.len(), transaction.put[0].name.clone()),
        (1, name("b"))
    );
    assert_eq!(proxy.catch_up(&shelf, 1), None);
}

#[test]
fn the_same_content_twice_never_pushes_twice() {
    let shelf = shelf([put("a", "1")]);
    let mut proxy = connected(&shelf, 1);
    assert!(!shelf.update([put("a", "1"), gone("never-there")], Instant::now()));
    assert_eq!(proxy.catch_up(&shelf, 1), None);
}

#[test]
fn a_slow_proxy_skips_what_was_overtaken() {
    let shelf = shelf([put("a", "1")]);
    let mut proxy = connected(&shelf, 1);
    for edit in 2..100 {
        shelf.update([put("a", &edit.to_string())], Instant::now());
        shelf.update([put("b", "x")], Instant::now());
        shelf.update([gone("b")], Instant::now());
    }
    let transaction = proxy.catch_up(&shelf, 1).unwrap();
    assert_eq!(transaction.put.len(), 1);
    assert_eq!(proxy.items[&name("a")].1, Content::Invalid("99".into()));
}

#[test]
fn streams_that_are_equally_far_share_one_rendering() {
    let shelf = shelf([put("a", "1")]);
    connected(&shelf, 1);
    connected(&shelf, 2);
    shelf.update([put("a", "2")], Instant::now());
    let (Next::Line(one), Next::Line(other)) = (shelf.next(1, None), shelf.next(2, None)) else {
        panic!("nothing to send")
    };
    assert_eq!(one.bytes.as_ptr(), other.bytes.as_ptr());
}

#[test]
fn a_first_sync_larger_than_a_line_comes_in_parts_whose_digests_hold() {
    let large = "x".repeat(3 << 20);
    let updates: Vec<_> = (0..7)
        .map(|n| put(&format!("item-{n}"), &format!("{n}{large}")))
        .collect();
    let shelf = shelf(updates);
    let lines = shelf.begin(1, BTreeMap::from([(name("stale"), "h".to_owned())]), None);
    assert!(
        lines.len() > 2 && lines.iter().all(|line| line.len() < 8 << 20),
        "{}",
        lines.len()
    );
    let mut proxy = Proxy::default();
    proxy
        .items
        .insert(name("stale"), ("h".into(), Content::Invalid(String::new())));
    for line in lines {
        let Down::Transaction(transaction) = serde_json::from_slice(&line).unwrap() else {
            panic!()
        };
        for put in transaction.put {
            proxy.items.insert(put.name, (put.hash, put.content));
        }
        for name in transaction.delete {
            proxy.items.remove(&name);
        }
        proxy.digest = transaction.digest;
    }
    assert_eq!(
        (proxy.items.len(), &*proxy.digest),
        (7, &*shelf.current().1)
    );
}

#[test]
fn a_change_larger_than_a_line_makes_the_proxy_sync_anew() {
    let shelf = shelf([]);
    connected(&shelf, 1);
    let large = "x".repeat(4 << 20);
    shelf.update(
        [put("a", &large), put("b", &format!("b{large}"))],
        Instant::now(),
    );
    assert!(matches!(shelf.next(1, None), Next::TooMuch));
}

#[test]
fn a_version_stands_once_every_connected_proxy_reported_it() {
    let shelf = shelf([put("a", "1")]);
    let mut first = connected(&shelf, 1);
    let mut second = connected(&shelf, 2);
    let version = shelf.version_of(&name("a")).unwrap();
    assert_eq!(shelf.standing(version), (2, 0));
    assert!(shelf.reported(1, &first.digest));
    assert_eq!(
        (shelf.standing(version), shelf.common_version()),
        ((2, 1), 0)
    );
    shelf.reported(2, &second.digest);
    assert_eq!(
        (shelf.standing(version), shelf.common_version()),
        ((2, 2), version)
    );

    shelf.update([put("a", "2")], Instant::now());
    let version = shelf.version_of(&name("a")).unwrap();
    first.catch_up(&shelf, 1);
    second.catch_up(&shelf, 2);
    shelf.reported(1, &first.digest);
    assert_eq!(shelf.standing(version), (2, 1));
    shelf.end(2);
    assert_eq!(shelf.standing(version), (1, 1));
}

#[test]
fn a_later_report_stands_for_the_earlier_ones() {
    let shelf = shelf([put("a", "1")]);
    let mut proxy = connected(&shelf, 1);
    shelf.update([put("a", "2")], Instant::now());
    proxy.catch_up(&shelf, 1);
    shelf.update([put("a", "1")], Instant::now());
    proxy.catch_up(&shelf, 1);
    shelf.reported(1, &proxy.digest);
    assert_eq!(shelf.standing(shelf.current().0), (1, 1));
}

#[test]
fn a_digest_that_was_never_sent_says_nothing() {
    let shelf = shelf([put("a", "1")]);
    connected(&shelf, 1);
    assert!(!shelf.reported(1, "other"));
    assert!(!shelf.reported(9, &shelf.current().1));
}

#[test]
fn successors_of_the_ca_travel_without_any_item() {
    let shelf = shelf([put("a", "1")]);
    let mut proxy = connected(&shelf, 1);
    let Next::Line(line) = shelf.next(1, Some("PEM")) else {
        panic!("nothing to send")
    };
    let transaction = proxy.read(&line.bytes);
    assert_eq!(
        (transaction.ca_pem.as_deref(), transaction.put.len()),
        (Some("PEM"), 0)
    );
}

#[test]
fn what_every_stream_heard_of_being_gone_is_forgotten() {
    let shelf = Shelf::new([7; 32]);
    let now = Instant::now();
    shelf.update([put("a", "1")], now);
    let _ = shelf.begin(1, BTreeMap::new(), None);
    shelf.update([gone("a")], now);
    shelf.update([put("b", "1")], now);
    assert_eq!(shelf.state.lock().gone.len(), 1, "not heard of yet");
    let _ = shelf.next(1, None);
    shelf.update([put("b", "2")], now);
    let state = shelf.state.lock();
    assert!(state.gone.is_empty());
    assert_eq!(state.changed.len(), 1);
}
