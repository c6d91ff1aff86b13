//! What people are told by events, and what they are spared.

use std::time::Duration;

use dragoman_config::{Key, Kind};
use serde_json::json;

use super::stage::Stage;

fn told(stage: &Stage, key: &Key) -> Vec<String> {
    let of_it = stage.told.iter().filter(|(of, _)| of == key);
    of_it.map(|(_, reason)| reason.clone()).collect()
}

/// A stage on which the route came before its backend, as files of a folder do.
fn route_alone() -> (Stage, Key) {
    let mut stage = Stage::leading();
    stage.apply(
        Kind::Proxy,
        "dragoman-system/default",
        1,
        json!({"allowedRoutes": {"namespaces": {"from": "All"}}}),
    );
    let route = stage.route(1, json!({}));
    stage.soon();
    assert_eq!(stage.condition(&route, "ResolvedRefs").1, "RefNotFound");
    (stage, route)
}

#[test]
fn what_is_applied_together_makes_no_warning() {
    let (mut stage, route) = route_alone();
    stage.apply(
        Kind::Backend,
        "team-a/vllm",
        1,
        json!({"url": "http://vllm:8000/v1"}),
    );
    stage.pass(Duration::from_secs(30));
    assert_eq!(stage.condition(&route, "ResolvedRefs").0, "True");
    assert!(told(&stage, &route).is_empty(), "{:?}", stage.told);
}

#[test]
fn a_fault_that_lasts_is_told_once_and_so_is_its_end() {
    let (mut stage, route, _proxy) = Stage::served();
    stage.route(2, json!({"modelMapRef": {"name": "names"}}));
    stage.pass(Duration::from_secs(60));
    stage.route(3, json!({}));
    stage.pass(Duration::from_secs(60));
    let told = told(&stage, &route);
    assert_eq!(told[..2], ["Ready", "RefNotFound"], "{told:?}");
    assert_eq!(
        told.iter()
            .filter(|reason| *reason == "RefNotFound")
            .count(),
        1
    );
}

#[test]
fn a_new_leader_tells_nothing_again() {
    let (mut before, _, _) = Stage::served();
    before.pass(Duration::from_secs(30));
    let mut after = Stage::new();
    after.statuses = before.statuses.clone();
    after.chat();
    after.settle();
    after.list();
    after.lead();
    after.pass(Duration::from_secs(30));
    assert!(after.told.is_empty(), "{:?}", after.told);
}

#[test]
fn nothing_is_made_and_nobody_warned_in_a_namespace_that_goes() {
    let (mut stage, route, _proxy) = Stage::served();
    stage.pass(Duration::from_secs(30));
    stage.told.clear();
    stage.terminate();
    let services = stage.services;
    stage.delete(&Key::new(Kind::Backend, "team-a", "vllm"));
    stage.route(2, json!({"hostnames": ["chat.example"]}));
    stage.pass(Duration::from_secs(30));
    assert_eq!(stage.condition(&route, "Ready").0, "False");
    assert_eq!((stage.services, stage.told.len()), (services, 0));
}

#[test]
fn a_service_that_comes_too_late_for_its_namespace_is_nobodys_fault() {
    let mut stage = Stage::leading();
    stage.too_late = true;
    let route = stage.chat();
    stage.soon();
    let tried = stage.services;
    stage.pass(Duration::from_secs(60));
    assert!(tried > 0);
    assert_eq!(stage.services, tried, "it is not tried again");
    assert_ne!(stage.condition(&route, "Programmed").1, "ChildRefused");
}
