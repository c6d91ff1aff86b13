use serde_json::json;

use super::objects::*;
use crate::{Changes, Object, World};

/// Two LLMProxies; `one` serves routes to `a` and to both, `two` a route to `b`.
fn two_proxies() -> World {
    let mut world = cluster();
    fill(
        &mut world,
        [
            proxy("x/one", json!({})),
            proxy("x/two", json!({})),
            plain("x/a", "http://a"),
            plain("x/b", "http://b"),
            route(
                "x/first",
                json!({"proxyRefs": [{"name": "one"}], "backends": [referring("x/a")]}),
            ),
            route(
                "x/second",
                json!({"proxyRefs": [{"name": "one"}], "backends": [referring("x/a"), referring("x/b")]}),
            ),
            route(
                "x/third",
                json!({"proxyRefs": [{"name": "two"}], "backends": [referring("x/b")]}),
            ),
        ],
    );
    world
}

#[test]
fn an_edit_of_a_backend_reaches_only_proxies_whose_routes_use_it() {
    let mut world = two_proxies();
    let changes = world.apply(plain("x/a", "http://other"));
    assert_eq!(pushes(&changes), ["x/one: LLMBackend/x/a"]);
    assert_eq!(outcomes(&changes), ["LLMBackend/x/a"]);
    let changes = world.apply(plain("x/b", "http://other"));
    assert_eq!(
        pushes(&changes),
        ["x/one: LLMBackend/x/b", "x/two: LLMBackend/x/b"]
    );
}

#[test]
fn an_edit_that_changes_no_content_pushes_nothing() {
    let mut world = two_proxies();
    let Object::Backend(same) = plain("x/a", "http://a") else {
        panic!()
    };
    let mut next = (*same).clone();
    next.metadata.generation = Some(2);
    let changes = world.apply(Object::Backend(next.into()));
    // Its status must speak of the new generation all the same.
    assert_eq!(outcomes(&changes), ["LLMBackend/x/a"]);
    assert_eq!(pushes(&changes), [""; 0]);
}

#[test]
fn a_write_of_status_changes_nothing() {
    let mut world = two_proxies();
    let Object::Proxy(proxy) = proxy("x/one", json!({})) else {
        panic!()
    };
    let mut reported = (*proxy).clone();
    reported.metadata.resource_version = Some("77".into());
    reported.status = Some(dragoman_crds::LLMProxyStatus {
        routes: Some(2),
        ..Default::default()
    });
    let changes = world.apply(Object::Proxy(reported.into()));
    assert_eq!(changes, Changes::default());
    let stored = world.proxy(&named("x/one")).unwrap();
    assert_eq!(stored.status.as_ref().unwrap().routes, Some(2));
}

#[test]
fn an_edit_of_an_llmproxys_deployment_concerns_no_route() {
    let mut world = two_proxies();
    let changes = world.apply(proxy("x/one", json!({"deployment": {"replicas": 3}})));
    assert_eq!(outcomes(&changes), [""; 0]);
    let changes = world.apply(proxy("x/one", json!({"limits": {"bodyBytes": "1Mi"}})));
    assert_eq!(outcomes(&changes), ["LLMProxy/x/one"]);
    assert_eq!(pushes(&changes), ["x/one: LLMProxy/x/one"]);
}

#[test]
fn one_of_three_thousand_routes_is_compiled_alone() {
    let mut world = cluster();
    fill(&mut world, [default_proxy(), plain("x/a", "http://a")]);
    for at in 0..3_000 {
        world.apply(route_to(&format!("x/r{at}"), "x/a"));
    }
    let edited = route(
        "x/r1500",
        json!({"backends": [referring("x/a")], "thinking": {"text": "Keep"}}),
    );
    let changes = world.apply(edited);
    assert_eq!(outcomes(&changes), ["LLMRoute/x/r1500"]);
    assert_eq!(pushes(&changes), ["system/default: LLMRoute/x/r1500"]);
    // The backend that all of them use is one item, and its edit one push.
    let changes = world.apply(plain("x/a", "http://b"));
    assert_eq!(outcomes(&changes), ["LLMBackend/x/a"]);
    assert_eq!(pushes(&changes), ["system/default: LLMBackend/x/a"]);
}

#[test]
fn a_deleted_route_takes_along_what_nobody_else_uses() {
    let mut world = two_proxies();
    let changes = world.delete_item(&key("LLMRoute/x/second"));
    assert_eq!(
        pushes(&changes),
        ["x/one: LLMBackend/x/b", "x/one: LLMRoute/x/second"]
    );
    assert_eq!(
        members(&world, "x/one"),
        ["LLMProxy/x/one", "LLMBackend/x/a", "LLMRoute/x/first"]
    );
    let changes = world.delete_item(&key("LLMRoute/x/first"));
    assert_eq!(
        pushes(&changes),
        ["x/one: LLMBackend/x/a", "x/one: LLMRoute/x/first"]
    );
    assert_eq!(members(&world, "x/one"), ["LLMProxy/x/one"]);
    assert!(world.outcome(&key("LLMRoute/x/first")).is_none());
}

#[test]
fn a_route_that_moves_leaves_one_proxy_and_joins_the_other() {
    let mut world = two_proxies();
    let changes = world.apply(route(
        "x/first",
        json!({"proxyRefs": [{"name": "two"}], "backends": [referring("x/a")]}),
    ));
    assert_eq!(
        pushes(&changes),
        [
            "x/one: LLMRoute/x/first",
            "x/two: LLMBackend/x/a",
            "x/two: LLMRoute/x/first"
        ]
    );
}

#[test]
fn what_is_not_known_can_be_deleted_without_a_change() {
    let mut world = two_proxies();
    assert_eq!(
        world.delete_item(&key("LLMRoute/x/none")),
        Changes::default()
    );
    assert_eq!(world.delete_namespace("none"), Changes::default());
}
