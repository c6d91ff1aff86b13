//! What Open WebUI calls of an Ollama server, with its own bodies and headers, each answer read as it reads it (features A19, B1).
//!
//! Sources: Open WebUI's
//! [`routers/ollama.py`](https://github.com/open-webui/open-webui/blob/main/backend/open_webui/routers/ollama.py) (what is called),
//! [`utils/payload.py`](https://github.com/open-webui/open-webui/blob/main/backend/open_webui/utils/payload.py) (bodies),
//! [`utils/response.py`](https://github.com/open-webui/open-webui/blob/main/backend/open_webui/utils/response.py) (how answers are read),
//! [`routers/tasks.py`](https://github.com/open-webui/open-webui/blob/main/backend/open_webui/routers/tasks.py) (titles),
//! [`retrieval/utils.py`](https://github.com/open-webui/open-webui/blob/main/backend/open_webui/retrieval/utils.py) (vectors).

use dragoman_simulator::Simulator;
use http::Method;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::listings_of_dialects::{ollamas_error, one};
use super::manifests::{posts, simulator, started};
use super::proxy::{Answer, Proxy, answer};

/// The dialects behind it: Ollama's own, and others.
const DIALECTS: [&str; 3] = ["Ollama", "OpenAI", "Anthropic"];

/// A point, as a PNG.
const IMAGE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// With the headers of its HTTP client, and those that say who asks (`ENABLE_FORWARD_USER_INFO_HEADERS`).
fn as_open_webui(request: RequestBuilder) -> RequestBuilder {
    request
        .header("accept", "*/*")
        .header("accept-encoding", "gzip, deflate, br")
        .header("user-agent", "Python/3.11 aiohttp/3.12.15")
        .header("content-type", "application/json")
        .header("x-openwebui-user-name", "Ada Lovelace")
        .header(
            "x-openwebui-user-id",
            "5e7f1d9c-0000-4000-8000-0f0f0f0f0f0f",
        )
        .header("x-openwebui-user-email", "ada@example.com")
        .header("x-openwebui-user-role", "user")
        .header(
            "x-openwebui-chat-id",
            "1d0c9b8a-0000-4000-8000-0f0f0f0f0f0f",
        )
}

async fn get(proxy: &Proxy, path: &str) -> Answer {
    answer(as_open_webui(proxy.request(Method::GET, path))).await
}

async fn post(proxy: &Proxy, path: &str, body: &Value) -> Answer {
    send(proxy, Method::POST, path, body).await
}

async fn send(proxy: &Proxy, method: Method, path: &str, body: &Value) -> Answer {
    let request = proxy.request(method, path).body(body.to_string());
    answer(as_open_webui(request)).await
}

/// A whole answer: its client takes JSON of no other media type.
fn whole(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let kind = answer.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("application/json"), "{kind}");
    answer.json()
}

/// The lines of a stream. It reads each by itself, and would stumble over an empty one.
fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = answer.text();
    let lines = text.lines().map(|line| {
        let line = serde_json::from_str::<Value>(line);
        let line = line.unwrap_or_else(|fault| panic!("{fault}: {text}"));
        assert_eq!(line.get("error"), None, "{text}");
        line
    });
    let lines: Vec<Value> = lines.collect();
    let ends: Vec<_> = lines.iter().map(|line| line["done"] == true).collect();
    assert_eq!(ends.iter().position(|ended| *ended), Some(lines.len() - 1));
    counted(lines.last().unwrap());
    lines
}

/// What it makes `usage` of: counts, and times by which it divides.
fn counted(last: &Value) {
    for name in [
        "total_duration",
        "load_duration",
        "prompt_eval_count",
        "prompt_eval_duration",
        "eval_count",
        "eval_duration",
    ] {
        assert!(last[name].is_u64(), "{name}: {last}");
    }
}

