//! What expressions make of each request, kept with it (feature C9).

use dragoman_system::eventually;
use http::Method;
use serde_json::{Value, json};

use super::check::check;
use super::manifests::{backend, object, route, simulator};
use super::proxy::{Answer, Proxy, answer, chat};

const KEYS: &str = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: tokens}\nstringData: {ann: ann-0123456789abcdef, bob: bob-0123456789abcdef}\n";

fn manifest(url: &str, attributes: &str) -> String {
    let policy = "authentication: {bearerTokens: {secretRefs: [{name: tokens}]}}";
    object(
        "LLMProxy",
        "{name: default}",
        &format!("deployment: {{}}\nlogging: {{bodies: None, attributes: {attributes}}}"),
    ) + &backend("main", url, "")
        + KEYS
        + &object("AccessPolicy", "{name: callers}", policy)
        + &route("accessPolicyRefs: [{name: callers}]")
}

async fn call(proxy: &Proxy, user: &str, team: Option<&str>) -> Answer {
    let mut request = proxy
        .request(Method::POST, "/v1/chat/completions")
        .json(&chat("echo", "hello"))
        .bearer_auth(format!("{user}-0123456789abcdef"))
        .header("x-session-id", "s-0123456789");
    if let Some(team) = team {
        request = request.header("x-team", team);
    }
    let answered = answer(request).await;
    assert_eq!(answered.status, 200, "{}", answered.text());
    answered
}

/// The ids of requests that match, newest first, once so many do.
async fn matching(proxy: &Proxy, filter: &str, count: usize) -> Vec<String> {
    eventually(&format!("{count} requests match {filter}"), || async {
        let page = proxy.admin_get(&format!("/api/logs?{filter}")).await;
        let rows = page.json()["logs"].as_array().cloned().unwrap_or_default();
        let ids = rows
            .iter()
            .map(|row| row["id"].as_str().unwrap().to_owned());
        let ids: Vec<String> = ids.collect();
        if ids.len() == count {
            Ok(ids)
        } else {
            Err(page.text())
        }
    })
    .await
}

fn id(answer: &Answer) -> &str {
    answer.header("x-dragoman-request-id").unwrap()
}

#[tokio::test]
async fn attributes_are_on_record_and_narrow_what_one_looks_for() {
    let upstream = simulator().await;
    let attributes = "[{name: team, expression: \"headers['x-team']\"}, {name: who, expression: \"user.name + '@' + route.namespace\"}, \
        {name: turns, expression: request.messages.size()}, {name: end, expression: response.finish_reason}, \
        {name: session, expression: \"headers['x-session-id']\"}, {name: late, expression: \"int(headers['x-team'].replace('t', ''))\"}]";
    let proxy = Proxy::start(&manifest(&upstream.url(), attributes)).await;
    let red = call(&proxy, "ann", Some("red")).await;
    let blue = call(&proxy, "bob", Some("t7")).await;
    let none = call(&proxy, "ann", None).await;
    assert_eq!(
        matching(&proxy, "attribute=who%3Dann@default", 2).await,
        [id(&none), id(&red)]
    );
    assert_eq!(
        matching(&proxy, "attribute=team%3Dt7", 1).await,
        [id(&blue)]
    );
    assert_eq!(matching(&proxy, "attribute=late%3D7", 1).await, [id(&blue)]);
    assert_eq!(
        matching(&proxy, "attribute=turns%3D1&attribute=team%3Dred", 1).await,
        [id(&red)]
    );
    let row = proxy
        .admin_get(&format!("/api/logs/{}", id(&red)))
        .await
        .json();
    // Neither bodies nor secrets are on record for an expression's sake, and one that fails costs the others nothing.
    assert_eq!(
        (&row["attributes"], &row["request_body"]),
        (
            &json!({"team": "red", "who": "ann@default", "turns": 1, "end": "stop", "session": "[masked]"}),
            &Value::Null
        )
    );
    let page = proxy
        .admin_get(&format!("/requests/{}", id(&red)))
        .await
        .text();
    assert!(page.contains("ann@default"), "{page}");
    let metrics = proxy.admin_get("/metrics").await.text();
    let failed = "dragoman_request_log_attribute_failures_total{attribute=\"late\"} 2";
    assert!(metrics.lines().any(|line| line == failed), "{metrics}");
    let told = |log: &str| log.lines().filter(|line| line.contains("late")).count();
    assert_eq!(told(&proxy.log()), 2, "{}", proxy.log());
    assert!(!proxy.log().contains("red"), "{}", proxy.log());
}

#[tokio::test]
async fn an_expression_that_cannot_be_compiled_is_refused_and_the_one_before_it_stays() {
    let upstream = simulator().await;
    let with = |expression: &str| {
        let attributes = format!("[{{name: team, expression: \"{expression}\"}}]");
        manifest(&upstream.url(), &attributes)
    };
    for (expression, cure) in [
        ("header['x-team']", "unknown variable \"header\""),
        ("headers['authorization']", "carries credentials"),
    ] {
        let (code, said) = check(&with(expression), &[]);
        assert_eq!(code, Some(1), "{said}");
        for word in ["LLMProxy", "spec.logging.attributes[0].expression", cure] {
            assert!(said.contains(word), "{word}: {said}");
        }
    }
    let proxy = Proxy::start(&with("headers['x-team']")).await;
    proxy.edit(&with("header['x-team']"));
    proxy.logged("spec.logging.attributes[0].expression").await;
    let answered = call(&proxy, "ann", Some("red")).await;
    assert_eq!(
        matching(&proxy, "attribute=team%3Dred", 1).await,
        [id(&answered)]
    );
}
