use dragoman_crds::condition::{ACCEPTED, RESOLVED_REFS};
use dragoman_crds::{Calendar, CallFailure, Per};
use serde_json::{Value, json};

use super::objects::*;
use crate::{
    CallItem, ClusterKeys, ClusterKeysItem, CountedItem, JwtKeysItem, LimitItem, Object,
    ResponseActionItem, RuleActionItem, SpanItem, UpstreamUrl, World,
};

const POLICY: &str = "AccessPolicy/team-a/p";

fn with(spec: Value) -> World {
    let mut world = cluster();
    world.apply(policy("team-a/p", spec));
    world
}

/// Asserts that the policy is refused with all of `parts` in its message.
fn invalid(spec: Value, parts: &[&str]) {
    refused(&with(spec), POLICY, ACCEPTED, "Invalid", parts);
}

fn guard(path: &str) -> UpstreamUrl {
    UpstreamUrl {
        tls: false,
        host: "guard.security.svc".into(),
        port: 80,
        path: path.into(),
    }
}

fn cluster_keys() -> Object {
    Object::ClusterKeys(ClusterKeys::Known(ClusterKeysItem {
        issuer: "https://cluster.example".into(),
        jwks: "{}".into(),
    }))
}

#[test]
fn networks_and_bans_are_read_whole() {
    let world = with(json!({
        "authentication": {"anonymous": true},
        "network": {"allow": ["10.0.0.0/8", "192.0.2.7"], "deny": ["fd00::1"]},
        "ban": {"failures": 5, "window": "1m", "duration": "1h", "exempt": ["127.0.0.1"]},
    }));
    holds(&world, POLICY);
    let item = policy_item(&world, POLICY);
    let texts = |nets: &[ipnet::IpNet]| nets.iter().map(ToString::to_string).collect::<Vec<_>>();
    let allow = item.allow.as_ref().unwrap();
    assert_eq!(texts(allow), ["10.0.0.0/8", "192.0.2.7/32"]);
    assert_eq!(texts(&item.deny), ["fd00::1/128"]);
    let ban = item.ban.as_ref().unwrap();
    assert_eq!(
        (ban.failures, ban.window_ms, ban.duration_ms),
        (5, 60_000, 3_600_000)
    );
    assert_eq!(texts(&ban.exempt), ["127.0.0.1/32"]);
}

#[test]
fn what_is_no_network_and_no_duration_is_named() {
    invalid(
        json!({"network": {"deny": ["10.0.0.0/8", "10.0.0.300"]}}),
        &["spec.network.deny[1]", "10.0.0.300", "write it like"],
    );
    invalid(
        json!({"authentication": {"anonymous": true}, "ban": {"failures": 5, "window": "1ms", "duration": "1x"}}),
        &["spec.ban.window", "spec.ban.duration"],
    );
}

#[test]
fn rules_keep_their_order_and_say_all_that_they_do() {
    let world = with(json!({"rules": [
        {"name": "small", "when": "request.max_tokens != null && request.max_tokens > 100", "action": "Deny"},
        {"name": "maintenance", "action": "Deny", "status": 503, "message": "later"},
        {"name": "hello", "when": "model == 'echo'", "action": "Respond", "message": "hello"},
        {"name": "cheap", "action": "SetModel", "model": "small"},
        {"name": "cool", "action": "Set", "set": [{"path": "metadata.team", "expression": "headers['x-team']"}]},
        {"name": "ask", "action": "Call", "call": {"url": "http://guard.security.svc/check?v=1", "failure": "Open"}},
        {"name": "choose", "action": "AllowBackendHeader"},
        {"name": "rest", "action": "Allow"},
    ]}));
    holds(&world, POLICY);
    let actions: Vec<_> = policy_item(&world, POLICY)
        .rules
        .iter()
        .map(|rule| rule.action.clone())
        .collect();
    assert_eq!(
        actions,
        [
            RuleActionItem::Deny {
                status: 403,
                message: None
            },
            RuleActionItem::Deny {
                status: 503,
                message: Some("later".into())
            },
            RuleActionItem::Respond("hello".into()),
            RuleActionItem::SetModel("small".into()),
            RuleActionItem::Set(vec![("metadata.team".into(), "headers['x-team']".into())]),
            RuleActionItem::Call(CallItem {
                url: guard("/check?v=1"),
                timeout_ms: 1_000,
                failure: CallFailure::Open,
            }),
            RuleActionItem::AllowBackendHeader,
            RuleActionItem::Allow,
        ]
    );
}

