//! What is on record of each request (features C6, C7, C8, A12).

use dragoman_system::eventually;
use futures::StreamExt as _;
use http::Method;
use serde_json::{Value, json};

use super::manifests::{
    MAPPED, backend, names, nobody, object, route, route_to, secret, simple, simulator, started,
};
use super::proxy::{Answer, Proxy, answer, chat, streamed};

/// The row of the request with this id, once it is committed.
async fn row(proxy: &Proxy, id: &str) -> Value {
    eventually(&format!("{id} is on record"), || async {
        let found = proxy.admin_get(&format!("/api/logs/{id}")).await;
        if found.status == 200 {
            Ok(found.json())
        } else {
            Err(found.text())
        }
    })
    .await
}

/// The row of the request that was answered so.
pub(super) async fn row_of(proxy: &Proxy, answer: &Answer) -> Value {
    row(proxy, answer.header("x-dragoman-request-id").unwrap()).await
}

/// Some columns of a row.
pub(super) fn columns(row: &Value, wanted: &[&str]) -> Value {
    wanted.iter().map(|name| row[*name].clone()).collect()
}

#[tokio::test]
async fn every_column_of_a_call_is_filled() {
    let upstream =
        started(dragoman_simulator::Simulator::builder().api_key("sk-upstream-0123")).await;
    let catalog = "dialect: OpenAI\ncredential: {secretRef: {name: key, key: key}}\ncatalog: [{name: echo, price: {inputPerMillion: \"2\", outputPerMillion: \"10\"}}]";
    let policy = "authentication: {bearerTokens: {secretRefs: [{name: tokens}]}}";
    let manifest = backend("main", &upstream.url(), catalog)
        + &secret("key", "sk-upstream-0123")
        + "---\napiVersion: v1\nkind: Secret\nmetadata: {name: tokens}\nstringData: {ann: ann-0123456789abcdef}\n"
        + &object("AccessPolicy", "{name: callers}", policy)
        + &names("rules: [{match: {exact: gpt-4o}, target: {model: echo}}]")
        + &route(&format!("{MAPPED}\naccessPolicyRefs: [{{name: callers}}]"));
    let proxy = Proxy::start(&manifest).await;
    let body = chat("gpt-4o", "two words");
    let request = proxy.request(Method::POST, "/v1/chat/completions?trace=1");
    let answered = answer(request.bearer_auth("ann-0123456789abcdef").json(&body)).await;
    assert_eq!(answered.status, 200, "{}", answered.text());
    let row = row_of(&proxy, &answered).await;
    let said = answered.json();
    let usage = &said["usage"];
    let expected = json!({
        "proxy": "default/default", "route": "chat", "namespace": "default", "client_address": "127.0.0.1",
        "user_name": "ann", "method": "POST", "path": "/v1/chat/completions?trace=1",
        "client_dialect": "OpenAI", "upstream_dialect": "OpenAI", "backend": "default/main",
        "upstream_url": format!("{}/chat/completions?trace=1", upstream.url()),
        "model_requested": "gpt-4o", "model_sent": "echo", "model_reported": said["model"],
        "stream": false, "status": 200, "error": null, "failed": false,
        "finish_reason": "stop", "prompt_tokens": usage["prompt_tokens"],
        "completion_tokens": usage["completion_tokens"], "tokens_estimated": false,
        "response_content": "two words", "response_body": answered.text(),
        "request_body": body.to_string(), "request_bytes": body.to_string().len(),
        "response_bytes": answered.body.len(), "tool_calls": null,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(row[name], *value, "{name}");
    }
    let tokens = |name: &str| usage[name].as_i64().unwrap();
    let cost = 2 * tokens("prompt_tokens") + 10 * tokens("completion_tokens");
    assert_eq!(row["cost"], format!("{}", rust_decimal(cost)), "{row}");
    let attempt = &row["attempts"][0];
    assert_eq!(
        (&attempt["backend"], &attempt["status"]),
        (&json!("default/main"), &json!(200))
    );
    assert!(row["duration_ms"].as_i64().unwrap() >= row["ttft_ms"].as_i64().unwrap());
    assert!(row["started_at"].as_str().unwrap() <= row["completed_at"].as_str().unwrap());
    let headers = row["request_headers"].to_string();
    assert!(
        headers.contains(r#"["authorization","Bearer [masked]"]"#),
        "{headers}"
    );
    assert!(headers.contains("content-type"), "{headers}");
}

/// Millionths as a decimal, without the zeros at its end.
fn rust_decimal(millionths: i64) -> String {
    let text = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[tokio::test]
async fn streams_are_put_together_in_every_dialect() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let messages = json!({"model": "echo", "max_tokens": 50, "stream": true, "messages": [{"role": "user", "content": "two words"}]});
    let ollama = json!({"model": "echo", "messages": [{"role": "user", "content": "two words"}]});
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "two words"}]}]});
    let responses = json!({"model": "echo", "stream": true, "input": "two words"});
    for (path, body, dialect, finish) in [
        (
            "/v1/chat/completions",
            streamed("echo", "two words"),
            "OpenAI",
            "stop",
        ),
        ("/v1/responses", responses, "OpenAI", "stop"),
        ("/v1/messages", messages, "Anthropic", "end_turn"),
        ("/api/chat", ollama, "Ollama", "stop"),
        (
            "/v1beta/models/echo:streamGenerateContent?alt=sse",
            gemini.clone(),
            "Gemini",
            "STOP",
        ),
        (
            "/v1beta/models/echo:streamGenerateContent",
            gemini,
            "Gemini",
            "STOP",
        ),
    ] {
        let answered = proxy.post(path, &body).await;
        assert_eq!(answered.status, 200, "{path}: {}", answered.text());
        let row = row_of(&proxy, &answered).await;
        let told = columns(
            &row,
            &[
                "stream",
                "client_dialect",
                "response_content",
                "finish_reason",
                "model_requested",
                "error",
            ],
        );
        assert_eq!(
            told,
            json!([true, dialect, "two words", finish, "echo", null]),
            "{path}: {row}"
        );
        assert!(
            row["completion_tokens"].as_i64().unwrap() > 0,
            "{path}: {row}"
        );
    }
}

