//! Clients and backends of different dialects: what is sent, what comes back, and what is refused (features A16, A17, A18, A20, B1, B5).

use dragoman_simulator::Simulator;
use http::Method;
use serde_json::{Value, json};

use super::manifests::{MAPPED, backend, names, nobody, posts, route, route_to, secret, simulator};
use super::proxy::{Answer, Proxy, answer};

/// The route `chat` to a simulator that is spoken to in Anthropic's dialect.
fn anthropic(upstream: &Simulator, rules: &str) -> String {
    let origin = format!("http://{}", upstream.addr());
    backend("main", &origin, "dialect: Anthropic") + &route(rules)
}

/// Anthropic's request for one user's text.
fn message(model: &str, text: &str) -> Value {
    json!({"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": text}]})
}

/// OpenAI's, with further fields.
fn chat(model: &str, more: Value) -> Value {
    let mut body =
        json!({"model": model, "messages": [{"role": "user", "content": "hello there"}]});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// The names and data of an event stream's events.
fn named_events(answer: &Answer) -> Vec<(String, Value)> {
    let text = answer.text();
    let events = text.split("\n\n").filter(|event| !event.is_empty());
    events
        .map(|event| {
            let (name, data) = event
                .split_once('\n')
                .unwrap_or_else(|| panic!("{event:?}"));
            let name = name
                .strip_prefix("event: ")
                .unwrap_or_else(|| panic!("{event:?}"));
            let data = data
                .strip_prefix("data: ")
                .unwrap_or_else(|| panic!("{event:?}"));
            (name.to_owned(), serde_json::from_str(data).unwrap())
        })
        .collect()
}

#[tokio::test]
async fn an_anthropic_backend_gets_its_own_path_headers_and_key() {
    let upstream = simulator().await;
    let origin = format!("http://{}", upstream.addr());
    let credential = "dialect: Anthropic\ncredential: {secretRef: {name: ours, key: key}}";
    let manifest = secret("ours", "sk-ours") + &backend("main", &origin, credential) + &route("");
    let proxy = Proxy::start(&manifest).await;
    let call = proxy
        .request(Method::POST, "/v1/chat/completions")
        .header("authorization", "Bearer sk-clients")
        .header("openai-organization", "theirs")
        .json(&chat(
            "echo",
            json!({"max_completion_tokens": 9, "stop": "."}),
        ));
    let reply = answer(call).await;
    assert_eq!(reply.content(), "hello there", "{}", reply.text());
    assert_eq!(reply.json()["object"], "chat.completion");
    let seen = &posts(&upstream)[0];
    assert_eq!(seen.path, "/v1/messages");
    assert_eq!(seen.header("x-api-key"), Some("sk-ours"));
    assert_eq!(seen.header("anthropic-version"), Some("2023-06-01"));
    for name in ["authorization", "openai-organization"] {
        assert_eq!(seen.header(name), None, "{name}");
    }
    let body = seen.json();
    assert_eq!(
        (&body["max_tokens"], &body["stop_sequences"]),
        (&json!(9), &json!(["."]))
    );
}

#[tokio::test]
async fn thinking_is_stripped_across_dialects_however_its_bytes_arrive() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&anthropic(&upstream, "")).await;
    for model in [
        "think",
        "think+split",
        "think+coalesced",
        "think+chunk-1",
        "think+chunk-7",
    ] {
        for stream in [false, true] {
            let body = chat(model, json!({"stream": stream}));
            let reply = proxy.post("/v1/chat/completions", &body).await;
            assert_eq!(reply.content(), "hello there", "{model}: {}", reply.text());
            assert_eq!(reply.is_done(), stream, "{model}: {}", reply.text());
        }
    }
    let extract = anthropic(&upstream, "thinking: {text: Extract}");
    let proxy = Proxy::start(&extract).await;
    let reply = proxy
        .post(
            "/v1/chat/completions",
            &chat("think", json!({"stream": true})),
        )
        .await;
    assert_eq!(reply.content(), "hello there", "{}", reply.text());
    assert!(
        reply
            .content_of(0, "reasoning_content")
            .contains("Let me think about it.")
    );
}

