//! Ollama's API over real sockets.

use crate::client::{Caller, Failed, arrived, json};
use dragoman_simulator::Simulator;
use http::{Method, StatusCode};
use serde_json::{Value, json};

fn chat(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "one two three"}]})
}

async fn streamed(simulator: &Simulator, model: &str) -> Result<(Vec<String>, bool), Failed> {
    let url = format!("{}/api/chat", simulator.origin());
    let caller = Caller::new(false);
    let response = caller.send(Method::POST, &url, &chat(model)).await?;
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let (text, ended) = arrived(response).await;
    Ok((text.lines().map(str::to_owned).collect(), ended))
}

#[tokio::test]
async fn a_stream_is_the_default_and_fails_as_its_words_say() {
    let simulator = Simulator::builder().start().await.unwrap();
    let (lines, ended) = streamed(&simulator, "echo+split").await.unwrap();
    let last: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert!(ended && lines.len() == 4);
    assert_eq!(
        (&last["done"], &last["done_reason"], &last["eval_count"]),
        (&json!(true), &json!("stop"), &json!(3))
    );
    let (lines, ended) = streamed(&simulator, "no-done").await.unwrap();
    assert!(ended && lines.iter().all(|line| line.contains(r#""done":false"#)));
    let (lines, ended) = streamed(&simulator, "cut-2+keepalive-comments")
        .await
        .unwrap();
    assert_eq!((lines.len(), ended), (2, false));
    let (lines, ended) = streamed(&simulator, "error-2").await.unwrap();
    assert!(ended && lines.len() == 3 && lines[2].starts_with(r#"{"error":""#));
    let (lines, _) = streamed(&simulator, "parallel-tools").await.unwrap();
    let calls: Value = serde_json::from_str(&lines[0]).unwrap();
    let calls = &calls["message"]["tool_calls"];
    assert_eq!(calls[1]["function"]["arguments"]["city"], "Paris");
}

#[tokio::test]
async fn a_plain_reply_thinks_unless_told_not_to() {
    let simulator = Simulator::builder().start().await.unwrap();
    let caller = Caller::new(true);
    let url = format!("{}/api/generate", simulator.origin());
    for (think, thinks) in [
        (Value::Null, true),
        (json!("low"), true),
        (json!(false), false),
    ] {
        let body =
            json!({"model": "reasoning:latest", "prompt": "hi", "stream": false, "think": think});
        let reply = json(caller.send(Method::POST, &url, &body).await.unwrap())
            .await
            .unwrap();
        assert_eq!(
            (&reply["response"], &reply["model"]),
            (&json!("hi"), &json!("reasoning:latest"))
        );
        assert_eq!(reply.get("thinking").is_some(), thinks);
    }
    let body = json!({"model": "echo", "keep_alive": 0});
    let reply = json(caller.send(Method::POST, &url, &body).await.unwrap())
        .await
        .unwrap();
    assert_eq!(
        (&reply["done_reason"], &reply["response"]),
        (&json!("unload"), &json!(""))
    );
}

#[tokio::test]
async fn errors_are_one_string() {
    let builder = Simulator::builder()
        .models(["a", "status-503"])
        .only_listed(true);
    let simulator = builder.api_key("right").start().await.unwrap();
    let caller = Caller::new(false);
    let url = format!("{}/api/chat", simulator.origin());
    for (body, status, message) in [
        (chat("b"), 404, "model 'b' not found"),
        (chat("status-503"), 503, "Simulated status 503."),
        (
            json!({"model": "a", "messages": 1}),
            400,
            "json: cannot unmarshal number into Go struct field ChatRequest.messages of type []api.Message",
        ),
    ] {
        let response = caller.send(Method::POST, &url, &body).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(json(response).await.unwrap(), json!({"error": message}));
    }
    let refused = caller
        .send_with(Method::POST, &url, &[], &chat("a"))
        .await
        .unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        json(refused).await.unwrap(),
        json!({"error": "unauthorized"})
    );
}

#[tokio::test]
async fn models_and_vectors_have_this_servers_shape() {
    let simulator = Simulator::builder()
        .models(["a", "b:7b"])
        .start()
        .await
        .unwrap();
    let caller = Caller::new(false);
    let origin = simulator.origin();
    let ask = async |method: Method, path: &str, body: Value| {
        let url = format!("{origin}/api/{path}");
        json(caller.send(method, &url, &body).await?).await
    };
    for path in ["tags", "ps"] {
        let list = ask(Method::GET, path, Value::Null).await.unwrap();
        assert_eq!(list["models"][0]["name"], "a:latest");
        assert_eq!(list["models"][1]["model"], "b:7b");
    }
    let version = ask(Method::GET, "version", Value::Null).await.unwrap();
    assert!(version["version"].is_string());
    let shown = ask(Method::POST, "show", json!({"model": "a"}))
        .await
        .unwrap();
    assert!(
        shown["capabilities"]
            .as_array()
            .unwrap()
            .contains(&json!("tools"))
    );
    let body = json!({"model": "a", "input": ["x", "y z"], "dimensions": 3});
    let embedded = ask(Method::POST, "embed", body).await.unwrap();
    let vector = embedded["embeddings"][1].as_array().unwrap();
    let length: f64 = vector.iter().filter_map(Value::as_f64).map(|v| v * v).sum();
    assert!(vector.len() == 3 && (length - 1.0).abs() < 1e-5);
    assert_eq!(embedded["prompt_eval_count"], 3);
    let body = json!({"model": "a", "prompt": "x"});
    let embedded = ask(Method::POST, "embeddings", body).await.unwrap();
    assert_eq!(embedded["embedding"].as_array().unwrap().len(), 8);
    let url = format!("{}/", simulator.origin());
    let root = caller.send(Method::GET, &url, &Value::Null).await.unwrap();
    assert_eq!(arrived(root).await.0, "Ollama is running");
    let url = format!("{}/api/pull", simulator.origin());
    let pull = caller
        .send(Method::POST, &url, &json!({"model": "a"}))
        .await
        .unwrap();
    assert_eq!(pull.status(), StatusCode::NOT_FOUND);
}
