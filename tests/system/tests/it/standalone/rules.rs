//! Rules of AccessPolicies: on requests (feature C1), and on replies (feature C2).

use std::time::Duration;

use dragoman_simulator::Simulator;
use dragoman_system::python_walk;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::canned::canned;
use super::manifests::{backend, nobody, object, posts, route, route_to, simulator};
use super::proxy::{Proxy, chat, streamed};

/// A route to one simulator, with a policy of this spec.
fn governed(upstream: &Simulator, policy: &str) -> String {
    object("AccessPolicy", "{name: rules}", policy)
        + &backend("main", &upstream.url(), "")
        + &route("accessPolicyRefs: [{name: rules}]")
}

/// The same for every dialect that upstreams are spoken to in, by a prefix of the models' names.
fn everywhere(upstream: &Simulator, policy: &str) -> String {
    let origin = format!("http://{}", upstream.addr());
    let backends = [
        ("openai", "OpenAI", "/v1"),
        ("anthropic", "Anthropic", ""),
        ("ollama", "Ollama", ""),
        ("bedrock", "Bedrock", ""),
        ("gemini", "Gemini", ""),
    ];
    let entry =
        |name| format!("- {{name: {name}, modelPrefix: {name}/, backendRef: {{name: {name}}}}}\n");
    let mut manifest = object("AccessPolicy", "{name: rules}", policy);
    manifest += &route_to(
        &backends.map(|(name, ..)| entry(name)).concat(),
        "accessPolicyRefs: [{name: rules}]",
    );
    for (name, dialect, path) in backends {
        let spec = format!("url: {origin}{path}\ndialect: {dialect}");
        manifest += &object("LLMBackend", &format!("{{name: {name}}}"), &spec);
    }
    manifest
}

