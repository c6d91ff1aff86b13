//! AccessPolicies: who is let in, and who counts with whom, as statuses tell it.

use std::time::Duration;

use dragoman_config::wire::{Content, LogState, Report};
use dragoman_config::{ClusterKeys, InputKey, Item, Key, Kind, ObjectKey};
use serde_json::{Value, json};

use super::stage::{Proxy, Stage, cluster_keys};
use crate::watch::{Change, Seen, Source, Thing};

impl Stage {
    /// Long enough for a status that is not urgent.
    fn later(&mut self) {
        self.pass(Duration::from_secs(11));
    }

    fn labelled(&mut self, name: &str, labels: &[(&str, &str)]) {
        let (namespace, name) = name.split_once('/').unwrap();
        let words = labels.iter();
        let labels = words.map(|(name, word)| ((*name).into(), (*word).into()));
        let name = ObjectKey::new(namespace, name);
        let change = Change::Applied(Thing::Secret(name, labels.collect()));
        let source = Source::Secrets;
        self.core.seen(Seen { source, change }, self.now);
    }

    fn secret_gone(&mut self, name: ObjectKey) {
        self.inputs.remove(&InputKey::secret(name.clone()));
        let change = Change::Deleted(name);
        let source = Source::Secrets;
        self.core.seen(Seen { source, change }, self.now);
    }
}

/// The users that a policy knows, as proxies were sent them last.
fn users(proxy: &mut Proxy, policy: &Key) -> Option<Vec<String>> {
    let transaction = proxy.receive()?;
    let put = transaction
        .put
        .into_iter()
        .find(|put| put.name == *policy)?;
    let Content::Item(item) = put.content else {
        panic!("invalid")
    };
    let Item::Policy(item) = item.as_ref() else {
        panic!("no policy")
    };
    let tokens = &item.authentication.as_ref()?.tokens;
    Some(tokens.iter().map(|user| user.user.clone()).collect())
}

fn limited() -> Value {
    json!({"limits": [{"per": "User", "requests": 5, "window": "1m"}]})
}

fn proxy(stage: &mut Stage, generation: i64, more: &Value) -> Key {
    let mut spec = json!({"allowedRoutes": {"namespaces": {"from": "All"}}});
    spec.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let namespace = "dragoman-system/default";
    stage.apply(Kind::Proxy, namespace, generation, spec)
}

/// A stage whose route refers to the policy `rules`, and a proxy that runs them.
fn served(policy: Value) -> (Stage, Key, Key, Proxy) {
    let (mut stage, route, proxy) = Stage::served();
    let policy = stage.apply(Kind::Policy, "team-a/rules", 1, policy);
    stage.route(2, json!({"accessPolicyRefs": [{"name": "rules"}]}));
    stage.later();
    (stage, route, policy, proxy)
}

fn shared(stage: &Stage, policy: &Key) -> (String, String) {
    stage.condition(policy, "LimitsShared")
}

fn said(status: &str, reason: &str) -> (String, String) {
    (status.into(), reason.into())
}

#[test]
fn a_route_is_restricted_once_a_policy_asks_who_calls() {
    let (mut stage, route, ..) = served(json!({"network": {"deny": ["10.0.0.0/8"]}}));
    assert_eq!(stage.statuses[&route]["access"], "Open");
    let asking = |anonymous: bool| json!({"authentication": {"jwt": [{"issuer": "i", "audiences": ["a"], "jwksUri": "https://i/keys"}], "anonymous": anonymous}});
    stage.apply(Kind::Policy, "team-a/rules", 2, asking(false));
    stage.later();
    assert_eq!(stage.statuses[&route]["access"], "Restricted");
    stage.apply(Kind::Policy, "team-a/rules", 3, asking(true));
    stage.later();
    assert_eq!(stage.statuses[&route]["access"], "Open");
}

#[test]
fn the_policy_of_an_llmproxy_restricts_its_routes() {
    let (mut stage, route, _) = Stage::served();
    let ways = json!({"authentication": {"jwt": [{"issuer": "i", "audiences": ["a"], "jwksUri": "https://i/keys"}]}});
    stage.apply(Kind::Policy, "dragoman-system/all", 1, ways);
    proxy(
        &mut stage,
        2,
        &json!({"accessPolicyRefs": [{"name": "all"}]}),
    );
    stage.later();
    assert_eq!(stage.statuses[&route]["access"], "Restricted");
    proxy(&mut stage, 3, &json!({}));
    stage.later();
    assert_eq!(stage.statuses[&route]["access"], "Open");
}

#[test]
fn limits_are_shared_by_one_proxy_or_through_redis() {
    let (mut stage, _, policy, _) = served(limited());
    assert_eq!(shared(&stage, &policy), said("True", "OneProxy"));
    proxy(&mut stage, 2, &json!({"deployment": {"replicas": 3}}));
    stage.later();
    assert_eq!(shared(&stage, &policy), said("False", "LocalToEachProxy"));
    assert_eq!(stage.condition(&policy, "Ready").0, "True");
    stage.secret("dragoman-system/redis", "redis://redis:6379");
    let redis = json!({"deployment": {"replicas": 3}, "sharedState": {"redis": {"secretRef": {"name": "redis", "key": "key"}}}});
    proxy(&mut stage, 3, &redis);
    stage.later();
    stage.later();
    assert_eq!(shared(&stage, &policy), said("True", "SharedState"));
}

