use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use dragoman_config::{ObjectKey, RuleActionItem, RuleItem};
use http::HeaderMap;
use serde_json::{Value, json};

use super::{Admitted, Decision, Failed, Rules, judge};
use crate::access::caller::{Caller, User};
use crate::access::facts::Facts;
use crate::access::service::Services;

fn rule(name: &str, when: Option<&str>, action: RuleActionItem) -> RuleItem {
    RuleItem {
        name: name.into(),
        when: when.map(str::to_owned),
        action,
    }
}

fn deny(name: &str, when: &str) -> RuleItem {
    let action = RuleActionItem::Deny {
        status: 403,
        message: None,
    };
    rule(name, Some(when), action)
}

fn set(fields: &[(&str, &str)]) -> RuleActionItem {
    let fields = fields
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
    RuleActionItem::Set(fields.collect())
}

fn key(name: &str) -> ObjectKey {
    ObjectKey {
        namespace: "team".into(),
        name: name.into(),
    }
}

async fn judged(policies: &[Vec<RuleItem>], body: &str) -> Result<Decision, Failed> {
    let rules: Vec<Rules> = policies
        .iter()
        .map(|items| Rules::new(items).unwrap())
        .collect();
    let policy = key("policy");
    let body = Bytes::copy_from_slice(body.as_bytes());
    let mut headers = HeaderMap::new();
    headers.append("x-team", "blue".parse().unwrap());
    headers.append("x-two", "a".parse().unwrap());
    headers.append("x-two", "b".parse().unwrap());
    let caller = Caller {
        address: Ipv4Addr::new(192, 0, 2, 7).into(),
        user: Some(Arc::new(ann())),
        key: None,
    };
    let policies: Vec<_> = rules.iter().map(|it| (&policy, it, &caller)).collect();
    let facts = Facts {
        body: Some(&body),
        headers: &headers,
        caller: &caller,
        route: &key("chat"),
        model: Some("gpt-4"),
    };
    judge(&policies, facts, &Services::default()).await
}

