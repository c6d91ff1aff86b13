use dragoman_crds::condition::{ACCEPTED, RESOLVED_REFS};
use serde_json::{Value, json};

use super::objects::*;
use crate::{Object, Target, World};

const CHAT: &str = "LLMRoute/team-a/chat";
const VLLM: &str = "LLMBackend/models/vllm";

fn shared(allowed: &str) -> Object {
    backend(
        "models/vllm",
        json!({"url": "http://vllm", "allowedRoutes": from(allowed)}),
    )
}

fn chat(extra: Value) -> Object {
    let mut spec =
        json!({"hostnames": ["llm.example.com"], "backends": [referring("models/vllm")]});
    spec.as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    created(route("team-a/chat", spec), 10)
}

fn world() -> World {
    let mut world = cluster();
    fill(
        &mut world,
        [default_proxy(), shared("All"), chat(json!({}))],
    );
    world.listed();
    world
}

/// A route whose next version refers to another backend, and has a regex that does not parse.
fn broken() -> Object {
    chat(json!({"backends": [{
        "name": "other",
        "backendRef": {"name": "other"},
        "models": {"deny": [{"regex": "("}]},
    }]}))
}

#[test]
fn a_route_that_does_not_parse_keeps_its_place_and_says_so() {
    let mut world = world();
    let before = members(&world, "system/default");
    let changes = world.apply(malformed(CHAT));
    assert_eq!(outcomes(&changes), [CHAT]);
    assert_eq!(pushes(&changes), ["system/default: LLMRoute/team-a/chat"]);
    assert_eq!(members(&world, "system/default"), before);
    assert!(outcome(&world, CHAT).item.is_err());
    assert_eq!(outcome(&world, CHAT).generation, 2);
    refused(&world, CHAT, ACCEPTED, "Malformed", &["unknown field `x`"]);
    // Its hostname stays too.
    let late = json!({"hostnames": ["llm.example.com"], "backends": [referring("models/vllm")]});
    world.apply(created(route("team-b/chat", late), 30));
    refused(
        &world,
        "LLMRoute/team-b/chat",
        ACCEPTED,
        "HostnameTaken",
        &["team-a/chat"],
    );
    world.apply(chat(json!({})));
    holds(&world, CHAT);
}

#[test]
fn a_route_that_does_not_parse_keeps_nothing_that_is_taken_away() {
    let mut world = world();
    world.apply(malformed(CHAT));
    world.apply(shared("Same"));
    assert!(!members(&world, "system/default").contains(&VLLM.to_owned()));
    world.apply(proxy("system/default", json!({})));
    assert_eq!(
        members(&world, "system/default"),
        ["LLMProxy/system/default"]
    );
    let late = json!({"proxyRefs": [{"name": "default"}], "hostnames": ["llm.example.com"], "backends": [referring("system/b")]});
    world.apply(created(route("system/late", late), 30));
    assert!(verdict(&world, "LLMRoute/system/late", ACCEPTED).status);
}

#[test]
fn a_route_that_does_not_compile_keeps_what_its_previous_version_uses() {
    let mut world = world();
    world.apply(plain("team-a/other", "http://other"));
    let changes = world.apply(broken());
    assert!(outcome(&world, CHAT).item.is_err());
    refused(
        &world,
        CHAT,
        ACCEPTED,
        "Invalid",
        &["spec.backends[0].models.deny[0]"],
    );
    assert!(members(&world, "system/default").contains(&VLLM.to_owned()));
    assert!(!pushes(&changes).contains(&format!("system/default: {VLLM}")));
    // A second bad edit changes nothing about that, and the good one ends it.
    world.apply(broken());
    world.apply(chat(json!({"backends": [referring("team-a/other")]})));
    assert_eq!(
        members(&world, "system/default"),
        ["LLMProxy/system/default", "LLMBackend/team-a/other", CHAT]
    );
}

#[test]
fn a_broken_route_does_not_keep_a_backend_whose_grant_is_taken_back() {
    let mut world = world();
    world.apply(broken());
    world.apply(shared("Same"));
    assert!(!members(&world, "system/default").contains(&VLLM.to_owned()));
}

#[test]
fn a_backend_that_does_not_parse_leaves_its_routes_as_they_are() {
    let mut world = world();
    let changes = world.apply(malformed(VLLM));
    assert_eq!(pushes(&changes), ["system/default: LLMBackend/models/vllm"]);
    assert!(matches!(target(&world, CHAT), Target::Item(_)));
    refused(
        &world,
        CHAT,
        RESOLVED_REFS,
        "RefInvalid",
        &[
            "spec.backends[0].backendRef",
            "LLMBackend models/vllm",
            "unknown field `x`",
        ],
    );
    world.apply(shared("All"));
    holds(&world, CHAT);
}

#[test]
fn what_never_parsed_admits_nobody() {
    let mut world = cluster();
    fill(&mut world, [default_proxy(), chat(json!({}))]);
    world.listed();
    world.apply(malformed(VLLM));
    assert!(matches!(target(&world, CHAT), Target::Unresolved(_)));
    let said = ["LLMBackend models/vllm", "does not parse"];
    refused(&world, CHAT, RESOLVED_REFS, "RefInvalid", &said);
    world.apply(shared("All"));
    holds(&world, CHAT);
}

#[test]
fn an_llmproxy_that_does_not_parse_goes_on_serving() {
    let mut world = world();
    let before = members(&world, "system/default");
    world.apply(malformed("LLMProxy/system/default"));
    assert_eq!(members(&world, "system/default"), before);
    assert!(world.proxy(&named("system/default")).is_some());
    assert!(verdict(&world, CHAT, ACCEPTED).status);
    refused(
        &world,
        "LLMProxy/system/default",
        ACCEPTED,
        "Malformed",
        &["unknown field"],
    );
}

#[test]
fn a_malformed_object_can_be_deleted() {
    let mut world = world();
    world.apply(malformed(CHAT));
    world.delete_item(&key(CHAT));
    assert_eq!(
        members(&world, "system/default"),
        ["LLMProxy/system/default"]
    );
    assert!(world.outcome(&key(CHAT)).is_none());
}