#[tokio::test]
async fn tool_calls_are_put_together_and_what_was_thought_is_not_content() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let mut body = streamed("think+tools", "hello");
    body["tools"] = json!([{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}}}]);
    let answered = proxy.post("/v1/chat/completions", &body).await;
    let row = row_of(&proxy, &answered).await;
    assert_eq!(row["finish_reason"], "tool_calls", "{row}");
    assert_eq!(row["tool_calls"][0]["function"]["name"], "look", "{row}");
    assert!(
        row["tool_calls"][0]["function"]["arguments"].is_string(),
        "{row}"
    );
    assert!(
        !row["response_content"].to_string().contains("think"),
        "{row}"
    );
}

#[tokio::test]
async fn a_client_that_leaves_is_on_record_with_what_it_got() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let text = "word ".repeat(500);
    let request = proxy.request(Method::POST, "/v1/chat/completions");
    let response = request
        .json(&streamed("echo+token-20ms", &text))
        .send()
        .await
        .unwrap();
    let id = response.headers()["x-dragoman-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let mut stream = response.bytes_stream();
    let mut got = String::new();
    while !got.contains("word") {
        got += &String::from_utf8_lossy(&stream.next().await.unwrap().unwrap());
    }
    drop(stream);
    let row = row(&proxy, &id).await;
    let content = row["response_content"].as_str().unwrap();
    assert!(
        content.starts_with("word") && content.len() < text.len(),
        "{row}"
    );
    assert!(
        row["error"].as_str().unwrap().contains("client left"),
        "{row}"
    );
    assert_eq!(
        columns(&row, &["status", "failed", "finish_reason", "stream"]),
        json!([200, true, null, true])
    );
}

