//! Gemini's API over real sockets.

use dragoman_simulator::Simulator;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Caller, arrived, json};

fn hello() -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "one two three"}]}]})
}

fn events(text: &str) -> Vec<Value> {
    text.lines()
        .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
        .collect()
}

fn text(events: &[Value]) -> String {
    let parts = events
        .iter()
        .map(|event| &event["candidates"][0]["content"]["parts"][0]);
    let texts = parts.filter(|part| part["thought"] != true);
    texts.filter_map(|part| part["text"].as_str()).collect()
}

#[tokio::test]
async fn an_answer_thinks_aloud_only_if_asked() {
    let simulator = Simulator::builder().start().await.unwrap();
    let caller = Caller::new(true);
    let origin = simulator.origin();
    let ask = async |path: &str, body: &Value| {
        let url = format!("{origin}/{path}");
        json(caller.send(Method::POST, &url, body).await.unwrap())
            .await
            .unwrap()
    };
    let mut body = hello();
    let reply = ask("v1beta/models/reasoning:generateContent", &body).await;
    let candidate = &reply["candidates"][0];
    assert_eq!(candidate["content"]["parts"][0]["text"], "one two three");
    assert_eq!(candidate["finishReason"], "STOP");
    assert_eq!(reply["usageMetadata"]["thoughtsTokenCount"], 5);
    body["generationConfig"] = json!({"thinkingConfig": {"includeThoughts": true}});
    let reply = ask("v1/models/reasoning:generateContent", &body).await;
    let parts = &reply["candidates"][0]["content"]["parts"];
    assert_eq!(parts[0]["thought"], true);
    // What was signed is taken back.
    body["contents"] = json!([
        hello()["contents"][0], {"role": "model", "parts": parts}, hello()["contents"][0],
    ]);
    let reply = ask("v1beta/models/parallel-tools:generateContent", &body).await;
    let parts = reply["candidates"][0]["content"]["parts"]
        .as_array()
        .unwrap();
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[1]["functionCall"]["args"]["city"], "Paris");
    let counted = ask("v1beta/models/echo:countTokens", &hello()).await;
    assert_eq!(counted["totalTokens"], 3);
    let content = &hello()["contents"][0];
    let vector = ask("v1beta/models/e:embedContent", &json!({"content": content})).await;
    assert_eq!(vector["embedding"]["values"].as_array().unwrap().len(), 8);
    let one = json!({"model": "models/e", "content": content, "outputDimensionality": 3});
    let many = ask(
        "v1beta/models/e:batchEmbedContents",
        &json!({"requests": [one]}),
    )
    .await;
    assert_eq!(many["embeddings"][0]["values"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_stream_is_events_if_asked_and_else_an_array() {
    let simulator = Simulator::builder().start().await.unwrap();
    let caller = Caller::new(false);
    let stream = async |model: &str, query: &str| {
        let path = format!("v1beta/models/{model}:streamGenerateContent{query}");
        let url = format!("{}/{path}", simulator.origin());
        arrived(caller.send(Method::POST, &url, &hello()).await.unwrap()).await
    };
    for model in ["echo", "echo+split", "reasoning+coalesced"] {
        let (whole, ended) = stream(model, "?alt=sse").await;
        let all = events(&whole);
        assert!(ended && whole.ends_with("\r\n\r\n") && !whole.contains("[DONE]"));
        assert_eq!(text(&all), "one two three");
        let (last, before) = all.split_last().unwrap();
        assert_eq!(last["candidates"][0]["finishReason"], "STOP");
        assert!(
            before
                .iter()
                .all(|event| event["usageMetadata"].is_object())
        );
        let (array, ended) = stream(model, "").await;
        let array: Vec<Value> = serde_json::from_str(&array).unwrap();
        assert!(ended);
        assert_eq!(text(&array), "one two three");
    }
    let (whole, ended) = stream("error-2", "?alt=sse").await;
    let all = events(&whole);
    assert!(ended && all.len() == 3);
    assert_eq!(all[2]["error"]["status"], "UNAVAILABLE");
    let (array, _) = stream("error-0", "").await;
    let array: Value = serde_json::from_str(&array).unwrap();
    assert_eq!(array[0]["error"]["code"], 503);
    let (whole, ended) = stream("cut-1", "?alt=sse").await;
    assert_eq!((events(&whole).len(), ended), (1, false));
    let (whole, ended) = stream("no-done", "?alt=sse").await;
    assert!(ended && !whole.contains("finishReason"));
}

#[tokio::test]
async fn a_key_in_the_url_and_what_the_parser_does_not_know_are_refused() {
    let builder = Simulator::builder().models(["echo", "status-429"]);
    let builder = builder.only_listed(true).api_key("right");
    let simulator = builder.start().await.unwrap();
    let caller = Caller::new(false);
    let path = |model: &str| format!("v1beta/models/{model}:generateContent");
    let right = ("x-goog-api-key", "right");
    let mut unknown = hello();
    unknown["generationConfig"] = json!({"max_tokens": 1});
    for (path, header, body, status, word) in [
        (path("echo"), right, hello(), 200, Value::Null),
        (
            path("echo") + "?key=right",
            right,
            hello(),
            400,
            json!("INVALID_ARGUMENT"),
        ),
        (
            path("echo") + "?else=1",
            right,
            hello(),
            400,
            json!("INVALID_ARGUMENT"),
        ),
        (
            path("echo"),
            ("authorization", "Bearer right"),
            hello(),
            403,
            json!("PERMISSION_DENIED"),
        ),
        (
            path("echo"),
            ("x-goog-api-key", "wrong"),
            hello(),
            400,
            json!("INVALID_ARGUMENT"),
        ),
        (path("none"), right, hello(), 404, json!("NOT_FOUND")),
        (
            path("status-429"),
            right,
            hello(),
            429,
            json!("RESOURCE_EXHAUSTED"),
        ),
        (
            path("echo"),
            right,
            json!({}),
            400,
            json!("INVALID_ARGUMENT"),
        ),
        (path("echo"), right, unknown, 400, json!("INVALID_ARGUMENT")),
    ] {
        let url = format!("{}/{path}", simulator.origin());
        let headers = [header];
        let sent = caller.send_with(Method::POST, &url, &headers, &body);
        let response = sent.await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{path} {body}");
        let reply = json(response).await.unwrap();
        assert_eq!(reply["error"]["status"], word, "{reply}");
        if body["generationConfig"].is_object() {
            let violation = &reply["error"]["details"][0]["fieldViolations"][0];
            assert_eq!(violation["field"], "generation_config");
            assert_eq!(violation["description"], reply["error"]["message"]);
        }
    }
}

#[tokio::test]
async fn a_blocked_prompt_has_no_candidates() {
    let simulator = Simulator::builder().start().await.unwrap();
    let caller = Caller::new(false);
    let ask = async |call: &str| {
        let url = format!("{}/v1beta/models/{call}", simulator.origin());
        arrived(caller.send(Method::POST, &url, &hello()).await.unwrap()).await
    };
    let (plain, _) = ask("blocked:generateContent").await;
    let plain: Value = serde_json::from_str(&plain).unwrap();
    let (stream, _) = ask("blocked:streamGenerateContent?alt=sse").await;
    for reply in [&plain, &events(&stream)[0]] {
        assert_eq!(reply["promptFeedback"]["blockReason"], "SAFETY");
        assert_eq!(reply["usageMetadata"]["totalTokenCount"], 3);
        assert_eq!(reply.get("candidates"), None);
    }
    let (stream, _) = ask("filtered:streamGenerateContent?alt=sse").await;
    let last = events(&stream).pop().unwrap();
    assert_eq!(last["candidates"][0]["finishReason"], "SAFETY");
}

#[tokio::test]
async fn models_are_listed_in_pages() {
    let simulator = Simulator::builder()
        .models(["a", "b"])
        .start()
        .await
        .unwrap();
    let caller = Caller::new(false);
    let get = async |path: &str| {
        let url = format!("{}/{path}", simulator.origin());
        let headers = [("x-goog-api-key", "any")];
        let sent = caller.send_with(Method::GET, &url, &headers, &Value::Null);
        sent.await.unwrap()
    };
    let page = json(get("v1beta/models?pageSize=1").await).await.unwrap();
    assert_eq!(page["models"][0]["name"], "models/a");
    let token = page["nextPageToken"].as_str().unwrap();
    let next = format!("v1/models?pageSize=1&pageToken={token}");
    let page = json(get(&next).await).await.unwrap();
    assert_eq!(page["models"][0]["displayName"], "b");
    assert_eq!(page.get("nextPageToken"), None);
    let one = json(get("v1beta/models/b").await).await.unwrap();
    assert_eq!(one["name"], "models/b");
    assert_eq!(get("v1beta/models/c").await.status(), StatusCode::NOT_FOUND);
}
