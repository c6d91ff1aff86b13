//! Good replies that cannot be read, or not be told in the client's dialect: what the client is told of them, and what the log says
//! (features A4, B1, B11).

use serde_json::{Value, json};

use super::canned::canned;
use super::manifests::{backend, route, secret};
use super::proxy::{Answer, Proxy, answer, streamed};

const KEY: &str = "sk-ours-0123456789abcdef-and-more";

/// A backend of `dialect` that is sent our key.
async fn keyed(origin: &str, dialect: &str) -> Proxy {
    let spec = format!("dialect: {dialect}\ncredential: {{secretRef: {{name: ours, key: key}}}}");
    Proxy::start(&(secret("ours", KEY) + &backend("main", origin, &spec) + &route(""))).await
}

/// A part of the key would do harm, too.
fn assert_masked(reply: &Answer, proxy: &Proxy) {
    for said in [reply.text(), proxy.log()] {
        assert!(!said.contains("sk-ours"), "{said}");
    }
}

#[tokio::test]
async fn an_upstream_that_repeats_the_key_in_a_reply_that_cannot_be_read_is_masked() {
    let json = "application/json";
    // Within the quote; in what serde says; with the quote's end in the middle of it.
    let bodies = [
        format!("no JSON, but {KEY}"),
        format!(r#"{{"content": "{KEY}"}}"#),
        format!(
            r#"{{"content": 1, "id": "{}{KEY}"}}"#,
            "x".repeat(174 - KEY.len() / 2)
        ),
    ];
    for body in bodies {
        let proxy = keyed(&canned(json, body.clone()).await, "Anthropic").await;
        let replies = [
            proxy.chat("m").await,
            proxy
                .post("/v1/chat/completions", &streamed("m", "x"))
                .await,
        ];
        for reply in replies {
            assert_eq!(reply.status, 502, "{body}: {}", reply.text());
            assert_eq!(reply.code(), "upstream_failed");
            assert_masked(&reply, &proxy);
            let id = reply.header("x-dragoman-request-id").unwrap();
            let log = proxy.log();
            let told = log
                .lines()
                .filter(|line| line.contains("the reply cannot be read"));
            let told: Vec<_> = told.filter(|line| line.contains(id)).collect();
            assert_eq!(told.len(), 1, "{log}");
            assert!(told[0].contains("main"), "{}", told[0]);
            assert!(told[0].contains("unreadable"), "{}", told[0]);
        }
    }
}

#[tokio::test]
async fn an_upstream_that_repeats_the_key_in_a_broken_stream_is_masked() {
    let events = "text/event-stream";
    let body = format!("event: message_start\ndata: {{\"type\": {KEY}}}\n\n");
    let proxy = keyed(&canned(events, body).await, "Anthropic").await;
    let reply = proxy
        .post("/v1/chat/completions", &streamed("m", "x"))
        .await;
    assert!(reply.text().contains("[masked]"), "{}", reply.text());
    assert_masked(&reply, &proxy);
    proxy.logged("the reply cannot be read").await;
}

#[tokio::test]
async fn an_upstream_that_repeats_the_key_instead_of_vectors_is_masked() {
    let body = format!(r#"{{"embeddings": "{KEY}"}}"#);
    let proxy = keyed(&canned("application/json", body).await, "Ollama").await;
    let reply = proxy
        .post("/v1/embeddings", &json!({"model": "m", "input": "x"}))
        .await;
    assert_eq!(reply.status, 502, "{}", reply.text());
    assert!(reply.message().contains("[masked]"), "{}", reply.text());
    assert_masked(&reply, &proxy);
    proxy.logged("the reply cannot be read").await;
}

/// Gemini's answer of these parts.
fn candidate(parts: Value) -> Value {
    let content = json!({"role": "model", "parts": parts});
    json!({"candidates": [{"index": 0, "content": content, "finishReason": "STOP"}], "modelVersion": "m"})
}

/// A picture as Gemini's image models send it, of so many bytes of base64.
fn picture(length: usize) -> Value {
    json!({"inlineData": {"mimeType": "image/png", "data": "iVBORw0K".repeat(length / 8)}})
}

async fn gemini(media_type: &str, body: String) -> Proxy {
    let origin = canned(media_type, body).await;
    Proxy::start(&(backend("main", &origin, "dialect: Gemini") + &route(""))).await
}

#[tokio::test]
async fn an_answer_with_a_picture_is_an_error_and_never_one_without_it() {
    let made = candidate(json!([{"text": "Here it is."}, picture(64)]));
    let whole = gemini("application/json", made.to_string()).await;
    let events = gemini("text/event-stream", format!("data: {made}\n\n")).await;
    let ask = |path: &str, stream: bool| {
        let messages = json!([{"role": "user", "content": "a cat"}]);
        let mut ask = json!({"model": "m", "stream": stream, "messages": messages});
        if path == "/v1/messages" {
            ask["max_tokens"] = json!(9);
        }
        ask
    };
    for path in ["/v1/chat/completions", "/v1/messages", "/api/chat"] {
        let reply = whole.post(path, &ask(path, false)).await;
        assert_eq!(reply.status, 502, "{path}: {}", reply.text());
        let named = reply.text().contains("an image (image/png)");
        assert!(named, "{path}: {}", reply.text());
        // What the text before it says has left.
        let reply = events.post(path, &ask(path, true)).await;
        let text = reply.text();
        assert!(text.contains("Here it is."), "{path}: {text}");
        assert!(text.contains("an image (image/png)"), "{path}: {text}");
        let ends = ["[DONE]", "\"stop\"", "message_stop", "\"done\":true"];
        assert!(!ends.iter().any(|end| text.contains(end)), "{path}: {text}");
        // An upstream that gave no stream.
        let reply = whole.post(path, &ask(path, true)).await;
        assert_eq!(reply.status, 502, "{path}: {}", reply.text());
    }
    whole.logged("untold").await;
    events.logged("untold").await;
}

#[tokio::test]
async fn code_that_the_server_ran_is_left_out_beside_text_and_is_no_answer_alone() {
    let code = json!({"executableCode": {"language": "PYTHON", "code": "1 + 1"}});
    let gave = json!({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}});
    let beside = candidate(json!([code, gave, {"text": "It is 2."}]));
    let alone = candidate(json!([code, gave]));
    for (media_type, stream) in [("application/json", false), ("text/event-stream", true)] {
        let body = |made: &Value| match stream {
            true => format!("data: {made}\n\n"),
            false => made.to_string(),
        };
        let ask = |proxy: &Proxy| {
            let ask = json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": "?"}]});
            let proxy = proxy.request(http::Method::POST, "/v1/chat/completions");
            proxy.json(&ask)
        };
        let proxy = gemini(media_type, body(&beside)).await;
        let reply = answer(ask(&proxy)).await;
        assert_eq!(reply.content(), "It is 2.", "{}", reply.text());
        let proxy = gemini(media_type, body(&alone)).await;
        let reply = answer(ask(&proxy)).await;
        assert!(reply.text().contains("own tools"), "{}", reply.text());
        assert!(!reply.text().contains("\"stop\""), "{}", reply.text());
    }
}

/// A call's arguments of a megabyte and a half, which come in one event.
#[tokio::test]
async fn an_event_of_more_than_a_megabyte_passes_translated_or_not() {
    let long = "x".repeat(3 << 19);
    let delta = json!({"tool_calls": [{"index": 0, "id": "c", "type": "function",
        "function": {"name": "f", "arguments": json!({"a": long}).to_string()}}]});
    let chunk = |delta: &Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]});
        format!("data: {chunk}\n\n")
    };
    let end = chunk(&json!({}), json!("tool_calls"));
    let body = chunk(&delta, Value::Null) + &end + "data: [DONE]\n\n";
    let origin = canned("text/event-stream", body).await;
    let proxy = Proxy::start(&(backend("main", &format!("{origin}/v1"), "") + &route(""))).await;
    for path in ["/v1/chat/completions", "/v1/messages", "/api/chat"] {
        let messages = json!([{"role": "user", "content": "x"}]);
        let mut ask = json!({"model": "m", "stream": true, "messages": messages});
        if path == "/v1/messages" {
            ask["max_tokens"] = json!(9);
        }
        let reply = proxy.post(path, &ask).await;
        let text = reply.text();
        let end = &text[text.len().saturating_sub(300)..];
        assert!(text.contains(&long), "{path}: {end}");
        assert!(!text.contains("upstream_failed"), "{path}: {end}");
    }
}
