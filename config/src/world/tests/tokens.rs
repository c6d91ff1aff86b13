use dragoman_crds::condition::{ACCEPTED, RESOLVED_REFS};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::objects::*;
use crate::{AuthenticationItem, InputKey, Object, TokensItem, World};

const POLICY: &str = "AccessPolicy/team-a/keys";
const ALICE: &str = "alice-0123456789abcdef";
const BOB: &str = "bob-0123456789abcdef";

fn by_name(secrets: &[&str]) -> Object {
    let references: Vec<Value> = secrets.iter().map(|name| json!({"name": name})).collect();
    let spec = json!({"authentication": {"bearerTokens": {"secretRefs": references}}});
    policy("team-a/keys", spec)
}

fn by_label() -> Object {
    let selector = json!({"matchLabels": {"llm": "keys"}});
    let spec = json!({"authentication": {"bearerTokens": {"secretSelector": selector}}});
    policy("team-a/keys", spec)
}

/// A world of files with these Secrets, which the policy names `a`, `b`, ….
fn with(secrets: impl IntoIterator<Item = Object>) -> World {
    let mut world = files();
    let secrets: Vec<Object> = secrets.into_iter().collect();
    let names: Vec<&str> = ["a", "b", "c"][..secrets.len()].to_vec();
    world.apply(by_name(&names));
    fill(&mut world, secrets);
    world
}

fn authentication(world: &World) -> &AuthenticationItem {
    policy_item(world, POLICY).authentication.as_ref().unwrap()
}