#[test]
fn a_rule_that_cannot_run_is_named_with_its_field() {
    let rules = json!({"rules": [
        {"name": "a", "when": "requst.model == 'x'", "action": "Allow"},
        {"name": "a", "action": "Set", "set": [{"path": "model", "expression": "'x'"}, {"path": "user", "expression": "1 +"}]},
        {"name": "b", "action": "Call", "call": {"url": "http://key@guard/", "timeout": "1h"}},
    ]});
    invalid(
        rules,
        &[
            "spec.rules[0].when: column 1: unknown variable \"requst\"",
            "spec.rules[1].name: \"a\" is the name of an earlier rule",
            "spec.rules[1].set[0].path: the model is chosen by action SetModel",
            "spec.rules[1].set[1].expression: column",
            "spec.rules[2].call.url",
            "spec.rules[2].call.timeout",
        ],
    );
}

#[test]
fn rules_on_replies_are_read_and_their_regexes_tried() {
    let world = with(json!({"responseRules": [
        {"name": "keys", "action": "Replace", "regex": "sk-([a-z]+)", "replacement": "<$1>"},
        {"name": "secrets", "action": "Deny", "regex": "BEGIN PRIVATE KEY"},
        {"name": "shout", "action": "Set", "set": [{"path": "content", "expression": "'x'"}]},
    ]}));
    holds(&world, POLICY);
    let rules = &policy_item(&world, POLICY).response_rules;
    assert_eq!(
        rules[0].action,
        ResponseActionItem::Replace {
            regex: "sk-([a-z]+)".into(),
            replacement: "<$1>".into()
        }
    );
    assert_eq!(
        rules[2].action,
        ResponseActionItem::SetContent("'x'".into())
    );
    let said = &verdict(&world, POLICY, ACCEPTED).message;
    assert!(
        said.ends_with("held back until their end by responseRules shout"),
        "{said}"
    );
    let replace = |regex: &str, replacement: &str| json!({"responseRules": [{"name": "r", "action": "Replace", "regex": regex, "replacement": replacement}]});
    invalid(
        replace("a*", "b"),
        &["spec.responseRules[0].regex", "where there is no text"],
    );
    invalid(
        replace("a(b)", "$2"),
        &["spec.responseRules[0].replacement", "\"2\"", "$$"],
    );
    invalid(
        replace("(?:a{500}){500}", "b"),
        &["spec.responseRules[0].regex", "size limit"],
    );
}

#[test]
fn limits_count_in_millionths_and_milliseconds() {
    let world = with(json!({"limits": [
        {"per": "User", "cost": "25.5", "calendar": "Month"},
        {"per": "Key", "requests": 60, "window": "1m", "concurrency": 4, "models": [{"exact": "big"}]},
        {"per": "Address", "concurrency": 2},
    ]}));
    holds(&world, POLICY);
    let limits = &policy_item(&world, POLICY).limits;
    let month = SpanItem::Calendar(Calendar::Month);
    assert_eq!(
        limits[0].amount,
        Some((CountedItem::Cost, 25_500_000, month))
    );
    let minute = SpanItem::Window(60_000);
    assert_eq!(limits[1].amount, Some((CountedItem::Requests, 60, minute)));
    assert_eq!(limits[1].concurrency, Some(4));
    assert_eq!(
        limits[2],
        LimitItem {
            per: Per::Address,
            amount: None,
            concurrency: Some(2),
            models: None
        }
    );
    invalid(
        json!({"limits": [{"per": "User", "cost": "25,5", "window": "1m"}, {"per": "User", "cost": "0.00", "window": "1m"}]}),
        &[
            "spec.limits[0].cost",
            "\"25,5\"",
            "spec.limits[1].cost",
            "is nothing",
        ],
    );
    invalid(
        json!({"limits": [{"per": "User", "requests": 1, "window": "1m", "models": [{"regex": "("}]}], "models": {"deny": [{"regex": "("}]}}),
        &["spec.limits[0].models[0]", "spec.models.deny[0]"],
    );
}

