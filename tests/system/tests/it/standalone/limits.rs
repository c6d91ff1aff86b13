//! Limits on requests, tokens, cost and requests at once, of one proxy and of several that share a Redis (feature C3).

use std::time::Duration;

use dragoman_simulator::Simulator;
use dragoman_system::{Redis, eventually};
use futures::future::join_all;
use http::Method;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::manifests::{backend, object, posts, received, route, route_to, simulator};
use super::proxy::{Answer, Proxy, answer, chat, streamed};

/// The AccessPolicy `gold` with these limits and further lines of its spec, a backend and the route `chat`.
fn limited(upstream: &Simulator, limits: &str, more: &str) -> String {
    let lines: String = limits.lines().map(|line| format!("- {line}\n")).collect();
    backend("main", &upstream.url(), "")
        + &object(
            "AccessPolicy",
            "{name: gold}",
            &format!("limits:\n{lines}{more}"),
        )
        + &route("accessPolicyRefs: [{name: gold}]")
}

/// A user's key.
fn key(user: &str, token: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {token}, labels: {{llm: keys}}, annotations: {{dragoman.dev/user: {user}}}}}\nstringData: {{key: sk-0123456789-{token}}}\n"
    )
}

const KEYS: &str = "authentication: {bearerTokens: {secretSelector: {matchLabels: {llm: keys}}}}";

async fn call(request: RequestBuilder, body: &Value) -> Answer {
    answer(request.json(body)).await
}

fn completions(proxy: &Proxy) -> RequestBuilder {
    proxy.request(Method::POST, "/v1/chat/completions")
}

/// The value of a header.
pub(super) fn told<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name)?.to_str().ok()
}

#[tokio::test]
async fn requests_over_a_limit_are_told_when_to_come_again_and_never_go_upstream() {
    let upstream = simulator().await;
    let manifest = limited(&upstream, "{per: Address, requests: 3, window: 1h}", "");
    let proxy = Proxy::start(&manifest).await;
    for left in ["2", "1", "0"] {
        let answer = proxy.chat("echo").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(told(&answer, "x-ratelimit-limit-requests"), Some("3"));
        assert_eq!(told(&answer, "x-ratelimit-remaining-requests"), Some(left));
        let reset = told(&answer, "x-ratelimit-reset-requests").unwrap();
        assert!(reset.starts_with("1h0m"), "{reset}");
    }
    let over = proxy.chat("echo").await;
    assert_eq!(over.status, 429);
    let seconds: u64 = told(&over, "retry-after").unwrap().parse().unwrap();
    assert!((3500..=3700).contains(&seconds), "{seconds}");
    assert_eq!(told(&over, "x-ratelimit-remaining-requests"), Some("0"));
    let text = over.text();
    assert!(
        text.contains("AccessPolicy default/gold allows each address 3 requests within 3600s"),
        "{text}"
    );
    assert_eq!(posts(&upstream).len(), 3);
    assert_eq!(
        proxy.get("/v1/models").await.status,
        429,
        "a list is a request too"
    );
}

#[tokio::test]
async fn a_refusal_has_the_shape_of_each_clients_dialect() {
    let upstream = simulator().await;
    let manifest = limited(&upstream, "{per: Route, requests: 1, calendar: Month}", "");
    let proxy = Proxy::start(&manifest).await;
    assert_eq!(proxy.chat("echo").await.status, 200);
    let messages = json!([{"role": "user", "content": "hi"}]);
    let contents = json!([{"role": "user", "parts": [{"text": "hi"}]}]);
    for (path, body, at, kind) in [
        (
            "/v1/chat/completions",
            chat("echo", "hi"),
            "/error/code",
            Some("rate_limit_exceeded"),
        ),
        (
            "/v1/messages",
            json!({"model": "echo", "max_tokens": 5, "messages": messages}),
            "/error/type",
            Some("rate_limit_error"),
        ),
        (
            "/api/chat",
            json!({"model": "echo", "messages": messages}),
            "/error",
            None,
        ),
        (
            "/v1beta/models/echo:generateContent",
            json!({"contents": contents}),
            "/error/status",
            Some("RESOURCE_EXHAUSTED"),
        ),
    ] {
        let over = proxy.post(path, &body).await;
        assert_eq!(over.status, 429, "{path}: {}", over.text());
        assert!(told(&over, "retry-after").is_some(), "{path}");
        let said: Value = serde_json::from_str(&over.text()).unwrap();
        let said = said.pointer(at).unwrap_or_else(|| panic!("{path}: {said}"));
        if let Some(kind) = kind {
            assert_eq!(said, kind, "{path}");
        }
    }
}

