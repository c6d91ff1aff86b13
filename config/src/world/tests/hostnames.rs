use dragoman_crds::condition::ACCEPTED;
use serde_json::{Value, json};

use super::objects::*;
use crate::{Object, World};

const A: &str = "LLMRoute/team-a/chat";
const B: &str = "LLMRoute/team-b/chat";

fn claiming(name: &str, second: i64, hostnames: Value) -> Object {
    let backend = format!("{}/b", name.split_once('/').unwrap().0);
    let spec = json!({"hostnames": hostnames, "backends": [referring(&backend)]});
    created(route(name, spec), second)
}

/// `team-b/chat` is the older of two routes that want `llm.example.com`.
fn contested() -> World {
    let mut world = cluster();
    fill(
        &mut world,
        [
            default_proxy(),
            plain("team-a/b", "http://a"),
            plain("team-b/b", "http://b"),
            claiming(
                "team-a/chat",
                20,
                json!(["llm.example.com", "a.example.com"]),
            ),
            claiming("team-b/chat", 10, json!(["llm.example.com"])),
        ],
    );
    world
}

fn won(world: &World, route: &str) -> Vec<String> {
    route_item(world, route).hostnames.clone()
}

fn lost(world: &World, route: &str, owner: &str) {
    refused(
        world,
        route,
        ACCEPTED,
        "HostnameTaken",
        &["spec.hostnames[0]", "llm.example.com", owner, "remove it"],
    );
}

/// Accepted, but for a hostname that somebody else has.
fn lost_one(world: &World, route: &str, owner: &str) {
    let verdict = verdict(world, route, ACCEPTED);
    assert!(
        verdict.status && verdict.reason == "HostnameTaken",
        "{verdict:?}"
    );
    for part in ["spec.hostnames[0]", "llm.example.com", owner, "remove it"] {
        assert!(verdict.message.contains(part), "{part}: {verdict:?}");
    }
    assert!(outcome(world, route).holds());
}

#[test]
fn the_older_route_has_the_hostname_and_the_newer_says_so() {
    let mut world = contested();
    assert_eq!(won(&world, B), ["llm.example.com"]);
    holds(&world, B);
    world.apply(claiming("team-a/chat", 20, json!(["llm.example.com"])));
    assert!(won(&world, A).is_empty());
    lost(&world, A, "LLMRoute team-b/chat");
}

#[test]
fn a_route_that_loses_one_of_its_hostnames_goes_on_under_the_others_and_says_so() {
    let mut world = contested();
    assert_eq!(won(&world, A), ["a.example.com"]);
    lost_one(&world, A, "LLMRoute team-b/chat");
    // Told beside another fault too.
    let third = json!(["llm.example.com", "a.example.com", "x.svc"]);
    world.apply(claiming("team-a/chat", 20, third));
    let said = ["spec.hostnames[2]", "llm.example.com belongs to"];
    refused(&world, A, ACCEPTED, "Invalid", &said);
}

#[test]
fn a_hostname_that_is_given_up_goes_to_the_next() {
    let mut world = contested();
    let changes = world.delete_item(&key(B));
    assert!(changes.outcomes.contains(&key(A)));
    assert_eq!(won(&world, A), ["llm.example.com", "a.example.com"]);
    holds(&world, A);

    let mut world = contested();
    world.apply(claiming("team-b/chat", 10, json!(["b.example.com"])));
    holds(&world, A);
}

#[test]
fn an_older_route_that_comes_late_takes_its_hostname_back() {
    let mut world = contested();
    world.apply(claiming("team-c/chat", 5, json!(["llm.example.com"])));
    lost(&world, B, "LLMRoute team-c/chat");
    lost_one(&world, A, "LLMRoute team-c/chat");
}

#[test]
fn a_route_made_anew_is_the_newest() {
    let mut world = contested();
    world.apply(claiming("team-b/chat", 30, json!(["llm.example.com"])));
    assert_eq!(won(&world, A)[0], "llm.example.com");
    lost(&world, B, "LLMRoute team-a/chat");
}

