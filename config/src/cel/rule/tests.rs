use std::borrow::Cow;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Condition, Expression, Facts, Variables};

struct Known {
    request: Value,
    user: Value,
    response: Value,
}

impl Facts for Known {
    fn request(&self) -> &Value {
        &self.request
    }
    fn header(&self, name: &http::HeaderName) -> Option<Cow<'_, str>> {
        (name == "x-team").then(|| "blue".into())
    }
    fn user(&self) -> &Value {
        &self.user
    }
    fn user_name(&self) -> Option<&str> {
        self.user["name"].as_str()
    }
    fn in_group(&self, group: &str) -> Option<bool> {
        let groups = self.user["groups"].as_array()?;
        Some(groups.iter().any(|one| one == group))
    }
    fn address(&self) -> &'static str {
        "192.0.2.7"
    }
    fn route(&self) -> (&str, &str) {
        ("team-a", "chat")
    }
    fn model(&self) -> Option<&str> {
        Some("gpt-4")
    }
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }
    fn response(&self) -> &Value {
        &self.response
    }
}

fn known() -> Known {
    Known {
        request: json!({"stream": true, "n": 3, "metadata": {"team": "a"}, "f": 0.5,
            "messages": [{"role": "user", "content": "tell me"}], "null": null}),
        user: json!({"name": "ann", "groups": ["admins", "staff"], "claims": {"tier": "gold"}}),
        response: json!({"content": "Hello", "tool_calls": [], "finish_reason": "stop"}),
    }
}

fn holds(source: &str) -> Result<bool, super::EvaluationError> {
    let condition = Condition::compile(source, Variables::Reply);
    condition
        .unwrap_or_else(|fault| panic!("{source}: {fault}"))
        .holds(&known())
}

#[test]
fn every_variable_is_known() {
    for source in [
        "request.stream",
        "request.metadata.team == 'a' && request.none.at.all == null",
        "headers['x-team'] == 'blue' && headers['x-none'] == null",
        "user.name == 'ann' && 'admins' in user.groups && user.claims.tier == 'gold'",
        "user != null",
        "!has(request.user) || request.user == null",
        "client.address == '192.0.2.7'",
        "route.namespace == 'team-a' && route.name == 'chat'",
        "model in ['gpt-4', 'gpt-5']",
        "model.matches('^gpt-[0-9]$')",
        "now < timestamp('2000-01-01T00:00:00Z')",
        "response.content.contains('ell') && response.finish_reason == 'stop'",
        "size(response.tool_calls) == 0",
        "request.messages.exists(m, m.role == 'user' && m.content.contains('tell'))",
        "user.groups.all(group, group != 'guests')",
    ] {
        assert_eq!(holds(source), Ok(true), "{source}");
    }
}

#[test]
fn a_value_is_what_the_expression_gives() {
    let expression = Expression::compile(
        "{'team': user.groups[0], 'n': request.n + 1}",
        Variables::Request,
    );
    assert_eq!(
        expression.unwrap().evaluate(&known()),
        Ok(json!({"n": 4, "team": "admins"}))
    );
}

#[test]
fn what_cannot_be_said_is_an_error_without_values() {
    for source in [
        "request.metadata.team > 3",
        "request.metadata.team.more == 'x'",
        "user.name",
        "request.none.startsWith('x')",
        "request.none.exists(x, x == 1)",
    ] {
        let fault = holds(source).unwrap_err().0;
        assert!(
            !fault.contains("\"a\"") && !fault.contains("ann"),
            "{fault}"
        );
    }
}

#[test]
fn credentials_and_unknown_names_are_refused_with_their_place() {
    let fault = |source| {
        let fault = Condition::compile(source, Variables::Request).unwrap_err();
        fault.to_string()
    };
    assert_eq!(
        fault("headers['authorization'] == 'x'"),
        "column 10: authorization carries credentials, which rules are not shown"
    );
    assert!(
        fault("response.content == 'x'").starts_with("column 1: unknown variable \"response\"")
    );
    assert!(fault("headers[model] == 'x'").contains("name the header"));
    assert!(fault("model == ").starts_with("column "));
    assert!(fault("model.frobnicate()").contains("unknown function \"frobnicate\""));
    assert!(fault("headers.size() > 1").contains("name the header"));
    assert!(fault("model.matches(user.name)").contains("written out"));
    assert!(fault("model.matches('((a{0,99}){0,99}){0,99}')").contains("does not compile"));
    assert!(fault("render('x', request) == 'x'").contains("unknown function"));
    let deep = "request.a.all(x, x.b.all(y, y.c.all(z, z > 0)))";
    assert!(fault(deep).contains("nested 3 deep"));
}