/// A conversation as it writes one: pictures beside the text, calls with an object of arguments, results by their ids; and all
/// options that its settings offer which say how a server runs the model.
fn conversation(model: &str) -> Value {
    json!({
        "model": model,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is on it?", "images": [IMAGE]},
            {"role": "assistant", "content": "", "tool_calls": [
                {"index": 0, "id": "call_1", "function": {"name": "look", "arguments": {"at": "it"}}},
            ]},
            {"role": "tool", "content": "a cat", "tool_call_id": "call_1"},
            {"role": "assistant", "thinking": "A cat.", "content": "A cat."},
            {"role": "user", "content": "hello there"},
        ],
        "stream": true,
        "tools": [tool()],
        "keep_alive": "5m",
        "options": {
            "temperature": 0.5, "top_k": 40, "num_predict": 64, "stop": ["END"],
            "num_ctx": 8192, "num_batch": 512, "num_keep": 24, "num_gpu": 1, "num_thread": 4, "use_mmap": true, "use_mlock": false,
            "mirostat": 0, "mirostat_eta": 0.1, "mirostat_tau": 5.0,
        },
    })
}

fn tool() -> Value {
    let schema = json!({"type": "object", "properties": {"at": {"type": "string"}}});
    json!({"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": schema}})
}

/// A proxy before one server of a dialect.
async fn behind(dialect: &str, upstream: &Simulator) -> Proxy {
    Proxy::start(&one(dialect, upstream, "")).await
}

#[tokio::test]
async fn open_webui_finds_a_version_the_models_and_what_each_of_them_is() {
    let upstream = started(Simulator::builder().models(["a", "org/b"])).await;
    for dialect in DIALECTS {
        let proxy = behind(dialect, &upstream).await;
        // It compares versions by their numbers.
        let version = whole(&get(&proxy, "/api/version").await);
        let version = version["version"].as_str().unwrap().split('-').next();
        let numbers = version.unwrap().split('.').map(str::parse::<u32>);
        assert_eq!(numbers.filter(Result::is_ok).count(), 3, "{dialect}");
        let tags = whole(&get(&proxy, "/api/tags").await);
        let names = |list: &Value, name: &str| -> Vec<String> {
            let entries = list["models"].as_array().unwrap().iter();
            entries
                .map(|entry| entry[name].as_str().unwrap().to_owned())
                .collect()
        };
        let listed = names(&tags, "model");
        assert_eq!(listed, ["a:latest", "org/b:latest"], "{dialect}");
        assert_eq!(names(&tags, "name"), listed, "{dialect}");
        let loaded = whole(&get(&proxy, "/api/ps").await);
        assert_eq!(names(&loaded, "model"), listed, "{dialect}");
        for time in names(&loaded, "expires_at") {
            assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
        }
        for model in listed {
            // It adds `model` to a body that said `name`.
            for body in [
                json!({"model": model}),
                json!({"name": model, "model": model}),
            ] {
                let shown = whole(&post(&proxy, "/api/show", &body).await);
                assert!(shown["model_info"].is_object(), "{dialect}: {shown}");
                assert!(shown["capabilities"].is_array(), "{dialect}: {shown}");
            }
        }
        let none = post(&proxy, "/api/show", &json!({"model": "none:latest"})).await;
        assert_eq!(none.status, 404, "{dialect}");
        assert!(ollamas_error(&none).contains("none"), "{dialect}");
    }
}

