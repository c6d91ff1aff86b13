//! Who is served, and what.

use std::time::Duration;

use dragoman_config::wire::Content;
use dragoman_config::{Key, Kind, ObjectKey};
use serde_json::json;

use super::stage::Stage;
use crate::core::Job;
use crate::push::{Claims, Refused};
use crate::watch::{Change, Seen, Source};

#[test]
fn nothing_is_served_before_everything_was_listed() {
    let mut stage = Stage::new();
    stage.lead();
    stage.chat();
    stage.settle();
    stage.pod("p1", "u1");
    assert!(matches!(
        stage.connect("p1", "u1"),
        Err(Refused::NotReady(_))
    ));
    stage.list();
    assert!(stage.connect("p1", "u1").is_ok());
}

#[test]
fn nothing_is_served_before_every_secret_that_is_needed_was_read() {
    let mut stage = Stage::new();
    stage.lead();
    stage.chat();
    stage.pod("p1", "u1");
    stage.list();
    assert!(matches!(
        stage.connect("p1", "u1"),
        Err(Refused::NotReady(_))
    ));
    stage.settle();
    assert!(stage.connect("p1", "u1").is_ok());
}

#[test]
fn a_secret_that_nobody_can_read_holds_only_what_needs_it() {
    let mut stage = Stage::new();
    stage.unreadable = true;
    stage.lead();
    stage.chat();
    stage.pod("p1", "u1");
    stage.list();
    stage.settle();
    assert!(!stage.core.is_ready());
    stage.pass(Duration::from_secs(20));
    let proxy = stage.connect("p1", "u1").unwrap();
    let shelf = &proxy.admitted.shelf;
    let backend = Key::new(Kind::Backend, "team-a", "vllm");
    let held = shelf.version_of(&backend);
    assert!(held.is_some(), "a proxy that has it keeps it");
    stage.unreadable = false;
    stage.pass(Duration::from_secs(5));
    assert!(shelf.version_of(&backend) > held);
}

#[test]
fn a_replica_that_follows_serves_nobody() {
    let (mut stage, _, _) = Stage::served();
    stage.core.follow();
    assert!(matches!(
        stage.connect("p1", "u1"),
        Err(Refused::NotReady(_))
    ));
}

#[test]
fn a_proxy_gets_its_own_config_and_nobody_elses() {
    let mut stage = Stage::leading();
    stage.chat();
    stage.apply(Kind::Proxy, "team-a/other", 1, json!({}));
    stage.settle();
    stage.pod("p1", "u1");
    let own = Claims {
        namespace: "dragoman-system".into(),
        pod: "p1".into(),
        pod_uid: "u1".into(),
        service_account: "dragoman-default".into(),
    };
    let refused = |stage: &mut Stage, claims: Claims, proxy: &str| {
        matches!(stage.connect_as(claims, proxy), Err(Refused::NotYours(_)))
    };
    assert!(refused(&mut stage, own.clone(), "team-a/other"));
    assert!(refused(&mut stage, own.clone(), "dragoman-system/gone"));
    assert!(refused(&mut stage, own.clone(), "nonsense"));
    let successor = Claims {
        pod_uid: "u2".into(),
        ..own.clone()
    };
    assert!(refused(&mut stage, successor, "dragoman-system/default"));
    let stranger = Claims {
        service_account: "default".into(),
        ..own.clone()
    };
    assert!(refused(&mut stage, stranger, "dragoman-system/default"));
    assert!(stage.connect_as(own, "dragoman-system/default").is_ok());
}

#[test]
fn the_stream_of_a_pod_that_is_gone_ends() {
    let (mut stage, _, proxy) = Stage::served();
    assert!(!proxy.admitted.ended.is_cancelled());
    let change = Change::Deleted(ObjectKey::new("dragoman-system", "p1"));
    stage.core.seen(
        Seen {
            source: Source::Pods,
            change,
        },
        stage.now,
    );
    assert!(proxy.admitted.ended.is_cancelled());
}

#[test]
fn a_pod_that_dials_again_is_counted_once() {
    let (mut stage, _, before) = Stage::served();
    let after = stage.connect("p1", "u1").unwrap();
    assert!(before.admitted.ended.is_cancelled());
    assert!(!after.admitted.ended.is_cancelled());
    assert_eq!(after.admitted.shelf.standing(0).0, 1);
}

#[test]
fn an_edit_reaches_the_proxy_as_one_item() {
    let (mut stage, route, mut proxy) = Stage::served();
    stage.route(2, json!({"hostnames": ["chat.example"]}));
    let transaction = proxy.receive().unwrap();
    assert_eq!(
        transaction
            .put
            .iter()
            .map(|put| &put.name)
            .collect::<Vec<_>>(),
        [&route]
    );
    assert!(proxy.receive().is_none());
}

#[test]
fn a_rotated_key_reaches_the_proxy_and_only_its_backend_changes() {
    let (mut stage, _, mut proxy) = Stage::served();
    stage.secret("team-a/key", "sk-2");
    assert!(proxy.receive().is_none(), "the watch sees metadata alone");
    stage.settle();
    let transaction = proxy.receive().unwrap();
    assert_eq!(
        transaction.put[0].name,
        Key::new(Kind::Backend, "team-a", "vllm")
    );
    assert_eq!(transaction.put.len(), 1);
}

#[test]
fn a_malformed_edit_is_told_and_the_version_before_stays() {
    let (mut stage, route, mut proxy) = Stage::served();
    stage.apply(
        Kind::Route,
        "team-a/chat",
        2,
        json!({"backends": [], "bakends": 1}),
    );
    let transaction = proxy.receive().unwrap();
    assert_eq!(transaction.put[0].name, route);
    assert!(
        matches!(&transaction.put[0].content, Content::Invalid(reason) if reason.contains("bakends"))
    );
    assert!(transaction.delete.is_empty());
    stage.soon();
    assert_eq!(stage.condition(&route, "Accepted").0, "False");
    assert_eq!(stage.condition(&route, "Stalled").0, "True");
}

#[test]
fn what_waits_for_a_secret_is_held_back_and_never_taken_away() {
    let (mut stage, _, mut proxy) = Stage::served();
    stage.apply(Kind::Backend, "team-a/vllm", 2, json!({
        "url": "http://vllm:8000/v1", "credential": {"secretRef": {"name": "other", "key": "key"}},
    }));
    let jobs = stage.core.jobs(stage.now, jiff::Timestamp::UNIX_EPOCH);
    let read = jobs
        .iter()
        .any(|job| matches!(job, Job::ReadInput(name) if name.object.name == "other"));
    assert!(read, "{jobs:?}");
    let waiting = proxy.receive();
    assert!(waiting.is_none(), "{waiting:?}");
}

#[test]
fn a_deleted_route_is_taken_away_by_name() {
    let (mut stage, route, mut proxy) = Stage::served();
    let change = Change::Deleted(route.object.clone());
    stage.core.seen(
        Seen {
            source: Source::Resources(Kind::Route),
            change,
        },
        stage.now,
    );
    let transaction = proxy.receive().unwrap();
    assert!(transaction.delete.contains(&route), "{transaction:?}");
    stage.pass(Duration::from_secs(20));
}