#[tokio::test]
async fn what_fails_is_on_record_with_its_reason() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    for (model, stream, status, word) in [
        ("echo+cut-2", true, 200, "broke"),
        ("status-500", false, 500, ""),
        ("status-429", true, 429, ""),
    ] {
        let body = if stream {
            streamed(model, "one two three four")
        } else {
            chat(model, "hello")
        };
        let answered = super::proxy::try_answer(
            proxy
                .request(Method::POST, "/v1/chat/completions")
                .json(&body),
        )
        .await
        .unwrap();
        let row = row_of(&proxy, &answered).await;
        assert_eq!(row["status"], status, "{model}: {row}");
        assert!(
            row["error"].as_str().unwrap_or_default().contains(word),
            "{model}: {row}"
        );
        assert_eq!(row["failed"], true, "{model}: {row}");
    }
    let lost = proxy.get("/v1/nothing/of/the/kind").await;
    let row = row_of(&proxy, &lost).await;
    assert_eq!(row["path"], "/v1/nothing/of/the/kind", "{row}");
    let odd = answer(
        proxy
            .request(Method::POST, "/v1/chat/completions")
            .body("{\"model\": "),
    )
    .await;
    let row = row_of(&proxy, &odd).await;
    assert_eq!(
        columns(
            &row,
            &["status", "request_body", "model_requested", "attempts"]
        ),
        json!([400, "{\"model\": ", null, []])
    );
    assert!(
        row["error"].as_str().unwrap().starts_with("invalid_json"),
        "{row}"
    );
    let stranger = "GET /v1/models HTTP/1.1\r\nhost: nowhere.example\r\nconnection: close\r\n\r\n";
    let said = super::raw::exchange(proxy.address, stranger).await;
    let id = said.split_once("x-dragoman-request-id: ").unwrap().1;
    let row = self::row(&proxy, id.split_once("\r\n").unwrap().0).await;
    assert_eq!(
        columns(&row, &["route", "namespace", "status"]),
        json!([null, "default", 404])
    );
}

#[tokio::test]
async fn each_try_of_a_backend_is_on_record() {
    let upstream = simulator().await;
    let manifest = backend(
        "main",
        &format!("http://{}/v1", nobody()),
        "retries: {attempts: 1, on: [ConnectFailure]}",
    ) + &backend("other", &upstream.url(), "")
        + &route_to(
            "- {name: main, backendRef: {name: main}, priority: 0}\n- {name: other, backendRef: {name: other}, priority: 1}",
            "",
        );
    let proxy = Proxy::start(&manifest).await;
    let answered = proxy.chat("echo").await;
    assert_eq!(answered.status, 200);
    let row = row_of(&proxy, &answered).await;
    let attempts = row["attempts"].as_array().unwrap();
    let told: Vec<_> = attempts
        .iter()
        .map(|it| (it["backend"].as_str().unwrap(), it["status"].as_i64()))
        .collect();
    assert_eq!(
        told,
        [
            ("default/main", None),
            ("default/main", None),
            ("default/other", Some(200))
        ]
    );
    assert!(
        attempts[0]["error"].as_str().unwrap().contains("connect"),
        "{row}"
    );
    assert_eq!(row["backend"], "default/other");
    assert_eq!(row["error"], Value::Null);
}

