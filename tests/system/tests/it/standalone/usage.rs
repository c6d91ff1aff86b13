//! Usage that an upstream does not say, for clients that want it (feature B5).

use serde_json::{Value, json};

use super::manifests::{backend, route, simulator};
use super::proxy::{Answer, Proxy};

/// What is asked and what is said have eleven bytes, which are taken for three tokens.
const TEXT: &str = "hello there";

const USAGE: &str = "x-dragoman-usage";

/// A client's path and body.
fn asks(api: &str, model: &str, stream: bool) -> (String, Value) {
    let messages = json!([{"role": "user", "content": TEXT}]);
    match api {
        "messages" => (
            "/v1/messages".into(),
            json!({"model": model, "max_tokens": 64, "messages": messages, "stream": stream}),
        ),
        "ollama" => (
            "/api/chat".into(),
            json!({"model": model, "messages": messages, "stream": stream}),
        ),
        "responses" => (
            "/v1/responses".into(),
            json!({"model": model, "input": TEXT, "stream": stream}),
        ),
        "converse" => (
            format!("/model/{model}/converse"),
            json!({"messages": [{"role": "user", "content": [{"text": TEXT}]}]}),
        ),
        _ => (
            "/v1/chat/completions".into(),
            json!({"model": model, "messages": messages, "stream": stream, "stream_options": {"include_usage": true}}),
        ),
    }
}

/// The usage of a reply: that of its last object which has some.
fn usage(api: &str, reply: &Answer) -> (Value, Value, bool) {
    let text = reply.text();
    let lines = text
        .lines()
        .map(|line| line.strip_prefix("data: ").unwrap_or(line));
    let objects = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let names = match api {
        "messages" | "responses" => ["input_tokens", "output_tokens"],
        "converse" => ["inputTokens", "outputTokens"],
        "ollama" => ["prompt_eval_count", "eval_count"],
        _ => ["prompt_tokens", "completion_tokens"],
    };
    let mut found = objects.filter_map(|object| {
        let whole = [&object, &object["usage"], &object["response"]["usage"]];
        let usage = whole.into_iter().find(|of| of[names[0]].is_u64())?.clone();
        let estimated = [&usage["estimated"], &usage["usage_estimated"]];
        let estimated = estimated.iter().any(|mark| **mark == true);
        Some((usage[names[0]].clone(), usage[names[1]].clone(), estimated))
    });
    found.next_back().unwrap_or_else(|| panic!("{api}: {text}"))
}

#[tokio::test]
async fn usage_that_an_upstream_does_not_say_is_estimated_and_marked() {
    let upstream = simulator().await;
    let openai = backend("main", &upstream.url(), "openai: {responses: Translate}") + &route("");
    let ollama = format!("http://{}", upstream.addr());
    let ollama = backend("main", &ollama, "dialect: Ollama") + &route("");
    for (manifest, apis) in [
        (openai, &["messages", "ollama", "responses", "converse"][..]),
        (ollama, &["chat"]),
    ] {
        let proxy = Proxy::start(&manifest).await;
        for api in apis {
            for stream in [false, true] {
                let (path, body) = asks(api, "echo+no-usage", stream);
                let reply = proxy.post(&path, &body).await;
                assert_eq!(
                    usage(api, &reply),
                    (json!(3), json!(3), true),
                    "{api} {}",
                    reply.text()
                );
                let whole = !stream || *api == "converse";
                assert_eq!(reply.header(USAGE), whole.then_some("estimated"), "{api}");
                // What an upstream says is passed on, and marked by nothing.
                let (path, body) = asks(api, "echo", stream);
                let reply = proxy.post(&path, &body).await;
                assert!(!usage(api, &reply).2, "{api} {}", reply.text());
                assert_eq!(reply.header(USAGE), None, "{api}");
            }
        }
    }
}

#[tokio::test]
async fn where_dialects_are_the_same_no_usage_is_made_up() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&(backend("main", &upstream.url(), "") + &route(""))).await;
    for stream in [false, true] {
        let (path, body) = asks("chat", "echo+no-usage", stream);
        let reply = proxy.post(&path, &body).await;
        assert!(!reply.text().contains("prompt_tokens"), "{}", reply.text());
        assert_eq!(reply.header(USAGE), None);
    }
}

#[tokio::test]
async fn vectors_of_geminis_are_counted_for_openais_clients() {
    let upstream = simulator().await;
    let origin = format!("http://{}", upstream.addr());
    let proxy = Proxy::start(&(backend("main", &origin, "dialect: Gemini") + &route(""))).await;
    let body = json!({"model": "echo", "input": [TEXT, "a"]});
    let reply = proxy.post("/v1/embeddings", &body).await;
    assert_eq!(
        reply.json()["usage"],
        json!({"prompt_tokens": 3, "total_tokens": 3, "estimated": true}),
        "{}",
        reply.text()
    );
    assert_eq!(reply.header(USAGE), Some("estimated"));
}