#[tokio::test]
async fn open_webuis_conversations_are_streamed_with_all_that_its_settings_say() {
    let upstream = simulator().await;
    for dialect in DIALECTS {
        upstream.clear();
        let proxy = behind(dialect, &upstream).await;
        let reply = post(&proxy, "/api/chat", &conversation("echo:latest")).await;
        let kind = reply.header("content-type");
        assert_eq!(kind, Some("application/x-ndjson"), "{dialect}");
        let lines = lines(&reply);
        let said = |line: &Value| line["message"]["content"].as_str().map(str::to_owned);
        let said: String = lines.iter().filter_map(said).collect();
        assert_eq!(said, "hello there", "{dialect}: {}", reply.text());
        assert!(lines.len() > 2, "{dialect}: {}", reply.text());
        let sent = posts(&upstream).pop().unwrap();
        let asked = sent.json();
        assert!(sent.body.contains(IMAGE), "{dialect}: {asked}");
        assert!(sent.body.contains("call_1"), "{dialect}: {asked}");
        let (limit, context) = match dialect {
            "Ollama" => (&asked["options"]["num_predict"], Some(8192)),
            _ => (&asked["max_tokens"], None),
        };
        assert_eq!(limit, 64, "{dialect}: {asked}");
        let told = asked["options"]["num_ctx"].as_u64();
        assert_eq!(told, context, "{dialect}: {asked}");
        // What would draw other tokens, and another server cannot do, is refused by its name.
        let mut body = conversation("echo:latest");
        body["options"]["repeat_last_n"] = 64.into();
        let reply = post(&proxy, "/api/chat", &body).await;
        if dialect == "Ollama" {
            assert_eq!(reply.status, 200, "{}", reply.text());
        } else {
            assert_eq!(reply.status, 400, "{dialect}: {}", reply.text());
            let told = ollamas_error(&reply);
            assert!(told.contains("options.repeat_last_n"), "{dialect}: {told}");
        }
        // An upstream's error reaches the page as its words.
        let reply = post(&proxy, "/api/chat", &conversation("status-429:latest")).await;
        assert_eq!(reply.status, 429, "{dialect}");
        assert!(ollamas_error(&reply).contains("429"), "{dialect}");
    }
}

#[tokio::test]
async fn titles_that_open_webui_asks_for_come_whole_though_it_writes_their_limit_where_ollama_reads_none()
 {
    let upstream = simulator().await;
    let body = json!({
        "model": "echo:latest", "stream": false, "num_predict": 1000, "system": "Be brief.",
        "messages": [{"role": "user", "content": "hello there"}],
    });
    for dialect in DIALECTS {
        upstream.clear();
        let proxy = behind(dialect, &upstream).await;
        let title = whole(&post(&proxy, "/api/chat", &body).await);
        assert_eq!(title["message"]["content"], "hello there", "{dialect}");
        counted(&title);
        let asked = posts(&upstream).pop().unwrap().json();
        assert_ne!(asked["max_tokens"], 1000, "{dialect}: {asked}");
        if dialect != "Ollama" {
            assert_eq!(asked.get("num_predict"), None, "{dialect}: {asked}");
        }
    }
}

#[tokio::test]
async fn calls_of_open_webuis_tools_each_have_their_place_and_an_object_of_arguments() {
    let upstream = simulator().await;
    let body = json!({
        "model": "parallel-tools:latest", "stream": true, "tools": [tool()], "options": {},
        "messages": [{"role": "user", "content": "hello there"}],
    });
    for dialect in DIALECTS {
        let proxy = behind(dialect, &upstream).await;
        let reply = post(&proxy, "/api/chat", &body).await;
        let lines = lines(&reply);
        let calls = lines
            .iter()
            .filter_map(|line| line["message"]["tool_calls"].as_array());
        let calls: Vec<&Value> = calls.flatten().collect();
        assert_eq!(calls.len(), 2, "{dialect}: {}", reply.text());
        for (place, call) in calls.iter().enumerate() {
            let function = &call["function"];
            // It puts pieces of one place together, and takes a call that says none for the first.
            assert_eq!(function["index"], place, "{dialect}: {call}");
            assert_eq!(function["name"], "look", "{dialect}: {call}");
            assert_eq!(function["arguments"]["index"], place, "{dialect}: {call}");
            assert!(call["id"].is_string(), "{dialect}: {call}");
        }
        assert_ne!(calls[0]["id"], calls[1]["id"], "{dialect}");
    }
}