#[tokio::test]
async fn usage_comes_only_to_those_who_asked_and_beside_no_choice() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&anthropic(&upstream, "")).await;
    let asked = json!({"stream": true, "stream_options": {"include_usage": true}});
    let reply = proxy
        .post("/v1/chat/completions", &chat("echo", asked))
        .await;
    let chunks = reply.chunks();
    let last = chunks.last().unwrap();
    assert_eq!(last["choices"], json!([]), "{last}");
    assert!(
        last["usage"]["prompt_tokens"]
            .as_u64()
            .is_some_and(|count| count > 0),
        "{last}"
    );
    let reply = proxy
        .post(
            "/v1/chat/completions",
            &chat("echo", json!({"stream": true})),
        )
        .await;
    let with = |chunk: &Value| chunk.get("usage").is_some_and(|usage| !usage.is_null());
    assert!(!reply.chunks().iter().any(with), "{}", reply.text());
}

#[tokio::test]
async fn what_a_backend_cannot_express_is_a_400_that_names_the_clients_field() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&anthropic(&upstream, "")).await;
    for (field, value) in [
        ("n", json!(2)),
        ("seed", json!(7)),
        ("logprobs", json!(true)),
        ("no_such_field", json!({})),
    ] {
        let body = chat("echo", json!({field: value}));
        let reply = proxy.post("/v1/chat/completions", &body).await;
        assert_eq!(reply.status, 400, "{field}: {}", reply.text());
        assert_eq!(reply.code(), "unsupported_by_upstream", "{field}");
        assert_eq!(reply.json()["error"]["param"], field, "{}", reply.text());
        assert!(reply.message().contains(field), "{}", reply.text());
        assert_eq!(reply.header("x-dragoman-fault"), Some("client"));
    }
    assert!(posts(&upstream).is_empty(), "nothing of it was sent");
}

#[tokio::test]
async fn another_backend_answers_what_one_cannot_express() {
    let upstream = simulator().await;
    let origin = format!("http://{}", upstream.addr());
    let manifest = backend("first", &origin, "dialect: Anthropic")
        + &backend("second", &upstream.url(), "")
        + &route_to(
            "- {name: first, backendRef: {name: first}}\n- {name: second, priority: 1, backendRef: {name: second}}",
            "",
        );
    let proxy = Proxy::start(&manifest).await;
    let reply = proxy
        .post("/v1/chat/completions", &chat("echo", json!({"seed": 7})))
        .await;
    assert_eq!(
        (reply.status, reply.content()),
        (200, "hello there".into()),
        "{}",
        reply.text()
    );
    let reply = proxy
        .post("/v1/chat/completions", &chat("echo", json!({})))
        .await;
    assert_eq!(reply.status, 200);
    let paths: Vec<_> = posts(&upstream).into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths, ["/v1/chat/completions", "/v1/messages"]);
}

