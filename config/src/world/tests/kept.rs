//! What a world that began while something was broken leaves with proxies.

use serde_json::json;

use super::objects::*;
use crate::{Object, World};

const PROXY: &str = "LLMProxy/system/default";
const CHAT: &str = "LLMRoute/team-a/chat";
const OLD: &str = "LLMBackend/models/old";
const NAMES: &str = "ModelMap/team-a/names";
const RULES: &str = "AccessPolicy/models/rules";
const GONE: &str = "LLMBackend/models/gone";

/// What proxies had before this world began.
const RAN: [&str; 6] = [PROXY, CHAT, OLD, NAMES, GONE, RULES];

fn shared(allowed: &str) -> Object {
    backend(
        "models/old",
        json!({"url": "http://old", "allowedRoutes": from(allowed)}),
    )
}

/// A version that does not compile and no longer says what the one before it uses.
fn broken() -> Object {
    route(
        "team-a/chat",
        json!({"backends": [{
            "name": "new",
            "backendRef": {"name": "new"},
            "models": {"deny": [{"regex": "("}]},
        }]}),
    )
}

fn cold(objects: impl IntoIterator<Item = Object>) -> World {
    let mut world = cluster();
    fill(&mut world, [shared("All"), map("team-a/names", json!({}))]);
    fill(&mut world, objects);
    world.listed();
    world
}

/// What of [`RAN`] stays: members, and what is kept besides.
fn stays(world: &World) -> Vec<&'static str> {
    let proxy = named("system/default");
    let ran: Vec<_> = RAN.iter().map(|name| key(name)).collect();
    let kept = world.kept(&proxy, &ran);
    RAN.into_iter()
        .filter(|name| kept.contains(&key(name)) || world.is_member(&proxy, &key(name)))
        .collect()
}

#[test]
fn what_the_unseen_version_of_a_broken_route_may_use_stays_until_the_route_compiles() {
    let mut world = cold([default_proxy(), broken()]);
    assert_eq!(stays(&world), [PROXY, CHAT, OLD, NAMES]);
    world.apply(route_to("team-a/chat", "models/old"));
    assert_eq!(stays(&world), [PROXY, CHAT, OLD]);
    // From here on it is known what the previous version uses.
    world.apply(broken());
    assert_eq!(stays(&world), [PROXY, CHAT, OLD]);
}

#[test]
fn nothing_stays_that_no_longer_admits_the_route_or_is_deleted() {
    let mut world = cold([default_proxy(), broken()]);
    world.apply(shared("Same"));
    assert_eq!(stays(&world), [PROXY, CHAT, NAMES]);
    world.delete_item(&key(NAMES));
    assert_eq!(stays(&world), [PROXY, CHAT]);
    world.delete_item(&key(CHAT));
    assert_eq!(stays(&world), [PROXY]);
}

#[test]
fn a_route_that_never_parsed_stays_with_what_it_may_use_where_it_is_admitted() {
    let mut world = cold([default_proxy(), malformed(CHAT)]);
    assert_eq!(stays(&world), [PROXY, CHAT, OLD, NAMES]);
    world.apply(proxy("system/default", json!({})));
    assert_eq!(stays(&world), [PROXY]);
}

#[test]
fn an_llmproxy_that_never_parsed_keeps_everything_that_exists_and_asks_for_it() {
    let mut world = cold([malformed(PROXY), route_to("team-a/chat", "models/old")]);
    assert_eq!(stays(&world), [PROXY, CHAT, OLD, NAMES]);
    world.apply(route(
        "team-a/chat",
        json!({"proxyRefs": [{"name": "own"}], "backends": [referring("models/old")]}),
    ));
    assert_eq!(stays(&world), [PROXY]);
    world.apply(route_to("team-a/chat", "models/old"));
    world.apply(default_proxy());
    assert_eq!(stays(&world), [PROXY, CHAT, OLD]);
}

#[test]
fn a_backend_that_never_parsed_holds_back_the_routes_that_may_run_with_it() {
    let mut world = cold([
        default_proxy(),
        route_to("team-a/chat", "models/old"),
        malformed(OLD),
    ]);
    // It was readable above; a world that never saw it so is another.
    assert!(outcome(&world, CHAT).item.is_ok());
    world = cluster();
    fill(
        &mut world,
        [
            route_to("team-a/chat", "models/old"),
            malformed(OLD),
            default_proxy(),
        ],
    );
    world.listed();
    let said = "LLMBackend models/old does not parse";
    assert!(
        matches!(&outcome(&world, CHAT).item, Err(fault) if fault.contains(said)),
        "{:?}",
        outcome(&world, CHAT)
    );
    assert!(!outcome(&world, CHAT).pending);
    assert_eq!(stays(&world), [PROXY, CHAT, OLD]);
    world.apply(shared("All"));
    holds(&world, CHAT);
}

#[test]
fn a_world_in_order_keeps_nothing_but_its_members() {
    let world = cold([default_proxy(), route_to("team-a/chat", "models/old")]);
    assert_eq!(stays(&world), [PROXY, CHAT, OLD]);
    let strange = key("LLMRoute/elsewhere/strange");
    assert!(world.kept(&named("system/default"), [&strange]).is_empty());
}

#[test]
fn what_never_compiled_here_keeps_the_policies_that_it_may_name() {
    let rules = || policy("models/rules", json!({"network": {"deny": ["10.0.0.0/8"]}}));
    let broken = backend(
        "models/old",
        json!({"url": "nowhere", "allowedRoutes": from("All")}),
    );
    let mut world = cluster();
    let route = route_to("team-a/chat", "models/old");
    fill(&mut world, [rules(), broken, default_proxy(), route]);
    world.listed();
    assert_eq!(stays(&world), [PROXY, CHAT, OLD, RULES]);
    // Once it compiles, it says itself what it names.
    world.apply(shared("All"));
    assert_eq!(stays(&world), [PROXY, CHAT, OLD]);
    // What is deleted is gone, whoever is broken.
    world.delete_item(&key(RULES));
    assert_eq!(stays(&world), [PROXY, CHAT, OLD]);
}
