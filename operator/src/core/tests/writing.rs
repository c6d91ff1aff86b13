//! What is written, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use dragoman_config::wire::{BackendReport, Report};
use dragoman_config::{Key, Kind};
use dragoman_crds::BackendHealth;
use serde_json::json;

use super::logged::warnings;
use super::stage::{Stage, refusal};

fn backend() -> Key {
    Key::new(Kind::Backend, "team-a", "vllm")
}

fn health(health: BackendHealth) -> Report {
    let report = BackendReport {
        item: backend(),
        backend: None,
        health,
        models: Some(3),
        message: (health == BackendHealth::Unhealthy).then(|| "refused".to_owned()),
    };
    Report {
        backends: vec![report],
        ..Report::default()
    }
}

#[test]
fn without_proxies_a_route_is_not_ready_and_says_why() {
    let mut stage = Stage::leading();
    let route = stage.chat();
    stage.soon();
    assert_eq!(
        stage.condition(&route, "Programmed"),
        ("False".into(), "NoProxies".into())
    );
    assert_eq!(stage.condition(&route, "Accepted").0, "True");
}

#[test]
fn a_route_is_ready_once_every_connected_proxy_runs_it() {
    let (mut stage, route, mut proxy) = Stage::served();
    assert_eq!(stage.condition(&route, "Ready").0, "True");
    stage.route(2, json!({"hostnames": ["chat.example"]}));
    stage.soon();
    assert_eq!(
        stage.condition(&route, "Ready"),
        ("False".into(), "Pending".into())
    );
    proxy.receive();
    stage.report(&proxy, Report::default());
    stage.soon();
    assert_eq!(stage.condition(&route, "Ready").0, "True");
}

#[test]
fn an_edit_that_proxies_take_at_once_makes_one_write() {
    let (mut stage, route, mut proxy) = Stage::served();
    stage.writes.clear();
    stage.route(2, json!({"hostnames": ["chat.example"]}));
    proxy.receive();
    stage.report(&proxy, Report::default());
    stage.soon();
    assert_eq!(stage.writes.iter().filter(|key| **key == route).count(), 1);
    assert_eq!(stage.statuses[&route]["observedGeneration"], 2);
}

#[test]
fn the_same_facts_are_not_written_twice() {
    let (mut stage, _, proxy) = Stage::served();
    stage.pass(Duration::from_secs(30));
    stage.writes.clear();
    stage.report(&proxy, Report::default());
    stage.pass(Duration::from_secs(60));
    assert!(stage.writes.is_empty(), "{:?}", stage.writes);
}

#[test]
fn a_backend_that_flaps_is_written_once_in_ten_seconds_at_most() {
    let (mut stage, _, proxy) = Stage::served();
    stage.pass(Duration::from_secs(30));
    stage.writes.clear();
    for turn in 0..100 {
        let said = if turn % 2 == 0 {
            BackendHealth::Unhealthy
        } else {
            BackendHealth::Healthy
        };
        stage.report(&proxy, health(said));
        stage.pass(Duration::from_millis(500));
    }
    let writes = stage.writes.iter().filter(|key| **key == backend()).count();
    assert!((2..=6).contains(&writes), "{writes} writes in 50 s");
}

#[test]
fn a_backend_that_goes_down_is_told_at_once_after_a_quiet_time() {
    let (mut stage, route, proxy) = Stage::served();
    stage.pass(Duration::from_secs(30));
    stage.report(&proxy, health(BackendHealth::Unhealthy));
    stage.soon();
    assert_eq!(stage.condition(&backend(), "Healthy").0, "False");
    assert_eq!(stage.condition(&route, "BackendsHealthy").1, "NoneHealthy");
    assert_eq!(stage.condition(&route, "Ready").0, "True");
    assert_eq!(stage.statuses[&backend()]["models"], 3);
}

#[test]
fn what_a_proxy_refuses_is_told_with_its_words() {
    let (mut stage, route, proxy) = Stage::served();
    let refused = BTreeMap::from([(backend(), "bad certificate".to_owned())]);
    stage.report(
        &proxy,
        Report {
            refused,
            ..Report::default()
        },
    );
    stage.soon();
    assert_eq!(stage.condition(&route, "Programmed").1, "RefusedByProxy");
    stage.report(&proxy, Report::default());
    stage.soon();
    assert_eq!(stage.condition(&route, "Ready").0, "True");
}

