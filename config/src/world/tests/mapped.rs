//! Maps that send names to backends of the route.

use dragoman_crds::condition::RESOLVED_REFS;
use serde_json::{Value, json};

use super::objects::*;
use crate::{Object, World};

const CHAT: &str = "LLMRoute/team-a/chat";

fn names(rules: Value) -> Object {
    map("team-a/names", json!({"rules": rules}))
}

fn world(rules: Value) -> World {
    let mut world = cluster();
    let spec = json!({"modelMapRef": {"name": "names"}, "backends": [referring("team-a/vllm")]});
    fill(
        &mut world,
        [
            default_proxy(),
            plain("team-a/vllm", "http://vllm"),
            names(rules),
            route("team-a/chat", spec),
        ],
    );
    world
}

fn leading(backend: &str) -> Value {
    json!([{"match": {"exact": "gpt-4"}, "target": {"model": "m", "backend": backend}}])
}

#[test]
fn a_rule_that_leads_to_a_backend_that_the_route_lacks_is_told_on_the_route() {
    let world = world(leading("vlm"));
    let said = [
        "spec.modelMapRef",
        "rules[0].target of ModelMap team-a/names (exact \"gpt-4\")",
        "\"vlm\"",
        "name one of vllm there",
    ];
    refused(&world, CHAT, RESOLVED_REFS, "RefNotFound", &said);
    // It answers all the same: other names are fine.
    assert!(outcome(&world, CHAT).item.is_ok());
    holds(&world, "ModelMap/team-a/names");
}

#[test]
fn a_fallback_that_leads_to_nobody_is_told_too() {
    let world = world(json!([
        {"match": {"regex": "a.*"}, "target": {"backend": "vllm"}, "fallbacks": [{"model": "b"}, {"backend": "spare"}]},
        {"match": {"exact": "b"}, "target": {"backend": "other"}},
    ]));
    let said = [
        "rules[0].fallbacks[1] of ModelMap team-a/names (regex \"a.*\")",
        "\"spare\"",
        "rules[1].target",
        "\"other\"",
    ];
    refused(&world, CHAT, RESOLVED_REFS, "RefNotFound", &said);
}

#[test]
fn an_edit_of_the_map_is_seen_on_the_routes_that_it_concerns() {
    let mut world = world(leading("vllm"));
    holds(&world, CHAT);
    let changes = world.apply(names(leading("vlm")));
    assert_eq!(outcomes(&changes), ["ModelMap/team-a/names", CHAT]);
    assert!(!outcome(&world, CHAT).holds());
    world.apply(names(leading("vllm")));
    holds(&world, CHAT);
    // What names no backend anew concerns no route.
    let changes = world.apply(names(json!([
        {"match": {"exact": "gpt-4"}, "target": {"model": "other", "backend": "vllm"}}
    ])));
    assert_eq!(outcomes(&changes), ["ModelMap/team-a/names"]);
}