/// A call in each of three dialects: its path, and its body for this text.
fn calls(model: &str, text: &str, stream: bool) -> [(&'static str, Value); 3] {
    let messages = json!([{"role": "user", "content": text}]);
    [
        (
            "/v1/chat/completions",
            json!({"model": model, "messages": messages, "stream": stream}),
        ),
        (
            "/v1/messages",
            json!({"model": model, "max_tokens": 64, "messages": messages, "stream": stream}),
        ),
        (
            "/api/chat",
            json!({"model": model, "messages": messages, "stream": stream}),
        ),
    ]
}

const ASKING: &str = "request.messages.exists(m, m.content.contains('closed'))";

#[tokio::test]
async fn a_request_is_denied_or_answered_in_the_clients_dialect_and_goes_nowhere() {
    let upstream = simulator().await;
    let policy = format!(
        "rules:\n- {{name: no, when: \"headers['x-team'] == 'red'\", action: Deny, status: 451, message: Not for red.}}\n- {{name: closed, when: \"{ASKING}\", action: Respond, message: Closed.}}"
    );
    let proxy = Proxy::start(&governed(&upstream, &policy)).await;
    for stream in [false, true] {
        for (path, body) in calls("echo", "closed", stream) {
            let reply = proxy.post(path, &body).await;
            assert_eq!(reply.status, 200, "{path}: {}", reply.text());
            assert!(reply.text().contains("Closed."), "{path}: {}", reply.text());
            let end = ["[DONE]", "message_stop", "\"done\":true"];
            let ended = end.iter().any(|end| reply.text().contains(end));
            assert!(ended || !stream, "{path}: {}", reply.text());
        }
        for (path, body) in calls("echo", "hello", stream) {
            let denied = proxy
                .request(http::Method::POST, path)
                .header("x-team", "red");
            let denied = super::proxy::answer(denied.json(&body)).await;
            assert_eq!(denied.status, 451, "{path}: {}", denied.text());
            assert!(
                denied.text().contains("Not for red."),
                "{path}: {}",
                denied.text()
            );
        }
    }
    assert!(posts(&upstream).is_empty());
    let reply = proxy
        .post("/v1/chat/completions", &chat("echo", "hello"))
        .await;
    assert_eq!(reply.content(), "hello");
}

#[tokio::test]
async fn the_model_and_fields_of_the_body_are_set_and_all_other_bytes_stay() {
    let upstream = simulator().await;
    let policy = "rules:\n- {name: cap, when: request.max_tokens > 10, action: Set, set: [{path: max_tokens, expression: '10'}, {path: metadata.address, expression: client.address}]}\n- {name: cheap, when: model == 'dear', action: SetModel, model: echo}";
    let proxy = Proxy::start(&governed(&upstream, policy)).await;
    let body = r#"{"model" : "dear","max_tokens":  500, "messages":[{"role":"user","content":"h\u00e9llo"}], "temperature":1.0}"#;
    let call = proxy
        .request(http::Method::POST, "/v1/chat/completions")
        .header("content-type", "application/json")
        .body(body);
    let reply = super::proxy::answer(call).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let sent = posts(&upstream)[0].body.clone();
    let expected = body
        .replace("\"dear\"", "\"echo\"")
        .replace("500", "10")
        .replace("1.0}", "1.0,\"metadata\":{\"address\":\"127.0.0.1\"}}");
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn a_rule_that_cannot_be_judged_refuses_and_says_so_in_log_and_metrics() {
    let upstream = simulator().await;
    let policy = "rules:\n- {name: cap, when: request.max_tokens > 10, action: Deny}";
    let proxy = Proxy::start(&governed(&upstream, policy)).await;
    let mut body = chat("echo", "hello");
    body["max_tokens"] = "many".into();
    let reply = proxy.post("/v1/chat/completions", &body).await;
    assert_eq!((reply.status, &*reply.code()), (500, "rule_failed"));
    proxy.logged("a rule failed").await;
    assert!(!reply.text().contains("many"));
    assert!(posts(&upstream).is_empty());
    // Parsers differ about which of two counts.
    let twice = r#"{"model":"echo","max_tokens":1,"max_tokens":99,"messages":[]}"#;
    let call = proxy.request(http::Method::POST, "/v1/chat/completions");
    let reply = super::proxy::answer(call.body(twice)).await;
    assert_eq!(reply.status, 400, "{}", reply.text());
}

/// A service that answers every request with what `answer` makes of its body.
async fn service(answer: impl Fn(Value) -> Value + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = Vec::new();
            let body = loop {
                let mut piece = [0; 4096];
                let count = stream.read(&mut piece).await.unwrap_or_default();
                seen.extend_from_slice(&piece[..count]);
                let text = String::from_utf8_lossy(&seen).into_owned();
                if let Some((_, body)) = text.split_once("\r\n\r\n")
                    && let Ok(body) = serde_json::from_str::<Value>(body)
                {
                    break body;
                }
                if count == 0 {
                    break Value::Null;
                }
            };
            let said = answer(body).to_string();
            let said = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{said}",
                said.len()
            );
            let _ = stream.write_all(said.as_bytes()).await;
        }
    });
    format!("http://{address}/check")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_allows_denies_and_edits_requests_and_replies() {
    let upstream = simulator().await;
    let url = service(|asked| {
        assert_eq!(
            (&asked["version"], &asked["rule"]),
            (&json!(1), &json!("guard"))
        );
        assert_eq!(asked["client"]["address"], "127.0.0.1");
        let text = asked["request"]["messages"][0]["content"].as_str();
        match (asked["phase"].as_str(), text) {
            (Some("request"), Some("no")) => {
                json!({"action": "deny", "status": 418, "message": "Never."})
            }
            (Some("request"), Some("edit")) => json!({"action": "allow", "set": {"seed": 7}}),
            (Some("response"), Some("reply")) => {
                assert_eq!(asked["response"]["content"], "reply");
                json!({"action": "allow", "set": {"content": "Another."}})
            }
            (Some("response"), Some("secret")) => json!({"action": "deny", "message": "Hidden."}),
            _ => json!({"action": "allow"}),
        }
    })
    .await;
    let call = format!("{{name: guard, action: Call, call: {{url: \"{url}\"}}}}");
    let policy = format!("rules: [{call}]\nresponseRules: [{call}]");
    let proxy = Proxy::start(&governed(&upstream, &policy)).await;
    let path = "/v1/chat/completions";
    let reply = proxy.post(path, &chat("echo", "hello")).await;
    assert_eq!(reply.content(), "hello", "{}", reply.text());
    let reply = proxy.post(path, &chat("echo", "no")).await;
    assert_eq!((reply.status, &*reply.message()), (418, "Never."));
    proxy.post(path, &chat("echo", "edit")).await;
    assert_eq!(posts(&upstream).last().unwrap().json()["seed"], 7);
    for body in [chat("echo", "reply"), streamed("echo", "reply")] {
        let reply = proxy.post(path, &body).await;
        assert_eq!(reply.content(), "Another.", "{}", reply.text());
    }
    for body in [chat("echo", "secret"), streamed("echo", "secret")] {
        let reply = proxy.post(path, &body).await;
        assert_eq!((reply.status, &*reply.code()), (403, "content_denied"));
        assert_eq!(reply.message(), "Hidden.");
    }
}

