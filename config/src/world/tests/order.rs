use proptest::prelude::*;
use serde_json::json;

use super::objects::*;
use crate::{Object, World};

/// A small installation in which everything refers to something.
fn installation() -> Vec<Object> {
    let selector =
        json!({"namespaces": {"from": "Selector", "selector": {"matchLabels": {"llm": "yes"}}}});
    vec![
        default_proxy(),
        proxy("team-a/own", json!({"backends": {"inline": "Deny"}})),
        namespace("team-a", &[("llm", "yes")]),
        namespace("team-b", &[]),
        secret("models/key", "k1"),
        secret("team-b/key", "k2"),
        no_secret("models/gone"),
        backend(
            "models/vllm",
            json!({"url": "https://vllm.example.com/v1", "credential": token_of("key"), "allowedRoutes": from("All")}),
        ),
        backend(
            "models/keyless",
            json!({"url": "https://x.example.com", "credential": token_of("gone"), "allowedRoutes": selector}),
        ),
        plain("team-a/private", "http://private:8000/v1"),
        map(
            "models/names",
            json!({"rules": [{"match": {"exact": "gpt-4"}, "target": {"model": "llama3"}}], "allowedRoutes": from("All")}),
        ),
        created(
            route(
                "team-a/chat",
                json!({
                    "proxyRefs": [{"name": "default", "namespace": "system"}, {"name": "own"}],
                    "hostnames": ["llm.example.com"],
                    "modelMapRef": {"name": "names", "namespace": "models"},
                    "backends": [referring("models/vllm"), referring("models/keyless"), referring("team-a/private")],
                }),
            ),
            20,
        ),
        created(
            route(
                "team-b/chat",
                json!({
                    "hostnames": ["llm.example.com", "b.example.com"],
                    "backends": [referring("models/keyless"), {"name": "own", "inline": {"url": "http://own", "credential": token_of("key")}}],
                }),
            ),
            10,
        ),
        route(
            "team-b/broken",
            json!({"backends": [{"name": "vllm", "backendRef": {"name": "vllm", "namespace": "models"}, "models": {"deny": [{"regex": "("}]}}]}),
        ),
        route(
            "team-b/nowhere",
            json!({"proxyRefs": [{"name": "none"}], "backends": [referring("team-b/none")]}),
        ),
    ]
}

/// Everything that others see of a world.
fn seen(world: &World) -> Vec<String> {
    let mut seen: Vec<String> = world
        .keys()
        .map(|key| format!("{key} {:?}", world.outcome(key)))
        .collect();
    seen.extend(
        ["system/default", "team-a/own"]
            .map(|proxy| format!("{proxy} {:?}", members(world, proxy))),
    );
    seen.push(format!("{:?}", world.wanted_inputs()));
    seen
}

fn in_order() -> Vec<String> {
    let mut world = cluster();
    fill(&mut world, installation());
    seen(&world)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn items_conditions_and_members_are_the_same_whatever_the_order_in_which_objects_come(
        objects in Just(installation()).prop_shuffle()
    ) {
        let mut world = cluster();
        fill(&mut world, objects);
        prop_assert_eq!(seen(&world), in_order());
    }

    #[test]
    fn what_came_and_went_leaves_no_trace(
        objects in Just(installation()).prop_shuffle(),
        extra in Just(installation()).prop_shuffle(),
    ) {
        let mut world = cluster();
        fill(&mut world, extra);
        let keys: Vec<_> = world.keys().cloned().collect();
        for key in keys {
            world.delete_item(&key);
        }
        prop_assert_eq!(world.keys().count(), 0);
        prop_assert!(members(&world, "system/default").is_empty());
        prop_assert!(world.wanted_inputs().is_empty());
        fill(&mut world, objects);
        prop_assert_eq!(seen(&world), in_order());
    }

    #[test]
    fn the_same_object_again_changes_nothing(at in 0..installation().len()) {
        let mut world = cluster();
        fill(&mut world, installation());
        let changes = world.apply(installation().swap_remove(at));
        prop_assert_eq!(changes, crate::Changes::default());
    }
}

#[test]
fn the_order_of_fields_does_not_change_the_content() {
    let mut one = cluster();
    let mut other = cluster();
    one.apply(map(
        "a/m",
        json!({"rules": [{"match": {"exact": "x"}, "defaults": {"a": 1, "b": {"c": 2, "d": 3}}}]}),
    ));
    other.apply(map(
        "a/m",
        json!({"rules": [{"defaults": {"b": {"d": 3, "c": 2}, "a": 1}, "match": {"exact": "x"}}]}),
    ));
    assert_eq!(
        outcome(&one, "ModelMap/a/m").canonical,
        outcome(&other, "ModelMap/a/m").canonical
    );
}