#[tokio::test]
async fn a_malformed_request_is_a_400_in_the_clients_dialect_that_says_where() {
    let upstream = simulator().await;
    let manifest = backend("main", &upstream.url(), "") + &route("");
    let proxy = Proxy::start(&manifest).await;
    let mut body = message("echo", "hi");
    body["messages"][0]["content"] = json!([{"type": "text", "text": 7}]);
    let reply = proxy.post("/v1/messages", &body).await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    let error = reply.json();
    assert_eq!(
        (&error["type"], &error["error"]["type"]),
        (&json!("error"), &json!("invalid_request_error"))
    );
    let told = error["error"]["message"].as_str().unwrap();
    assert!(told.contains("messages[0].content[0].text"), "{told}");
    let reply = proxy
        .post("/api/chat", &json!({"model": "echo", "messages": "hi"}))
        .await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    let told = reply.json()["error"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(told.contains("messages"), "{}", reply.text());
}

#[tokio::test]
async fn errors_keep_status_and_retry_after_in_the_clients_dialect() {
    let upstream = simulator().await;
    let manifest = backend("main", &upstream.url(), "") + &route("");
    let proxy = Proxy::start(&manifest).await;
    for (model, status, kind) in [
        ("status-429+retry-after-7", 429, "rate_limit_error"),
        ("status-404", 404, "not_found_error"),
        ("status-401", 401, "authentication_error"),
        ("status-500+html", 500, "api_error"),
    ] {
        let reply = proxy.post("/v1/messages", &message(model, "hi")).await;
        assert_eq!(reply.status, status, "{model}: {}", reply.text());
        assert_eq!(
            reply.json()["error"]["type"],
            kind,
            "{model}: {}",
            reply.text()
        );
        assert_eq!(reply.header("content-type"), Some("application/json"));
        if status == 429 {
            assert_eq!(reply.header("retry-after"), Some("7"));
        }
        assert!(reply.header("x-dragoman-request-id").is_some());
    }
    let reply = proxy
        .post("/api/chat", &json!({"model": "status-500", "messages": []}))
        .await;
    assert!(
        reply.status == 200,
        "an empty chat only loads: {}",
        reply.text()
    );
    let asked = json!({"model": "status-500", "messages": [{"role": "user", "content": "hi"}]});
    let reply = proxy.post("/api/chat", &asked).await;
    assert_eq!(reply.status, 500);
    assert!(reply.json()["error"].is_string(), "{}", reply.text());
}

#[tokio::test]
async fn a_backend_that_is_away_is_a_502_in_the_clients_dialect() {
    let url = format!("http://{}/v1", nobody());
    let proxy = Proxy::start(&(backend("main", &url, "") + &route(""))).await;
    let reply = proxy.post("/v1/messages", &message("echo", "hi")).await;
    assert_eq!(reply.status, 502, "{}", reply.text());
    assert_eq!(reply.json()["type"], "error");
    assert_eq!(reply.header("x-dragoman-fault"), Some("upstream"));
}

#[tokio::test]
async fn a_stream_that_breaks_ends_with_the_clients_error_event_and_no_success() {
    let upstream = simulator().await;
    let manifest = backend("main", &upstream.url(), "") + &route("");
    let proxy = Proxy::start(&manifest).await;
    for model in [
        "tokens-64+cut-5",
        "tokens-64+error-5",
        "tokens-64+malformed",
    ] {
        let mut body = message(model, "hi");
        body["stream"] = true.into();
        let reply = proxy.post("/v1/messages", &body).await;
        assert_eq!(reply.status, 200, "{model}");
        let events = named_events(&reply);
        let (last, data) = events.last().unwrap();
        assert_eq!(last, "error", "{model}: {}", reply.text());
        assert!(data["error"]["message"].is_string(), "{data}");
        assert!(
            !events.iter().any(|(name, _)| name == "message_stop"),
            "{model}"
        );
        let asked = json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});
        let reply = proxy.post("/api/chat", &asked).await;
        let text = reply.text();
        let last: Value = serde_json::from_str(text.trim_end().lines().last().unwrap()).unwrap();
        assert!(last["error"].is_string(), "{model}: {text}");
        assert!(!text.contains("\"done\":true"), "{model}: {text}");
    }
}

#[tokio::test]
async fn what_one_vendor_encrypted_reaches_no_other() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&anthropic(&upstream, "")).await;
    let thought =
        json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "of-openai"});
    let said = |role: &str, text: &str| json!({"role": role, "content": text});
    let input = json!([
        said("user", "hi"),
        thought,
        said("assistant", "yes?"),
        said("user", "go")
    ]);
    let reply = proxy
        .post("/v1/responses", &json!({"model": "echo", "input": input}))
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    // Gemini's own signature, which Claude would refuse.
    let signed = json!({"text": "hm", "thought": true, "thoughtSignature": "b2YtZ2VtaW5p"});
    let parts = |text: &str| json!([{"text": text}]);
    let contents = json!([
        {"role": "user", "parts": parts("hi")},
        {"role": "model", "parts": [signed, {"text": "yes?"}]},
        {"role": "user", "parts": parts("go")},
    ]);
    let path = "/v1beta/models/echo:generateContent";
    let reply = proxy.post(path, &json!({"contents": contents})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let sent = posts(&upstream);
    assert_eq!(sent.len(), 2);
    for request in sent {
        let body = request.json();
        assert_eq!(body["messages"].as_array().unwrap().len(), 3, "{body}");
        let body = body.to_string();
        for foreign in ["of-openai", "b2YtZ2VtaW5p", "thinking", "signature"] {
            assert!(!body.contains(foreign), "{foreign}: {body}");
        }
    }
}

