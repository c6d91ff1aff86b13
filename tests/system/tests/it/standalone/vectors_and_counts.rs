//! Vectors and counts of tokens between dialects: what is translated, what passes as bytes, and what is refused (features A19, B1, B5).

use http::Method;
use serde_json::json;

use super::listings_of_dialects::{anthropics_error, by_prefix, keyed, ollamas_error, one};
use super::manifests::{posts, simulator};
use super::proxy::{Proxy, answer};

#[tokio::test]
async fn vectors_come_from_openai_and_ollama_to_each_others_clients() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&by_prefix(&upstream, "")).await;
    for (prefix, path) in [("openai", "/v1/embeddings"), ("ollama", "/api/embed")] {
        upstream.clear();
        let model = format!("{prefix}/echo");
        let input = json!({"model": model, "input": ["one", "two words"]});
        let openais = proxy.post("/v1/embeddings", &input).await;
        assert_eq!(openais.status, 200, "{}", openais.text());
        let openais = openais.json();
        assert_eq!(
            openais["usage"],
            json!({"prompt_tokens": 3, "total_tokens": 3})
        );
        let ollamas = proxy.post("/api/embed", &input).await;
        assert_eq!(ollamas.status, 200, "{}", ollamas.text());
        let ollamas = ollamas.json();
        assert_eq!(ollamas["prompt_eval_count"], 3);
        for at in 0..2 {
            let vector = &openais["data"][at]["embedding"];
            assert!(
                vector.as_array().is_some_and(|it| !it.is_empty()),
                "{vector}"
            );
            assert_eq!(vector, &ollamas["embeddings"][at], "{prefix}");
        }
        let base64 = json!({"model": model, "input": "one", "encoding_format": "base64"});
        let base64 = proxy.post("/v1/embeddings", &base64).await.json();
        assert!(base64["data"][0]["embedding"].is_string(), "{base64}");
        let prompt = json!({"model": model, "prompt": "one"});
        let older = proxy.post("/api/embeddings", &prompt).await.json();
        assert!(older["embedding"][0].is_number(), "{older}");
        for seen in posts(&upstream) {
            let own = seen.path == path || (prefix == "ollama" && seen.path == "/api/embeddings");
            assert!(own, "{}", seen.path);
            assert_eq!(seen.json()["model"], "echo");
        }
    }
    let tokens = json!({"model": "ollama/echo", "input": [[1, 2]]});
    let refused = proxy.post("/v1/embeddings", &tokens).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["error"]["param"], "input[0]");
    for (path, body) in [
        (
            "/v1/embeddings",
            json!({"model": "openai/status-429", "input": "a"}),
        ),
        (
            "/v1/embeddings",
            json!({"model": "ollama/status-429", "input": "a"}),
        ),
    ] {
        let reply = proxy.post(path, &body).await;
        assert_eq!(reply.status, 429);
        assert!(
            reply.message().contains("Simulated status 429"),
            "{}",
            reply.text()
        );
    }
    let body = json!({"model": "openai/status-429", "input": "a"});
    let reply = proxy.post("/api/embed", &body).await;
    assert_eq!(reply.status, 429);
    assert!(ollamas_error(&reply).contains("Simulated status 429"));
}

#[tokio::test]
async fn a_request_that_only_loads_a_model_of_vectors_is_answered_where_there_is_nothing_to_load() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&by_prefix(&upstream, "")).await;
    let body = json!({"model": "openai/echo", "keep_alive": "5m"});
    for (path, said) in [
        (
            "/api/embed",
            json!({"model": "openai/echo", "embeddings": []}),
        ),
        ("/api/embeddings", json!({"embedding": []})),
    ] {
        let loaded = proxy.post(path, &body).await;
        assert_eq!((loaded.status, loaded.json()), (200, said));
    }
    assert!(posts(&upstream).is_empty());
}

