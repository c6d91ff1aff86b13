//! What refers to AccessPolicies.

use dragoman_crds::condition::{ACCEPTED, RESOLVED_REFS};
use serde_json::{Value, json};

use super::objects::*;
use crate::{Item, Object, PolicyTarget, PriceItem, World};

const PROXY: &str = "LLMProxy/system/default";
const CHAT: &str = "LLMRoute/team-a/chat";
const VLLM: &str = "LLMBackend/models/vllm";

fn shared(spec: Value) -> Object {
    let mut spec = spec;
    spec["url"] = "http://vllm".into();
    spec["allowedRoutes"] = from("All");
    backend("models/vllm", spec)
}

fn proxy_with(spec: Value) -> Object {
    let mut spec = spec;
    spec["allowedRoutes"] = from("All");
    proxy("system/default", spec)
}

fn chat(spec: Value) -> Object {
    let mut spec = spec;
    spec["backends"] = json!([referring("models/vllm")]);
    route("team-a/chat", spec)
}

fn refs(names: &[&str]) -> Value {
    let reference = |name: &&str| {
        let (namespace, name) = name.split_once('/').unwrap();
        json!({"name": name, "namespace": namespace})
    };
    json!({"accessPolicyRefs": names.iter().map(reference).collect::<Vec<_>>()})
}

/// A policy that denies a network, so that its content shows.
fn denying(name: &str, network: &str) -> Object {
    policy(
        name,
        json!({"network": {"deny": [network]}, "allowedRoutes": from("All")}),
    )
}

fn world(objects: impl IntoIterator<Item = Object>) -> World {
    let mut world = cluster();
    let base = [default_proxy(), shared(json!({})), chat(json!({}))];
    fill(&mut world, base);
    fill(&mut world, objects);
    world.listed();
    world
}

fn of_route(world: &World) -> Option<Vec<PolicyTarget>> {
    route_item(world, CHAT).policies.clone()
}

fn of_proxy(world: &World) -> Option<Vec<PolicyTarget>> {
    proxy_item(world, PROXY).policies.clone()
}

fn of_backend(world: &World) -> Option<Vec<PolicyTarget>> {
    match outcome(world, VLLM).item.as_deref() {
        Ok(Item::Backend(backend)) => backend.policies.clone(),
        other => panic!("{other:?}"),
    }
}

fn item(name: &str) -> PolicyTarget {
    PolicyTarget::Item(key(name))
}

#[test]
fn where_no_policy_is_named_items_look_as_they_did_before() {
    let world = world([]);
    assert_eq!(of_route(&world), None);
    assert_eq!(of_proxy(&world), None);
    assert_eq!(of_backend(&world), None);
    holds(&world, PROXY);
}

#[test]
fn policies_of_the_proxy_the_route_and_the_backend_reach_the_proxies_that_run_them() {
    let mut world = world([
        denying("team-a/own", "10.0.0.0/8"),
        denying("models/guard", "10.0.0.0/8"),
        denying("system/all", "10.0.0.0/8"),
        proxy_with(refs(&["system/all"])),
        chat(refs(&["team-a/own"])),
        shared(refs(&["models/guard"])),
    ]);
    holds(&world, CHAT);
    holds(&world, VLLM);
    holds(&world, PROXY);
    assert_eq!(of_proxy(&world).unwrap(), [item("AccessPolicy/system/all")]);
    assert_eq!(of_route(&world).unwrap(), [item("AccessPolicy/team-a/own")]);
    assert_eq!(
        of_backend(&world).unwrap(),
        [item("AccessPolicy/models/guard")]
    );
    let all = [
        "AccessPolicy/models/guard",
        "AccessPolicy/system/all",
        "AccessPolicy/team-a/own",
        PROXY,
        VLLM,
        CHAT,
    ];
    assert_eq!(members(&world, "system/default"), all);
    // An edit of a policy is one push of that policy.
    let changes = world.apply(denying("models/guard", "10.0.0.0/16"));
    assert_eq!(
        pushes(&changes),
        ["system/default: AccessPolicy/models/guard"]
    );
    assert_eq!(outcomes(&changes), ["AccessPolicy/models/guard"]);
    // What is referred to no longer goes.
    world.apply(shared(json!({})));
    world.apply(proxy_with(json!({})));
    assert_eq!(
        members(&world, "system/default"),
        ["AccessPolicy/team-a/own", PROXY, VLLM, CHAT]
    );
}