#[tokio::test]
async fn a_file_that_another_vendor_keeps_is_refused_by_its_place_and_nothing_is_sent() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&anthropic(&upstream, "")).await;
    let openais = json!([{"type": "text", "text": "Sum it up."}, {"type": "file", "file": {"file_id": "file-1"}}]);
    let body = json!({"model": "echo", "messages": [{"role": "user", "content": openais}]});
    let reply = proxy.post("/v1/chat/completions", &body).await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert!(
        reply.message().contains("another vendor"),
        "{}",
        reply.text()
    );
    assert_eq!(
        reply.json()["error"]["param"],
        "messages[0]",
        "{}",
        reply.text()
    );
    let url = format!("http://{}/v1", upstream.addr());
    let openai = Proxy::start(&(backend("main", &url, "") + &route(""))).await;
    let anthropics = json!([{"type": "document", "source": {"type": "file", "file_id": "file_1"}}]);
    let body = json!({"model": "echo", "max_tokens": 9, "messages": [{"role": "user", "content": anthropics}]});
    let reply = openai.post("/v1/messages", &body).await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert!(reply.text().contains("another vendor"), "{}", reply.text());
    assert!(posts(&upstream).is_empty());
}

#[tokio::test]
async fn a_key_that_an_upstream_repeats_is_masked_in_every_dialect() {
    let upstream = simulator().await;
    // Refused as an unknown name, the key stands in the upstream's own message.
    let credential = "dialect: Anthropic\ncredential: {secretRef: {name: ours, key: key}}";
    let origin = format!("http://{}", upstream.addr());
    let map = "rules: [{match: {exact: m}, target: {model: echo}, overrides: {sk-ours-key: 1}}]";
    let manifest = secret("ours", "sk-ours-key")
        + &backend("main", &origin, credential)
        + &names(map)
        + &route(MAPPED);
    let proxy = Proxy::start(&manifest).await;
    let reply = proxy
        .post("/v1/chat/completions", &chat("m", json!({})))
        .await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert!(!reply.text().contains("sk-ours-key"), "{}", reply.text());
    assert!(reply.message().contains("[masked]"), "{}", reply.text());
}

#[tokio::test]
async fn defaults_overrides_and_the_replys_model_hold_across_dialects() {
    let upstream = simulator().await;
    let origin = format!("http://{}", upstream.addr());
    let map = "rules: [{match: {exact: gpt-4o}, target: {model: echo}, defaults: {top_k: 3}, overrides: {temperature: 0.5}}]\nreplyModel: Requested";
    let manifest = backend("main", &origin, "dialect: Anthropic") + &names(map) + &route(MAPPED);
    let proxy = Proxy::start(&manifest).await;
    for stream in [false, true] {
        let body = chat("gpt-4o", json!({"stream": stream, "temperature": 1}));
        let reply = proxy.post("/v1/chat/completions", &body).await;
        assert_eq!(reply.content(), "hello there", "{}", reply.text());
        let model = if stream {
            reply.chunks()[0]["model"].clone()
        } else {
            reply.json()["model"].clone()
        };
        assert_eq!(model, "gpt-4o");
    }
    let body = posts(&upstream)[0].json();
    assert_eq!(
        (&body["model"], &body["top_k"], &body["temperature"]),
        (&json!("echo"), &json!(3), &json!(0.5))
    );
}

