use dragoman_crds::condition::{ACCEPTED, RESOLVED_REFS};
use serde_json::{Value, json};

use super::objects::*;
use crate::{Target, World};

const CHAT: &str = "LLMRoute/team-a/chat";

fn shared(allowed: Value) -> crate::Object {
    backend(
        "models/vllm",
        json!({"url": "http://vllm", "allowedRoutes": allowed}),
    )
}

fn world(allowed: Value) -> World {
    let mut world = cluster();
    fill(
        &mut world,
        [
            default_proxy(),
            namespace("team-a", &[("tier", "gold")]),
            shared(allowed),
            route_to("team-a/chat", "models/vllm"),
        ],
    );
    world
}

fn is_open(world: &World) -> bool {
    matches!(target(world, CHAT), Target::Item(_))
}

fn is_refused(world: &World) {
    assert!(matches!(target(world, CHAT), Target::Unresolved(_)));
    refused(
        world,
        CHAT,
        RESOLVED_REFS,
        "RefNotPermitted",
        &[
            "spec.backends[0].backendRef",
            "LLMBackend models/vllm",
            "team-a",
            "spec.allowedRoutes",
        ],
    );
    assert!(!members(world, "system/default").contains(&"LLMBackend/models/vllm".into()));
}

#[test]
fn another_namespaces_backend_needs_its_grant() {
    is_refused(&world(from("Same")));
    let all = world(from("All"));
    assert!(is_open(&all));
    holds(&all, CHAT);
}

#[test]
fn a_grant_that_is_taken_back_closes_the_route_at_once() {
    let mut world = world(from("All"));
    let changes = world.apply(shared(from("Same")));
    assert_eq!(
        pushes(&changes),
        [
            "system/default: LLMBackend/models/vllm",
            "system/default: LLMRoute/team-a/chat"
        ]
    );
    is_refused(&world);
    world.apply(shared(from("All")));
    assert!(is_open(&world));
}

#[test]
fn a_selector_follows_the_labels_of_namespaces() {
    let gold = json!({"namespaces": {"from": "Selector", "selector": {
        "matchLabels": {"tier": "gold"},
        "matchExpressions": [{"key": "frozen", "operator": "DoesNotExist"}]}}});
    let mut world = world(gold);
    assert!(is_open(&world));
    let changes = world.apply(namespace("team-a", &[("tier", "silver")]));
    assert_eq!(outcomes(&changes), [CHAT]);
    is_refused(&world);
    world.apply(namespace("team-a", &[("tier", "gold")]));
    assert!(is_open(&world));
    world.apply(namespace("team-a", &[("tier", "gold"), ("frozen", "")]));
    is_refused(&world);
    world.delete_namespace("team-a");
    is_refused(&world);
}

#[test]
fn every_operator_of_a_selector_is_known() {
    for (operator, values, admitted) in [
        ("In", json!(["gold", "silver"]), true),
        ("In", json!(["silver"]), false),
        ("NotIn", json!(["silver"]), true),
        ("NotIn", json!(["gold"]), false),
        ("Exists", json!([]), true),
        ("DoesNotExist", json!([]), false),
        ("Like", json!(["gold"]), false),
    ] {
        let expression = json!({"key": "tier", "operator": operator, "values": values});
        let selector = json!({"matchExpressions": [expression]});
        let world = world(json!({"namespaces": {"from": "Selector", "selector": selector}}));
        assert_eq!(is_open(&world), admitted, "{operator} {values}");
    }
}

#[test]
fn among_files_a_namespace_has_its_name() {
    let named = json!({"namespaces": {"from": "Selector", "selector": {
        "matchLabels": {"kubernetes.io/metadata.name": "team-a"}}}});
    let mut world = files();
    fill(
        &mut world,
        [
            proxy("team-a/only", json!({})),
            shared(named),
            route_to("team-a/chat", "models/vllm"),
        ],
    );
    assert!(is_open(&world));
}