#[test]
fn routes_of_the_same_age_are_told_apart_by_name() {
    let mut world = contested();
    world.apply(claiming("team-a/chat", 10, json!(["llm.example.com"])));
    holds(&world, A);
    lost(&world, B, "LLMRoute team-a/chat");
}

#[test]
fn case_does_not_make_another_hostname() {
    let mut world = contested();
    world.apply(claiming("team-a/chat", 20, json!(["LLM.Example.com"])));
    lost(&world, A, "LLMRoute team-b/chat");
}

#[test]
fn names_of_the_clusters_services_are_refused() {
    for hostname in ["other.team-b.svc", "x.svc.cluster.local", "cluster.local"] {
        let mut world = contested();
        world.apply(claiming(
            "team-a/chat",
            20,
            json!([hostname, "a.example.com"]),
        ));
        refused(
            &world,
            A,
            ACCEPTED,
            "Invalid",
            &["spec.hostnames[0]", hostname, "leave it out"],
        );
        assert_eq!(won(&world, A), ["a.example.com"]);
    }
    let mut world = contested();
    world.apply(claiming("team-a/chat", 20, json!(["notcluster.local"])));
    holds(&world, A);
}

/// An LLMProxy of every namespace that admits these hostnames.
fn choosy(name: &str, hostnames: Value) -> Object {
    let allowed = json!({"namespaces": {"from": "All"}, "hostnames": hostnames});
    proxy(name, json!({"allowedRoutes": allowed}))
}

#[test]
fn an_llmproxy_admits_the_hostnames_that_it_lists() {
    let mut world = contested();
    world.apply(choosy(
        "system/default",
        json!(["*.example.org", "a.example.com"]),
    ));
    refused(
        &world,
        A,
        ACCEPTED,
        "NotAllowedByProxy",
        &[
            "spec.hostnames[0]",
            "llm.example.com",
            "LLMProxy system/default",
            "spec.allowedRoutes.hostnames",
        ],
    );
    assert_eq!(won(&world, A), ["a.example.com"]);
    world.apply(claiming("team-a/chat", 20, json!(["x.example.org"])));
    holds(&world, A);
    // The suffix alone is not below itself.
    world.apply(claiming("team-a/chat", 20, json!(["example.org"])));
    assert_eq!(won(&world, A), [""; 0]);
}

#[test]
fn a_hostname_that_a_route_may_not_have_is_no_claim() {
    let mut world = contested();
    // The older route moves to an LLMProxy that does not admit the name.
    let elsewhere = json!({"proxyRefs": [{"name": "choosy", "namespace": "system"}],
        "hostnames": ["llm.example.com"], "backends": [referring("team-b/b")]});
    fill(
        &mut world,
        [
            choosy("system/choosy", json!(["b.example.com"])),
            created(route("team-b/chat", elsewhere), 10),
        ],
    );
    assert_eq!(won(&world, B), [""; 0]);
    assert_eq!(won(&world, A)[0], "llm.example.com");
    holds(&world, A);
}

#[test]
fn an_llmproxy_of_ones_own_takes_no_hostname_from_others() {
    let mut world = contested();
    let own = json!({"proxyRefs": [{"name": "own"}], "hostnames": ["llm.example.com"], "backends": [referring("team-b/b")]});
    fill(
        &mut world,
        [
            proxy("team-b/own", json!({})),
            created(route("team-b/chat", own), 10),
        ],
    );
    assert_eq!(won(&world, B), ["llm.example.com"]);
    assert_eq!(won(&world, A)[0], "llm.example.com");
    holds(&world, A);
    holds(&world, B);
}

#[test]
fn an_edit_of_one_route_does_not_compile_those_with_other_hostnames() {
    let mut world = contested();
    world.apply(claiming("team-c/chat", 40, json!(["c.example.com"])));
    let changes = world.apply(claiming("team-c/chat", 40, json!(["d.example.com"])));
    assert_eq!(outcomes(&changes), ["LLMRoute/team-c/chat"]);
}