#[tokio::test]
async fn the_policy_says_how_much_is_kept_and_a_route_may_only_tighten() {
    let upstream = simulator().await;
    let with = |proxy: &str, routes: &str| {
        object(
            "LLMProxy",
            "{name: default}",
            &format!("deployment: {{}}\nlogging: {proxy}"),
        ) + &backend("main", &upstream.url(), "")
            + &route(routes)
    };
    let text = "a card 1234-5678 and a very long tale of it";
    for (policy, routes, content, body) in [
        (
            "{bodies: Full, redact: [{regex: '(\\d{4})-\\d{4}', replacement: '$1-****'}]}",
            "",
            json!("a card 1234-**** and a very long tale of it"),
            true,
        ),
        (
            "{bodies: Truncated, maxBodyBytes: '10'}",
            "",
            json!("a card …"),
            true,
        ),
        (
            "{bodies: Truncated, maxBodyBytes: '10'}",
            "logging: {bodies: Full}",
            json!("a card …"),
            true,
        ),
        (
            "{bodies: Full}",
            "logging: {bodies: None}",
            Value::Null,
            false,
        ),
        (
            "{bodies: None}",
            "logging: {bodies: Full}",
            Value::Null,
            false,
        ),
    ] {
        let proxy = Proxy::start(&with(policy, routes)).await;
        let answered = proxy
            .post("/v1/chat/completions", &streamed("echo", text))
            .await;
        assert_eq!(answered.content(), text);
        let row = row_of(&proxy, &answered).await;
        assert_eq!(row["response_content"], content, "{policy}: {row}");
        assert_eq!(
            (
                row["request_body"].is_string(),
                row["response_body"].is_string()
            ),
            (body, body),
            "{policy}: {row}"
        );
        assert!(!row.to_string().contains("1234-5678"), "{policy}: {row}");
        assert_eq!(
            columns(&row, &["stream", "finish_reason", "model_requested"]),
            json!([true, "stop", "echo"]),
            "{policy}"
        );
    }
}

#[tokio::test]
async fn no_secret_is_on_record_wherever_it_came_from() {
    const SECRETS: [&str; 6] = [
        "sk-upstream-0123456789",
        "caller-0123456789abcdef",
        "cookie-0123456789abcdef",
        "query-0123456789abcdef",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl",
        "sk-proj-written-in-a-prompt",
    ];
    let upstream = started(dragoman_simulator::Simulator::builder().api_key(SECRETS[0])).await;
    let manifest = secret("key", SECRETS[0])
        + &backend(
            "main",
            &upstream.url(),
            "credential: {secretRef: {name: key, key: key}}",
        )
        + &route("");
    let proxy = Proxy::start(&manifest).await;
    let mut last = None;
    for path in [
        "/v1/chat/completions",
        "/v1/chat/completions?key=query-0123456789abcdef&Api%2DKey=query-0123456789abcdef",
    ] {
        let request = proxy
            .request(Method::POST, path)
            .json(&chat("echo", SECRETS[5]));
        let request = request
            .header("x-api-key", SECRETS[1])
            .header("cookie", format!("session={}", SECRETS[2]));
        let request = request
            .header("authorization", format!("Bearer {}", SECRETS[4]))
            .header("x-forwarded-jwt", SECRETS[4]);
        last = Some(answer(request).await);
    }
    let row = row_of(&proxy, &last.unwrap()).await;
    assert_eq!(row["status"], 200, "{row}");
    let listed = proxy.admin_get("/api/logs?bodies=true").await.text();
    let exported = proxy.admin_get("/api/logs.csv").await.text();
    let mut places = vec![
        ("row", row.to_string()),
        ("list", listed),
        ("export", exported),
        ("log", proxy.log()),
    ];
    places.push(("metrics", proxy.admin_get("/metrics").await.text()));
    for file in files(proxy.data()) {
        let bytes = std::fs::read(&file).unwrap();
        places.push(("file", String::from_utf8_lossy(&bytes).into_owned()));
    }
    assert!(places.iter().any(|(place, _)| *place == "file"));
    for (place, text) in &places {
        for secret in SECRETS {
            assert!(!text.contains(secret), "{secret} in {place}");
        }
    }
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[tokio::test]
async fn what_was_asked_before_a_stop_is_there_after_it() {
    let upstream = simulator().await;
    let data = tempfile::tempdir().unwrap();
    let data = data.path().to_str().unwrap();
    let mut proxy = Proxy::start_with(&simple(&upstream), &["--data", data]).await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        let answered = proxy.chat("echo").await;
        ids.push(answered.header("x-dragoman-request-id").unwrap().to_owned());
    }
    proxy.signal("TERM");
    assert_eq!(proxy.ended().await.code(), Some(0));
    let again = Proxy::start_with(&simple(&upstream), &["--data", data]).await;
    for id in ids {
        let found = again.admin_get(&format!("/api/logs/{id}")).await;
        assert_eq!(found.status, 200, "{id}: {}", found.text());
    }
}

