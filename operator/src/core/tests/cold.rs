//! An operator that starts while something is broken, beside proxies that run.

use std::collections::BTreeMap;
use std::time::Duration;

use dragoman_config::wire::{Content, Report};
use dragoman_config::{Key, Kind, ObjectKey};
use serde_json::{Value, json};

use super::stage::{Proxy, Stage};
use crate::watch::{Change, Seen, Source};

fn proxy_key() -> Key {
    Key::new(Kind::Proxy, "dragoman-system", "default")
}

fn vllm() -> Key {
    Key::new(Kind::Backend, "team-a", "vllm")
}

fn chat() -> Key {
    Key::new(Kind::Route, "team-a", "chat")
}

/// What a proxy had from the operator before this one.
fn before() -> BTreeMap<Key, String> {
    Stage::served().2.have
}

/// A version of the route that no longer names its backend, and does not compile.
fn broken() -> Value {
    json!({"backends": [{
        "name": "new", "backendRef": {"name": "new"}, "models": {"deny": [{"regex": "("}]},
    }]})
}

/// A new operator that leads once it has listed what `fill` applies, and a proxy that was served before.
fn cold(fill: impl FnOnce(&mut Stage)) -> (Stage, Proxy) {
    let mut stage = Stage::new();
    stage.chat();
    fill(&mut stage);
    stage.list();
    stage.lead();
    stage.settle();
    stage.pod("p1", "u1");
    let proxy = stage.connect_having("p1", "u1", before()).unwrap();
    (stage, proxy)
}

fn names(proxy: &Proxy) -> Vec<Key> {
    proxy.have.keys().cloned().collect()
}

#[test]
fn what_runs_stays_when_an_operator_starts_beside_a_broken_route() {
    let (mut stage, mut proxy) = cold(|stage| {
        stage.route(2, broken());
    });
    assert_eq!(names(&proxy), [proxy_key(), vllm(), chat()]);
    // A proxy that comes later is given what every other one has, and nothing that it could use.
    stage.pod("p2", "u2");
    let late = stage.connect("p2", "u2").unwrap();
    assert_eq!(late.have, proxy.have);
    assert_ne!(proxy.have[&vllm()], before()[&vllm()]);
    stage.report(&proxy, Report::default());
    assert_eq!(proxy.admitted.shelf.standing(1), (2, 1));
    // The cure brings the real thing, in one transaction.
    stage.route(3, json!({}));
    let cured = proxy.receive().unwrap();
    assert!(cured.delete.is_empty(), "{cured:?}");
    assert_eq!(proxy.have, before());
}

#[test]
fn what_no_version_needs_any_more_is_taken_away_with_the_cure() {
    let (mut stage, mut proxy) = cold(|stage| {
        stage.route(2, broken());
    });
    stage.apply(
        Kind::Backend,
        "team-a/new",
        1,
        json!({"url": "http://new/v1"}),
    );
    assert!(proxy.have.contains_key(&vllm()));
    stage.route(
        3,
        json!({"backends": [{"name": "new", "backendRef": {"name": "new"}}]}),
    );
    let cured = proxy.receive().unwrap();
    assert_eq!(cured.delete, [vllm()]);
}

#[test]
fn a_deleted_backend_is_taken_away_however_broken_the_rest_is() {
    let (mut stage, mut proxy) = cold(|stage| {
        stage.route(2, broken());
    });
    stage.core.seen(
        Seen {
            source: Source::Resources(Kind::Backend),
            change: Change::Deleted(ObjectKey::new("team-a", "vllm")),
        },
        stage.now,
    );
    assert_eq!(proxy.receive().unwrap().delete, [vllm()]);
}

#[test]
fn what_a_newer_operator_could_read_stays_with_an_older_one() {
    let unreadable = json!({"backends": [], "fromTheFuture": 1});
    for kind in [Kind::Proxy, Kind::Backend, Kind::Route] {
        let (mut stage, mut proxy) = cold(|stage| match kind {
            Kind::Proxy => {
                drop(stage.apply(kind, "dragoman-system/default", 2, unreadable.clone()))
            }
            Kind::Backend => drop(stage.apply(kind, "team-a/vllm", 2, unreadable.clone())),
            _ => drop(stage.apply(kind, "team-a/chat", 2, unreadable.clone())),
        });
        assert_eq!(names(&proxy), [proxy_key(), vllm(), chat()], "{kind:?}");
        stage.chat();
        stage.settle();
        while proxy.receive().is_some() {}
        assert_eq!(proxy.have, before(), "{kind:?}");
    }
}