#[tokio::test]
async fn each_key_and_each_user_has_a_count_of_its_own() {
    let upstream = simulator().await;
    let keys = key("ann", "one") + &key("ann", "two") + &key("bob", "three");
    for (per, second) in [("Key", 200), ("User", 429)] {
        let limits = format!("{{per: {per}, requests: 1, window: 1h}}");
        let manifest = limited(&upstream, &limits, KEYS) + &keys;
        let proxy = Proxy::start(&manifest).await;
        let ask = async |token: &str| {
            let key = format!("sk-0123456789-{token}");
            let request = completions(&proxy).bearer_auth(key);
            call(request, &chat("echo", "hi")).await.status
        };
        assert_eq!(ask("one").await, 200);
        assert_eq!(ask("one").await, 429);
        assert_eq!(ask("two").await, second, "{per}");
        assert_eq!(ask("three").await, 200);
        assert_eq!(ask("nobody").await, 401, "whoever is nobody counts nowhere");
    }
}

#[tokio::test]
async fn an_edit_of_a_limit_keeps_what_was_counted() {
    let upstream = simulator().await;
    let of = |most: u32| {
        let limits = format!("{{per: Address, requests: {most}, window: 1h}}");
        limited(&upstream, &limits, "")
    };
    let proxy = Proxy::start(&of(2)).await;
    for status in [200, 200, 429] {
        assert_eq!(proxy.chat("echo").await.status, status);
    }
    proxy.edit(&of(3));
    eventually("the edit is served", || async {
        match proxy.chat("echo").await {
            answer if answer.status == 200 => Ok(()),
            answer => Err(answer.text()),
        }
    })
    .await;
    assert_eq!(proxy.chat("echo").await.status, 429);
}

/// Reserves ten thousand tokens at most, of which few are left over.
pub(super) const TOKENS: &str = "{per: Address, tokens: 10000, window: 1h}";

/// How many tokens are left, asked without taking any that stay.
pub(super) async fn left(proxy: &Proxy) -> u64 {
    let answer = proxy.chat("status-400").await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    let taken = chat("status-400", "hello").to_string().len().div_ceil(4);
    let left: u64 = told(&answer, "x-ratelimit-remaining-tokens")
        .unwrap()
        .parse()
        .unwrap();
    left + taken as u64
}

/// Waits until so many tokens are left.
pub(super) async fn await_left(proxy: &Proxy, wanted: u64) {
    eventually(&format!("{wanted} tokens are left"), || async {
        match left(proxy).await {
            left if left == wanted => Ok(()),
            left => Err(left),
        }
    })
    .await;
}