#[tokio::test]
async fn a_response_is_made_of_another_dialects_messages_and_none_is_kept() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&anthropic(&upstream, "")).await;
    let reply = proxy
        .post(
            "/v1/responses",
            &json!({"model": "echo", "input": "hello there"}),
        )
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let body = reply.json();
    assert_eq!(body["object"], "response");
    assert_eq!(
        body["output"][0]["content"][0]["text"], "hello there",
        "{body}"
    );
    let asked = json!({"model": "echo", "input": "hello", "previous_response_id": "resp_1"});
    let reply = proxy.post("/v1/responses", &asked).await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert!(
        reply.message().contains("previous_response_id"),
        "{}",
        reply.text()
    );
    let reply = proxy
        .post(
            "/v1/responses",
            &json!({"model": "echo", "input": "hello there", "stream": true}),
        )
        .await;
    let events = named_events(&reply);
    assert_eq!(
        events.last().map(|(name, _)| name.as_str()),
        Some("response.completed")
    );
}

#[tokio::test]
async fn responses_are_translated_for_a_server_that_has_none() {
    let upstream = simulator().await;
    let spec = "openai: {responses: Translate}";
    let manifest = backend("main", &upstream.url(), spec) + &route("");
    let proxy = Proxy::start(&manifest).await;
    let mut body = json!({"model": "echo", "input": "hello there"});
    let reply = proxy.post("/v1/responses", &body).await;
    assert_eq!(reply.json()["object"], "response", "{}", reply.text());
    let said = &reply.json()["output"][0]["content"][0]["text"];
    assert_eq!(said, "hello there", "{}", reply.text());
    assert_eq!(posts(&upstream)[0].path, "/v1/chat/completions");
    body["previous_response_id"] = json!("resp_1");
    let reply = proxy.post("/v1/responses", &body).await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert!(
        reply.text().contains("previous_response_id"),
        "{}",
        reply.text()
    );
    assert_eq!(posts(&upstream).len(), 1);
}

#[tokio::test]
async fn geminis_client_that_asks_for_no_events_gets_an_array_as_it_comes() {
    let upstream = simulator().await;
    let manifest = backend("main", &upstream.url(), "") + &route("");
    let proxy = Proxy::start(&manifest).await;
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "hello there"}]}]});
    let ask = async |model: &str, query: &str| {
        let path = format!("/v1beta/models/{model}:streamGenerateContent{query}");
        proxy.post(&path, &body).await
    };
    let reply = ask("echo", "").await;
    assert_eq!(
        reply.header("content-type"),
        Some("application/json"),
        "{}",
        reply.text()
    );
    let elements: Vec<Value> = serde_json::from_slice(&reply.body).unwrap();
    let said: String = elements
        .iter()
        .filter_map(|it| it["candidates"][0]["content"]["parts"][0]["text"].as_str())
        .collect();
    assert_eq!(said, "hello there");
    assert!(elements.len() > 2, "{}", reply.text());
    let reply = ask("echo", "?alt=sse").await;
    assert_eq!(reply.header("content-type"), Some("text/event-stream"));
    // What breaks off ends with its error, and is an array all the same.
    let reply = ask("cut-1", "?alt=json").await;
    let elements: Vec<Value> = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(
        elements.last().unwrap()["error"]["code"],
        502,
        "{}",
        reply.text()
    );
}

#[tokio::test]
async fn who_has_room_for_one_call_asks_claude_for_no_more() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&anthropic(&upstream, "")).await;
    let function = json!({"name": "look", "parameters": {"type": "object"}});
    let tool = json!({"type": "function", "function": function});
    for (more, alone) in [
        (json!({"functions": [function]}), json!(true)),
        (json!({"tools": [tool]}), Value::Null),
    ] {
        let reply = proxy
            .post("/v1/chat/completions", &chat("echo", more.clone()))
            .await;
        assert_eq!(reply.status, 200, "{more}: {}", reply.text());
        let asked = posts(&upstream).pop().unwrap().json();
        assert_eq!(
            asked["tool_choice"]["disable_parallel_tool_use"], alone,
            "{asked}"
        );
    }
}
