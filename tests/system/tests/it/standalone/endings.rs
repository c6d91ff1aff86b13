//! Answers that their server did not bring to an end, or that do not say why they ended (features A4, B1, B11).

use serde_json::{Value, json};

use super::canned::canned;
use super::manifests::{backend, route};
use super::proxy::{Answer, Proxy};

const REASON: &str = "insufficient_system_resource";

/// A proxy before a server that always answers this.
async fn proxy(dialect: &str, media_type: &str, body: String) -> Proxy {
    let origin = canned(media_type, body).await;
    let origin = match dialect {
        "OpenAI" => format!("{origin}/v1"),
        _ => origin,
    };
    let spec = format!("dialect: {dialect}");
    Proxy::start(&(backend("main", &origin, &spec) + &route(""))).await
}

async fn ask(proxy: &Proxy, path: &str, stream: bool) -> Answer {
    let messages = json!([{"role": "user", "content": "x"}]);
    let mut ask = json!({"model": "m", "stream": stream, "messages": messages});
    if path == "/v1/messages" {
        ask["max_tokens"] = json!(9);
    }
    proxy.post(path, &ask).await
}

/// A chat completion, whole and as a stream.
fn completion(finish: &Value) -> (String, String) {
    let of = |object: &str, choice: Value| json!({"id": "c", "object": object, "created": 1, "model": "m", "choices": [choice]});
    let message = json!({"role": "assistant", "content": "Half an"});
    let whole = json!({"index": 0, "message": message, "finish_reason": finish});
    let piece = json!({"index": 0, "delta": message, "finish_reason": null});
    let end = json!({"index": 0, "delta": {}, "finish_reason": finish});
    let [piece, end] = [piece, end].map(|choice| of("chat.completion.chunk", choice));
    let stream = format!("data: {piece}\n\ndata: {end}\n\ndata: [DONE]\n\n");
    (of("chat.completion", whole).to_string(), stream)
}

#[tokio::test]
async fn an_interrupted_answer_is_an_error_that_names_the_reason_and_never_a_good_one() {
    let (whole, stream) = completion(&json!(REASON));
    let whole = proxy("OpenAI", "application/json", whole).await;
    let stream = proxy("OpenAI", "text/event-stream", stream).await;
    for path in ["/v1/messages", "/api/chat"] {
        // To a client that asked for a stream, too.
        for asked in [false, true] {
            let reply = ask(&whole, path, asked).await;
            assert_eq!(reply.status, 502, "{path}: {}", reply.text());
            assert!(reply.text().contains(REASON), "{path}: {}", reply.text());
        }
        let reply = ask(&stream, path, true).await;
        let text = reply.text();
        assert!(text.contains("Half an"), "{path}: {text}");
        assert!(text.contains(REASON), "{path}: {text}");
        let ends = ["end_turn", "message_stop", "\"done\":true"];
        assert!(!ends.iter().any(|end| text.contains(end)), "{path}: {text}");
    }
    whole.logged("unended").await;
    // Who has the same words is told this one.
    for (proxy, asked) in [(&whole, false), (&stream, true)] {
        let reply = ask(proxy, "/v1/chat/completions", asked).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(reply.text().contains(REASON), "{}", reply.text());
    }
}

#[tokio::test]
async fn a_whole_reply_without_a_reason_ends_a_stream_with_one() {
    let message = json!({"role": "assistant", "content": "Yes."});
    let body = json!({"model": "m", "message": message, "done": false}).to_string();
    let proxy = proxy("Ollama", "application/json", body).await;
    let reply = ask(&proxy, "/v1/chat/completions", true).await;
    assert!(reply.is_done(), "{}", reply.text());
    let text = reply.text();
    assert!(text.contains(r#""finish_reason":"stop""#), "{text}");
}

#[tokio::test]
async fn who_says_functions_is_told_the_first_of_several_calls() {
    let call = |id: &str| json!({"type": "tool_use", "id": id, "name": id, "input": {}});
    let body = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [call("first"), call("second")], "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    });
    let proxy = proxy("Anthropic", "application/json", body.to_string()).await;
    let ask = json!({
        "model": "m", "messages": [{"role": "user", "content": "x"}],
        "functions": [{"name": "first", "parameters": {"type": "object"}}],
    });
    let reply = proxy.post("/v1/chat/completions", &ask).await.json();
    let choice = &reply["choices"][0];
    assert_eq!(choice["finish_reason"], "function_call", "{reply}");
    assert_eq!(choice["message"]["function_call"]["name"], "first");
    assert_eq!(choice["message"].get("tool_calls"), None);
}