#[tokio::test]
async fn tokens_are_settled_by_what_the_model_used_in_every_dialect_whole_and_streamed() {
    let upstream = simulator().await;
    let origin = format!("http://{}", upstream.addr());
    let entry = |name: &str| {
        format!("- {{name: {name}, modelPrefix: {name}/, backendRef: {{name: {name}}}}}\n")
    };
    let manifest = backend("openai", &format!("{origin}/v1"), "")
        + &backend("anthropic", &origin, "dialect: Anthropic\n")
        + &backend("ollama", &origin, "dialect: Ollama\n")
        + &object(
            "AccessPolicy",
            "{name: gold}",
            &format!("limits: [{TOKENS}]"),
        )
        + &route_to(
            &(["openai", "anthropic", "ollama"].map(entry).concat()
                + "- {name: main, backendRef: {name: openai}, models: {allow: [{regex: status-.*}]}}\n"),
            "accessPolicyRefs: [{name: gold}]",
        );
    let proxy = Proxy::start(&manifest).await;
    let mut left = left(&proxy).await;
    assert_eq!(left, 10_000);
    for name in ["openai", "anthropic", "ollama"] {
        let model = format!("{name}/tokens-20");
        let messages = json!([{"role": "user", "content": "one two three"}]);
        for (path, stream) in [
            ("/v1/chat/completions", false),
            ("/v1/chat/completions", true),
            ("/v1/messages", false),
            ("/v1/messages", true),
            ("/api/chat", false),
            ("/api/chat", true),
        ] {
            let mut body = json!({"model": model, "messages": messages, "stream": stream});
            if !path.starts_with("/api/") {
                body["max_tokens"] = 500.into();
            }
            let answer = proxy.post(path, &body).await;
            assert_eq!(answer.status, 200, "{path} {name}: {}", answer.text());
            assert!(
                !answer.text().contains("\"choices\":[]"),
                "an event that nobody asked for: {}",
                answer.text()
            );
            // Three words of the prompt, and twenty of the reply.
            left -= 23;
            await_left(&proxy, left).await;
        }
    }
}

#[tokio::test]
async fn what_may_be_taken_is_reserved_and_given_back() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&limited(&upstream, TOKENS, "")).await;
    let with = |most: u64| {
        let mut body = chat("first-byte-500ms+tokens-5", "one");
        body["max_tokens"] = most.into();
        body
    };
    let never = proxy.post("/v1/chat/completions", &with(20_000)).await;
    assert_eq!(never.status, 429);
    assert!(
        never.text().contains("this request alone may take"),
        "{}",
        never.text()
    );
    assert_eq!(told(&never, "retry-after"), None);
    assert_eq!(told(&never, "x-should-retry"), Some("false"));
    let (one, two) = (with(6000), with(6000));
    let both = [one, two].map(async |body| proxy.post("/v1/chat/completions", &body).await.status);
    let mut both = join_all(both).await;
    both.sort_unstable();
    assert_eq!(both, [200, 429], "both together may take too much");
    await_left(&proxy, 10_000 - 6).await;
    assert_eq!(
        proxy.post("/v1/chat/completions", &with(6000)).await.status,
        200
    );
    assert_eq!(proxy.chat("status-500").await.status, 500);
    await_left(&proxy, 10_000 - 12).await;
}

#[tokio::test]
async fn a_client_that_leaves_pays_for_its_prompt_and_what_it_got() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&limited(&upstream, TOKENS, "")).await;
    let body = streamed("say+token-5ms", &"word ".repeat(400));
    let prompt = body.to_string().len().div_ceil(4) as u64;
    let sent = completions(&proxy).json(&body).send().await.unwrap();
    let mut sent = sent.error_for_status().unwrap();
    let mut got = 0;
    while got < 4000 {
        got += sent.chunk().await.unwrap().unwrap().len();
    }
    drop(sent);
    eventually("the prompt is paid for, and some of the reply", || async {
        match left(&proxy).await {
            left if (10_000 - prompt - 500..10_000 - prompt).contains(&left) => Ok(()),
            left => Err(left),
        }
    })
    .await;
}

#[tokio::test]
async fn cost_counts_by_the_prices_of_the_catalog() {
    let upstream = simulator().await;
    let priced = "catalog: [{name: tokens-20, price: {inputPerMillion: \"1000\", outputPerMillion: \"2000\"}}]";
    let manifest = backend("main", &upstream.url(), priced)
        + &object(
            "AccessPolicy",
            "{name: gold}",
            "limits: [{per: Address, cost: \"0.05\", calendar: Day}]",
        )
        + &route("accessPolicyRefs: [{name: gold}]");
    let proxy = Proxy::start(&manifest).await;
    let ask = async || {
        let mut body = chat("tokens-20", "one two three");
        body["max_tokens"] = 1.into();
        proxy.post("/v1/chat/completions", &body).await
    };
    // Each costs 3 thousandths and 40: the second is over, which its estimate cannot tell.
    assert_eq!(ask().await.status, 200);
    let over = eventually("the cost is settled", || async {
        match ask().await {
            answer if answer.status == 429 => Ok(answer),
            answer => Err(answer.status),
        }
    })
    .await;
    assert!(
        over.text().contains("a cost of 0.05 a day (UTC)"),
        "{}",
        over.text()
    );
    let free = proxy.chat("echo").await;
    assert_eq!(
        free.status,
        200,
        "what has no price costs nothing: {}",
        free.text()
    );
}

