//! Which APIs a route speaks: paths of another are not there, and say so in that API's shape.

use http::Method;
use serde_json::{Value, json};

use super::manifests::{backend, posts, route, simulator};
use super::proxy::{Proxy, answer};

/// A request that the path takes.
fn body(path: &str) -> Value {
    match path.rsplit('/').next() {
        Some("generate" | "completions") if path != "/v1/chat/completions" => {
            json!({"model": "echo", "prompt": "hello"})
        }
        Some("embed" | "embeddings") => json!({"model": "echo", "input": "hello"}),
        Some("show") => json!({"model": "echo"}),
        last => {
            let mut body =
                json!({"model": "echo", "messages": [{"role": "user", "content": "hello"}]});
            if last == Some("messages") {
                body["max_tokens"] = 16.into();
            }
            body
        }
    }
}

/// The paths of an API that clients POST to.
const PATHS: [(&str, &[&str]); 3] = [
    (
        "OpenAI",
        &["/v1/chat/completions", "/v1/completions", "/v1/embeddings"],
    ),
    ("Anthropic", &["/v1/messages"]),
    (
        "Ollama",
        &["/api/chat", "/api/generate", "/api/embed", "/api/show"],
    ),
];

#[tokio::test]
async fn a_route_answers_the_apis_that_it_names_and_404_to_the_others_in_their_own_shape() {
    let upstream = simulator().await;
    for (api, _) in PATHS {
        let apis = route(&format!("apis: [{api}]"));
        let proxy = Proxy::start(&(backend("main", &upstream.url(), "") + &apis)).await;
        for (other, paths) in PATHS {
            for path in paths {
                let before = posts(&upstream).len();
                let reply = proxy.post(path, &body(path)).await;
                if api == other {
                    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
                    continue;
                }
                assert_eq!(reply.status, 404, "{path}: {}", reply.text());
                let error = reply.json();
                let message = match other {
                    "Ollama" => &error["error"],
                    _ => &error["error"]["message"],
                };
                let message = message.as_str().unwrap_or_else(|| panic!("{error}"));
                assert!(
                    message.contains(&format!("API {other}"))
                        && message.contains(&format!("it speaks {api}")),
                    "{message}"
                );
                if other == "Anthropic" {
                    assert_eq!(error["type"], "error");
                }
                assert_eq!(posts(&upstream).len(), before);
            }
        }
    }
}

#[tokio::test]
async fn lists_are_of_the_api_of_whoever_asks_and_ping_is_of_none() {
    let upstream = simulator().await;
    let manifest = backend("main", &upstream.url(), "") + &route("apis: [Anthropic]");
    let proxy = Proxy::start(&manifest).await;
    assert_eq!(proxy.get("/v1/models").await.status, 404);
    for path in [
        "/api/tags",
        "/api/version",
        "/",
        "/api/v0/models",
        "/v1/files",
    ] {
        assert_eq!(proxy.get(path).await.status, 404, "{path}");
    }
    let anthropics = proxy
        .request(Method::GET, "/v1/models")
        .header("anthropic-version", "2023-06-01");
    assert_eq!(answer(anthropics).await.status, 200);
    assert_eq!(proxy.get("/api/ping").await.status, 200);
}

#[tokio::test]
async fn a_route_that_names_no_apis_speaks_all_and_conversation_where_it_is_set_up() {
    let upstream = simulator().await;
    let manifest = backend("main", &upstream.url(), "") + &route("");
    let proxy = Proxy::start(&manifest).await;
    for (_, paths) in PATHS {
        for path in paths {
            let reply = proxy.post(path, &body(path)).await;
            assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        }
    }
    let talk = "/api/conversation_with_model";
    let statement = json!({"model_name": "echo", "user_last_statement": "hello", "stream": false});
    assert_eq!(proxy.post(talk, &statement).await.status, 404);
    proxy.edit(&(backend("main", &upstream.url(), "") + &route("conversation: {}")));
    dragoman_system::eventually("it is set up", || async {
        let reply = proxy.post(talk, &statement).await;
        if reply.status == 200 {
            Ok(())
        } else {
            Err(reply.text())
        }
    })
    .await;
    let without = route("conversation: {}\napis: [OpenAI]");
    proxy.edit(&(backend("main", &upstream.url(), "") + &without));
    dragoman_system::eventually("it is left out", || async {
        let reply = proxy.post(talk, &statement).await;
        let details = reply.json()["details"].clone();
        let told = details
            .as_str()
            .is_some_and(|it| it.contains("API Conversation"));
        if reply.status == 404 && told {
            Ok(())
        } else {
            Err(reply.text())
        }
    })
    .await;
}