#[tokio::test]
async fn a_service_that_is_down_or_slow_closes_unless_it_may_be_passed_over() {
    let upstream = simulator().await;
    // It takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let slow = silent.local_addr().unwrap();
    for address in [nobody(), slow] {
        for (failure, status) in [("Closed", 503), ("Open", 200)] {
            let policy = format!(
                "rules:\n- {{name: guard, action: Call, call: {{url: \"http://{address}/\", timeout: 100ms, failure: {failure}}}}}"
            );
            let proxy = Proxy::start(&governed(&upstream, &policy)).await;
            let reply = proxy.chat("echo").await;
            assert_eq!(reply.status, status, "{failure}: {}", reply.text());
            if failure == "Open" {
                proxy.logged("the rule is passed over").await;
            }
        }
    }
    drop(silent);
}

const HIDES: &str = "responseRules:\n- {name: keys, action: Replace, regex: 'sk-([a-z])[a-z0-9]{6,}', replacement: '[$1]'}\n- {name: codename, action: Deny, regex: '(?i)nightjar'}";

#[tokio::test]
async fn text_is_replaced_as_it_streams_from_every_dialect_to_every_client() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&everywhere(&upstream, HIDES)).await;
    let text = "keys sk-abcdefgh and sk-abc.";
    for backend in ["openai", "anthropic", "ollama", "bedrock", "gemini"] {
        for word in ["echo", "echo+chunk-1", "echo+chunk-5"] {
            for stream in [false, true] {
                for (path, body) in calls(&format!("{backend}/{word}"), text, stream) {
                    let reply = proxy.post(path, &body).await;
                    let about = format!("{path} {backend} {word} {stream}: {}", reply.text());
                    assert_eq!(reply.status, 200, "{about}");
                    assert!(!reply.text().contains("bcdefgh"), "{about}");
                    assert_eq!(said(path, &reply.text()), "keys [a] and sk-abc.", "{about}");
                }
            }
        }
    }
}

#[tokio::test]
async fn geminis_replies_to_its_own_clients_are_judged_in_each_of_their_shapes() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&everywhere(&upstream, HIDES)).await;
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "key sk-abcdefgh"}]}]});
    for method in [
        "generateContent",
        "streamGenerateContent",
        "streamGenerateContent?alt=sse",
    ] {
        let path = format!("/v1beta/models/gemini%2Fecho:{method}");
        let reply = proxy.post(&path, &body).await;
        let about = format!("{method}: {}", reply.text());
        assert_eq!(reply.status, 200, "{about}");
        assert!(reply.text().contains("[a]"), "{about}");
        assert!(!reply.text().contains("bcdefgh"), "{about}");
        let is_array = reply.text().starts_with('[');
        assert_eq!(is_array, method == "streamGenerateContent", "{about}");
    }
}

/// The text of a reply, whole or streamed.
fn said(path: &str, reply: &str) -> String {
    let place = match path {
        "/v1/chat/completions" => ["/choices/0/message/content", "/choices/0/delta/content"],
        "/v1/messages" => ["/content/0/text", "/delta/text"],
        _ => ["/message/content", "/message/content"],
    };
    let events = reply.lines().filter_map(|line| {
        let data = line.strip_prefix("data: ").unwrap_or(line);
        serde_json::from_str::<Value>(data).ok()
    });
    let text = |event: Value| {
        let found = place.iter().find_map(|place| event.pointer(place));
        found.and_then(Value::as_str).map(str::to_owned)
    };
    events.filter_map(text).collect()
}