#[test]
fn a_bomb_fails_in_bounded_work() {
    let list = vec!["x".repeat(100); 2_000];
    let known = Known {
        request: json!({"list": list}),
        ..known()
    };
    for source in [
        "request.list.map(a, request.list.map(b, a + b)).size() > 0",
        "request.list.all(a, request.list.all(b, a + b != ''))",
        "request.list.map(a, request.list).map(b, toJson(b)).size() > 0",
    ] {
        let condition = Condition::compile(source, Variables::Request).unwrap();
        let began = std::time::Instant::now();
        let fault = condition.holds(&known).unwrap_err();
        assert!(fault.0.contains("too much work"), "{fault}");
        assert!(began.elapsed().as_secs() < 20);
    }
}

/// Operands of every type.
const OPERANDS: [&str; 19] = [
    "null",
    "true",
    "false",
    "3",
    "0",
    "'ann'",
    "'a'",
    "headers['x-team']",
    "headers['x-none']",
    "model",
    "user.name",
    "user.groups",
    "user.none",
    "request.n",
    "request.f",
    "request.metadata",
    "request.metadata.team",
    "request.stream",
    "request.metadata.team.more",
];

fn condition() -> impl Strategy<Value = String> {
    let operand = || proptest::sample::select(OPERANDS.to_vec());
    let leaf = prop_oneof![
        (operand(), operand()).prop_map(|(one, other)| format!("{one} == {other}")),
        (operand(), operand()).prop_map(|(one, other)| format!("{one} != {other}")),
        (operand(), operand()).prop_map(|(one, other)| format!("{one} in [{other}, 'ann']")),
        (operand(), operand()).prop_map(|(one, other)| format!("{one} in {other}")),
        operand().prop_map(|one| format!("{one}.startsWith('a')")),
        operand().prop_map(|one| format!("{one}.matches('^a.?')")),
        operand().prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one}) && ({other})")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one}) || ({other})")),
            inner.prop_map(|one| format!("!({one})")),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_decided_quickly_is_what_the_interpreter_says(source in condition()) {
        let condition = Condition::compile(&source, Variables::Reply).unwrap();
        let facts = known();
        let quick = condition.quick.as_ref().and_then(|quick| quick.holds(&facts));
        if let Some(quick) = quick {
            prop_assert_eq!(condition.interpreted(&facts), Ok(quick), "{}", source);
        }
    }
}

#[test]
fn conditions_over_headers_user_and_model_are_quick() {
    for source in [
        "headers['x-team'] == 'blue' && model.startsWith('gpt')",
        "user != null && 'admins' in user.groups",
        "!(model in ['a', 'b']) || user.claims.tier == 'gold'",
    ] {
        let condition = Condition::compile(source, Variables::Request).unwrap();
        assert!(condition.is_quick(), "{source}");
    }
}

/// `cargo test --release -p dragoman-config twenty -- --nocapture` says the figure.
#[test]
fn twenty_conditions_take_microseconds_not_milliseconds() {
    let conditions: Vec<Condition> = [
        "headers['x-team'] == 'red' && model.startsWith('gpt')",
        "user != null && 'guests' in user.groups",
        "model in ['o1', 'o3', 'o4'] || user.claims.tier == 'none'",
        "headers['x-none'] != null && headers['x-team'].matches('^r')",
    ]
    .iter()
    .cycle()
    .take(20)
    .map(|source| Condition::compile(source, Variables::Request).unwrap())
    .collect();
    let facts = known();
    let times = 10_000;
    let began = std::time::Instant::now();
    for _ in 0..times {
        for condition in &conditions {
            assert_eq!(condition.holds(&facts), Ok(false));
        }
    }
    let each = began.elapsed() / times;
    eprintln!("20 conditions: {each:?}");
    let began = std::time::Instant::now();
    for condition in &conditions {
        assert_eq!(condition.interpreted(&facts), Ok(false));
    }
    eprintln!("20 conditions, interpreted: {:?}", began.elapsed());
    assert!(each.as_millis() < 5);
}

#[test]
fn the_members_that_an_expression_names_are_known_wherever_it_names_them() {
    let source = "request.a.b[0]['c'] == 1 && request.l.exists(m, m.d == user.name && m['e'].f) && has(request.g.h) && 'i' in request.j && request.k.contains('no')";
    let members = Condition::compile(source, Variables::Request).unwrap();
    let members: Vec<_> = members.members("request").into_iter().collect();
    assert_eq!(
        members,
        ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"]
    );
}
