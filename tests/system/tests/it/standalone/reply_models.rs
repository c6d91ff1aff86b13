//! Which model a reply names that is translated for its client (features A12, B1).

use serde_json::{Value, json};

use super::manifests::{MAPPED, backend, names, route, simulator};
use super::proxy::{Answer, Proxy};

/// A call by which a client names its model as `mine`: its path, its body, and whether it streams.
fn calls() -> Vec<(&'static str, Value)> {
    let messages = json!([{"role": "user", "content": "hello"}]);
    let contents = json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]});
    let invoked =
        json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": messages});
    let mut calls = vec![
        ("/v1beta/models/mine:generateContent", contents.clone()),
        (
            "/v1beta/models/mine:streamGenerateContent?alt=sse",
            contents.clone(),
        ),
        ("/v1beta/models/mine:streamGenerateContent", contents),
        ("/model/mine/invoke", invoked),
    ];
    for stream in [false, true] {
        let with = |name: &str, value: Value| json!({"model": "mine", "stream": stream, "max_tokens": 9, name: value});
        calls.extend([
            ("/v1/chat/completions", with("messages", messages.clone())),
            ("/v1/completions", with("prompt", "hello".into())),
            (
                "/v1/responses",
                json!({"model": "mine", "stream": stream, "input": "hello"}),
            ),
            ("/v1/messages", with("messages", messages.clone())),
            (
                "/api/chat",
                json!({"model": "mine", "stream": stream, "messages": messages}),
            ),
            (
                "/api/generate",
                json!({"model": "mine", "stream": stream, "prompt": "hello"}),
            ),
        ]);
    }
    calls
}

/// Every model that a reply names.
fn named(reply: &Answer) -> Vec<String> {
    let text = reply.text();
    let mut values: Vec<Value> = match serde_json::from_str(&text) {
        Ok(whole) => vec![whole],
        Err(_) => text
            .lines()
            .filter_map(|line| {
                serde_json::from_str(line.strip_prefix("data: ").unwrap_or(line)).ok()
            })
            .collect(),
    };
    let mut models = Vec::new();
    while let Some(value) = values.pop() {
        match value {
            Value::Array(list) => values.extend(list),
            Value::Object(mut object) => {
                for name in ["model", "modelVersion"] {
                    models.extend(object.get(name).and_then(Value::as_str).map(str::to_owned));
                }
                for name in ["message", "response"] {
                    values.extend(object.remove(name));
                }
            }
            _ => {}
        }
    }
    models
}

#[tokio::test]
async fn a_translated_reply_names_the_upstreams_model_or_the_one_that_was_asked_for() {
    for (reply_model, wanted) in [("Upstream", "echo"), ("Requested", "mine")] {
        let map = format!(
            "replyModel: {reply_model}\nrules: [{{match: {{exact: mine}}, target: {{model: echo}}}}]"
        );
        // The last one's replies name no model.
        for (dialect, base) in [
            ("OpenAI", "/v1"),
            ("Anthropic", ""),
            ("Ollama", ""),
            ("Bedrock", ""),
        ] {
            let upstream = simulator().await;
            let url = format!("http://{}{base}", upstream.addr());
            let manifest = backend("main", &url, &format!("dialect: {dialect}"))
                + &names(&map)
                + &route(MAPPED);
            let proxy = Proxy::start(&manifest).await;
            for (path, body) in calls() {
                let reply = proxy.post(path, &body).await;
                assert_eq!(reply.status, 200, "{dialect} {path}: {}", reply.text());
                let named = named(&reply);
                let all = named.iter().all(|name| name == wanted);
                assert!(
                    all && !named.is_empty(),
                    "{dialect} {path}: {named:?} {}",
                    reply.text()
                );
            }
        }
    }
}
