use dragoman_config::{Kind, ProxyItem, RouteItem};

use super::*;

fn key(name: &str) -> Key {
    Key::new(Kind::Route, "n", name)
}

fn item(version: u64) -> Arc<Item> {
    Arc::new(Item::Route(RouteItem {
        policies: None,
        log_bodies: None,
        replay: None,
        cors: None,
        hostnames: vec![version.to_string()],
        model_map: None,
        backends: Vec::new(),
        thinking: dragoman_crds::Thinking::default(),
        apis: None,
        conversation: None,
        paths: None,
    }))
}

fn put(name: &str, hash: &str, content: Content) -> Change {
    Change {
        name: Name::Known(key(name)),
        hash: hash.into(),
        content,
    }
}

fn valid(name: &str, version: u64) -> Change {
    put(name, &version.to_string(), Content::Item(item(version)))
}

fn invalid(name: &str, hash: &str, reason: &str) -> Change {
    put(name, hash, Content::Invalid(reason.into()))
}

fn unreadable(name: &str, hash: &str, why: &str) -> Change {
    put(name, hash, Content::Unreadable(why.into()))
}

/// A transaction whose digest says what the store will hold.
fn transaction(put: Vec<Change>, delete: &[&str], then: &[(&str, &str)]) -> Changes {
    let names: Vec<_> = then.iter().map(|(name, hash)| (key(name), *hash)).collect();
    let digest = hash::digest(names.iter().map(|(name, hash)| (name, *hash)));
    let delete = delete.iter().map(|name| Name::Known(key(name))).collect();
    Changes {
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

#[test]
fn an_item_that_cannot_be_read_keeps_its_previous_version_and_is_reported() {
    let mut store = Store::default();
    store.apply(transaction(vec![valid("a", 1)], &[], &[("a", "1")]));
    let put = vec![
        unreadable("a", "x", "unknown field"),
        unreadable("b", "y", "unknown form"),
        valid("c", 3),
    ];
    let applied = store.apply(transaction(put, &[], &[("a", "x"), ("b", "y"), ("c", "3")]));
    assert_eq!((applied.invalid, applied.diverged), (vec![], false));
    assert_eq!(
        store.items(),
        BTreeMap::from([(key("a"), item(1)), (key("c"), item(3))])
    );
    let why = |name, why: &str| (key(name), why.to_owned());
    assert_eq!(store.unusable(), BTreeMap::from([why("b", "unknown form")]));
    assert_eq!(
        store.unreadable(),
        BTreeMap::from([why("a", "unknown field"), why("b", "unknown form")])
    );
    // It is claimed, so that it is not sent again on every stream.
    assert_eq!(store.hashes()[&key("a")], "x");
    let cured = transaction(vec![valid("a", 2)], &["b"], &[("a", "2"), ("c", "3")]);
    assert!(!store.apply(cured).diverged);
    assert_eq!(store.unreadable(), BTreeMap::new());
}

#[test]
fn items_of_unknown_kinds_count_in_the_digest_and_are_never_claimed() {
    let mut store = Store::default();
    let name = "LLMOracle/n/o";
    let digest = hash::digest([(name, "h")].into_iter());
    let put = vec![Change {
        name: Name::Foreign(name.into()),
        hash: "h".into(),
        content: Content::Unreadable("its kind is unknown".into()),
    }];
    let sent = Changes {
        put,
        digest,
        ..Changes::default()
    };
    assert!(!store.apply(sent.clone()).diverged);
    assert_eq!(store.foreign().len(), 1);
    assert_eq!(store.hashes(), BTreeMap::new());
    // The next hello does not name it, so it comes again; a deletion meanwhile is not missed.
    store.forget_foreign();
    assert!(!store.apply(transaction(vec![], &[], &[])).diverged);
    assert!(!store.apply(sent).diverged);
    let gone = Changes {
        delete: vec![Name::Foreign(name.into())],
        ..transaction(vec![], &[], &[])
    };
    assert!(!store.apply(gone).diverged);
}

#[test]
fn nothing_runs_while_it_is_unknown_what_must_never_be_reached() {
    let proxy = Key::new(Kind::Proxy, "n", "p");
    let put_proxy = |content| Change {
        name: Name::Known(proxy.clone()),
        hash: "h".into(),
        content,
    };
    let mut store = Store::default();
    let put = vec![
        put_proxy(Content::Unreadable("unknown field".into())),
        valid("a", 1),
    ];
    let changes = |put| Changes {
        put,
        ..Changes::default()
    };
    store.apply(changes(put));
    assert_eq!(store.items(), BTreeMap::new());
    let unusable = store.unusable();
    assert_eq!(
        unusable[&key("a")],
        "LLMProxy/n/p cannot be used: unknown field"
    );
    let item = Arc::new(Item::Proxy(ProxyItem {
        policies: None,
        trusted_proxies: None,
        certificates: None,
        redis: None,
        logging: None,
        cluster_domain: "cluster.local".into(),
        denied_cidrs: Vec::new(),
        deny_loopback: true,
        body_bytes: 1,
        header_bytes: 1,
        log_level: None,
    }));
    store.apply(changes(vec![put_proxy(Content::Item(item))]));
    assert_eq!(store.items().len(), 2);
    // A previous version says it too.
    store.apply(changes(vec![put_proxy(Content::Invalid("why".into()))]));
    assert_eq!(store.items().len(), 2);
}
