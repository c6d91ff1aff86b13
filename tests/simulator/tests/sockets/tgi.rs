//! Text Generation Inference over real sockets.

use dragoman_simulator::Simulator;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Caller, arrived, json};

fn events(text: &str) -> Vec<Value> {
    text.lines()
        .filter_map(|line| serde_json::from_str(line.strip_prefix("data:")?).ok())
        .collect()
}

#[tokio::test]
async fn each_model_has_its_own_server() {
    let simulator = Simulator::builder().start().await.unwrap();
    let caller = Caller::new(true);
    let server = format!("{}/tgi/echo%2Bthink", simulator.origin());
    let body = json!({"inputs": "one two", "parameters": {"details": true, "seed": 3}});
    let url = format!("{server}/generate");
    let sent = caller.send(Method::POST, &url, &body).await.unwrap();
    let reply = json(sent).await.unwrap();
    let text = reply["generated_text"].as_str().unwrap();
    assert!(text.starts_with("<think>") && text.ends_with("one two"));
    assert_eq!(reply["details"]["finish_reason"], "eos_token");
    assert_eq!(reply["details"]["seed"], 3);
    let url = format!("{server}/");
    let sent = caller.send(Method::POST, &url, &body).await.unwrap();
    assert_eq!(json(sent).await.unwrap()[0]["generated_text"], text);
    let get = async |path: &str| {
        let url = format!("{server}/{path}");
        caller.send(Method::GET, &url, &Value::Null).await.unwrap()
    };
    let info = json(get("info").await).await.unwrap();
    assert_eq!(info["model_id"], "echo+think");
    assert_eq!(get("health").await.status(), StatusCode::OK);
    simulator.set_health(StatusCode::SERVICE_UNAVAILABLE);
    let ill = get("health").await;
    assert_eq!(ill.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(json(ill).await.unwrap()["error_type"], "healthcheck");
}

#[tokio::test]
async fn a_stream_ends_with_the_whole_text_or_fails_as_its_words_say() {
    let simulator = Simulator::builder().start().await.unwrap();
    let caller = Caller::new(false);
    let stream = async |model: &str, body: Value| {
        let url = format!("{}/tgi/{model}/generate_stream", simulator.origin());
        let sent = caller.send(Method::POST, &url, &body).await.unwrap();
        assert_eq!(sent.headers()["content-type"], "text/event-stream");
        arrived(sent).await
    };
    let hello = || json!({"inputs": "one two three", "parameters": {"details": true}});
    for model in ["echo", "echo+split", "echo+keepalive-comments+crlf"] {
        let (text, ended) = stream(model, hello()).await;
        let all = events(&text);
        assert!(ended && all.len() == 4 && !text.contains("[DONE]"));
        assert_eq!(all[0]["generated_text"], Value::Null);
        assert_eq!(all[3]["generated_text"], "one two three");
        assert_eq!(all[3]["token"]["special"], true);
        assert_eq!(all[3]["details"]["input_length"], 3);
    }
    let (text, ended) = stream("error-2", hello()).await;
    let all = events(&text);
    assert!(ended && all.len() == 3 && all[2]["error_type"] == "generation");
    let (text, ended) = stream("cut-1", hello()).await;
    assert_eq!((events(&text).len(), ended), (1, false));
    let (text, _) = stream("no-done", hello()).await;
    assert!(
        events(&text)
            .iter()
            .all(|event| event["generated_text"].is_null())
    );
    let wrong = json!({"inputs": "a", "parameters": {"top_p": 1}});
    let (text, ended) = stream("echo", wrong).await;
    let error = json!({"error": "Input validation error: `top_p` must be > 0.0 and < 1.0", "error_type": "validation"});
    assert!(ended && events(&text) == [error]);
}

#[tokio::test]
async fn refusals_have_the_routers_shapes() {
    let builder = Simulator::builder().models(["echo", "status-429"]);
    let builder = builder.only_listed(true).api_key("right");
    let simulator = builder.start().await.unwrap();
    let caller = Caller::new(false);
    let hello = || json!({"inputs": "a"});
    for (model, key, body, status, kind) in [
        ("echo", "Bearer right", hello(), 200, Value::Null),
        ("echo", "Bearer wrong", hello(), 401, Value::Null),
        ("none", "Bearer right", hello(), 404, Value::Null),
        (
            "status-429",
            "Bearer right",
            hello(),
            429,
            json!("overloaded"),
        ),
        (
            "echo",
            "Bearer right",
            json!({"inputs": ""}),
            422,
            json!("validation"),
        ),
        (
            "echo",
            "Bearer right",
            json!({"inputs": 1}),
            422,
            Value::Null,
        ),
        (
            "echo",
            "Bearer right",
            json!({"prompt": "a"}),
            422,
            Value::Null,
        ),
    ] {
        let url = format!("{}/tgi/{model}/generate", simulator.origin());
        let headers = [("authorization", key)];
        let sent = caller.send_with(Method::POST, &url, &headers, &body);
        let response = sent.await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{body}");
        let (text, _) = arrived(response).await;
        let reply: Value = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!(reply["error_type"], kind, "{text}");
        if status == 422 && kind.is_null() {
            assert!(text.starts_with("Failed to deserialize the JSON body into the target type: "));
        }
    }
}
