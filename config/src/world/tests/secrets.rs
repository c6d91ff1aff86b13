use std::collections::BTreeMap;

use dragoman_crds::condition::{ACCEPTED, RESOLVED_REFS};
use serde_json::json;

use super::objects::*;
use crate::{Changes, CredentialItem, InputData, InputKey, Item, Object, Target, World};

const VLLM: &str = "LLMBackend/team-a/vllm";
const CHAT: &str = "LLMRoute/team-a/chat";

fn keyed() -> Object {
    backend(
        "team-a/vllm",
        json!({"url": "http://vllm", "credential": token_of("key")}),
    )
}

fn world() -> World {
    let mut world = cluster();
    fill(
        &mut world,
        [
            default_proxy(),
            keyed(),
            route_to("team-a/chat", "team-a/vllm"),
        ],
    );
    world
}

fn served_key(world: &World) -> Option<String> {
    match outcome(world, VLLM).item.as_deref() {
        Ok(Item::Backend(backend)) => match &backend.credential {
            CredentialItem::Key(key) => Some(key.expose().to_owned()),
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn a_secret_that_was_not_read_yet_holds_its_item_back() {
    let mut world = world();
    assert_eq!(
        world.wanted_inputs(),
        [InputKey::secret(named("team-a/key"))].into()
    );
    assert!(outcome(&world, VLLM).item.is_err());
    refused(
        &world,
        VLLM,
        RESOLVED_REFS,
        "Pending",
        &["spec.credential.secretRef", "team-a/key"],
    );
    let changes = world.apply(secret("team-a/key", "sk-1\n"));
    assert_eq!(served_key(&world).as_deref(), Some("sk-1"));
    assert_eq!(outcomes(&changes), [VLLM, CHAT]);
    assert_eq!(
        pushes(&changes),
        [
            "system/default: LLMBackend/team-a/vllm",
            "system/default: LLMRoute/team-a/chat"
        ]
    );
    holds(&world, CHAT);
}

#[test]
fn a_route_waits_for_the_first_read_of_its_backends_secret_and_only_says_so() {
    let mut world = world();
    assert!(outcome(&world, VLLM).pending);
    assert!(outcome(&world, CHAT).pending);
    assert!(outcome(&world, CHAT).item.is_err());
    refused(
        &world,
        CHAT,
        RESOLVED_REFS,
        "Pending",
        &["LLMBackend team-a/vllm"],
    );
    // One that cannot be read closes its backend, and no route whose other backends may work.
    world.apply(unreadable("team-a/key"));
    assert!(!outcome(&world, VLLM).pending && outcome(&world, VLLM).item.is_err());
    assert!(matches!(target(&world, CHAT), Target::Item(_)));
    let said = ["Secret team-a/key", "could not be read"];
    refused(&world, VLLM, RESOLVED_REFS, "SecretUnreadable", &said);
    refused(&world, CHAT, RESOLVED_REFS, "RefInvalid", &said);
    world.apply(secret("team-a/key", "sk-1"));
    holds(&world, CHAT);
    // A later read that fails takes nothing away.
    assert_eq!(world.apply(unreadable("team-a/key")), Changes::default());
    assert_eq!(served_key(&world).as_deref(), Some("sk-1"));
}

#[test]
fn a_backend_that_waits_for_another_secret_leaves_the_routes_that_run_as_they_are() {
    let mut world = world();
    world.apply(secret("team-a/key", "sk-1"));
    world.listed();
    let other = json!({"url": "http://vllm", "credential": token_of("other")});
    let changes = world.apply(backend("team-a/vllm", other));
    assert!(outcome(&world, VLLM).pending);
    assert_eq!(pushes(&changes), ["system/default: LLMBackend/team-a/vllm"]);
    assert!(matches!(target(&world, CHAT), Target::Item(_)));
    // A new one that refers to it waits.
    world.apply(route_to("team-a/new", "team-a/vllm"));
    assert!(outcome(&world, "LLMRoute/team-a/new").pending);
}

#[test]
fn a_rotated_key_is_one_push() {
    let mut world = world();
    world.apply(secret("team-a/key", "sk-1"));
    let before = outcome(&world, VLLM).canonical.clone();
    let changes = world.apply(secret("team-a/key", "sk-2"));
    assert_eq!(pushes(&changes), ["system/default: LLMBackend/team-a/vllm"]);
    assert_eq!(outcomes(&changes), [VLLM]);
    assert_ne!(outcome(&world, VLLM).canonical, before);
    assert_eq!(served_key(&world).as_deref(), Some("sk-2"));
}

#[test]
fn a_deleted_secret_is_told_and_one_that_comes_back_is_served_again() {
    let mut world = world();
    world.apply(secret("team-a/key", "sk-1"));
    let good = outcome(&world, VLLM).canonical.clone();
    let changes = world.apply(no_secret("team-a/key"));
    assert_eq!(outcomes(&changes), [VLLM, CHAT]);
    assert!(outcome(&world, VLLM).item.is_err());
    refused(
        &world,
        VLLM,
        RESOLVED_REFS,
        "SecretNotFound",
        &[
            "spec.credential.secretRef",
            "Secret team-a/key",
            "create it",
            "\"token\"",
        ],
    );
    refused(
        &world,
        CHAT,
        RESOLVED_REFS,
        "RefInvalid",
        &["Secret team-a/key"],
    );
    // The route goes on to name the item: the proxies keep its previous version.
    assert!(matches!(target(&world, CHAT), Target::Item(_)));
    assert!(members(&world, "system/default").contains(&VLLM.to_owned()));
    world.apply(secret("team-a/key", "sk-2"));
    assert_eq!(served_key(&world).as_deref(), Some("sk-2"));
    assert_ne!(outcome(&world, VLLM).canonical, good);
    holds(&world, VLLM);
    holds(&world, CHAT);
}

#[test]
fn a_secret_without_the_key_or_with_an_empty_one_is_told() {
    let mut world = world();
    world.apply(Object::Secret(
        named("team-a/key"),
        InputData::Data(BTreeMap::from([("other".into(), b"x".to_vec())]).into()),
    ));
    refused(
        &world,
        VLLM,
        RESOLVED_REFS,
        "SecretKeyMissing",
        &["Secret team-a/key", "no key \"token\"", "add it"],
    );
    world.apply(secret("team-a/key", " \n"));
    refused(&world, VLLM, RESOLVED_REFS, "SecretInvalid", &["is empty"]);
    let bytes = BTreeMap::from([("token".into(), vec![0xff, 0xfe])]);
    let bytes = InputData::Data(bytes.into());
    world.apply(Object::Secret(named("team-a/key"), bytes));
    refused(
        &world,
        VLLM,
        RESOLVED_REFS,
        "SecretInvalid",
        &["is not text"],
    );
}

#[test]
fn no_message_and_no_debug_output_shows_a_key() {
    let mut world = world();
    world.apply(secret("team-a/key", "sk-very-secret"));
    assert!(served_key(&world).is_some());
    let shown = format!(
        "{:?} {:?}",
        outcome(&world, VLLM).item,
        secret("a/b", "sk-very-secret")
    );
    assert!(!shown.contains("sk-very-secret"), "{shown}");
    world.apply(no_secret("team-a/key"));
    assert!(!format!("{:?}", outcome(&world, VLLM).verdicts).contains("sk-very-secret"));
}

#[test]
fn a_secret_that_nobody_refers_to_any_more_is_forgotten_and_read_afresh() {
    let mut world = world();
    world.apply(secret("team-a/key", "sk-1"));
    let changes = world.apply(plain("team-a/vllm", "http://vllm"));
    assert!(changes.inputs);
    assert!(world.wanted_inputs().is_empty());
    let changes = world.apply(keyed());
    assert!(changes.inputs);
    refused(&world, VLLM, RESOLVED_REFS, "Pending", &["team-a/key"]);
}

#[test]
fn among_files_a_secret_is_there_or_missing_and_never_forgotten() {
    let mut world = files();
    fill(&mut world, [proxy("team-a/only", json!({})), keyed()]);
    refused(
        &world,
        VLLM,
        RESOLVED_REFS,
        "SecretNotFound",
        &["Secret team-a/key"],
    );
    world.apply(secret("team-a/key", "sk-1"));
    assert_eq!(served_key(&world).as_deref(), Some("sk-1"));
    world.apply(plain("team-a/vllm", "http://vllm"));
    world.apply(keyed());
    assert_eq!(served_key(&world).as_deref(), Some("sk-1"));
}

#[test]
fn an_inline_backend_takes_its_secrets_from_the_routes_namespace() {
    let mut world = cluster();
    let inline = json!({"backends": [
        {"name": "own", "inline": {"url": "http://own", "credential": token_of("key")}},
        referring("team-a/spare"),
    ]});
    fill(
        &mut world,
        [
            default_proxy(),
            plain("team-a/spare", "http://spare"),
            route("team-a/chat", inline),
            secret("models/key", "not this"),
        ],
    );
    // Held back until the Secret is read: a version without the key would fail requests for an instant.
    assert!(outcome(&world, CHAT).item.is_err());
    assert_eq!(
        world.wanted_inputs(),
        [InputKey::secret(named("team-a/key"))].into()
    );
    world.apply(secret("team-a/key", "sk-a"));
    let Target::Inline(own) = target(&world, CHAT) else {
        panic!()
    };
    assert!(matches!(&own.credential, CredentialItem::Key(key) if key.expose() == "sk-a"));
    // Missing for good, it closes this backend alone.
    world.apply(no_secret("team-a/key"));
    assert!(matches!(target(&world, CHAT), Target::Unresolved(_)));
    assert!(matches!(
        route_item(&world, CHAT).backends[1].target,
        Target::Item(_)
    ));
    refused(
        &world,
        CHAT,
        RESOLVED_REFS,
        "SecretNotFound",
        &[
            "spec.backends[0].inline.credential.secretRef",
            "Secret team-a/key",
        ],
    );
    assert!(verdict(&world, CHAT, ACCEPTED).status);
}

#[test]
fn a_ca_that_is_no_certificate_is_told() {
    let mut world = cluster();
    fill(
        &mut world,
        [
            backend(
                "team-a/vllm",
                json!({"url": "https://vllm", "tls": {"caSecretRef": {"name": "key", "key": "token"}}}),
            ),
            secret("team-a/key", "not PEM"),
        ],
    );
    refused(
        &world,
        VLLM,
        RESOLVED_REFS,
        "SecretInvalid",
        &["spec.tls.caSecretRef", "Secret team-a/key", "PEM"],
    );
}

#[test]
fn a_header_that_is_set_twice_in_different_case_is_refused() {
    let mut world = cluster();
    let headers = json!([{"name": "X-Team", "value": "a"}, {"name": "x-team", "value": "b"}]);
    world.apply(backend(
        "team-a/vllm",
        json!({"url": "http://vllm", "headers": headers}),
    ));
    refused(
        &world,
        VLLM,
        ACCEPTED,
        "Invalid",
        &["spec.headers[x-team]", "twice"],
    );
}

#[test]
fn a_key_that_no_header_can_carry_is_told_and_never_shown() {
    for key in ["sk-\u{e4}hm", "sk\n1", "sk 1"] {
        let mut world = world();
        world.apply(secret("team-a/key", key));
        refused(
            &world,
            VLLM,
            RESOLVED_REFS,
            "SecretInvalid",
            &["spec.credential.secretRef", "visible ASCII"],
        );
        assert!(!format!("{:?}", outcome(&world, VLLM).verdicts).contains(key));
    }
}

#[test]
fn a_header_value_that_a_proxy_would_refuse_is_refused() {
    let mut world = world();
    let headers = json!({"url": "http://vllm", "headers": [{"name": "x-a", "value": "caf\u{e9}"}]});
    world.apply(backend("team-a/vllm", headers));
    refused(
        &world,
        VLLM,
        ACCEPTED,
        "Invalid",
        &["spec.headers[x-a]", "visible ASCII"],
    );
    let headers = json!({"url": "http://vllm", "headers": [{"name": "x-a", "value": "a b\tc"}]});
    world.apply(backend("team-a/vllm", headers));
    holds(&world, VLLM);
}

#[test]
fn a_server_name_is_a_dns_name_or_an_address() {
    let mut world = world();
    let named = |name: &str| {
        backend(
            "team-a/vllm",
            json!({"url": "https://vllm", "tls": {"serverName": name}}),
        )
    };
    for bad in ["", "a b", "-a.example", "a..example", "1.2.3", "https://a"] {
        world.apply(named(bad));
        refused(&world, VLLM, ACCEPTED, "Invalid", &["spec.tls.serverName"]);
    }
    for good in ["api.example.com", "10.0.0.1", "2001:db8::1", "my_host"] {
        world.apply(named(good));
        holds(&world, VLLM);
    }
}
