//! Azure OpenAI over real sockets.

use dragoman_simulator::Simulator;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Caller, arrived, json, text};

const VERSION: &str = "api-version=2024-10-21";

fn hello() -> Value {
    json!({"messages": [{"role": "user", "content": "one two three"}]})
}

fn url(simulator: &Simulator, deployment: &str) -> String {
    let origin = simulator.origin();
    format!("{origin}/openai/deployments/{deployment}/chat/completions?{VERSION}")
}

#[tokio::test]
async fn the_path_names_the_model_and_the_filter_has_its_say() {
    let simulator = Simulator::builder().start().await.unwrap();
    let caller = Caller::new(true);
    let mut body = hello();
    body["model"] = "status-500".into();
    let sent = caller
        .send(Method::POST, &url(&simulator, "echo"), &body)
        .await
        .unwrap();
    let reply = json(sent).await.unwrap();
    let choice = &reply["choices"][0];
    assert_eq!(
        (&reply["model"], &choice["message"]["content"]),
        (&json!("echo"), &json!("one two three"))
    );
    assert_eq!(choice["content_filter_results"]["hate"]["severity"], "safe");
    assert_eq!(reply["prompt_filter_results"][0]["prompt_index"], 0);
}

#[tokio::test]
async fn a_stream_begins_with_an_event_without_choices() {
    let simulator = Simulator::builder().start().await.unwrap();
    let caller = Caller::new(false);
    let mut body = hello();
    body["stream"] = true.into();
    body["stream_options"] = json!({"include_usage": true});
    let sent = caller
        .send(Method::POST, &url(&simulator, "echo+split"), &body)
        .await
        .unwrap();
    let (events, ended) = arrived(sent).await;
    let all: Vec<Value> = events
        .lines()
        .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
        .collect();
    assert!(ended && events.ends_with("data: [DONE]\n\n"));
    assert_eq!(
        (&all[0]["choices"], &all[0]["id"]),
        (&json!([]), &json!(""))
    );
    assert!(all[0]["prompt_filter_results"].is_array());
    assert_eq!(all[1]["choices"][0]["content_filter_results"], json!({}));
    assert!(all[2]["choices"][0]["content_filter_results"]["violence"].is_object());
    assert_eq!(all[all.len() - 1]["usage"]["prompt_tokens"], 3);
    assert_eq!(text(&events), "one two three");
    let extras = url(&simulator, "extras");
    let sent = caller.send(Method::POST, &extras, &body).await.unwrap();
    let (events, _) = arrived(sent).await;
    let late = events
        .lines()
        .find(|line| line.contains("content_filter_offsets"));
    assert!(late.is_some_and(|line| !line.contains("delta")));
    assert_eq!(text(&events), "one two three");
}

#[tokio::test]
async fn keys_go_in_their_own_header_and_refusals_are_the_gateways() {
    let builder = Simulator::builder().models(["echo", "status-429"]);
    let builder = builder.only_listed(true).api_key("right");
    let simulator = builder.entra_token("token").start().await.unwrap();
    let caller = Caller::new(false);
    let origin = simulator.origin();
    let key = ("api-key", "right");
    let echo = url(&simulator, "echo");
    let bare = echo.replace(VERSION, "");
    let v1 = format!("{origin}/openai/v1/chat/completions");
    let mut named = hello();
    named["model"] = "echo".into();
    let mut unknown = hello();
    unknown["top_k"] = 3.into();
    for (url, header, body, status, code) in [
        (&echo, key, hello(), 200, json!(null)),
        (
            &echo,
            ("authorization", "Bearer token"),
            hello(),
            200,
            json!(null),
        ),
        (
            &echo,
            ("authorization", "Bearer right"),
            hello(),
            401,
            json!("401"),
        ),
        (&echo, ("api-key", "wrong"), hello(), 401, json!("401")),
        (&bare, key, hello(), 404, json!("404")),
        (
            &url(&simulator, "none"),
            key,
            hello(),
            404,
            json!("DeploymentNotFound"),
        ),
        (
            &url(&simulator, "status-429"),
            key,
            hello(),
            429,
            json!("429"),
        ),
        (&echo, key, unknown, 400, json!(null)),
        (&v1, key, named.clone(), 200, json!(null)),
        (
            &v1,
            ("authorization", "Bearer right"),
            named,
            200,
            json!(null),
        ),
        (&v1, key, hello(), 400, json!(null)),
    ] {
        let sent = caller
            .send_with(Method::POST, url, &[header], &body)
            .await
            .unwrap();
        let response = sent;
        assert_eq!(response.status().as_u16(), status, "{url} {header:?}");
        let reply = json(response).await.unwrap();
        assert_eq!(reply["error"]["code"], code, "{url} {reply}");
    }
    let list = format!("{origin}/openai/models?{VERSION}");
    let sent = caller
        .send_with(Method::GET, &list, &[key], &Value::Null)
        .await
        .unwrap();
    assert_eq!(json(sent).await.unwrap()["data"][0]["id"], "echo");
    let v1 = format!("{origin}/openai/v1/models");
    let bearer = [("authorization", "Bearer right")];
    let sent = caller.send_with(Method::GET, &v1, &bearer, &Value::Null);
    assert_eq!(sent.await.unwrap().status(), 200);
    simulator.set_health(StatusCode::SERVICE_UNAVAILABLE);
    let sent = caller
        .send_with(Method::GET, &list, &[key], &Value::Null)
        .await
        .unwrap();
    assert_eq!(sent.status(), 503);
}

#[tokio::test]
async fn the_filter_stops_an_answer_or_the_prompt() {
    let simulator = Simulator::builder().start().await.unwrap();
    let caller = Caller::new(false);
    let ask = async |model: &str, stream: bool| {
        let mut body = hello();
        body["stream"] = stream.into();
        caller
            .send(Method::POST, &url(&simulator, model), &body)
            .await
    };
    let reply = json(ask("filtered", false).await.unwrap()).await.unwrap();
    let choice = &reply["choices"][0];
    assert_eq!(choice["finish_reason"], "content_filter");
    assert_eq!(choice["content_filter_results"]["hate"]["filtered"], true);
    let (events, _) = arrived(ask("filtered", true).await.unwrap()).await;
    let last = events.lines().rfind(|line| line.contains("finish_reason"));
    assert!(last.unwrap().contains(r#""hate":{"filtered":true"#));
    let refused = ask("blocked", true).await.unwrap();
    assert_eq!(refused.status(), 400);
    let error = &json(refused).await.unwrap()["error"];
    assert_eq!(
        (&error["code"], &error["innererror"]["code"]),
        (
            &json!("content_filter"),
            &json!("ResponsibleAIPolicyViolation")
        )
    );
}

#[tokio::test]
async fn embeddings_and_completions_are_deployments_too() {
    let simulator = Simulator::builder().start().await.unwrap();
    let caller = Caller::new(false);
    let path = format!("{}/openai/deployments/echo", simulator.origin());
    let ask = async |operation: &str, body: Value| {
        let url = format!("{path}/{operation}?{VERSION}");
        json(caller.send(Method::POST, &url, &body).await.unwrap()).await
    };
    let vectors = ask("embeddings", json!({"input": "a"})).await.unwrap();
    assert_eq!(vectors["model"], "echo");
    let said = ask("completions", json!({"prompt": "a b"})).await.unwrap();
    assert_eq!(said["choices"][0]["text"], "a b");
    assert!(said["choices"][0]["content_filter_results"].is_object());
}