#[test]
fn a_policy_that_is_missing_closes_what_names_it_until_it_comes() {
    let mut world = world([
        chat(refs(&["team-a/own"])),
        proxy_with(refs(&["system/all"])),
        shared(refs(&["models/guard"])),
    ]);
    for (name, policy) in [
        (CHAT, "team-a/own"),
        (PROXY, "system/all"),
        (VLLM, "models/guard"),
    ] {
        let said = [
            "spec.accessPolicyRefs[0]",
            policy,
            "does not exist",
            "create it",
        ];
        refused(&world, name, RESOLVED_REFS, "RefNotFound", &said);
        assert!(verdict(&world, name, ACCEPTED).status);
    }
    let closed = |targets: Option<Vec<PolicyTarget>>| {
        matches!(targets.unwrap().as_slice(), [PolicyTarget::Unresolved(_)])
    };
    assert!(closed(of_route(&world)) && closed(of_proxy(&world)) && closed(of_backend(&world)));
    world.apply(denying("team-a/own", "10.0.0.0/8"));
    world.apply(denying("system/all", "10.0.0.0/8"));
    world.apply(denying("models/guard", "10.0.0.0/8"));
    for name in [CHAT, PROXY, VLLM] {
        holds(&world, name);
    }
    world.delete_item(&key("AccessPolicy/team-a/own"));
    assert!(closed(of_route(&world)));
}

#[test]
fn another_namespaces_policy_needs_its_grant_and_a_grant_taken_back_closes() {
    let own = |allowed: &str| {
        policy(
            "security/own",
            json!({"network": {"deny": ["10.0.0.0/8"]}, "allowedRoutes": from(allowed)}),
        )
    };
    let mut world = world([own("Same"), chat(refs(&["security/own"]))]);
    let said = [
        "spec.accessPolicyRefs[0]",
        "AccessPolicy security/own",
        "team-a",
        "spec.allowedRoutes",
    ];
    refused(&world, CHAT, RESOLVED_REFS, "RefNotPermitted", &said);
    world.apply(own("All"));
    holds(&world, CHAT);
    world.apply(own("Same"));
    assert!(matches!(
        of_route(&world).unwrap()[0],
        PolicyTarget::Unresolved(_)
    ));
    assert!(!members(&world, "system/default").contains(&"AccessPolicy/security/own".into()));
}

#[test]
fn a_policy_that_does_not_compile_is_an_item_whose_previous_version_stays() {
    let mut world = world([
        denying("team-a/own", "10.0.0.0/8"),
        chat(refs(&["team-a/own"])),
    ]);
    let changes = world.apply(denying("team-a/own", "nowhere"));
    assert_eq!(
        pushes(&changes)[0],
        "system/default: AccessPolicy/team-a/own"
    );
    assert!(outcome(&world, "AccessPolicy/team-a/own").item.is_err());
    assert_eq!(of_route(&world).unwrap(), [item("AccessPolicy/team-a/own")]);
    let said = [
        "spec.accessPolicyRefs[0]",
        "AccessPolicy team-a/own",
        "spec.network.deny[0]",
    ];
    refused(&world, CHAT, RESOLVED_REFS, "RefInvalid", &said);
}