#[tokio::test]
async fn two_processes_never_share_a_folder() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let output = std::process::Command::new(dragoman_system::programs().join("dragoman-proxy"))
        .args([
            "run",
            "--config",
            proxy.folder().to_str().unwrap(),
            "--data",
            proxy.data().to_str().unwrap(),
        ])
        .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("another process uses it") && said.contains("--data"),
        "{said}"
    );
}

#[tokio::test]
async fn what_runs_is_told_and_one_of_it_can_be_cancelled() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let call = |model: &str| {
        let request = proxy.request(Method::POST, "/v1/chat/completions");
        request.json(&streamed(model, &"word ".repeat(2000)))
    };
    let running = call("echo+token-20ms").send().await.unwrap();
    let id = running.headers()["x-dragoman-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let waiting = tokio::spawn(super::proxy::try_answer(call("echo+hang")));
    let listed = eventually("both are listed", || async {
        let listed = proxy.admin_get("/api/inflight").await.json();
        let all = listed["inflight"].as_array().unwrap().clone();
        let begun =
            |it: &Value| it["id"] != id.as_str() || it["completion_tokens"].as_i64() > Some(0);
        if all.len() == 2 && all.iter().all(begun) {
            Ok(all)
        } else {
            Err(listed)
        }
    })
    .await;
    let one = listed.iter().find(|it| it["id"] == id.as_str()).unwrap();
    assert_eq!(
        columns(one, &["route", "model_requested", "backend", "stream"]),
        json!(["chat", "echo+token-20ms", "default/main", true])
    );
    for one in &listed {
        let id = one["id"].as_str().unwrap();
        let cancel = proxy.admin_request(Method::DELETE, &format!("/api/inflight/{id}"));
        let cancelled = answer(cancel).await;
        assert_eq!(cancelled.status, 200, "{}", cancelled.text());
        let row = row(&proxy, id).await;
        assert!(
            row["error"].as_str().unwrap().contains("cancelled"),
            "{row}"
        );
    }
    assert!(waiting.await.unwrap().is_err());
    assert!(running.text().await.is_err());
    let again = answer(proxy.admin_request(Method::DELETE, &format!("/api/inflight/{id}"))).await;
    assert_eq!(again.status, 404, "{}", again.text());
    let left = proxy.admin_get("/api/inflight").await.json();
    assert_eq!(left["inflight"], json!([]));
}

#[tokio::test]
async fn calls_are_measured_by_model_under_the_names_of_opentelemetry() {
    let upstream = simulator().await;
    let manifest = super::manifests::mapped(
        &upstream,
        "rules: [{match: {exact: gpt-4o}, target: {model: echo}}]",
    );
    let proxy = Proxy::start(&manifest).await;
    let answered = proxy.stream("gpt-4o").await;
    row_of(&proxy, &answered).await;
    let metrics = proxy.admin_get("/metrics").await.text();
    let labels = r#"namespace="default",route="chat",gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="echo""#;
    for line in [
        format!("gen_ai_client_operation_duration_seconds_count{{{labels}}} 1"),
        format!("gen_ai_client_token_usage_count{{{labels},gen_ai_token_type=\"input\"}} 1"),
        format!("gen_ai_server_time_to_first_token_seconds_count{{{labels}}} 1"),
        r#"dragoman_request_log_rows_total{outcome="committed"} 1"#.to_owned(),
        r#"dragoman_request_log_rows_total{outcome="dropped"} 0"#.to_owned(),
    ] {
        assert!(
            metrics.lines().any(|each| each == line),
            "{line}\n{metrics}"
        );
    }
}
