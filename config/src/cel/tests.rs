use serde_json::{Value, json};

use super::{BadExpression, EvaluationError, Input, Predicate};

fn holds(source: &str, body: &Value) -> Result<bool, EvaluationError> {
    let input = Input {
        request: &|| body.clone(),
        header: &|name| (name == "x-team").then(|| "blue".to_owned()),
        user: &|| serde_json::json!({"name": "ann", "groups": ["red"]}),
        address: std::net::Ipv4Addr::new(192, 0, 2, 7).into(),
        route: ("team-a", "chat"),
        now: jiff::Timestamp::UNIX_EPOCH,
    };
    Predicate::compile(source).unwrap().holds(&input, "gpt-4")
}

#[test]
fn an_expression_reads_body_headers_model_route_and_time() {
    let body = json!({"stream": true, "max_tokens": 10, "messages": [{"role": "user"}]});
    for source in [
        "request.stream",
        "request.max_tokens < 100",
        "headers['x-team'] == 'blue' && model.startsWith('gpt')",
        "route.namespace == 'team-a'",
        "request.messages.exists(m, m.role == 'user')",
        "now < timestamp('2000-01-01T00:00:00Z')",
        "model in ['gpt-4', 'gpt-5']",
        "user.name == 'ann' && 'red' in user.groups && user.claims == null",
        "client.address == '192.0.2.7'",
    ] {
        assert_eq!(holds(source, &body), Ok(true), "{source}");
    }
}

#[test]
fn a_missing_key_reads_as_null_however_deep() {
    let body = json!({"metadata": {"a": 1}});
    for source in [
        "request.user == null",
        "request.metadata.team == null",
        "request.nothing.at.all == null",
        "headers['x-none'] == null",
        "!has(request.user) || request.user == null",
    ] {
        assert_eq!(holds(source, &body), Ok(true), "{source}");
    }
}

#[test]
fn what_gives_no_boolean_fails_closed() {
    assert!(holds("request.max_tokens", &json!({"max_tokens": 1})).is_err());
    assert!(
        holds("request.a < 1", &json!({"a": "secret"}))
            .is_err_and(|fault| !fault.0.contains("secret"))
    );
}

#[test]
fn an_unknown_name_is_shown_with_its_column() {
    let fault = Predicate::compile("model == 'x' && usr.name == 'y'").unwrap_err();
    assert!(
        matches!(
            fault,
            BadExpression::Unknown {
                column: 17,
                what: "variable",
                ..
            }
        ),
        "{fault}"
    );
    let fault = Predicate::compile("model.frobnicate()").unwrap_err();
    assert!(
        matches!(
            fault,
            BadExpression::Unknown {
                what: "function",
                ..
            }
        ),
        "{fault}"
    );
}

#[test]
fn a_slip_of_syntax_is_shown_with_its_column() {
    let fault = Predicate::compile("model == ").unwrap_err();
    assert!(matches!(fault, BadExpression::Syntax { .. }), "{fault}");
}

#[test]
fn macros_nest_two_deep_and_no_deeper() {
    let two = "request.a.all(x, x.b.all(y, y > 0))";
    assert!(Predicate::compile(two).is_ok());
    let three = "request.a.all(x, x.b.all(y, y.c.all(z, z > 0)))";
    assert_eq!(
        Predicate::compile(three).unwrap_err(),
        BadExpression::Deep(3)
    );
}

#[test]
fn headers_are_read_one_by_one() {
    assert_eq!(
        Predicate::compile("headers[model] == 'x'").unwrap_err(),
        BadExpression::AllHeaders
    );
}