#[test]
fn what_does_not_parse_is_not_quoted_to_the_proxies_of_other_namespaces() {
    let mut stage = Stage::new();
    stage.chat();
    stage.route(2, broken());
    let theirs = stage.apply(
        Kind::Backend,
        "team-b/theirs",
        1,
        json!({"url": "http://theirs", "sk-pasted-here": 1}),
    );
    stage.list();
    stage.lead();
    stage.settle();
    stage.pod("p1", "u1");
    let have = BTreeMap::from([(theirs.clone(), "x".to_owned())]);
    let proxy = stage.connect_having("p1", "u1", have).unwrap();
    assert!(proxy.have.contains_key(&theirs));
    let lines = proxy.admitted.shelf.begin(77, BTreeMap::new(), None);
    let told: Vec<_> = lines
        .iter()
        .map(|line| String::from_utf8_lossy(line))
        .collect();
    let told = told.concat();
    assert!(
        told.contains("team-b") && !told.contains("sk-pasted-here"),
        "{told}"
    );
    assert!(
        stage
            .core
            .world
            .outcome(&theirs)
            .unwrap()
            .item
            .as_ref()
            .unwrap_err()
            .contains("sk-pasted-here")
    );
}

#[test]
fn a_proxy_cannot_put_on_the_shelf_what_does_not_exist() {
    let mut stage = Stage::new();
    stage.chat();
    stage.route(2, broken());
    stage.list();
    stage.lead();
    stage.settle();
    stage.pod("p1", "u1");
    let mut have = before();
    for n in 0..100 {
        have.insert(
            Key::new(Kind::Route, "team-a", format!("made-up-{n}")),
            "x".into(),
        );
    }
    let proxy = stage.connect_having("p1", "u1", have).unwrap();
    assert_eq!(names(&proxy), [proxy_key(), vllm(), chat()]);
}

/// An operator that leads, with a proxy and no route yet.
fn without_routes() -> (Stage, Proxy) {
    let mut stage = Stage::leading();
    stage.apply(
        Kind::Proxy,
        "dragoman-system/default",
        1,
        json!({"allowedRoutes": {"namespaces": {"from": "All"}}}),
    );
    stage.pod("p1", "u1");
    let proxy = stage.connect("p1", "u1").unwrap();
    (stage, proxy)
}

#[test]
fn a_secret_that_cannot_be_read_holds_up_its_backend_and_not_the_route() {
    let (mut stage, mut proxy) = without_routes();
    stage.unreadable = true;
    let route = stage.chat();
    stage.settle();
    let sent = proxy.receive().unwrap();
    for put in &sent.put {
        let is_invalid = matches!(put.content, Content::Invalid(_));
        assert_eq!(is_invalid, put.name == vllm(), "{put:?}");
    }
    stage.soon();
    let reason = |stage: &Stage, key: &Key| stage.condition(key, "ResolvedRefs").1;
    assert_eq!(reason(&stage, &vllm()), "SecretUnreadable");
    assert_eq!(reason(&stage, &route), "RefInvalid");
    stage.unreadable = false;
    stage.pass(Duration::from_secs(5));
    assert_eq!(proxy.receive().unwrap().put.len(), 1);
    assert_eq!(reason(&stage, &route), "ResolvedRefs");
}

#[test]
fn a_route_whose_backends_secret_is_being_read_is_sent_with_its_backend() {
    let (mut stage, mut proxy) = without_routes();
    stage.chat();
    let waits = proxy.receive();
    assert!(waits.is_none(), "{waits:?}");
    stage.settle();
    let sent = proxy.receive().unwrap();
    let sent: Vec<_> = sent.put.iter().map(|put| put.name.clone()).collect();
    assert!(sent.contains(&vllm()) && sent.contains(&chat()), "{sent:?}");
}