#[test]
fn a_missing_backend_is_named_with_its_field_and_the_others_go_on() {
    let mut world = cluster();
    fill(
        &mut world,
        [
            default_proxy(),
            plain("team-a/here", "http://here"),
            route(
                "team-a/chat",
                json!({"backends": [referring("team-a/gone"), referring("team-a/here")]}),
            ),
        ],
    );
    refused(
        &world,
        CHAT,
        RESOLVED_REFS,
        "RefNotFound",
        &[
            "spec.backends[0].backendRef",
            "LLMBackend team-a/gone",
            "create it",
        ],
    );
    let backends = &route_item(&world, CHAT).backends;
    assert!(matches!(backends[1].target, Target::Item(_)));
    world.apply(plain("team-a/gone", "http://back"));
    holds(&world, CHAT);
    assert_eq!(
        members(&world, "system/default"),
        [
            "LLMProxy/system/default",
            "LLMBackend/team-a/gone",
            "LLMBackend/team-a/here",
            CHAT
        ]
    );
    let changes = world.delete_item(&key("LLMBackend/team-a/gone"));
    assert_eq!(
        pushes(&changes),
        [
            "system/default: LLMBackend/team-a/gone",
            "system/default: LLMRoute/team-a/chat"
        ]
    );
}

#[test]
fn a_map_that_is_missing_or_closed_closes_the_route() {
    let mut world = cluster();
    let mapped = json!({"modelMapRef": {"name": "names", "namespace": "models"}, "backends": [referring("team-a/b")]});
    fill(
        &mut world,
        [
            default_proxy(),
            plain("team-a/b", "http://b"),
            route("team-a/chat", mapped),
        ],
    );
    let closed = |world: &World| {
        matches!(
            route_item(world, CHAT).model_map,
            Some(Target::Unresolved(_))
        )
    };
    assert!(closed(&world));
    refused(
        &world,
        CHAT,
        RESOLVED_REFS,
        "RefNotFound",
        &["spec.modelMapRef", "ModelMap models/names", "create it"],
    );
    world.apply(map("models/names", json!({})));
    assert!(closed(&world));
    refused(
        &world,
        CHAT,
        RESOLVED_REFS,
        "RefNotPermitted",
        &[
            "spec.modelMapRef",
            "ModelMap models/names",
            "spec.allowedRoutes",
        ],
    );
    world.apply(map("models/names", json!({"allowedRoutes": from("All")})));
    assert!(!closed(&world));
    holds(&world, CHAT);
}

#[test]
fn a_map_that_does_not_compile_is_an_item_whose_previous_version_stays() {
    let mut world = cluster();
    fill(
        &mut world,
        [
            default_proxy(),
            map("team-a/names", json!({})),
            plain("team-a/b", "http://b"),
            route(
                "team-a/chat",
                json!({"modelMapRef": {"name": "names"}, "backends": [referring("team-a/b")]}),
            ),
        ],
    );
    let bad = json!({"rules": [{"match": {"regex": "gpt-(.*"}, "target": {"model": "x"}}]});
    let changes = world.apply(map("team-a/names", bad));
    assert_eq!(pushes(&changes), ["system/default: ModelMap/team-a/names"]);
    assert!(outcome(&world, "ModelMap/team-a/names").item.is_err());
    refused(
        &world,
        "ModelMap/team-a/names",
        ACCEPTED,
        "Invalid",
        &["spec.rules[0].match"],
    );
    // The route still says that it uses the map, and why it is not ready.
    assert!(matches!(
        route_item(&world, CHAT).model_map,
        Some(Target::Item(_))
    ));
    refused(
        &world,
        CHAT,
        RESOLVED_REFS,
        "RefInvalid",
        &[
            "spec.modelMapRef",
            "ModelMap team-a/names",
            "spec.rules[0].match",
        ],
    );
}

#[test]
fn fallbacks_that_lead_back_are_refused_by_name() {
    let mut world = cluster();
    let rule = |name: &str, next: &str| json!({"match": {"exact": name}, "target": {"model": format!("{name}-x")}, "fallbacks": [{"model": next}]});
    world.apply(map(
        "team-a/names",
        json!({"rules": [rule("a", "b"), rule("b", "a")]}),
    ));
    refused(
        &world,
        "ModelMap/team-a/names",
        ACCEPTED,
        "Invalid",
        &["spec.rules[", "fallbacks"],
    );
}

#[test]
fn many_faults_still_fit_a_condition() {
    let mut world = cluster();
    let rules: Vec<_> = (0..256)
        .map(|at| json!({"match": {"exact": format!("m{at}")}, "defaults": {"model": "x"}}))
        .collect();
    world.apply(map("team-a/names", json!({"rules": rules})));
    let verdict = verdict(&world, "ModelMap/team-a/names", ACCEPTED);
    assert!(verdict.message.len() <= 32 << 10);
    assert!(
        verdict.message.ends_with("; and 246 more"),
        "{}",
        verdict.message
    );
}
