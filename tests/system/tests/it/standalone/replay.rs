//! Replies that are on record, given once more to whoever got them (feature C5).

use dragoman_simulator::Simulator;
use dragoman_system::eventually;
use http::Method;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::manifests::{backend, object, posts, route, simulator};
use super::proxy::{Answer, Proxy, answer, chat, streamed};

const ON: &str = "replay: {enabled: true}";
const HEADER: &str = "x-dragoman-replay";
const TOKENS: &str = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: tokens}\nstringData: {ann: \"ann-0123456789abcdef\\nann-another-0123456789\", bob: bob-0123456789abcdef}\n";

/// A route that replays, with further lines of its spec.
fn replaying(upstream: &Simulator, more: &str) -> String {
    backend("main", &upstream.url(), "") + &route(&format!("{ON}\n{more}"))
}

fn id(answer: &Answer) -> &str {
    answer.header("x-dragoman-request-id").unwrap()
}

fn post(proxy: &Proxy, path: &str, body: &Value) -> RequestBuilder {
    proxy.request(Method::POST, path).json(body)
}

/// The same request, answered by what is on record.
async fn again(proxy: &Proxy, path: &str, body: &Value, of: &Answer) -> Answer {
    answer(post(proxy, path, body).header(HEADER, id(of))).await
}

async fn row(proxy: &Proxy, id: &str) -> Value {
    eventually(&format!("{id} is on record"), || async {
        match proxy.admin_get(&format!("/api/logs/{id}")).await {
            found if found.status == 200 => Ok(found.json()),
            found => Err(found.text()),
        }
    })
    .await
}

#[tokio::test]
async fn a_reply_is_given_once_more_to_the_byte_in_every_dialect_and_no_model_is_called() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&replaying(&upstream, "")).await;
    let tools = json!([{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}}}]);
    let with_tools = |mut body: Value| {
        body["tools"] = tools.clone();
        body
    };
    let messages = |stream: bool| json!({"model": "tools", "max_tokens": 50, "stream": stream, "messages": [{"role": "user", "content": "hello"}], "tools": [{"name": "look", "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}}}]});
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "two words"}]}]});
    let ollama = json!({"model": "echo", "messages": [{"role": "user", "content": "two words"}]});
    for (path, body, kind) in [
        (
            "/v1/chat/completions",
            chat("echo", "two words"),
            "application/json",
        ),
        (
            "/v1/chat/completions",
            streamed("echo", "two words"),
            "text/event-stream",
        ),
        (
            "/v1/chat/completions",
            with_tools(chat("tools", "hello")),
            "application/json",
        ),
        (
            "/v1/chat/completions",
            with_tools(streamed("tools", "hello")),
            "text/event-stream",
        ),
        (
            "/v1/responses",
            json!({"model": "echo", "stream": true, "input": "two words"}),
            "text/event-stream",
        ),
        ("/v1/messages", messages(false), "application/json"),
        ("/v1/messages", messages(true), "text/event-stream"),
        ("/api/chat", ollama, "application/x-ndjson"),
        (
            "/v1beta/models/echo:generateContent",
            gemini.clone(),
            "application/json",
        ),
        (
            "/v1beta/models/echo:streamGenerateContent?alt=sse",
            gemini,
            "text/event-stream",
        ),
        (
            "/v1/embeddings",
            json!({"model": "echo", "input": "two words"}),
            "application/json",
        ),
    ] {
        let first = proxy.post(path, &body).await;
        assert_eq!(first.status, 200, "{path}: {}", first.text());
        let calls = posts(&upstream).len();
        let replay = again(&proxy, path, &body, &first).await;
        assert_eq!(replay.status, 200, "{path}: {}", replay.text());
        assert_eq!(replay.text(), first.text(), "{path}");
        assert_eq!(replay.header("content-type"), first.header("content-type"));
        assert!(
            replay.header("content-type").unwrap().starts_with(kind),
            "{path}"
        );
        assert_eq!(posts(&upstream).len(), calls, "{path}");
        assert_eq!(replay.header(HEADER), Some(id(&first)), "{path}");
        assert_ne!(id(&replay), id(&first));
        let (made, row) = (
            row(&proxy, id(&first)).await,
            row(&proxy, id(&replay)).await,
        );
        let attempt = &row["attempts"][0];
        assert_eq!(
            json!([attempt["backend"], attempt["url"], attempt["status"]]),
            json!(["replay", id(&first), 200]),
            "{path}: {row}"
        );
        for same in [
            "status",
            "stream",
            "response_content",
            "tool_calls",
            "response_body",
            "client_dialect",
            "model_requested",
        ] {
            assert_eq!(row[same], made[same], "{path}: {same}");
        }
        // Nothing is used or paid for twice.
        for none in [
            "backend",
            "model_sent",
            "prompt_tokens",
            "completion_tokens",
            "cost",
            "error",
            "upstream_ms",
        ] {
            assert_eq!(row[none], Value::Null, "{path}: {none} of {row}");
        }
        // A replay is a reply like any other.
        let once_more = again(&proxy, path, &body, &replay).await;
        assert_eq!(
            (once_more.status, once_more.text()),
            (200, first.text()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_error_is_replayed_with_its_status_and_one_within_a_stream_too() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&replaying(&upstream, "")).await;
    for body in [
        chat("status-429", "hello"),
        streamed("status-500", "hello"),
        streamed("echo+cut-2", "one two three four"),
    ] {
        let first = proxy.post("/v1/chat/completions", &body).await;
        let calls = posts(&upstream).len();
        let replay = again(&proxy, "/v1/chat/completions", &body, &first).await;
        assert_eq!((replay.status, replay.text()), (first.status, first.text()));
        assert_eq!(posts(&upstream).len(), calls);
    }
}

#[tokio::test]
async fn a_route_replays_nothing_unless_it_says_so() {
    let upstream = simulator().await;
    let off = super::manifests::simple(&upstream);
    let proxy = Proxy::start(&off).await;
    let body = chat("echo", "hello");
    let first = proxy.post("/v1/chat/completions", &body).await;
    let refused = again(&proxy, "/v1/chat/completions", &body, &first).await;
    assert_eq!((refused.status, &*refused.code()), (403, "replay_disabled"));
    assert!(
        refused.message().contains("spec.replay.enabled"),
        "{}",
        refused.text()
    );
    assert_eq!(posts(&upstream).len(), 1);
    // Of what was made before, nothing is given.
    proxy.edit(&replaying(&upstream, ""));
    let code = eventually("the edit is served", || async {
        let replay = again(&proxy, "/v1/chat/completions", &body, &first).await;
        match replay.status {
            404 => Ok(replay.code()),
            _ => Err(replay.text()),
        }
    })
    .await;
    assert_eq!(code, "reply_not_kept");
    let second = proxy.post("/v1/chat/completions", &body).await;
    let replay = again(&proxy, "/v1/chat/completions", &body, &second).await;
    assert_eq!((replay.status, replay.text()), (200, second.text()));
    proxy.edit(&off);
    eventually("so is the other", || async {
        let replay = again(&proxy, "/v1/chat/completions", &body, &second).await;
        if replay.status == 403 {
            Ok(())
        } else {
            Err(replay.text())
        }
    })
    .await;
    assert_eq!(posts(&upstream).len(), 2);
}

#[tokio::test]
async fn a_reply_is_its_users_and_others_are_told_what_is_told_of_nothing() {
    let upstream = simulator().await;
    let spec = "authentication: {bearerTokens: {secretRefs: [{name: tokens}]}}";
    let policy = TOKENS.to_owned() + &object("AccessPolicy", "{name: callers}", spec);
    let other = object(
        "LLMRoute",
        "{name: other}",
        &format!(
            "backends: [{{name: main, backendRef: {{name: main}}}}]\n{ON}\naccessPolicyRefs: [{{name: callers}}]"
        ),
    );
    let manifest = replaying(&upstream, "accessPolicyRefs: [{name: callers}]") + &policy + &other;
    let proxy = Proxy::start(&manifest).await;
    let path = "/v1/chat/completions";
    let body = chat("echo", "hello");
    let asks = |key: &str, id: &str| {
        answer(
            post(&proxy, path, &body)
                .bearer_auth(key)
                .header(HEADER, id),
        )
    };
    let first = answer(post(&proxy, path, &body).bearer_auth("ann-0123456789abcdef")).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let id = id(&first);
    row(&proxy, id).await;
    for key in ["ann-0123456789abcdef", "ann-another-0123456789"] {
        let replay = asks(key, id).await;
        assert_eq!((replay.status, replay.text()), (200, first.text()), "{key}");
    }
    let unknown = "01890000-0000-7000-8000-000000000000";
    let nothing = asks("ann-0123456789abcdef", unknown).await;
    assert_eq!((nothing.status, &*nothing.code()), (404, "reply_not_found"));
    for (key, id) in [
        ("bob-0123456789abcdef", id),
        ("bob-0123456789abcdef", "nonsense"),
    ] {
        let theirs = asks(key, id).await;
        assert_eq!(
            (theirs.status, theirs.text()),
            (404, nothing.text()),
            "{id}"
        );
    }
    let nobody = answer(post(&proxy, path, &body).header(HEADER, id)).await;
    assert_eq!(nobody.status, 401, "{}", nobody.text());
    let elsewhere = format!("/routes/default/other{path}");
    let request = post(&proxy, &elsewhere, &body).bearer_auth("ann-0123456789abcdef");
    let elsewhere = answer(request.header(HEADER, id)).await;
    assert_eq!((elsewhere.status, elsewhere.text()), (404, nothing.text()));
    assert_eq!(posts(&upstream).len(), 1);
}

#[tokio::test]
async fn a_replay_counts_as_a_request_and_uses_no_tokens() {
    let upstream = simulator().await;
    let spec = "authentication: {bearerTokens: {secretRefs: [{name: tokens}]}}\nlimits: [{per: User, requests: 3, window: 1h}, {per: User, tokens: 100, window: 1h}]";
    let policy = TOKENS.to_owned() + &object("AccessPolicy", "{name: callers}", spec);
    let proxy =
        Proxy::start(&(replaying(&upstream, "accessPolicyRefs: [{name: callers}]") + &policy))
            .await;
    let path = "/v1/chat/completions";
    let body = chat("echo", "hello");
    let request = || post(&proxy, path, &body).bearer_auth("ann-0123456789abcdef");
    let first = answer(request()).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let left = |answer: &Answer| {
        answer
            .header("x-ratelimit-remaining-tokens")
            .map(str::to_owned)
    };
    let replays = || answer(request().header(HEADER, id(&first)));
    let (one, two) = (replays().await, replays().await);
    assert_eq!(
        (one.status, two.status),
        (200, 200),
        "{} {}",
        one.text(),
        two.text()
    );
    assert_eq!(left(&one), left(&two));
    let over = replays().await;
    assert_eq!((over.status, &*over.code()), (429, "rate_limit_exceeded"));
}

#[tokio::test]
async fn on_an_open_route_a_reply_is_its_addresss() {
    let upstream = simulator().await;
    let trusting = object(
        "LLMProxy",
        "{name: default}",
        "deployment: {}\nlogging: {bodies: Full}\ntrustedProxies: [127.0.0.0/8]",
    );
    let proxy = Proxy::start(&(replaying(&upstream, "") + &trusting)).await;
    let path = "/v1/chat/completions";
    let body = chat("echo", "hello");
    let from = |address: &str| post(&proxy, path, &body).header("x-forwarded-for", address);
    let first = answer(from("10.1.1.1")).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let own = answer(from("10.1.1.1").header(HEADER, id(&first))).await;
    assert_eq!((own.status, own.text()), (200, first.text()));
    let others = answer(from("10.1.1.2").header(HEADER, id(&first))).await;
    assert_eq!((others.status, &*others.code()), (404, "reply_not_found"));
}

#[tokio::test]
async fn what_is_not_on_record_to_the_byte_is_not_replayed_and_says_so_in_the_clients_dialect() {
    let upstream = simulator().await;
    let kept = |logging: &str| {
        let proxy = format!("deployment: {{}}\nlogging: {logging}");
        replaying(&upstream, "") + &object("LLMProxy", "{name: default}", &proxy)
    };
    let body = json!({"model": "echo", "max_tokens": 50, "messages": [{"role": "user", "content": "a card 1234-5678"}]});
    for logging in [
        "{bodies: None}",
        "{bodies: Truncated, maxBodyBytes: '10'}",
        "{bodies: Full, redact: [{regex: '\\d{4}-\\d{4}', replacement: '****-****'}]}",
    ] {
        let proxy = Proxy::start(&kept(logging)).await;
        let first = proxy.post("/v1/messages", &body).await;
        assert_eq!(first.status, 200, "{}", first.text());
        let calls = posts(&upstream).len();
        let replay = again(&proxy, "/v1/messages", &body, &first).await;
        assert_eq!(replay.status, 404, "{logging}: {}", replay.text());
        let told = replay.json();
        assert_eq!(
            (&told["type"], &told["error"]["type"]),
            (&json!("error"), &json!("not_found_error")),
            "{told}"
        );
        assert!(
            told["error"]["message"]
                .as_str()
                .unwrap()
                .contains("logging.bodies"),
            "{told}"
        );
        assert_eq!(replay.header("x-should-retry"), Some("false"));
        assert_eq!(posts(&upstream).len(), calls);
    }
    let proxy = Proxy::start(&replaying(&upstream, "")).await;
    // Of a client that left, the rest is nowhere.
    let long = streamed("echo+token-20ms", &"word ".repeat(500));
    let mut left = post(&proxy, "/v1/chat/completions", &long)
        .send()
        .await
        .unwrap();
    let id = left.headers()["x-dragoman-request-id"].clone();
    let _some = left.chunk().await.unwrap();
    drop(left);
    row(&proxy, id.to_str().unwrap()).await;
    let replay = answer(post(&proxy, "/v1/chat/completions", &long).header(HEADER, id)).await;
    assert_eq!((replay.status, &*replay.code()), (404, "reply_not_kept"));
}

#[tokio::test]
async fn a_request_that_the_reply_is_no_answer_to_is_refused_and_one_without_a_body_is_not() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&replaying(&upstream, "")).await;
    let path = "/v1/chat/completions";
    let first = proxy.post(path, &chat("echo", "hello")).await;
    let messages = json!({"model": "echo", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]});
    let elsewhere = again(&proxy, "/v1/messages", &messages, &first).await;
    assert_eq!(elsewhere.status, 400, "{}", elsewhere.text());
    let why = elsewhere.json()["error"]["message"].to_string();
    assert!(why.contains("POST /v1/chat/completions"), "{why}");
    let stream = again(&proxy, path, &streamed("echo", "hello"), &first).await;
    assert_eq!((stream.status, &*stream.code()), (400, "replay_mismatch"));
    let bare = answer(proxy.request(Method::POST, path).header(HEADER, id(&first))).await;
    assert_eq!((bare.status, bare.text()), (200, first.text()));
}
