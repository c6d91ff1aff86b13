//! What is said of objects that cannot be written, and how often.

use std::time::Duration;

use dragoman_config::{Key, Kind};
use serde_json::json;

use super::logged::warnings;
use super::stage::{Stage, Unwritten, refusal};

fn away() -> kube::Error {
    kube::Error::LinesCodecMaxLineLengthExceeded
}

fn overloaded() -> kube::Error {
    refusal(503, "etcdserver: leader changed")
}

fn quota() -> kube::Error {
    refusal(403, "exceeded quota")
}

fn policy() -> kube::Error {
    refusal(403, "denied by policy")
}

/// What is warned of the LLMProxy and of the route, while their objects cannot be written for these reasons, one after the other.
fn warned(stage: &mut Stage, faults: &[Unwritten]) -> (usize, usize) {
    let said = warnings(|| {
        for fault in faults {
            stage.unapplied = Some(*fault);
            stage.pass(Duration::from_mins(5));
        }
    });
    let of = |words: &str| said.iter().filter(|line| line.contains(words)).count();
    (of("an object of an LLMProxy"), of("a route's Service"))
}

/// A stage with an LLMProxy and a route whose objects are wanted.
fn wanting() -> Stage {
    let mut stage = Stage::leading();
    stage.chat();
    stage
}

#[test]
fn an_outage_is_one_warning_however_it_shows() {
    let mut stage = wanting();
    let outage: [Unwritten; 3] = [
        ("Deployment dragoman-default", away),
        ("ConfigMap dragoman-default", overloaded),
        ("Deployment dragoman-default", away),
    ];
    assert_eq!(warned(&mut stage, &outage), (1, 1));
    stage.unapplied = None;
    stage.pass(Duration::from_mins(5));
    stage.chat();
    stage.route(2, json!({"hostnames": ["chat.example"]}));
    stage.core.authorities_turned(stage.now);
    assert_eq!(warned(&mut stage, &outage[..1]), (1, 1));
}

#[test]
fn another_fault_of_the_same_object_is_told() {
    let mut stage = wanting();
    let object = "Deployment dragoman-default";
    let faults = warned(&mut stage, &[(object, quota), (object, policy)]);
    assert_eq!(faults, (2, 2));
    let proxy = Key::new(Kind::Proxy, "dragoman-system", "default");
    let said = stage.statuses[&proxy].to_string();
    assert!(said.contains("denied by policy"), "{said}");
}

#[test]
fn a_refusal_stands_while_the_api_server_is_away() {
    let mut stage = wanting();
    let object = "Deployment dragoman-default";
    warned(&mut stage, &[(object, quota)]);
    stage.writes.clear();
    warned(&mut stage, &[(object, away)]);
    let proxy = Key::new(Kind::Proxy, "dragoman-system", "default");
    assert_eq!(stage.condition(&proxy, "Programmed").1, "ChildRefused");
    assert!(!stage.writes.contains(&proxy), "{:?}", stage.writes);
    stage.unapplied = None;
    stage.pass(Duration::from_mins(5));
    assert_eq!(stage.condition(&proxy, "Programmed").1, "NoProxies");
}
