//! The Conversation API, with its prompts in a ConfigMap (feature B9).

use dragoman_simulator::Simulator;
use dragoman_system::eventually;
use http::Method;
use serde_json::{Value, json};

use super::manifests::{backend, posts, route, simulator};
use super::mappers::example;
use super::matrix::{UPSTREAMS, every_client};
use super::oracle::{Live, Oracle};
use super::proxy::{Answer, Proxy};

const TALKING: &str = "conversation: {prefix: /talk, promptsRef: {name: prompts}}";

/// The ConfigMap `prompts`, with one prompt more.
fn prompts(more: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: prompts}}\ndata:\n  en.chat-conversation-simple.prompt: Be brief.\n  pl.chat-conversation-simple.prompt: |\n    Krótko.\n  {more}\n"
    )
}

/// The route `chat` to a simulator, with further lines of its spec.
fn talking(upstream: &Simulator, more: &str) -> String {
    backend("main", &upstream.url(), "") + &route(more) + &prompts("en.news.prompt: Tell the news.")
}

/// A statement with a history before it.
fn statement(more: Value) -> Value {
    let mut body = json!({
        "model_name": "echo", "user_last_statement": "hello there", "temperature": 0.5, "max_new_tokens": 64,
        "top_k": 50, "top_p": 0.9, "typical_p": 1.0, "repetition_penalty": 1.0,
        "historical_messages": [{"user": "Hi", "assistant": "Yes?"}],
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// What the upstream was told last, in OpenAI's shape: role and text of each message.
fn told(upstream: &Simulator) -> Vec<(String, String)> {
    let body = posts(upstream).last().unwrap().json();
    let messages = body["messages"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    messages
        .map(|message| (text(&message["role"]), text(&message["content"])))
        .collect()
}

/// The lines of a stream.
fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(
        answer.header("content-type"),
        Some("application/x-ndjson"),
        "{}",
        answer.text()
    );
    let text = answer.text();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The text of a stream that ended as it should.
fn streamed(answer: &Answer) -> String {
    let lines = lines(answer);
    let last = lines.last().unwrap();
    assert_eq!(last["done"], true, "{last}");
    assert!(last["generation_time"].is_number(), "{last}");
    let texts = lines.iter().filter_map(|line| line["response"].as_str());
    texts.collect()
}

#[tokio::test]
async fn a_statement_is_answered_by_a_server_of_any_dialect_streamed_unless_it_is_said_otherwise() {
    let upstream = simulator().await;
    let oracle = Oracle::start(Live::Sse).await;
    let origin = format!("http://{}", upstream.addr());
    let mut manifest = example(&oracle) + &every_client("oracle", "delphi");
    let mut servers = vec![("oracle", "All is well")];
    for upstream in UPSTREAMS {
        manifest += &upstream.manifest(&origin, "tokens-2");
        servers.push((upstream.name, "word0 word1"));
    }
    let proxy = Proxy::start(&manifest).await;
    for (server, said) in servers {
        for path in [
            "/talk/conversation_with_model",
            "/v1/talk/extended_conversation_with_model",
        ] {
            let path = format!("/routes/default/{server}{path}");
            // Azure knows no `top_k`.
            let own = json!({"system_prompt": "Mine.", "top_k": null});
            let reply = proxy.post(&path, &statement(own)).await;
            assert_eq!(reply.status, 200, "{server}: {}", reply.text());
            assert_eq!(streamed(&reply), said, "{server}");
            let whole = json!({"system_prompt": "Mine.", "top_k": null, "stream": false});
            let reply = proxy.post(&path, &statement(whole)).await;
            assert_eq!(reply.header("content-type"), Some("application/json"));
            assert_eq!(reply.json()["response"], said, "{server}");
            assert!(reply.json()["generation_time"].is_number());
        }
    }
}

#[tokio::test]
async fn the_prompt_is_that_of_the_language_and_name_and_the_last_statement_comes_last() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&talking(&upstream, TALKING)).await;
    let pair = |role: &str, text: &str| (role.to_owned(), text.to_owned());
    for (more, prompt) in [
        (json!({}), "Be brief."),
        (json!({"language": "pl"}), "Krótko."),
        (json!({"prompt_name": "news"}), "Tell the news."),
        (json!({"system_prompt": "Mine."}), "Mine."),
    ] {
        let reply = proxy
            .post("/talk/conversation_with_model", &statement(more))
            .await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let wanted = [
            pair("system", prompt),
            pair("user", "Hi"),
            pair("assistant", "Yes?"),
            pair("user", "hello there"),
        ];
        assert_eq!(told(&upstream), wanted);
    }
    let sent = posts(&upstream)[0].json();
    assert_eq!(
        (&sent["model"], &sent["max_tokens"], &sent["top_k"]),
        (&json!("echo"), &json!(64), &json!(50))
    );
    for unknown in [
        "language",
        "prompt_name",
        "model_name",
        "typical_p",
        "historical_messages",
    ] {
        assert_eq!(sent.get(unknown), None, "{sent}");
    }
}

#[tokio::test]
async fn chat_is_openais_with_the_librarys_prompt_and_passthrough_without_it() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&talking(&upstream, TALKING)).await;
    let body = json!({
        "model": "echo", "keep_alive": "30m", "options": {"num_ctx": 16384, "temperature": 0.1},
        "messages": [{"role": "user", "content": "hello there"}],
    });
    for (path, prompt) in [
        ("/talk/chat", Some("Be brief.")),
        ("/talk/chat/completions", Some("Be brief.")),
        ("/talk/passthrough", None),
    ] {
        let reply = proxy.post(path, &body).await;
        assert_eq!(reply.content(), "hello there", "{}", reply.text());
        assert!(reply.is_done(), "it streams unless it is said otherwise");
        let told = told(&upstream);
        let system = told.iter().find(|(role, _)| role == "system");
        assert_eq!(system.map(|(_, text)| text.as_str()), prompt, "{path}");
        assert_eq!(posts(&upstream).last().unwrap().json()["temperature"], 0.1);
    }
    let mut own = body.clone();
    own["stream"] = false.into();
    own["messages"] =
        json!([{"role": "system", "content": "Mine."}, {"role": "user", "content": "hello there"}]);
    let reply = proxy.post("/talk/chat", &own).await;
    assert_eq!(reply.json()["object"], "chat.completion");
    assert_eq!(told(&upstream)[0].1, "Mine.");
    assert_eq!(told(&upstream).len(), 2);
}