fn admitted(decision: Result<Decision, Failed>) -> Admitted {
    match decision {
        Ok(Decision::Admit(admitted)) => admitted,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_first_rule_that_decides_counts_within_its_policy() {
    let allow = rule("a", Some("user.name == 'ann'"), RuleActionItem::Allow);
    let decision = judged(&[vec![allow.clone(), deny("d", "true")]], "{}").await;
    assert_eq!(admitted(decision), Admitted::default());
    let decision = judged(&[vec![allow], vec![deny("d", "true")]], "{}").await;
    let Ok(Decision::Deny(denied)) = decision else {
        panic!("{decision:?}");
    };
    assert_eq!((denied.status, &*denied.rule), (403, "d"));
    assert_eq!(denied.message, "The rule \"d\" refuses this request.");
}

#[tokio::test]
async fn every_fact_is_there_and_credentials_are_not() {
    let all = "headers['x-team'] == 'blue' && headers['x-two'] == 'a, b' && user.claims.tier == 'gold' && client.address == '192.0.2.7' && route.name == 'chat' && model == 'gpt-4' && request.n == 1";
    let decision = judged(&[vec![deny("d", all)]], r#"{"n":1}"#).await;
    assert!(matches!(decision, Ok(Decision::Deny(_))), "{decision:?}");
    let shown = Rules::new(&[deny("d", "headers['x-api-key'] != null")]);
    assert!(shown.is_err_and(|faults| faults[0].1.contains("credentials")));
}

#[tokio::test]
async fn what_a_rule_changes_later_rules_and_policies_see() {
    let first = vec![
        rule(
            "cap",
            Some("request.max_tokens > 100"),
            set(&[("max_tokens", "100"), ("metadata.user", "user.name")]),
        ),
        rule("cheap", None, RuleActionItem::SetModel("small".into())),
    ];
    let second = vec![
        deny("d", "model != 'small' || request.max_tokens != 100"),
        rule("b", None, RuleActionItem::AllowBackendHeader),
        rule("gone", None, set(&[("secret", "null")])),
    ];
    let body = r#"{"model": "gpt-4", "max_tokens":  500 ,"secret":1}"#;
    let admitted = admitted(judged(&[first, second], body).await);
    assert_eq!(admitted.model.as_deref(), Some("small"));
    assert!(admitted.backend_header);
    assert_eq!(
        admitted.body.as_deref(),
        Some(&br#"{"model": "gpt-4", "max_tokens":  100 ,"metadata":{"user":"ann"}}"#[..])
    );
}

#[tokio::test]
async fn a_rule_answers_in_the_models_place() {
    let respond = rule("r", None, RuleActionItem::Respond("Closed.".into()));
    let decision = judged(&[vec![respond]], "{}").await.unwrap();
    let (rule, text) = ("r".to_owned(), "Closed.".to_owned());
    assert!(
        matches!(decision, Decision::Respond { rule: by, text: said, .. } if (&by, &said) == (&rule, &text))
    );
}

#[tokio::test]
async fn what_cannot_be_evaluated_fails_closed_without_telling_values() {
    let failed = judged(&[vec![deny("d", "request.a > 3")]], r#"{"a":"hidden"}"#).await;
    let failed = failed.unwrap_err();
    assert_eq!((failed.status, &*failed.rule), (500, "d"));
    assert!(!failed.to_string().contains("hidden"), "{failed}");
}

#[tokio::test]
async fn a_body_that_parsers_read_differently_is_refused_where_a_rule_looks_at_it() {
    let body = r#"{"a":1,"a":2}"#;
    let Ok(Decision::Deny(denied)) = judged(&[vec![deny("d", "request.a == 3")]], body).await
    else {
        panic!("admitted");
    };
    assert_eq!(denied.status, 400);
    let decision = judged(&[vec![deny("d", "model == 'x'")]], body).await;
    assert_eq!(admitted(decision), Admitted::default());
}

#[test]
fn faults_name_their_rule() {
    let items = [
        deny("a", "model == 'x'"),
        deny("b", "nonsense"),
        rule("c", None, set(&[("model", "'x'")])),
        rule("d", None, set(&[("a", "1 +")])),
    ];
    let faults = Rules::new(&items).unwrap_err();
    let places: Vec<usize> = faults.iter().map(|(at, _)| *at).collect();
    assert_eq!(places, [1, 2, 3]);
    assert!(faults[0].1.starts_with("when: column 1"), "{}", faults[0].1);
}

#[test]
fn who_reads_the_body_is_known_before() {
    let reads = |item| Rules::new(&[item]).unwrap().reads_body();
    assert!(!reads(deny("a", "model == 'x' && user != null")));
    assert!(reads(deny("a", "request.stream")));
    assert!(reads(rule("a", None, set(&[("a", "1")]))));
}

/// Twenty rules over headers, user and model.
fn twenty() -> Vec<RuleItem> {
    let kinds = [
        "headers['x-team'] == 'red' && model.startsWith('gpt')",
        "user != null && 'guests' in user.groups",
        "model in ['o1', 'o3', 'o4'] || user.claims.tier == 'none'",
        "headers['x-none'] != null && headers['x-team'].matches('^r')",
    ];
    let rules = (0..20).map(|at| deny(&format!("rule-{at}"), kinds[at % kinds.len()]));
    rules.collect()
}

fn ann() -> User {
    let claims = json!({"tier": "gold"}).as_object().cloned();
    User::new("ann".into(), vec!["staff".into()], claims)
}

/// `cargo test --release -p dragoman-proxy what_twenty -- --nocapture` says the figure.
#[tokio::test]
async fn what_twenty_rules_over_headers_user_and_model_take_is_microseconds() {
    let rules = Rules::new(&twenty()).unwrap();
    let policy = key("policy");
    let (route, headers) = (key("chat"), HeaderMap::new());
    let caller = Caller {
        address: Ipv4Addr::LOCALHOST.into(),
        user: Some(Arc::new(ann())),
        key: None,
    };
    let services = Services::default();
    let times = 10_000_u32;
    let began = std::time::Instant::now();
    for _ in 0..times {
        let facts = Facts {
            body: None,
            headers: &headers,
            caller: &caller,
            route: &route,
            model: Some("gpt-4"),
        };
        let decision = judge(&[(&policy, &rules, &caller)], facts, &services)
            .await
            .unwrap();
        assert!(matches!(decision, Decision::Admit(_)));
    }
    let each = began.elapsed() / times;
    eprintln!("20 rules: {each:?} a request");
    assert!(each.as_millis() < 5, "{each:?}");
}

#[test]
fn a_service_is_told_what_is_known() {
    use crate::access::call::{Asking, written};
    let (policy, route) = (key("policy"), key("chat"));
    let written = written(&Asking {
        phase: "request",
        policy: &policy,
        rule: "guard",
        route: &route,
        user: &json!({"name": "ann"}),
        address: "192.0.2.7",
        model: Some("m"),
        request: Some(br#"{ "a" : 1 }"#),
        response: None,
    });
    let written: Value = serde_json::from_slice(&written).unwrap();
    let expected = json!({
        "version": 1, "phase": "request", "rule": "guard",
        "policy": {"namespace": "team", "name": "policy"},
        "route": {"namespace": "team", "name": "chat"},
        "user": {"name": "ann"}, "client": {"address": "192.0.2.7"},
        "model": "m", "request": {"a": 1},
    });
    assert_eq!(written, expected);
}