#[test]
fn a_redis_that_is_away_and_bans_are_told_in_status() {
    let (mut stage, _, policy, proxy_stream) = served(limited());
    stage.secret("dragoman-system/redis", "redis://redis:6379");
    let redis = json!({"deployment": {"replicas": 3}, "sharedState": {"redis": {"secretRef": {"name": "redis", "key": "key"}}}});
    let llmproxy = proxy(&mut stage, 2, &redis);
    stage.later();
    stage.later();
    let report = Report {
        banned: Some(4),
        redis_away: Some("timed out".into()),
        ..Report::default()
    };
    stage.report(&proxy_stream, report);
    stage.later();
    assert_eq!(shared(&stage, &policy), said("False", "RedisUnreachable"));
    assert_eq!(stage.condition(&policy, "Ready").0, "True");
    assert_eq!(stage.statuses[&llmproxy]["bannedAddresses"], 4);
    let report = Report {
        banned: Some(0),
        ..Report::default()
    };
    stage.report(&proxy_stream, report);
    stage.later();
    assert_eq!(shared(&stage, &policy), said("True", "SharedState"));
    assert_eq!(stage.statuses[&llmproxy]["bannedAddresses"], 0);
}

#[test]
fn whether_rows_are_stored_is_told_of_the_llmproxy_and_written_when_that_changes() {
    let (mut stage, _, _, proxy_stream) = served(limited());
    let llmproxy = proxy(&mut stage, 1, &json!({}));
    stage.later();
    let healthy = |stage: &Stage| stage.condition(&llmproxy, "LogHealthy");
    let mut say = |log| {
        let report = Report {
            log,
            ..Report::default()
        };
        stage.report(&proxy_stream, report);
        stage.later();
        healthy(&stage)
    };
    assert_eq!(say(None), said("Unknown", "NotReported"));
    assert_eq!(say(Some(LogState::Stored)), said("True", "Stored"));
    assert_eq!(
        say(Some(LogState::LogbookAway)),
        said("False", "LogbookAway")
    );
    assert_eq!(say(Some(LogState::Dropped)), said("False", "Dropped"));
    assert_eq!(stage.condition(&llmproxy, "Ready").0, "True");
}

#[test]
fn a_policy_without_limits_and_bans_says_nothing_of_counting() {
    let (stage, _, policy, _) = served(json!({"network": {"deny": ["10.0.0.0/8"]}}));
    let conditions = stage.statuses[&policy]["conditions"].as_array().unwrap();
    assert!(conditions.iter().all(|it| it["type"] != "LimitsShared"));
}

#[test]
fn a_secret_that_carries_the_label_is_read_and_its_user_let_in() {
    let selector = json!({"authentication": {"bearerTokens": {"secretSelector": {"matchLabels": {"llm": "keys"}}}}});
    let (mut stage, _, policy, mut proxy) = served(selector);
    assert_eq!(users(&mut proxy, &policy), Some(Vec::new()));
    let reads = stage.reads;
    stage.secret("team-a/other", "other-0123456789abcdef");
    stage.later();
    assert_eq!(stage.reads, reads);
    stage.secret("team-a/alice", "alice-0123456789abcdef");
    stage.labelled("team-a/alice", &[("llm", "keys")]);
    stage.soon();
    assert_eq!(stage.reads, reads + 1);
    assert_eq!(users(&mut proxy, &policy), Some(vec!["key".into()]));
    stage.secret_gone(ObjectKey::new("team-a", "alice"));
    stage.soon();
    assert_eq!(users(&mut proxy, &policy), Some(Vec::new()));
}

#[test]
fn nothing_is_served_before_the_clusters_keys_are_known_and_newer_ones_are_pushed() {
    let mut stage = Stage::new();
    for source in Source::ALL {
        let change = Change::Listed;
        stage.core.seen(Seen { source, change }, stage.now);
    }
    assert!(!stage.core.is_ready());
    stage.core.cluster_keys(ClusterKeys::Unreadable, stage.now);
    assert!(stage.core.is_ready());
    stage.lead();
    stage.apply(
        Kind::Policy,
        "team-a/rules",
        1,
        json!({"authentication": {"serviceAccounts": {"audience": "llm.example.com"}}}),
    );
    stage.later();
    let policy = Key::new(Kind::Policy, "team-a", "rules");
    assert_eq!(
        stage.condition(&policy, "ResolvedRefs"),
        said("False", "ClusterKeysUnreadable")
    );
    stage
        .core
        .cluster_keys(cluster_keys("https://a.example"), stage.now);
    stage.later();
    assert_eq!(stage.condition(&policy, "Ready").0, "True");
}