#[tokio::test]
async fn a_fault_names_its_field_in_the_apis_own_shape() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&talking(&upstream, TALKING)).await;
    let path = "/talk/conversation_with_model";
    for (body, field) in [
        (json!({"user_last_statement": "x"}), "model_name"),
        (json!({"model_name": "echo"}), "user_last_statement"),
        (statement(json!({"language": "de"})), "en, pl"),
        (statement(json!({"prompt_name": "none"})), "prompt_name"),
        (statement(json!({"top_k": "many"})), "top_k"),
        (
            statement(json!({"historical_messages": [{"role": "user"}]})),
            "historical_messages[0].user",
        ),
        (statement(json!({"tool_magic": 1})), "tool_magic"),
    ] {
        let reply = proxy.post(path, &body).await;
        assert_eq!(reply.status, 400, "{}", reply.text());
        let error = reply.json();
        assert_eq!(error["error"], "bad_request", "{error}");
        let details = error["details"].as_str().unwrap();
        assert!(details.contains(field), "{field}: {details}");
    }
    let extended = proxy
        .post(
            "/talk/extended_conversation_with_model",
            &statement(json!({})),
        )
        .await;
    assert_eq!(extended.status, 400);
    let details = extended.json()["details"].as_str().unwrap().to_owned();
    assert!(details.starts_with("system_prompt"), "{details}");
    assert!(posts(&upstream).is_empty());
    let reply = proxy
        .post("/talk/chat", &json!({"model": "echo", "messages": []}))
        .await;
    assert_eq!(reply.status, 400);
    assert!(reply.message().contains("messages"), "{}", reply.text());
    let got = super::proxy::answer(proxy.request(Method::GET, path)).await;
    assert_eq!(
        (got.status, got.header("allow")),
        (405, Some("POST, OPTIONS"))
    );
}