#[test]
fn issuers_have_their_keys_inline_or_at_an_address() {
    let keys = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA"}]}"#;
    let world = with(json!({"authentication": {"jwt": [
        {"issuer": "https://one.example", "audiences": ["llm"], "jwks": keys},
        {"issuer": "https://two.example", "audiences": ["llm"], "jwksUri": "http://guard.security.svc/keys?v=2"},
    ]}}));
    holds(&world, POLICY);
    let jwt = &policy_item(&world, POLICY)
        .authentication
        .as_ref()
        .unwrap()
        .jwt;
    assert_eq!(jwt[0].keys, JwtKeysItem::Inline(keys.into()));
    assert_eq!(jwt[1].keys, JwtKeysItem::Uri(guard("/keys?v=2")));
    let shared = r#"{"keys": [{"kty": "oct", "k": "AA"}]}"#;
    invalid(
        json!({"authentication": {"jwt": [{"issuer": "https://one.example", "audiences": ["llm"], "jwks": shared}]}}),
        &[
            "spec.authentication.jwt[https://one.example].jwks",
            "no public key",
        ],
    );
}

#[test]
fn service_accounts_wait_for_the_clusters_keys_and_follow_them() {
    let spec = json!({"authentication": {"serviceAccounts": {"audience": "llm.example.com"}}});
    let mut world = with(spec);
    let cluster_of = |world: &World| {
        let item = policy_item(world, POLICY).authentication.as_ref().unwrap();
        item.service_accounts.as_ref().unwrap().cluster.clone()
    };
    assert!(outcome(&world, POLICY).pending);
    world.apply(Object::ClusterKeys(ClusterKeys::Unreadable));
    refused(
        &world,
        POLICY,
        RESOLVED_REFS,
        "ClusterKeysUnreadable",
        &["serviceAccounts"],
    );
    assert_eq!(cluster_of(&world), None);
    let changes = world.apply(cluster_keys());
    assert_eq!(outcomes(&changes), [POLICY]);
    holds(&world, POLICY);
    assert_eq!(
        cluster_of(&world).unwrap().issuer,
        "https://cluster.example"
    );
    // What is known stays while it cannot be read again.
    world.apply(Object::ClusterKeys(ClusterKeys::Unreadable));
    holds(&world, POLICY);
    assert!(world.apply(cluster_keys()).outcomes.is_empty());
}

#[test]
fn tokens_for_the_api_server_or_the_operator_are_never_asked_for() {
    for audience in [
        "https://kubernetes.default.svc",
        "https://kubernetes.default.svc.cluster.local",
        "https://cluster.example",
        crate::wire::AUDIENCE,
    ] {
        let mut world = cluster();
        world.apply(cluster_keys());
        let spec = json!({"authentication": {"serviceAccounts": {"audience": audience}}});
        world.apply(policy("team-a/p", spec));
        let said = ["spec.authentication.serviceAccounts.audience", audience];
        refused(&world, POLICY, ACCEPTED, "Invalid", &said);
    }
}

#[test]
fn among_files_service_accounts_are_refused_with_the_cure() {
    let mut world = files();
    let spec = json!({"authentication": {"serviceAccounts": {"audience": "llm.example.com"}}});
    world.apply(policy("team-a/p", spec));
    let said = ["spec.authentication.serviceAccounts", "under jwt"];
    refused(&world, POLICY, ACCEPTED, "Invalid", &said);
}