#[test]
fn a_backends_policy_neither_changes_nor_answers_requests() {
    let choosing = |action: Value| {
        let mut rule = json!({"name": "choose"});
        rule.as_object_mut()
            .unwrap()
            .extend(action.as_object().unwrap().clone());
        policy(
            "models/guard",
            json!({"rules": [{"name": "first", "action": "Deny", "when": "model == 'x'"}, rule]}),
        )
    };
    for action in [
        json!({"action": "SetModel", "model": "m"}),
        json!({"action": "AllowBackendHeader"}),
        json!({"action": "Set", "set": [{"path": "seed", "expression": "1"}]}),
        json!({"action": "Respond", "message": "No."}),
    ] {
        let mut world = world([choosing(action), shared(refs(&["models/guard"]))]);
        let said = [
            "rule \"choose\"",
            "AccessPolicy models/guard",
            "from an LLMRoute",
        ];
        refused(&world, VLLM, RESOLVED_REFS, "RefNotPermitted", &said);
        assert!(matches!(
            of_backend(&world).unwrap()[0],
            PolicyTarget::Unresolved(_)
        ));
        world.apply(choosing(json!({"action": "Allow"})));
        holds(&world, VLLM);
    }
}

#[test]
fn an_inline_backends_policies_are_those_of_the_routes_namespace() {
    let mut inline = refs(&["team-a/own"]);
    inline["url"] = "http://own".into();
    let spec = json!({"backends": [{"name": "own", "inline": inline}]});
    let world = world([
        denying("team-a/own", "10.0.0.0/8"),
        route("team-a/chat", spec),
    ]);
    holds(&world, CHAT);
    assert!(members(&world, "system/default").contains(&"AccessPolicy/team-a/own".into()));
}

#[test]
fn an_llmproxy_that_requires_a_policy_takes_no_route_without_one() {
    let strict = || proxy_with(json!({"requireAccessPolicy": true}));
    let mut world = world([strict()]);
    let said = [
        "LLMProxy system/default",
        "spec.requireAccessPolicy",
        "spec.accessPolicyRefs",
    ];
    refused(&world, CHAT, ACCEPTED, "AccessPolicyRequired", &said);
    assert_eq!(members(&world, "system/default"), [PROXY]);
    world.apply(denying("team-a/own", "10.0.0.0/8"));
    world.apply(chat(refs(&["team-a/own"])));
    holds(&world, CHAT);
    // The LLMProxy's own serves as well, and goes for all routes at once.
    world.apply(chat(json!({})));
    world.apply(denying("system/all", "10.0.0.0/8"));
    let mut own = refs(&["system/all"]);
    own["requireAccessPolicy"] = true.into();
    world.apply(proxy_with(own));
    holds(&world, CHAT);
    world.apply(strict());
    refused(&world, CHAT, ACCEPTED, "AccessPolicyRequired", &[]);
}

#[test]
fn to_break_a_route_is_no_way_around_a_policy_that_is_required() {
    let mut world = world([denying("team-a/own", "10.0.0.0/8")]);
    assert!(members(&world, "system/default").contains(&CHAT.into()));
    let broken = || {
        let mut spec = refs(&["team-a/own"]);
        spec["backends"] = json!([{"name": "vllm", "backendRef": {"name": "gone"}, "models": {"deny": [{"regex": "("}]}}]);
        route("team-a/chat", spec)
    };
    world.apply(broken());
    assert!(members(&world, "system/default").contains(&CHAT.into()));
    world.apply(proxy_with(json!({"requireAccessPolicy": true})));
    assert_eq!(members(&world, "system/default"), [PROXY]);
    refused(&world, CHAT, ACCEPTED, "Invalid", &["requireAccessPolicy"]);
    // One whose running version names a policy stays.
    world.apply(chat(refs(&["team-a/own"])));
    world.apply(broken());
    assert!(members(&world, "system/default").contains(&CHAT.into()));
}