#[tokio::test]
async fn vectors_of_the_same_dialect_pass_as_bytes() {
    let upstream = simulator().await;
    for (dialect, path, body) in [
        (
            "OpenAI",
            "/v1/embeddings",
            r#"{ "input":"a", "x":1.50,"model":"echo"}"#,
        ),
        (
            "Ollama",
            "/api/embed",
            r#"{ "input":"a", "truncate":true,"model":"echo" }"#,
        ),
        (
            "Ollama",
            "/api/embeddings",
            r#"{ "prompt":"a","x" :[1.0],"model":"echo"}"#,
        ),
    ] {
        upstream.clear();
        let proxy = Proxy::start(&one(dialect, &upstream, "")).await;
        let request = proxy.request(Method::POST, path);
        let request = request
            .header("content-type", "application/json")
            .body(body);
        let reply = answer(request).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let seen = &posts(&upstream)[0];
        assert_eq!((seen.path.as_str(), seen.body.as_str()), (path, body));
    }
}

#[tokio::test]
async fn an_anthropic_backend_has_no_vectors_and_says_so_in_the_clients_shape() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&by_prefix(&upstream, "")).await;
    let body = json!({"model": "anthropic/echo", "input": "a", "prompt": "a"});
    let refused = proxy.post("/v1/embeddings", &body).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (400, "unsupported_by_upstream")
    );
    assert!(refused.message().contains("has no embeddings"));
    for path in ["/api/embed", "/api/embeddings"] {
        let refused = proxy.post(path, &body).await;
        assert_eq!(refused.status, 400, "{path}");
        assert!(ollamas_error(&refused).contains("has no embeddings"));
    }
    assert!(posts(&upstream).is_empty());
}

#[tokio::test]
async fn tokens_are_counted_by_who_can_and_never_guessed() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&by_prefix(&upstream, "")).await;
    let body = |model: &str| json!({"model": model, "messages": [{"role": "user", "content": "three words here"}], "thinking": {"type": "disabled"}});
    let path = "/v1/messages/count_tokens";
    let counted = proxy.post(path, &body("anthropic/echo")).await;
    assert_eq!(counted.status, 200, "{}", counted.text());
    assert!(counted.json()["input_tokens"].is_u64());
    let seen = &posts(&upstream)[0];
    assert_eq!((seen.path.as_str(), seen.json()), (path, body("echo")));
    for (model, how) in [
        ("openai/echo", "counts for the Responses API alone"),
        ("ollama/echo", "has no such call"),
    ] {
        let refused = proxy.post(path, &body(model)).await;
        assert_eq!(refused.status, 400, "{model}");
        assert_eq!(anthropics_error(&refused), "invalid_request_error");
        let message = refused.message();
        assert!(
            message.contains(how) && message.contains("an estimate would not be a count"),
            "{message}"
        );
    }
    upstream.clear();
    // Gemini counts too, and its clients reach Anthropic's backends.
    let proxy = Proxy::start(&keyed("Gemini", &upstream, "")).await;
    let counted = proxy.post(path, &body("echo")).await;
    assert_eq!(counted.status, 200, "{}", counted.text());
    assert!(
        counted.json()["input_tokens"].is_u64(),
        "{}",
        counted.text()
    );
    let counts = "/v1beta/models/echo:countTokens";
    let seen = &posts(&upstream)[0];
    assert_eq!(seen.path, counts);
    let asked = &seen.json()["generateContentRequest"]["contents"][0]["parts"][0]["text"];
    assert_eq!(asked, "three words here");
    let proxy = Proxy::start(&keyed("Anthropic", &upstream, "")).await;
    let asked = json!({"contents": [{"role": "user", "parts": [{"text": "three words here"}]}]});
    let counted = proxy.post(counts, &asked).await;
    assert_eq!(counted.status, 200, "{}", counted.text());
    assert!(counted.json()["totalTokens"].is_u64(), "{}", counted.text());
    assert_eq!(posts(&upstream)[1].path, path);
    let proxy = Proxy::start(&by_prefix(&upstream, "")).await;
    upstream.clear();
    let unknown = proxy.post(path, &body("nope")).await;
    assert_eq!(
        (unknown.status, anthropics_error(&unknown).as_str()),
        (404, "not_found_error")
    );
    assert!(posts(&upstream).is_empty());
    // A server of OpenAI's dialect that counts, as its `relay` says.
    let listed = "relay: [{methods: [POST], path: /messages/count_tokens}]";
    let proxy = Proxy::start(&keyed("OpenAI", &upstream, listed)).await;
    proxy.post(path, &body("echo")).await;
    assert_eq!(posts(&upstream)[0].path, path);
}
