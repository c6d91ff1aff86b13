//! Anthropic's API over real sockets.

use crate::client::{Caller, Failed, arrived, json};
use dragoman_simulator::Simulator;
use http::{Method, StatusCode};
use serde_json::{Value, json};

const HEADERS: [(&str, &str); 2] = [("x-api-key", "right"), ("anthropic-version", "2023-06-01")];

fn body(model: &str, stream: bool) -> Value {
    json!({
        "model": model, "max_tokens": 2000, "stream": stream,
        "messages": [{"role": "user", "content": "one two three"}],
    })
}

async fn streamed(simulator: &Simulator, model: &str) -> Result<(String, bool), Failed> {
    let url = format!("{}/messages", simulator.url());
    let caller = Caller::new(false);
    let response = caller
        .send_with(Method::POST, &url, &HEADERS, &body(model, true))
        .await?;
    Ok(arrived(response).await)
}

fn names(events: &str) -> Vec<&str> {
    let lines = events.lines();
    lines
        .filter_map(|line| line.strip_prefix("event: "))
        .collect()
}

#[tokio::test]
async fn a_key_and_a_version_are_asked_for_in_their_own_headers() {
    let simulator = Simulator::builder().api_key("right").start().await.unwrap();
    let caller = Caller::new(true);
    let url = format!("{}/messages", simulator.url());
    let none = &HEADERS[1..];
    let bearer = [("authorization", "Bearer wrong"), HEADERS[1]];
    let wrong = [("x-api-key", "wrong"), HEADERS[1]];
    for (headers, status, kind, message) in [
        (
            none,
            401,
            "authentication_error",
            "x-api-key header is required",
        ),
        (
            &bearer[..],
            401,
            "authentication_error",
            "Invalid bearer token",
        ),
        (&wrong[..], 401, "authentication_error", "invalid x-api-key"),
        (
            &HEADERS[..1],
            400,
            "invalid_request_error",
            "anthropic-version: header is required",
        ),
    ] {
        let response = caller
            .send_with(Method::POST, &url, headers, &body("echo", false))
            .await
            .unwrap();
        assert_eq!(response.status(), status);
        let id = response.headers()["request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let error = json(response).await.unwrap();
        assert_eq!(
            error,
            json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": id})
        );
    }
    let response = caller
        .send_with(Method::POST, &url, &HEADERS, &body("echo", false))
        .await
        .unwrap();
    let message = json(response).await.unwrap();
    assert_eq!(
        message["content"],
        json!([{"type": "text", "text": "one two three"}])
    );
    assert_eq!(message["usage"]["input_tokens"], 3);
}

#[tokio::test]
async fn a_model_thinks_only_if_asked() {
    let caller = Caller::new(false);
    let simulator = Simulator::builder().start().await.unwrap();
    let url = format!("{}/messages", simulator.url());
    let mut asked = body("reasoning", false);
    for (thinking, kinds) in [
        (Value::Null, vec!["text"]),
        (
            json!({"type": "enabled", "budget_tokens": 1024}),
            vec!["thinking", "text"],
        ),
    ] {
        if !thinking.is_null() {
            asked["thinking"] = thinking;
        }
        let response = caller
            .send_with(Method::POST, &url, &HEADERS, &asked)
            .await
            .unwrap();
        let message = json(response).await.unwrap();
        let content = message["content"].as_array().unwrap();
        let seen: Vec<_> = content
            .iter()
            .filter_map(|block| block["type"].as_str())
            .collect();
        assert_eq!(seen, kinds);
    }
}

#[tokio::test]
async fn a_stream_fails_as_its_words_say() {
    let caller = Caller::new(false);
    let simulator = Simulator::builder().start().await.unwrap();
    let (events, ended) = streamed(&simulator, "echo").await.unwrap();
    assert!(ended && names(&events).last() == Some(&"message_stop"));
    let (events, ended) = streamed(&simulator, "no-done").await.unwrap();
    assert!(ended && names(&events).last() == Some(&"message_delta"));
    let (events, ended) = streamed(&simulator, "cut-3+crlf").await.unwrap();
    assert_eq!((names(&events).len(), ended), (3, false));
    let (events, ended) = streamed(&simulator, "error-3").await.unwrap();
    assert!(ended && names(&events)[3..] == ["error"]);
    assert!(events.contains(r#""type":"overloaded_error""#));
    let (events, _) = streamed(&simulator, "keepalive-comments").await.unwrap();
    let names = names(&events);
    assert!(names.len() > 6 && names.iter().step_by(2).all(|name| *name == "ping"));
    for (model, status, kind) in [
        ("status-529", 529, "overloaded_error"),
        ("status-429", 429, "rate_limit_error"),
    ] {
        let url = format!("{}/messages", simulator.url());
        let response = caller
            .send_with(Method::POST, &url, &HEADERS, &body(model, true))
            .await
            .unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(json(response).await.unwrap()["error"]["type"], kind);
    }
}

#[tokio::test]
async fn models_are_listed_in_the_shape_that_the_headers_ask_for() {
    let builder = Simulator::builder().models(["a", "b"]).only_listed(true);
    let simulator = builder.start().await.unwrap();
    let caller = Caller::new(false);
    let url = format!("{}/models", simulator.url());
    let get = async |url: String| {
        let reply = caller.send_with(Method::GET, &url, &HEADERS, &Value::Null);
        reply.await
    };
    let list = json(get(url.clone() + "?limit=1").await.unwrap())
        .await
        .unwrap();
    assert_eq!(
        (&list["data"][0]["type"], &list["has_more"]),
        (&json!("model"), &json!(true))
    );
    let one = json(get(url.clone() + "/b").await.unwrap()).await.unwrap();
    assert_eq!(one["display_name"], "b");
    let none = get(url.clone() + "/c").await.unwrap();
    assert_eq!(none.status(), StatusCode::NOT_FOUND);
    assert_eq!(json(none).await.unwrap()["error"]["message"], "model: c");
    let plain = caller.send(Method::GET, &url, &Value::Null).await.unwrap();
    assert_eq!(json(plain).await.unwrap()["object"], "list");
    let count = json!({"model": "a", "system": "s", "messages": body("a", false)["messages"]});
    let url = format!("{}/messages/count_tokens", simulator.url());
    let counted = caller
        .send_with(Method::POST, &url, &HEADERS, &count)
        .await
        .unwrap();
    assert_eq!(json(counted).await.unwrap(), json!({"input_tokens": 4}));
}
