//! Statuses tell the truth, whatever happens to their writes and around them.

use std::time::Duration;

use dragoman_config::wire::{BackendReport, Report};
use dragoman_config::{Key, Kind};
use dragoman_crds::BackendHealth;
use serde_json::json;

use super::stage::{Proxy, Stage};
use crate::core::Job;

fn backend() -> Key {
    Key::new(Kind::Backend, "team-a", "vllm")
}

fn says(stage: &mut Stage, proxy: &Proxy, health: BackendHealth) {
    let report = BackendReport {
        item: backend(),
        backend: None,
        health,
        models: Some(3),
        message: None,
    };
    let report = Report {
        backends: vec![report],
        ..Report::default()
    };
    stage.report(proxy, report);
}

#[test]
fn a_write_that_got_no_answer_is_made_good_although_the_facts_turned_back() {
    let (mut stage, _, proxy) = Stage::served();
    says(&mut stage, &proxy, BackendHealth::Healthy);
    stage.pass(Duration::from_secs(30));
    stage.unanswered = true;
    says(&mut stage, &proxy, BackendHealth::Unhealthy);
    stage.soon();
    assert_eq!(stage.condition(&backend(), "Healthy").0, "False");
    stage.unanswered = false;
    says(&mut stage, &proxy, BackendHealth::Healthy);
    stage.pass(Duration::from_secs(5));
    assert_eq!(stage.condition(&backend(), "Healthy").0, "True");
    stage.writes.clear();
    stage.pass(Duration::from_secs(60));
    assert!(stage.writes.is_empty(), "{:?}", stage.writes);
}

#[test]
fn somebody_who_edits_a_status_while_we_write_it_is_corrected() {
    let (mut stage, route, mut proxy) = Stage::served();
    stage.meanwhile = Some(|stage| {
        let route = Key::new(Kind::Route, "team-a", "chat");
        stage.statuses.insert(route, json!({"conditions": []}));
        stage.route(2, json!({"hostnames": ["chat.example"]}));
    });
    stage.route(2, json!({"hostnames": ["chat.example"]}));
    proxy.receive();
    stage.report(&proxy, Report::default());
    stage.pass(Duration::from_secs(15));
    assert!(stage.meanwhile.is_none());
    assert_eq!(stage.condition(&route, "Ready").0, "True");
}

#[test]
fn a_write_to_an_object_that_is_gone_says_nothing_of_its_successor() {
    let (mut stage, route, mut proxy) = Stage::served();
    stage.meanwhile = Some(|stage| {
        stage.delete(&Key::new(Kind::Route, "team-a", "chat"));
        stage.route(1, json!({}));
    });
    stage.route(2, json!({"hostnames": ["chat.example"]}));
    stage.soon();
    assert!(stage.meanwhile.is_none());
    while proxy.receive().is_some() {}
    stage.report(&proxy, Report::default());
    stage.pass(Duration::from_secs(15));
    assert_eq!(stage.statuses[&route]["observedGeneration"], 1);
    assert_eq!(stage.condition(&route, "Ready").0, "True");
}

#[test]
fn a_route_whose_llmproxy_is_gone_does_not_say_that_it_is_served() {
    let (mut stage, route, proxy) = Stage::served();
    says(&mut stage, &proxy, BackendHealth::Healthy);
    stage.pass(Duration::from_secs(30));
    assert_eq!(stage.condition(&route, "BackendsHealthy").0, "True");
    stage.delete(&Key::new(Kind::Proxy, "dragoman-system", "default"));
    stage.pass(Duration::from_secs(30));
    assert_eq!(stage.condition(&route, "Ready").0, "False");
    assert_eq!(
        stage.condition(&route, "Programmed"),
        ("False".into(), "NotAttached".into())
    );
    assert_eq!(
        stage.condition(&route, "BackendsHealthy"),
        ("Unknown".into(), "NotAttached".into())
    );
    assert_eq!(stage.statuses[&route]["backends"][0]["health"], "Unknown");
    assert_eq!(
        stage.condition(&backend(), "Healthy"),
        ("Unknown".into(), "NotUsed".into())
    );
}

#[test]
fn every_llmproxy_learns_of_authorities_that_turned() {
    let (mut stage, ..) = Stage::served();
    stage.core.authorities_turned(stage.now);
    let jobs = stage.core.jobs(stage.now, jiff::Timestamp::UNIX_EPOCH);
    let applied = jobs.iter().find_map(|job| match job {
        Job::ApplyProxy { children, .. } => Some(children),
        _ => None,
    });
    let holds_them = |child: &crate::children::Child| {
        child.value["data"]["ca.crt"]
            .as_str()
            .is_some_and(|pem| pem.contains("BEGIN CERTIFICATE"))
    };
    assert!(applied.is_some_and(|children| children.iter().any(holds_them)));
}