#[test]
fn a_proxy_has_no_say_over_what_it_does_not_run() {
    let (mut stage, _, proxy) = Stage::served();
    let other = stage.apply(
        Kind::Backend,
        "team-b/other",
        1,
        json!({"url": "http://other:8000/v1"}),
    );
    let route = stage.apply(
        Kind::Route,
        "team-b/own",
        1,
        json!({"proxyRefs": [{"name": "theirs"}], "backends": [{"name": "main", "backendRef": {"name": "other"}}]}),
    );
    stage.apply(Kind::Proxy, "team-b/theirs", 1, json!({}));
    stage.soon();
    let mut report = health(BackendHealth::Unhealthy);
    report.backends[0].item = other.clone();
    report.refused = BTreeMap::from([(route.clone(), "no".to_owned())]);
    stage.report(&proxy, report);
    stage.pass(Duration::from_secs(30));
    assert_eq!(stage.condition(&other, "Healthy").0, "Unknown");
    assert_eq!(stage.condition(&route, "Programmed").1, "NoProxies");
}

#[test]
fn what_proxies_said_of_an_item_goes_when_they_no_longer_run_it() {
    let (mut stage, _, proxy) = Stage::served();
    stage.report(&proxy, health(BackendHealth::Unhealthy));
    stage.route(2, json!({"proxyRefs": [{"name": "none"}]}));
    stage.route(3, json!({}));
    stage.pass(Duration::from_secs(30));
    assert_eq!(stage.condition(&backend(), "Healthy").0, "Unknown");
}

#[test]
fn a_message_without_end_is_cut() {
    let (mut stage, route, proxy) = Stage::served();
    let refused = BTreeMap::from([(route.clone(), "é".repeat(10_000))]);
    stage.report(
        &proxy,
        Report {
            refused,
            ..Report::default()
        },
    );
    stage.soon();
    let status = stage.statuses[&route].to_string();
    assert!(
        (1_000..10_000).contains(&status.len()),
        "{} bytes",
        status.len()
    );
}

#[test]
fn proxies_that_leave_do_not_make_a_route_unready() {
    let (mut stage, route, proxy) = Stage::served();
    proxy.admitted.shelf.end(proxy.admitted.stream);
    let ended = crate::push::FromStream::Ended(proxy.admitted.stream);
    stage.core.from_stream(ended, stage.now);
    stage.pass(Duration::from_secs(30));
    assert_eq!(stage.condition(&route, "Ready").0, "True");
    let proxy = Key::new(Kind::Proxy, "dragoman-system", "default");
    assert_eq!(stage.statuses[&proxy]["proxies"]["connected"], 0);
}

#[test]
fn a_new_leader_that_no_proxy_has_found_yet_leaves_good_statuses_alone() {
    let (mut before, route, _) = Stage::served();
    before.pass(Duration::from_secs(30));
    let mut after = Stage::new();
    after.statuses = before.statuses.clone();
    after.chat();
    after.list();
    after.lead();
    after.pass(Duration::from_secs(30));
    assert!(!after.writes.contains(&route), "{:?}", after.writes);
    assert_eq!(after.condition(&route, "Ready").0, "True");
}

#[test]
fn a_new_leader_counts_proxies_once_they_had_time_to_come() {
    let (mut before, _, _) = Stage::served();
    before.pass(Duration::from_secs(30));
    let mut after = Stage::new();
    after.statuses = before.statuses.clone();
    after.chat();
    after.settle();
    after.list();
    after.lead();
    after.soon();
    after.pod("p1", "u1");
    let proxy = after.connect("p1", "u1").unwrap();
    after.report(&proxy, Report::default());
    after.pass(Duration::from_secs(5));
    assert!(after.writes.is_empty(), "{:?}", after.writes);
}

#[test]
fn a_replica_that_follows_writes_nothing() {
    let mut stage = Stage::new();
    stage.chat();
    stage.list();
    stage.pass(Duration::from_secs(60));
    assert!(stage.writes.is_empty() && stage.services == 0);
    stage.lead();
    stage.soon();
    assert!(!stage.writes.is_empty() && stage.services == 1);
    stage.core.follow();
    stage.writes.clear();
    stage.route(2, json!({"hostnames": ["chat.example"]}));
    stage.pass(Duration::from_secs(60));
    assert!(stage.writes.is_empty());
}

