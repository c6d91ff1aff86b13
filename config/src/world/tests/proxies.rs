use dragoman_crds::condition::ACCEPTED;
use serde_json::json;

use super::objects::*;
use crate::World;

const CHAT: &str = "LLMRoute/team-a/chat";

fn with(proxy: crate::Object) -> World {
    let mut world = cluster();
    fill(
        &mut world,
        [
            proxy,
            plain("team-a/b", "http://b"),
            route_to("team-a/chat", "team-a/b"),
        ],
    );
    world
}

#[test]
fn a_route_without_proxy_refs_joins_the_default() {
    let world = with(default_proxy());
    holds(&world, CHAT);
    assert_eq!(outcome(&world, CHAT).attached, [named("system/default")]);
    assert_eq!(
        members(&world, "system/default"),
        ["LLMProxy/system/default", "LLMBackend/team-a/b", CHAT]
    );
}

#[test]
fn a_missing_llmproxy_is_named_and_found_when_it_comes() {
    let mut world = with(proxy("other/other", json!({})));
    refused(
        &world,
        CHAT,
        ACCEPTED,
        "NoProxy",
        &["spec.proxyRefs", "LLMProxy system/default", "create it"],
    );
    assert!(outcome(&world, CHAT).attached.is_empty());
    let changes = world.apply(default_proxy());
    assert_eq!(outcomes(&changes), ["LLMProxy/system/default", CHAT]);
    holds(&world, CHAT);
    let changes = world.delete_item(&key("LLMProxy/system/default"));
    assert_eq!(
        pushes(&changes),
        [
            "system/default: LLMProxy/system/default",
            "system/default: LLMBackend/team-a/b",
            "system/default: LLMRoute/team-a/chat"
        ]
    );
    assert!(members(&world, "system/default").is_empty());
}

#[test]
fn an_llmproxy_that_does_not_admit_the_namespace_is_not_joined() {
    let mut world = with(proxy("system/default", json!({})));
    refused(
        &world,
        CHAT,
        ACCEPTED,
        "NotAllowedByProxy",
        &[
            "LLMProxy system/default",
            "team-a",
            "spec.allowedRoutes.namespaces",
        ],
    );
    assert_eq!(
        members(&world, "system/default"),
        ["LLMProxy/system/default"]
    );
    world.apply(default_proxy());
    assert_eq!(members(&world, "system/default").len(), 3);
    world.apply(proxy("system/default", json!({})));
    assert_eq!(
        members(&world, "system/default"),
        ["LLMProxy/system/default"]
    );
}

#[test]
fn an_llmproxy_that_denies_inline_backends_takes_no_route_with_one() {
    let mut world = with(proxy(
        "system/default",
        json!({"allowedRoutes": from("All"), "backends": {"inline": "Deny"}}),
    ));
    holds(&world, CHAT);
    let inline = json!({"backends": [referring("team-a/b"), {"name": "own", "inline": {"url": "http://own"}}]});
    let changes = world.apply(route("team-a/chat", inline));
    refused(
        &world,
        CHAT,
        ACCEPTED,
        "InlineBackendDenied",
        &[
            "spec.backends[1].inline",
            "LLMProxy system/default",
            "refer to an LLMBackend",
        ],
    );
    assert_eq!(
        pushes(&changes),
        [
            "system/default: LLMBackend/team-a/b",
            "system/default: LLMRoute/team-a/chat"
        ]
    );
}

#[test]
fn one_llmproxy_that_refuses_does_not_keep_the_route_from_another() {
    let mut world = with(default_proxy());
    fill(
        &mut world,
        [
            proxy("system/closed", json!({})),
            route(
                "team-a/chat",
                json!({
                    "proxyRefs": [{"name": "closed", "namespace": "system"}, {"name": "default", "namespace": "system"}],
                    "backends": [referring("team-a/b")],
                }),
            ),
        ],
    );
    assert_eq!(outcome(&world, CHAT).attached, [named("system/default")]);
    refused(
        &world,
        CHAT,
        ACCEPTED,
        "NotAllowedByProxy",
        &["spec.proxyRefs[0]", "LLMProxy system/closed"],
    );
}

#[test]
fn among_files_the_only_llmproxy_serves_and_two_must_be_named() {
    let mut world = files();
    fill(
        &mut world,
        [
            plain("team-a/b", "http://b"),
            route_to("team-a/chat", "team-a/b"),
        ],
    );
    refused(
        &world,
        CHAT,
        ACCEPTED,
        "NoProxy",
        &["there are 0 LLMProxies"],
    );
    world.apply(proxy("team-a/one", json!({})));
    holds(&world, CHAT);
    world.apply(proxy("team-a/two", json!({})));
    refused(
        &world,
        CHAT,
        ACCEPTED,
        "NoProxy",
        &["there are 2 LLMProxies", "name the one"],
    );
    assert_eq!(members(&world, "team-a/one"), ["LLMProxy/team-a/one"]);
    world.delete_item(&key("LLMProxy/team-a/one"));
    holds(&world, CHAT);
    assert_eq!(outcome(&world, CHAT).attached, [named("team-a/two")]);
}

#[test]
fn a_network_that_is_none_is_refused_with_its_field() {
    let world = with(proxy(
        "system/default",
        json!({"backends": {"deniedCIDRs": ["10.0.0.0/8", "10.0.0.300/8"]}, "limits": {"headerBytes": "1Ki"}}),
    ));
    refused(
        &world,
        "LLMProxy/system/default",
        ACCEPTED,
        "Invalid",
        &[
            "spec.backends.deniedCIDRs[1]",
            "10.0.0.300/8",
            "spec.limits.headerBytes",
        ],
    );
}
