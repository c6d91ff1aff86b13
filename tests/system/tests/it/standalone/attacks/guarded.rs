//! Bombs for what an AccessPolicy runs: its expressions, its regular expressions, its reading of bodies and of credentials.

use std::time::Instant;

use futures::StreamExt;
use http::Method;
use serde_json::json;

use super::super::callers::{ANN, TOKENS, by_key, guarded};
use super::super::manifests::{backend, object, posts, route, simulator};
use super::super::proxy::{Proxy, answer, chat};
use super::bombs::{SOON, refused};

const GUARDED: &str = "accessPolicyRefs: [{name: guard}]";

/// The AccessPolicy `guard`, and the route `chat` under it.
fn under(url: &str, spec: &str) -> String {
    object("AccessPolicy", "{name: guard}", spec) + &backend("main", url, "") + &route(GUARDED)
}

#[test]
fn a_policys_expression_or_regex_that_unfolds_is_refused_by_name() {
    let long = vec!["request.a == 1"; 5000].join(" || ");
    let nested = format!("{}true{}", "!(".repeat(5000), ")".repeat(5000));
    for when in [long, nested] {
        for (field, action) in [("rules", "Deny"), ("responseRules", "Deny, regex: a")] {
            let spec = format!("{field}:\n- {{name: bomb, when: \"{when}\", action: {action}}}");
            let said = refused(&under("http://127.0.0.1:1/v1", &spec));
            let place = format!("spec.{field}[0]");
            assert!(said.contains(&place), "{said}");
        }
    }
    for regex in [
        "((a{200}){200}){200}",
        "(?:(?:\\\\w{900}){900})",
        "\\\\pL{1000000}",
    ] {
        for action in ["Deny", "Replace, replacement: x"] {
            let spec =
                format!("responseRules:\n- {{name: bomb, regex: \"{regex}\", action: {action}}}");
            let said = refused(&under("http://127.0.0.1:1/v1", &spec));
            assert!(said.contains("spec.responseRules[0]"), "{said}");
        }
    }
}

#[tokio::test]
async fn a_regex_on_replies_takes_time_by_their_length_alone() {
    let upstream = simulator().await;
    let spec = "responseRules:\n- {name: one, regex: '(a+)+b', action: Deny}\n- {name: two, regex: '(a|aa)*c', action: Replace, replacement: x}\n- {name: three, regex: '(.*.*)*d', action: Deny}";
    let proxy = Proxy::start(&under(&upstream.url(), spec)).await;
    let text = "a".repeat(20 << 10);
    for stream in [false, true] {
        let mut body = chat("echo", &text);
        body["stream"] = stream.into();
        let began = Instant::now();
        let reply = proxy.post("/v1/chat/completions", &body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.content(), text);
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn an_expression_that_a_body_makes_dear_is_metered_and_keeps_nobody_waiting() {
    let upstream = simulator().await;
    let each = "request.messages.all(a, request.messages.all(b, a.content + b.content != ''))";
    let spec = format!("rules:\n- {{name: dear, when: \"{each}\", action: Allow}}");
    let proxy = Proxy::start(&under(&upstream.url(), &spec)).await;
    assert_eq!(proxy.chat("echo").await.status, 200);
    let message = json!({"role": "user", "content": "x"});
    let bomb = json!({"model": "echo", "messages": vec![message; 3000]});
    let began = Instant::now();
    let many = (0..2).map(|_| proxy.post("/v1/chat/completions", &bomb));
    for reply in futures::future::join_all(many).await {
        assert_eq!((reply.status, &*reply.code()), (500, "rule_failed"));
    }
    assert!(began.elapsed() < 3 * SOON, "{:?}", began.elapsed());
    assert_eq!(posts(&upstream).len(), 1);
    assert_eq!(proxy.chat("echo").await.status, 200);
}

#[tokio::test]
async fn what_a_policy_cannot_read_reaches_nobody() {
    let upstream = simulator().await;
    let spec = "models: {deny: [{exact: dear}]}";
    let proxy = Proxy::start(&under(&upstream.url(), spec)).await;
    let deep = format!(
        r#"{{"x":{}1{},"model":"dear"}}"#,
        r#"{"a":"#.repeat(100_000),
        "}".repeat(100_000)
    );
    let denied = json!({"model": "dear", "messages": []}).to_string();
    let json = [("content-type", "application/json")];
    let gzip = [
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
    ];
    let bytes = [("content-type", "application/octet-stream")];
    for path in [
        "/v1/chat/completions",
        "/v1/moderations",
        "/api/chat",
        "/v1/own/path",
    ] {
        for (body, headers, wanted) in [
            (&deep, &json[..], &[400, 404][..]),
            (&denied, &gzip[..], &[415][..]),
            (&denied, &bytes[..], &[400, 403, 404, 415][..]),
            (&denied, &json[..], &[404][..]),
        ] {
            let request = proxy.request(Method::POST, path).body(body.clone());
            let request = headers.iter().fold(request, |request, (name, value)| {
                request.header(*name, *value)
            });
            let began = Instant::now();
            let reply = answer(request).await;
            let told = format!("{path} {headers:?}: {} {}", reply.status, reply.text());
            assert!(wanted.contains(&reply.status), "{told}");
            assert!(began.elapsed() < SOON && reply.body.len() < 2048, "{told}");
        }
    }
    assert!(posts(&upstream).is_empty());
}

#[tokio::test]
async fn guesses_from_everywhere_at_once_end_at_the_bans_bound() {
    const FAILURES: usize = 20;
    let upstream = simulator().await;
    let spec = format!("{TOKENS}ban: {{failures: {FAILURES}, window: 1h, duration: 1h}}");
    let proxy = Proxy::start(&guarded(&upstream.url(), "", &spec)).await;
    let guesses = (0..400).map(|number| {
        let request = proxy.request(Method::GET, "/v1/models");
        let request = request.header("x-api-key", format!("guess-{number}"));
        async move { answer(request).await.status }
    });
    let statuses: Vec<u16> = futures::stream::iter(guesses)
        .buffer_unordered(40)
        .collect()
        .await;
    let judged = statuses.iter().filter(|status| **status == 401).count();
    // One more may be judged by each thread but that which bans.
    assert!((FAILURES..=FAILURES + 1).contains(&judged), "{judged}");
    assert!(statuses.iter().all(|status| matches!(status, 401 | 403)));
    assert_eq!(
        by_key(&proxy, ANN).await,
        403,
        "the right one comes too late"
    );
    assert!(upstream.requests().is_empty());
}
