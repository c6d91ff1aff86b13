use dragoman_crds::condition::RESOLVED_REFS;
use serde_json::{Value, json};

use super::objects::*;
use crate::{Item, Object, Target};

const CHAT: &str = "LLMRoute/team-a/chat";

/// A backend that is signed for; with the proxy's own identity where `secret` names none.
fn spec(secret: Option<&str>) -> Value {
    let mut aws = json!({"region": "us-east-1"});
    if let Some(name) = secret {
        aws["secretRef"] = json!({"name": name});
    }
    json!({"url": "https://bedrock-runtime.us-east-1.amazonaws.com", "dialect": "Bedrock", "credential": {"aws": aws}})
}

fn bedrock(name: &str, secret: Option<&str>) -> Object {
    backend(name, spec(secret))
}

#[test]
fn the_proxys_own_identity_is_lent_to_no_other_namespace() {
    let mut world = cluster();
    let route = route_to("team-a/chat", "team-a/claude");
    fill(
        &mut world,
        [default_proxy(), bedrock("team-a/claude", None), route],
    );
    let words = [
        "spec.backends[0].backendRef",
        "system/default",
        "credential.aws.secretRef",
    ];
    refused(
        &world,
        CHAT,
        RESOLVED_REFS,
        "CredentialNotShareable",
        &words,
    );
    assert!(outcome(&world, CHAT).uses.is_empty());

    // With keys of the team's own it is nobody else's identity.
    world.apply(bedrock("team-a/claude", Some("aws")));
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    world.apply(secret_of("team-a/aws", &keys));
    assert!(outcome(&world, CHAT).holds());

    // And back: the route is judged anew although only the backend was edited.
    world.apply(bedrock("team-a/claude", None));
    refused(
        &world,
        CHAT,
        RESOLVED_REFS,
        "CredentialNotShareable",
        &words,
    );
    assert!(outcome(&world, CHAT).uses.is_empty());
}

#[test]
fn a_routes_inline_backend_borrows_no_identity_either() {
    let mut world = cluster();
    let backends = json!([{"name": "main", "inline": spec(None)}]);
    let inline = route("team-a/chat", json!({"backends": backends}));
    fill(&mut world, [default_proxy(), inline]);
    let words = ["spec.backends[0].inline"];
    refused(
        &world,
        CHAT,
        RESOLVED_REFS,
        "CredentialNotShareable",
        &words,
    );
    let Ok(Item::Route(item)) = outcome(&world, CHAT).item.as_deref() else {
        panic!("no item");
    };
    assert!(matches!(item.backends[0].target, Target::Unresolved(_)));
}

#[test]
fn a_backend_beside_its_proxy_is_signed_for_with_the_proxys_identity() {
    let mut world = cluster();
    let route = route_to("system/chat", "system/claude");
    fill(
        &mut world,
        [default_proxy(), bedrock("system/claude", None), route],
    );
    assert!(outcome(&world, "LLMRoute/system/chat").holds());
}

#[test]
fn breaking_a_route_borrows_no_identity_for_the_version_that_stays() {
    let mut world = cluster();
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    fill(
        &mut world,
        [
            default_proxy(),
            bedrock("team-a/claude", Some("aws")),
            secret_of("team-a/aws", &keys),
            route_to("team-a/chat", "team-a/claude"),
        ],
    );
    assert!(outcome(&world, CHAT).holds());
    // The last version that compiled stays, and what it uses with it.
    world.apply(malformed(CHAT));
    assert!(!outcome(&world, CHAT).uses.is_empty());
    world.apply(bedrock("team-a/claude", None));
    assert!(outcome(&world, CHAT).uses.is_empty());
}