#[tokio::test]
async fn a_refused_reply_is_an_error_before_its_first_text_and_ends_a_stream_after_it() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&everywhere(&upstream, HIDES)).await;
    for backend in ["openai", "anthropic", "ollama", "bedrock", "gemini"] {
        for stream in [false, true] {
            for (path, body) in calls(&format!("{backend}/echo"), "nightjar", stream) {
                let reply = proxy.post(path, &body).await;
                let about = format!("{path} {backend} {stream}: {}", reply.text());
                assert_eq!(reply.status, 403, "{about}");
                assert!(reply.text().contains("codename"), "{about}");
                assert!(!reply.text().contains("nightjar"), "{about}");
            }
        }
        let text = "one two three four nightjar five";
        for (path, body) in calls(&format!("{backend}/echo+chunk-3"), text, true) {
            let reply = proxy.post(path, &body).await;
            let about = format!("{path} {backend}: {}", reply.text());
            assert_eq!(reply.status, 200, "{about}");
            assert!(
                "one two three four ".starts_with(&said(path, &reply.text())),
                "{about}"
            );
            assert!(reply.text().contains("refuses this reply"), "{about}");
            for end in ["[DONE]", "message_stop", "\"done\":true"] {
                assert!(!reply.text().contains(end), "{about}");
            }
        }
    }
}

#[tokio::test]
async fn text_that_no_rule_waits_for_is_not_held_back() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&governed(&upstream, HIDES)).await;
    // The upstream falls silent after six events: what came before must have come through.
    let call = proxy
        .request(http::Method::POST, "/v1/chat/completions")
        .json(&streamed("tokens-64+stall-6", "x"));
    let mut reply = call.send().await.unwrap();
    let mut seen = String::new();
    while !seen.contains("word1") {
        let piece = tokio::time::timeout(Duration::from_secs(20), reply.chunk()).await;
        let piece = piece.unwrap_or_else(|_| panic!("held back: {seen}"));
        seen += &String::from_utf8_lossy(&piece.unwrap().unwrap());
    }
}

#[tokio::test]
async fn a_rule_on_the_whole_reply_holds_it_and_it_goes_on_whole_or_as_a_stream() {
    let upstream = simulator().await;
    let policy = "responseRules:\n- {name: short, when: 'response.content.size() > 20', action: Deny, message: Too long.}\n- {name: shout, when: \"response.finish_reason == 'stop'\", action: Set, set: [{path: content, expression: \"response.content + '!'\"}]}";
    let proxy = Proxy::start(&everywhere(&upstream, policy)).await;
    for backend in ["openai", "anthropic", "ollama", "bedrock", "gemini"] {
        for stream in [false, true] {
            for (path, body) in calls(&format!("{backend}/echo+chunk-4"), "hello you", stream) {
                let reply = proxy.post(path, &body).await;
                let about = format!("{path} {backend} {stream}: {}", reply.text());
                assert_eq!(reply.status, 200, "{about}");
                assert_eq!(said(path, &reply.text()), "hello you!", "{about}");
            }
            let text = "this is longer than anybody wants to read";
            for (path, body) in calls(&format!("{backend}/echo"), text, stream) {
                let reply = proxy.post(path, &body).await;
                assert_eq!(reply.status, 403, "{path} {backend}: {}", reply.text());
                assert!(
                    reply.text().contains("Too long."),
                    "{path}: {}",
                    reply.text()
                );
            }
        }
    }
}

#[tokio::test]
async fn what_nobody_can_judge_does_not_pass_and_what_has_no_text_does() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&governed(&upstream, HIDES)).await;
    let speech = json!({"model": "echo", "input": "nightjar", "voice": "alloy"});
    let reply = proxy.post("/v1/audio/speech", &speech).await;
    assert_eq!((reply.status, &*reply.code()), (502, "content_unjudged"));
    let reply = proxy.get("/v1/files").await;
    assert_eq!((reply.status, &*reply.code()), (403, "content_unjudged"));
    let vectors = json!({"model": "echo", "input": "nightjar"});
    assert_eq!(proxy.post("/v1/embeddings", &vectors).await.status, 200);
    assert!(!proxy.models().await.is_empty());
}