#[tokio::test]
async fn an_upstreams_error_keeps_its_status_and_one_within_a_stream_is_its_last_line() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&talking(&upstream, TALKING)).await;
    let path = "/talk/conversation_with_model";
    let limited = proxy
        .post(path, &statement(json!({"model_name": "status-429"})))
        .await;
    assert_eq!(limited.status, 429);
    assert_eq!(limited.json()["error"], "rate_limited");
    let cut = proxy
        .post(path, &statement(json!({"model_name": "cut-2+tokens-8"})))
        .await;
    let lines = lines(&cut);
    let last = lines.last().unwrap();
    assert!(last["details"].is_string(), "{}", cut.text());
    assert!(lines.iter().all(|line| line["done"] != true));
}

#[tokio::test]
async fn thinking_is_stripped_and_ping_and_tags_answer() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&talking(&upstream, TALKING)).await;
    let thinking = statement(json!({"model_name": "think"}));
    let reply = proxy.post("/talk/conversation_with_model", &thinking).await;
    assert_eq!(streamed(&reply), "hello there");
    assert_eq!(proxy.get("/talk/ping").await.json()["body"], "pong");
    let tags = proxy.get("/talk/tags").await.json();
    assert!(!tags["models"].as_array().unwrap().is_empty(), "{tags}");
    let unknown = proxy.post("/talk/other", &json!({})).await;
    assert_eq!(unknown.status, 404, "{}", unknown.text());
}

#[tokio::test]
async fn where_ollama_has_the_path_its_shape_wins_unless_the_route_leaves_ollama_out() {
    let upstream = simulator().await;
    let body = json!({"model": "echo", "messages": [{"role": "user", "content": "hello there"}]});
    let both = "conversation: {promptsRef: {name: prompts}}";
    let proxy = Proxy::start(&talking(&upstream, both)).await;
    let ollamas = proxy.post("/api/chat", &body).await;
    let last = ollamas.text().lines().last().unwrap().to_owned();
    assert!(last.contains("\"done_reason\":\"stop\""), "{last}");
    let ours = proxy.post("/api/chat/completions", &body).await;
    assert!(ours.is_done());
    assert_eq!(told(&upstream)[0].1, "Be brief.");
    let one = format!("{both}\napis: [OpenAI, Conversation]");
    proxy.edit(&talking(&upstream, &one));
    eventually("Ollama is left out", || async {
        let reply = proxy.post("/api/chat", &body).await;
        match reply.status == 200 && reply.is_done() {
            true => Ok(()),
            false => Err(reply.text()),
        }
    })
    .await;
    let faulty = proxy.post("/api/chat", &json!({"model": "echo"})).await;
    assert!(faulty.message().contains("messages"), "{}", faulty.text());
    let left_out = proxy.post("/api/generate", &body).await;
    assert_eq!(left_out.status, 404);
}

#[tokio::test]
async fn an_edit_of_the_prompts_is_served_and_one_without_the_default_prompt_is_told_and_kept_out()
{
    let upstream = simulator().await;
    let with = |text: &str| {
        backend("main", &upstream.url(), "")
            + &route(
                "conversation: {prefix: /talk, promptsRef: {name: prompts}, defaultLanguage: fr}",
            )
            + &prompts(&format!("fr.chat-conversation-simple.prompt: {text}"))
    };
    let proxy = Proxy::start(&with("Un")).await;
    let says = |text: &'static str| {
        let (proxy, upstream) = (&proxy, &upstream);
        eventually(text, move || async move {
            proxy
                .post("/talk/conversation_with_model", &statement(json!({})))
                .await;
            match &told(upstream)[0].1 {
                told if told == text => Ok(()),
                told => Err(told.clone()),
            }
        })
    };
    says("Un").await;
    proxy.edit(&with("Deux"));
    says("Deux").await;
    proxy.edit(&with("x").replace("fr.chat", "it.chat"));
    proxy.logged("fr.chat-conversation-simple.prompt").await;
    says("Deux").await;
}