fn hash(token: &str) -> String {
    let digest = Sha256::digest(token);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn user(name: &str, tokens: &[&str]) -> TokensItem {
    TokensItem {
        user: name.into(),
        groups: Vec::new(),
        expires: None,
        sha256: tokens.iter().map(|token| hash(token)).collect(),
    }
}

#[test]
fn each_key_is_a_user_and_each_line_a_token_of_which_only_the_hash_remains() {
    let lines = format!("\n  {ALICE}  \n{ALICE}-2\r\n\n");
    let world = with([tokens(
        "team-a/a",
        &[("alice", &lines), ("bob", BOB)],
        &[],
        &[],
    )]);
    holds(&world, POLICY);
    let second = format!("{ALICE}-2");
    let users = [user("alice", &[ALICE, &second]), user("bob", &[BOB])];
    assert_eq!(authentication(&world).tokens, users);
    let canonical = String::from_utf8(outcome(&world, POLICY).canonical.to_vec()).unwrap();
    assert!(!canonical.contains(ALICE) && !canonical.contains(BOB));
}

#[test]
fn annotations_name_one_user_its_groups_and_its_end() {
    let annotations = [
        ("user", "carol"),
        ("groups", " admins, ,ops"),
        ("expires", "2027-01-31T12:00:00+02:00"),
    ];
    let world = with([tokens(
        "team-a/a",
        &[("one", ALICE), ("two", BOB)],
        &annotations,
        &[],
    )]);
    holds(&world, POLICY);
    let [carol] = authentication(&world).tokens.as_slice() else {
        panic!("{:?}", authentication(&world))
    };
    assert_eq!(carol.user, "carol");
    assert_eq!(carol.groups, ["admins", "ops"]);
    assert_eq!(carol.expires, Some(1_801_389_600));
    assert_eq!(carol.sha256, [hash(ALICE), hash(BOB)]);
}

#[test]
fn an_expiry_that_is_no_time_leaves_its_secret_out_and_the_others_go_on() {
    let world = with([
        tokens(
            "team-a/a",
            &[("alice", ALICE)],
            &[("expires", "tomorrow")],
            &[],
        ),
        tokens("team-a/b", &[("bob", BOB)], &[], &[]),
    ]);
    let said = [
        "spec.authentication.bearerTokens.secretRefs[0]",
        "Secret team-a/a",
        "dragoman.dev/expires",
        "\"tomorrow\"",
        "2027-01-31T00:00:00Z",
    ];
    refused(&world, POLICY, RESOLVED_REFS, "SecretInvalid", &said);
    assert_eq!(authentication(&world).tokens, [user("bob", &[BOB])]);
    assert_eq!(authentication(&world).unknown_tokens, None);
}

#[test]
fn a_token_that_can_be_guessed_is_refused_by_its_place_and_never_quoted() {
    let lines = format!("{ALICE}\nshort\nwith a space in it");
    let world = with([tokens("team-a/a", &[("alice", &lines)], &[], &[])]);
    let said = [
        "line 2 of key \"alice\"",
        "5 characters",
        "openssl rand",
        "line 3 of key \"alice\"",
        "visible ASCII",
    ];
    refused(&world, POLICY, RESOLVED_REFS, "SecretInvalid", &said);
    assert_eq!(authentication(&world).tokens, [user("alice", &[ALICE])]);
    let verdicts = format!("{:?}", outcome(&world, POLICY).verdicts);
    assert!(!verdicts.contains("short\"") && !verdicts.contains("with a space"));
}

#[test]
fn many_bad_tokens_are_one_fault_that_counts_them() {
    let world = with([tokens(
        "team-a/a",
        &[("alice", &"x\n".repeat(500))],
        &[],
        &[],
    )]);
    let verdict = verdict(&world, POLICY, RESOLVED_REFS);
    assert_eq!(verdict.faults.len(), 1);
    assert!(
        verdict.message.contains("and 497 more"),
        "{}",
        verdict.message
    );
}

#[test]
fn a_token_of_two_users_is_worth_nothing_and_says_whose_it_is() {
    let world = with([
        tokens("team-a/a", &[("alice", ALICE), ("bob", BOB)], &[], &[]),
        tokens("team-a/b", &[("mallory", ALICE)], &[], &[]),
    ]);
    let said = [
        "user \"alice\" in Secret team-a/a",
        "user \"mallory\" in Secret team-a/b",
        "give each its own",
    ];
    refused(&world, POLICY, RESOLVED_REFS, "SecretInvalid", &said);
    assert_eq!(authentication(&world).tokens, [user("bob", &[BOB])]);
    // The same user twice is no riddle, unless the two differ in what the token is worth.
    let alice =
        |name: &str, groups: &str| tokens(name, &[("alice", ALICE)], &[("groups", groups)], &[]);
    let world = with([alice("team-a/a", "ops"), alice("team-a/b", "ops")]);
    holds(&world, POLICY);
    let world = with([alice("team-a/a", "ops"), alice("team-a/b", "admins")]);
    assert!(authentication(&world).tokens.is_empty());
}

#[test]
fn nobody_gives_himself_a_name_of_kubernetes() {
    for annotation in [("user", "system:admin"), ("groups", "ops,system:masters")] {
        let world = with([tokens("team-a/a", &[("alice", ALICE)], &[annotation], &[])]);
        let said = ["Kubernetes' own", annotation.0];
        refused(&world, POLICY, RESOLVED_REFS, "SecretInvalid", &said);
        assert!(authentication(&world).tokens.is_empty());
    }
}

#[test]
fn a_secret_that_would_make_too_many_tokens_is_left_out_as_a_whole() {
    let many: String = (0..20_000)
        .map(|at| format!("token-of-somebody-{at}\n"))
        .collect();
    let world = with([
        tokens("team-a/a", &[("alice", ALICE)], &[], &[]),
        tokens("team-a/b", &[("crowd", &many)], &[], &[]),
    ]);
    let said = ["Secret team-a/b", "20000 tokens", "JSON Web Tokens"];
    refused(&world, POLICY, RESOLVED_REFS, "SecretInvalid", &said);
    assert_eq!(authentication(&world).tokens, [user("alice", &[ALICE])]);
}

#[test]
fn a_missing_secret_is_told_and_its_tokens_are_unknown_rather_than_wrong() {
    let mut world = cluster();
    world.apply(by_name(&["a", "b"]));
    assert!(outcome(&world, POLICY).pending);
    world.apply(no_secret("team-a/a"));
    assert!(outcome(&world, POLICY).pending);
    world.apply(tokens("team-a/b", &[("bob", BOB)], &[], &[]));
    let said = [
        "secretRefs[0]",
        "Secret team-a/a does not exist",
        "create it",
    ];
    refused(&world, POLICY, RESOLVED_REFS, "SecretNotFound", &said);
    let found = authentication(&world);
    assert_eq!(found.tokens, [user("bob", &[BOB])]);
    assert_eq!(
        found.unknown_tokens.as_deref(),
        Some("Secret team-a/a does not exist; create it")
    );
    world.apply(tokens("team-a/a", &[("alice", ALICE)], &[], &[]));
    assert_eq!(authentication(&world).unknown_tokens, None);
    holds(&world, POLICY);
}

#[test]
fn a_secret_that_cannot_be_read_keeps_nobody_elses_tokens_waiting() {
    let mut world = cluster();
    fill(
        &mut world,
        [
            by_name(&["a", "b"]),
            tokens("team-a/b", &[("bob", BOB)], &[], &[]),
        ],
    );
    world.apply(unreadable("team-a/a"));
    refused(
        &world,
        POLICY,
        RESOLVED_REFS,
        "SecretUnreadable",
        &["team-a/a"],
    );
    assert_eq!(authentication(&world).tokens, [user("bob", &[BOB])]);
    assert!(authentication(&world).unknown_tokens.is_some());
}

#[test]
fn a_new_secret_with_the_label_adds_its_user_and_one_without_it_changes_nothing() {
    let mut world = cluster();
    world.apply(by_label());
    holds(&world, POLICY);
    let said = &verdict(&world, POLICY, ACCEPTED).message;
    assert!(said.contains("selects no Secret"), "{said}");
    let quiet = world.apply(labelled("team-a/other", &[("llm", "no")]));
    assert!(quiet.outcomes.is_empty() && !quiet.inputs);
    assert!(
        world
            .apply(labelled("team-b/a", &[("llm", "keys")]))
            .outcomes
            .is_empty()
    );
    let changes = world.apply(labelled("team-a/a", &[("llm", "keys")]));
    assert!(changes.inputs);
    assert_eq!(
        world.wanted_inputs(),
        [InputKey::secret(named("team-a/a"))].into()
    );
    assert!(outcome(&world, POLICY).pending);
    world.apply(tokens("team-a/a", &[("alice", ALICE)], &[], &[]));
    assert_eq!(authentication(&world).tokens, [user("alice", &[ALICE])]);
    // A label that means nothing here recompiles nothing.
    let more = world.apply(labelled("team-a/a", &[("llm", "keys"), ("team", "x")]));
    assert!(more.outcomes.is_empty());
    let changes = world.apply(labelled("team-a/a", &[]));
    assert_eq!(outcomes(&changes), [POLICY]);
    assert!(authentication(&world).tokens.is_empty());
    assert!(world.wanted_inputs().is_empty());
    holds(&world, POLICY);
}

#[test]
fn a_secret_that_is_deleted_takes_its_user_with_it() {
    let mut world = cluster();
    world.apply(by_label());
    world.apply(labelled("team-a/a", &[("llm", "keys")]));
    world.apply(tokens("team-a/a", &[("alice", ALICE)], &[], &[]));
    assert_eq!(authentication(&world).tokens.len(), 1);
    world.apply(Object::SecretLabels(named("team-a/a"), None));
    let found = authentication(&world);
    assert!(found.tokens.is_empty() && found.unknown_tokens.is_none());
    holds(&world, POLICY);
}

#[test]
fn files_are_selected_by_the_labels_that_they_carry() {
    let mut world = files();
    world.apply(by_label());
    world.apply(tokens(
        "team-a/a",
        &[("alice", ALICE)],
        &[],
        &[("llm", "keys")],
    ));
    world.apply(tokens("team-a/b", &[("bob", BOB)], &[], &[]));
    assert_eq!(authentication(&world).tokens, [user("alice", &[ALICE])]);
    world.apply(no_secret("team-a/a"));
    assert!(authentication(&world).tokens.is_empty());
}
