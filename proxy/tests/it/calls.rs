//! Calls that name a model: from the route's host to the upstream's path, and back.

use http::Method;
use serde_json::json;

use crate::harness::*;

#[tokio::test]
async fn a_call_reaches_the_upstream_with_its_bytes_and_comes_back_with_its_bytes() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    let body = "{ \"model\" : \"echo\",\n \"messages\":[{\"role\":\"user\",\"content\":\"h\\u00e9llo\"}] , \"unknown\": 1e3 }";
    let headers = [
        ("content-type", "application/json"),
        ("authorization", "Bearer secret"),
    ];
    let got = proxy
        .send(Method::POST, "/v1/chat/completions?a=1&b", &headers, body)
        .await;
    assert_eq!(got.status, 200);
    assert_eq!(got.json()["choices"][0]["message"]["content"], "héllo");
    assert!(got.header("x-dragoman-request-id").is_some());
    let seen = &simulator.requests()[0];
    assert_eq!(seen.body, body);
    assert_eq!(seen.path, "/v1/chat/completions");
    assert_eq!(seen.query.as_deref(), Some("a=1&b"));
    assert_eq!(
        seen.host.as_deref(),
        Some(simulator.addr().to_string().as_str())
    );
    assert_eq!(seen.header("authorization"), None);
}

#[tokio::test]
async fn paths_work_with_and_without_v1_and_below_the_prefix() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    for path in [
        "/v1/chat/completions",
        "/chat/completions",
        "/v1//chat/completions",
        "/routes/team-a/chat/v1/chat/completions",
        "/routes/team-a/chat/chat/completions",
    ] {
        let got = proxy.post(path, &chat("echo", "hi", false)).await;
        assert_eq!(got.status, 200, "{path}: {}", got.text());
        assert_eq!(
            simulator.requests().last().unwrap().path,
            "/v1/chat/completions",
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_model_is_renamed_in_place_and_gets_its_fields() {
    let simulator = simulator().await;
    let mut names = map();
    let mut fields = rule(exact("tuned"), "echo");
    fields.defaults = json!({"temperature": 0.5, "seed": 7})
        .as_object()
        .unwrap()
        .clone();
    fields.overrides = json!({"top_p": 0.25}).as_object().unwrap().clone();
    names.rules = vec![
        rule(exact("gpt-4"), "echo"),
        fields,
        rule(regex("say-(.*)"), "chunk-$1"),
    ];
    let proxy = Proxy::start(mapped(&simulator, names));
    let body = r#"{"model":"gpt-4", "messages":[{"role":"user","content":"x"}]}"#;
    proxy
        .send(Method::POST, "/v1/chat/completions", &[], body)
        .await;
    assert_eq!(simulator.requests()[0].body, body.replace("gpt-4", "echo"));
    let body = r#"{"model":"tuned","messages":[{"role":"user","content":"x"}],"seed":1,"top_p":1}"#;
    proxy
        .send(Method::POST, "/v1/chat/completions", &[], body)
        .await;
    assert_eq!(
        simulator.requests()[1].body,
        r#"{"model":"echo","messages":[{"role":"user","content":"x"}],"seed":1,"top_p":0.25,"temperature":0.5}"#
    );
    proxy.chat("say-3", "x").await;
    assert_eq!(simulator.requests()[2].json()["model"], "chunk-3");
}

#[tokio::test]
async fn a_stream_passes_byte_for_byte() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    for words in [
        "tokens-20",
        "tokens-20+split",
        "tokens-20+coalesced",
        "tokens-20+crlf",
        "echo+keepalive-comments",
    ] {
        let got = proxy.stream(words, "one two three").await;
        assert_eq!(got.status, 200);
        assert!(
            got.header("content-type")
                .unwrap()
                .starts_with("text/event-stream")
        );
        assert!(
            got.text().trim_end().ends_with("data: [DONE]"),
            "{words}: {}",
            got.text()
        );
        assert!(got.complete);
    }
}
