use dragoman_config::wire::Put;
use dragoman_config::{Kind, ProxyItem};

use super::*;

fn key(name: &str) -> Key {
    Key::new(Kind::Proxy, "n", name)
}

fn item(body_bytes: u64) -> Arc<Item> {
    Arc::new(Item::Proxy(ProxyItem {
        cluster_domain: "cluster.local".into(),
        denied_cidrs: Vec::new(),
        deny_loopback: true,
        body_bytes,
        header_bytes: 1,
        log_level: None,
    }))
}

fn valid(name: &str, body_bytes: u64) -> Put {
    let content = Content::Item(item(body_bytes));
    Put {
        name: key(name),
        hash: body_bytes.to_string(),
        content,
    }
}

fn invalid(name: &str, hash: &str, reason: &str) -> Put {
    Put {
        name: key(name),
        hash: hash.into(),
        content: Content::Invalid(reason.into()),
    }
}

/// A transaction whose digest says what the store will hold.
fn transaction(put: Vec<Put>, delete: &[&str], then: &[(&str, &str)]) -> Transaction {
    let names: Vec<_> = then.iter().map(|(name, hash)| (key(name), *hash)).collect();
    let digest = hash::digest(names.iter().map(|(name, hash)| (name, *hash)));
    let delete = delete.iter().copied().map(key).collect();
    Transaction {
        put,
        delete,
        digest,
        ca_pem: None,
    }
}

#[test]
fn a_transaction_puts_and_deletes() {
    let mut store = Store::default();
    let first = transaction(
        vec![valid("a", 1), valid("b", 2)],
        &[],
        &[("a", "1"), ("b", "2")],
    );
    assert!(!store.apply(first).diverged);
    let second = transaction(vec![valid("a", 3)], &["b"], &[("a", "3")]);
    assert!(!store.apply(second.clone()).diverged);
    assert_eq!(store.items(), BTreeMap::from([(key("a"), item(3))]));
    assert_eq!(store.hashes(), BTreeMap::from([(key("a"), "3".into())]));
    assert_eq!(store.digest(), second.digest);
}

#[test]
fn an_item_that_no_longer_compiles_keeps_its_previous_version() {
    let mut store = Store::default();
    store.apply(transaction(vec![valid("a", 1)], &[], &[("a", "1")]));
    let broken = transaction(vec![invalid("a", "x", "bad regex")], &[], &[("a", "x")]);
    let applied = store.apply(broken.clone());
    let told = Invalid {
        name: key("a"),
        reason: "bad regex".into(),
        previous: true,
    };
    assert_eq!((applied.invalid, applied.diverged), (vec![told], false));
    assert_eq!(store.items(), BTreeMap::from([(key("a"), item(1))]));
    assert_eq!(store.apply(broken).invalid, [], "told once");
    store.apply(transaction(vec![valid("a", 2)], &[], &[("a", "2")]));
    assert_eq!(store.items(), BTreeMap::from([(key("a"), item(2))]));
}

#[test]
fn an_item_that_never_compiled_is_not_run_but_known() {
    let mut store = Store::default();
    let applied = store.apply(transaction(
        vec![invalid("a", "x", "why")],
        &[],
        &[("a", "x")],
    ));
    assert!(!applied.invalid[0].previous);
    assert_eq!(store.items(), BTreeMap::new());
    assert_eq!(store.hashes(), BTreeMap::from([(key("a"), "x".into())]));
}

#[test]
fn a_digest_of_something_else_is_noticed() {
    let mut store = Store::default();
    assert!(
        store
            .apply(transaction(vec![valid("a", 1)], &[], &[("b", "1")]))
            .diverged
    );
}

#[test]
fn previous_versions_survive_when_everything_is_sent_again() {
    let mut before = Store::default();
    before.apply(transaction(vec![valid("a", 1), valid("gone", 1)], &[], &[]));
    let mut after = Store::default();
    after.apply(transaction(vec![invalid("a", "x", "why")], &[], &[]));
    after.succeed(&before);
    assert_eq!(after.items(), BTreeMap::from([(key("a"), item(1))]));
    assert!(after.invalid()[0].previous);
}

#[test]
fn an_item_that_never_compiled_is_told_apart_from_one_with_a_previous_version() {
    let mut store = Store::default();
    store.apply(transaction(vec![valid("a", 1)], &[], &[("a", "1")]));
    let both = vec![invalid("a", "2", "why"), invalid("b", "3", "because")];
    store.apply(transaction(both, &[], &[("a", "2"), ("b", "3")]));
    assert_eq!(
        store.unusable(),
        BTreeMap::from([(key("b"), "because".into())])
    );
}