#[tokio::test]
async fn open_webui_generates_and_unloads() {
    let upstream = simulator().await;
    for dialect in DIALECTS {
        upstream.clear();
        let proxy = behind(dialect, &upstream).await;
        let body = json!({"model": "echo:latest", "prompt": "hello there", "options": {"num_ctx": 8192}, "stream": true});
        let reply = post(&proxy, "/api/generate", &body).await;
        let lines = lines(&reply);
        let said = lines.iter().filter_map(|line| line["response"].as_str());
        assert_eq!(said.collect::<String>(), "hello there", "{dialect}");
        // Newer versions of it send no prompt at all. Neither asks for no stream, and both read a whole answer.
        for body in [
            json!({"model": "echo:latest", "keep_alive": 0, "prompt": ""}),
            json!({"model": "echo:latest", "keep_alive": 0}),
        ] {
            let unloaded = whole(&post(&proxy, "/api/generate", &body).await);
            assert_eq!(unloaded["done_reason"], "unload", "{dialect}: {unloaded}");
            assert_eq!(unloaded["done"], true, "{dialect}: {unloaded}");
        }
        // There is nothing to unload elsewhere.
        let asked = if dialect == "Ollama" { 3 } else { 1 };
        assert_eq!(posts(&upstream).len(), asked, "{dialect}");
    }
}

#[tokio::test]
async fn open_webuis_documents_become_vectors_though_it_sends_an_empty_key() {
    let upstream = simulator().await;
    for dialect in ["Ollama", "OpenAI"] {
        upstream.clear();
        let proxy = behind(dialect, &upstream).await;
        let body = json!({"input": ["a", "b c"], "model": "echo:latest", "truncate": true});
        let request = proxy
            .request(Method::POST, "/api/embed")
            .header("content-type", "application/json")
            .header("authorization", "Bearer ")
            .body(body.to_string());
        let vectors = whole(&answer(request).await);
        let vectors = vectors["embeddings"].as_array().unwrap();
        assert_eq!(vectors.len(), 2, "{dialect}");
        let sent = posts(&upstream).pop().unwrap();
        assert_eq!(sent.header("authorization"), None, "{dialect}");
        let older = json!({"model": "echo:latest", "prompt": "a", "options": {"num_ctx": 512}, "keep_alive": "5m"});
        let vector = whole(&post(&proxy, "/api/embeddings", &older).await);
        assert!(vector["embedding"][0].is_f64(), "{dialect}: {vector}");
    }
    let proxy = behind("Anthropic", &upstream).await;
    let body = json!({"input": ["a"], "model": "echo:latest", "truncate": true});
    let refused = post(&proxy, "/api/embed", &body).await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(!ollamas_error(&refused).is_empty());
}

#[tokio::test]
async fn what_open_webuis_administrators_change_of_models_is_refused_with_words_for_their_page() {
    let upstream = simulator().await;
    let digest = "0".repeat(64);
    for dialect in DIALECTS {
        let proxy = behind(dialect, &upstream).await;
        for (method, path, body) in [
            (
                Method::POST,
                "/api/pull",
                json!({"name": "new", "model": "new", "insecure": true}),
            ),
            (
                Method::DELETE,
                "/api/delete",
                json!({"model": "echo:latest"}),
            ),
            (
                Method::DELETE,
                "/api/delete",
                json!({"name": "echo:latest", "model": "echo:latest"}),
            ),
            (
                Method::POST,
                "/api/push",
                json!({"model": "echo:latest", "insecure": true, "stream": true}),
            ),
            (
                Method::POST,
                "/api/copy",
                json!({"source": "echo:latest", "destination": "mine"}),
            ),
            (
                Method::POST,
                "/api/create",
                json!({"model": "mine", "files": {"a.gguf": format!("sha256:{digest}")}}),
            ),
        ] {
            let reply = send(&proxy, method.clone(), path, &body).await;
            assert_eq!(
                reply.status,
                403,
                "{dialect}: {method} {path}: {}",
                reply.text()
            );
            let told = ollamas_error(&reply);
            assert!(told.contains("changes which models"), "{dialect}: {told}");
        }
        let request = proxy.request(Method::POST, &format!("/api/blobs/sha256:{digest}"));
        let reply = answer(request.body("GGUF")).await;
        assert_eq!(reply.status, 403, "{dialect}: {}", reply.text());
        ollamas_error(&reply);
    }
    assert!(posts(&upstream).is_empty());
}