#[test]
fn a_service_in_the_way_is_told_and_looked_at_again() {
    let mut stage = Stage::leading();
    stage.conflict = true;
    let route = stage.chat();
    stage.soon();
    assert_eq!(stage.condition(&route, "Programmed").1, "ServiceConflict");
    assert_eq!(stage.condition(&route, "Accepted").0, "True");
    stage.conflict = false;
    stage.pass(Duration::from_secs(15));
    assert_eq!(stage.condition(&route, "Programmed").1, "NoProxies");
}

#[test]
fn an_llmproxy_that_would_take_the_operators_own_objects_is_refused() {
    let mut stage = Stage::leading();
    let proxy = stage.apply(Kind::Proxy, "dragoman-system/operator", 1, json!({}));
    let jobs = stage.core.jobs(stage.now, jiff::Timestamp::UNIX_EPOCH);
    assert!(
        !jobs
            .iter()
            .any(|job| matches!(job, crate::core::Job::ApplyProxy { .. })),
        "{jobs:?}"
    );
    stage.soon();
    assert_eq!(stage.condition(&proxy, "Programmed").1, "ChildRefused");
}

#[test]
fn somebody_who_edits_a_status_is_corrected() {
    let (mut stage, route, _) = Stage::served();
    stage.pass(Duration::from_secs(30));
    let good = stage.statuses[&route].clone();
    stage.statuses.insert(
        route.clone(),
        json!({"observedGeneration": 1, "conditions": []}),
    );
    stage.route(1, json!({}));
    stage.soon();
    assert_eq!(stage.statuses[&route]["url"], good["url"]);
    assert_eq!(stage.condition(&route, "Accepted").0, "True");
}

#[test]
fn a_backend_that_no_route_uses_any_more_says_so() {
    let (mut stage, _, _) = Stage::served();
    stage.pass(Duration::from_secs(30));
    stage.apply(
        Kind::Backend,
        "team-a/other",
        1,
        json!({"url": "http://other:8000/v1"}),
    );
    stage.route(
        2,
        json!({"backends": [{"name": "main", "backendRef": {"name": "other"}}]}),
    );
    stage.soon();
    assert_eq!(stage.condition(&backend(), "Healthy").1, "NotUsed");
    assert_eq!(stage.condition(&backend(), "Ready").0, "True");
}

fn overloaded() -> kube::Error {
    refusal(429, "too many requests")
}

fn forbidden() -> kube::Error {
    refusal(403, "status is forbidden")
}

#[test]
fn an_api_server_that_is_overloaded_is_not_asked_every_few_seconds() {
    let (mut stage, route, _) = Stage::served();
    stage.pass(Duration::from_secs(30));
    stage.refuses = Some(overloaded);
    stage.writes.clear();
    stage.route(2, json!({"hostnames": ["chat.example"]}));
    stage.pass(Duration::from_mins(10));
    let writes = stage.writes.iter().filter(|key| **key == route).count();
    assert!((5..=20).contains(&writes), "{writes} writes in 10 min");
    stage.refuses = None;
    stage.pass(Duration::from_mins(1));
    assert_eq!(stage.statuses[&route]["observedGeneration"], 2);
}

#[test]
fn a_status_that_is_refused_is_told_once_although_the_network_failed_before() {
    let (mut stage, route, _) = Stage::served();
    stage.pass(Duration::from_secs(30));
    let of_route = |said: &[String]| {
        let about = |line: &&String| line.contains(&route.to_string());
        said.iter().filter(about).count()
    };
    let said = warnings(|| {
        stage.unanswered = true;
        stage.route(2, json!({"hostnames": ["chat.example"]}));
        stage.pass(Duration::from_secs(30));
    });
    assert_eq!(of_route(&said), 0, "{said:?}");
    let said = warnings(|| {
        stage.refuses = Some(forbidden);
        stage.pass(Duration::from_mins(10));
    });
    assert_eq!(of_route(&said), 1, "{said:?}");
    let said = warnings(|| {
        (stage.refuses, stage.unanswered) = (None, false);
        stage.pass(Duration::from_mins(2));
        stage.refuses = Some(forbidden);
        stage.route(3, json!({"hostnames": ["talk.example"]}));
        stage.soon();
    });
    assert_eq!(of_route(&said), 1, "{said:?}");
}