#[tokio::test]
async fn requests_at_once_are_bounded_and_places_come_back_on_every_path() {
    let upstream = simulator().await;
    let manifest = limited(&upstream, "{per: Address, concurrency: 2}", "");
    let proxy = Proxy::start(&manifest).await;
    let hang = || completions(&proxy).json(&chat("hang", "x")).send();
    let (one, two) = (Box::pin(hang()), Box::pin(hang()));
    let both = tokio::spawn(futures_pair(one, two));
    received(&upstream, |seen| seen.len() == 2).await;
    let over = proxy.chat("echo").await;
    assert_eq!(over.status, 429);
    assert_eq!(told(&over, "retry-after"), Some("1"));
    both.abort();
    let free = async || match proxy.chat("echo").await.status {
        200 => Ok(()),
        status => Err(status),
    };
    eventually("those that left give their places back", free).await;
    // Errors, broken streams, whole replies.
    for model in ["status-500", "drop", "cut-2", "echo", "malformed"] {
        for _ in 0..3 {
            let body = streamed(model, "hello there and all");
            let sent = completions(&proxy).json(&body).send().await.unwrap();
            assert_ne!(sent.status(), 429, "{model}");
            let _ = sent.bytes().await;
            eventually("its place is free", free).await;
        }
    }
}

async fn futures_pair<A: Future, B: Future>(one: A, two: B) -> (A::Output, B::Output) {
    futures::join!(one, two)
}

#[tokio::test]
async fn a_bound_is_exact_under_concurrent_load() {
    let upstream = simulator().await;
    let manifest = limited(&upstream, "{per: Address, requests: 37, window: 1h}", "");
    let proxy = Proxy::start(&manifest).await;
    let all = join_all((0..120).map(|_| proxy.chat("echo"))).await;
    let admitted = all.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(admitted, 37);
    assert!(all.iter().all(|answer| matches!(answer.status, 200 | 429)));
    assert_eq!(posts(&upstream).len(), 37);
}

/// The LLMProxy that counts in a Redis.
fn shared(redis: &Redis) -> String {
    let url = format!("redis://proxy:p%40ss@127.0.0.1:{}", redis.port);
    super::manifests::secret("redis", &url)
        + &object(
            "LLMProxy",
            "{name: default}",
            "sharedState: {redis: {secretRef: {name: redis, key: key}}}",
        )
}

#[tokio::test]
async fn proxies_that_share_a_redis_share_their_limits_and_go_on_without_it() {
    let upstream = simulator().await;
    let mut redis = Redis::plain("127.0.0.1", "--user proxy on >p@ss ~* +@all");
    let limits = "{per: Address, requests: 20, window: 1h}\n{per: Address, concurrency: 50}";
    let manifest = shared(&redis) + &limited(&upstream, limits, "");
    let (one, two) = (Proxy::start(&manifest).await, Proxy::start(&manifest).await);
    for proxy in [&one, &two] {
        proxy.logged("Redis counts for all proxies").await;
    }
    for turn in 0..20 {
        let proxy = if turn % 2 == 0 { &one } else { &two };
        let answer = proxy.chat("echo").await;
        assert_eq!(answer.status, 200, "{turn}: {}", answer.text());
    }
    for proxy in [&one, &two] {
        assert_eq!(proxy.chat("echo").await.status, 429);
    }
    redis.stop();
    // Each has let ten through itself, and lets ten more.
    for proxy in [&one, &two] {
        proxy.logged("this proxy counts for itself").await;
        assert!(!proxy.log().contains("p@ss"));
        for _ in 0..10 {
            let began = tokio::time::Instant::now();
            let answer = proxy.chat("echo").await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert!(began.elapsed() < Duration::from_secs(5));
        }
        assert_eq!(proxy.chat("echo").await.status, 429);
    }
}