#[test]
fn what_does_not_compile_keeps_the_policies_of_the_version_that_runs() {
    let mut world = world([
        denying("team-a/own", "10.0.0.0/8"),
        denying("models/guard", "10.0.0.0/8"),
        denying("system/all", "10.0.0.0/8"),
        proxy_with(refs(&["system/all"])),
        chat(refs(&["team-a/own"])),
        shared(refs(&["models/guard"])),
    ]);
    let before = members(&world, "system/default");
    world.apply(proxy_with(
        json!({"backends": {"deniedCIDRs": ["nowhere"]}}),
    ));
    world.apply(shared(json!({"timeouts": {"connect": "0s"}})));
    world.apply(route(
        "team-a/chat",
        json!({"backends": [{"name": "vllm", "backendRef": {"name": "gone"}, "models": {"deny": [{"regex": "("}]}}]}),
    ));
    for name in [PROXY, VLLM, CHAT] {
        assert!(outcome(&world, name).item.is_err(), "{name}");
    }
    assert_eq!(members(&world, "system/default"), before);
}

#[test]
fn whoever_names_a_policy_for_the_first_time_waits_until_its_secrets_are_read() {
    let keys = |name: &str| {
        policy(
            name,
            json!({"authentication": {"bearerTokens": {"secretRefs": [{"name": "keys"}]}}}),
        )
    };
    let mut world = world([
        keys("team-a/own"),
        keys("models/guard"),
        keys("system/all"),
        proxy_with(refs(&["system/all"])),
        chat(refs(&["team-a/own"])),
        shared(refs(&["models/guard"])),
    ]);
    for name in [PROXY, VLLM, CHAT] {
        assert!(outcome(&world, name).pending, "{name}");
    }
    for namespace in ["team-a", "models", "system"] {
        let secret = format!("{namespace}/keys");
        world.apply(secret_of(&secret, &[("alice", "alice-0123456789")]));
    }
    for name in [PROXY, VLLM, CHAT] {
        holds(&world, name);
    }
    // One more Secret makes nobody wait who runs the policy already.
    let more = json!({"authentication": {"bearerTokens": {"secretRefs": [{"name": "keys"}, {"name": "more"}]}}});
    world.apply(policy("team-a/own", more));
    assert!(outcome(&world, "AccessPolicy/team-a/own").pending);
    assert!(outcome(&world, CHAT).item.is_ok());
}

#[test]
fn trusted_proxies_prices_and_cors_are_read_with_their_defaults() {
    let mut world = world([
        proxy_with(json!({"trustedProxies": ["10.0.0.0/8", "192.0.2.1"]})),
        shared(json!({"catalog": [
            {"name": "a", "price": {"inputPerMillion": "2.50", "outputPerMillion": "10"}},
            {"name": "b"},
        ]})),
        chat(
            json!({"cors": {"allowOrigins": ["https://chat.example.com"], "allowHeaders": ["X-Team"]}}),
        ),
    ]);
    let trusted = proxy_item(&world, PROXY).trusted_proxies.as_ref().unwrap();
    let trusted: Vec<String> = trusted.iter().map(ToString::to_string).collect();
    assert_eq!(trusted, ["10.0.0.0/8", "192.0.2.1/32"]);
    let Ok(Item::Backend(backend)) = outcome(&world, VLLM).item.as_deref() else {
        panic!("{:?}", outcome(&world, VLLM))
    };
    let price = PriceItem {
        input: 2_500_000,
        cached_input: 2_500_000,
        output: 10_000_000,
    };
    assert_eq!(
        (backend.catalog[0].price, backend.catalog[1].price),
        (Some(price), None)
    );
    let cors = route_item(&world, CHAT).cors.clone().unwrap();
    assert_eq!(cors.headers.unwrap(), ["x-team"]);
    assert_eq!(
        (cors.methods.join(" "), cors.max_age),
        ("GET HEAD POST".into(), 600)
    );
    world.apply(proxy_with(json!({"trustedProxies": ["nobody"]})));
    refused(
        &world,
        PROXY,
        ACCEPTED,
        "Invalid",
        &["spec.trustedProxies[0]", "nobody"],
    );
    world.apply(shared(
        json!({"catalog": [{"name": "a", "price": {"inputPerMillion": "-1"}}]}),
    ));
    refused(
        &world,
        VLLM,
        ACCEPTED,
        "Invalid",
        &["spec.catalog[a].price.inputPerMillion"],
    );
}