#[tokio::test]
async fn what_gemini_says_in_other_parts_than_text_is_judged_or_refused_whole_and_streamed() {
    let ran = r#"{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"nightjar"}}"#;
    let sound = r#"{"inlineData":{"mimeType":"audio/wav","data":"bmlnaHRqYXI="}}"#;
    let picture = r#"{"inlineData":{"mimeType":"image/png","data":"AAAA"}}"#;
    let around = format!(r#"{{"text":"night"}},{picture},{{"text":"jar"}}"#);
    for (parts, status, why) in [
        (ran, 502, "cannot judge"),
        (sound, 502, "cannot judge"),
        (&around, 403, "refuses this reply"),
        (picture, 200, ""),
    ] {
        for stream in [false, true] {
            let said = format!(
                r#"{{"candidates":[{{"index":0,"finishReason":"STOP","content":{{"role":"model","parts":[{parts}]}}}}]}}"#
            );
            let (kind, said, call) = if stream {
                let said = format!("data: {said}\r\n\r\n");
                ("text/event-stream", said, "streamGenerateContent?alt=sse")
            } else {
                ("application/json", said, "generateContent")
            };
            let origin = canned(kind, said).await;
            let deny = "responseRules: [{name: no-codename, action: Deny, regex: nightjar}]";
            let manifest = backend("main", &origin, "dialect: Gemini\n")
                + &object("AccessPolicy", "{name: gold}", deny)
                + &route("accessPolicyRefs: [{name: gold}]");
            let proxy = Proxy::start(&manifest).await;
            let body = json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}]});
            let reply = proxy.post(&format!("/v1beta/models/m:{call}"), &body).await;
            let about = format!("{parts} {stream}: {}", reply.text());
            // The picture was shown before the rest was known.
            let began = stream && parts == around;
            assert_eq!(reply.status, if began { 200 } else { status }, "{about}");
            assert!(reply.text().contains(why), "{about}");
            for secret in ["nightjar", "bmlnaHRqYXI="] {
                assert!(!reply.text().contains(secret), "{about}");
            }
            let shown = reply.text().contains("AAAA");
            assert_eq!(shown, status == 200 || began, "{about}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdks_of_three_vendors_understand_what_rules_answer_replace_and_refuse() {
    let upstream = simulator().await;
    let policy = format!(
        "rules:\n- {{name: closed, when: \"(has(request.messages) && {ASKING}) || request.input == 'closed'\", action: Respond, message: Closed.}}\nresponseRules:\n- {{name: no-codename, action: Deny, regex: nightjar}}\n- {{name: keys, action: Replace, regex: 'sk-[a-z0-9]{{8,}}', replacement: '[key]'}}"
    );
    let proxy = Proxy::start(&governed(&upstream, &policy)).await;
    let url = format!("http://{}/routes/default/chat", proxy.address);
    tokio::task::spawn_blocking(move || python_walk("rules", &url))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_rule_that_sets_fields_lets_lists_and_forms_pass() {
    let upstream = simulator().await;
    let cap = "rules:\n- {name: cap, when: 'request.max_tokens == null || request.max_tokens > 4000', action: Set, set: [{path: max_tokens, expression: \"4000\"}]}";
    let proxy = Proxy::start(&governed(&upstream, cap)).await;
    for path in ["/v1/models", "/api/tags"] {
        let listed = super::proxy::answer(proxy.request(http::Method::GET, path)).await;
        assert_eq!(listed.status, 200, "{path}: {}", listed.text());
    }
    let part = |field: &str, text: &str| {
        format!("--B\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{text}\r\n")
    };
    let form = part("model", "echo") + &part("file\"; filename=\"a.wav", "RIFF") + "--B--\r\n";
    let request = proxy.request(http::Method::POST, "/v1/audio/transcriptions");
    let request = request.header("content-type", "multipart/form-data; boundary=B");
    let sent = super::proxy::answer(request.body(form)).await;
    assert_eq!(sent.status, 200, "{}", sent.text());
    assert_eq!(proxy.chat("echo").await.status, 200);
    let seen: Value = serde_json::from_str(&posts(&upstream).pop().unwrap().body).unwrap();
    assert_eq!(seen["max_tokens"], 4000);
}

#[tokio::test]
async fn a_body_that_no_rule_on_replies_can_judge_is_the_clients_fault() {
    let upstream = simulator().await;
    let rule = "responseRules:\n- {name: r, when: \"request.metadata.team == 'x'\", action: Deny, regex: secret}";
    let proxy = Proxy::start(&governed(&upstream, rule)).await;
    let body = r#"{"model":"echo","metadata":{"team":"y","team":"x"},"messages":[{"role":"user","content":"x"}]}"#;
    let request = proxy.request(http::Method::POST, "/v1/chat/completions");
    let refused = super::proxy::answer(request.body(body)).await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(refused.text().contains("twice"), "{}", refused.text());
    assert!(posts(&upstream).is_empty());
}
