//! Lists of models between dialects: read from each, shown in every shape, and what else clients ask before they call (features A19, B8).

use dragoman_simulator::Simulator;
use dragoman_system::{node_walk, python_walk};
use http::Method;
use serde_json::{Value, json};

use super::manifests::{
    MAPPED, backend, names, nobody, posts, route, route_to, secret, simulator, started,
};
use super::proxy::{Answer, Proxy, answer};

/// Each dialect that upstreams are spoken to in, and what of the simulator's URL comes before its paths.
const DIALECTS: [(&str, &str); 3] = [("OpenAI", "/v1"), ("Anthropic", ""), ("Ollama", "")];
const KEYED: &str = "credential: {secretRef: {name: ours, key: key}}";

/// The LLMBackend `name`, which speaks `dialect` to a simulator, with further lines of its spec.
fn speaking(name: &str, dialect: &str, upstream: &Simulator, more: &str) -> String {
    let path = DIALECTS
        .iter()
        .find_map(|(known, path)| (*known == dialect).then_some(*path));
    let url = format!("http://{}{}", upstream.addr(), path.unwrap_or_default());
    backend(name, &url, &format!("dialect: {dialect}\n{more}"))
}

/// The route `chat` to one simulator by all dialects, told apart by `openai/`, `anthropic/` and `ollama/`.
pub(super) fn by_prefix(upstream: &Simulator, more: &str) -> String {
    let entry = |name: &str| {
        format!("- {{name: {name}, modelPrefix: {name}/, backendRef: {{name: {name}}}}}\n")
    };
    let named = DIALECTS.map(|(dialect, _)| (dialect.to_lowercase(), dialect));
    let entries: String = named.iter().map(|(name, _)| entry(name)).collect();
    let backends = named.map(|(name, dialect)| speaking(&name, dialect, upstream, ""));
    backends.concat() + &route_to(&entries, more)
}

/// The route `chat` to one backend that speaks `dialect`.
pub(super) fn one(dialect: &str, upstream: &Simulator, more: &str) -> String {
    speaking("main", dialect, upstream, more) + &route("")
}

/// The same with a key of ours.
pub(super) fn keyed(dialect: &str, upstream: &Simulator, more: &str) -> String {
    secret("ours", "sk-ours") + &one(dialect, upstream, &format!("{KEYED}\n{more}"))
}

/// A GET as Anthropic's clients send it.
async fn as_anthropic(proxy: &Proxy, path: &str) -> Answer {
    let request = proxy.request(Method::GET, path);
    answer(request.header("anthropic-version", "2023-06-01")).await
}

/// A field of each entry of a list.
fn each<'a>(list: &'a Value, entries: &str, field: &str) -> Vec<&'a str> {
    let entries = list[entries].as_array().unwrap_or_else(|| panic!("{list}"));
    let field = |entry: &'a Value| entry[field].as_str().unwrap_or_else(|| panic!("{entry}"));
    entries.iter().map(field).collect()
}

/// A name as Ollama's clients are shown it.
fn tagged(name: &str) -> String {
    let tag = if name.contains(':') { "" } else { ":latest" };
    format!("{name}{tag}")
}

/// The message of an error in Ollama's shape, which says nothing else.
pub(super) fn ollamas_error(answer: &Answer) -> String {
    let said = answer.json();
    assert_eq!(said.as_object().unwrap().len(), 1, "{said}");
    said["error"].as_str().unwrap().to_owned()
}

/// The type of an error in Anthropic's shape.
pub(super) fn anthropics_error(answer: &Answer) -> String {
    let said = answer.json();
    assert_eq!(said["type"], "error", "{said}");
    said["error"]["type"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_list_is_read_in_every_dialect_and_shown_in_every_shape() {
    let upstream = started(Simulator::builder().models(["a", "org/b"])).await;
    let proxy = Proxy::start(&by_prefix(&upstream, "")).await;
    let all = [
        "openai/a",
        "openai/org/b",
        "anthropic/a",
        "anthropic/org/b",
        "ollama/a:latest",
        "ollama/org/b:latest",
    ];
    let listed = proxy.get("/v1/models").await;
    assert_eq!(listed.ids(), all);
    for entry in listed.json()["data"].as_array().unwrap() {
        assert_eq!(entry["object"], "model");
        assert!(entry["created"].is_u64() && entry["owned_by"].is_string());
    }
    let anthropics = as_anthropic(&proxy, "/v1/models").await.json();
    assert_eq!(each(&anthropics, "data", "id"), all);
    assert_eq!(
        (&anthropics["has_more"], &anthropics["last_id"]),
        (&json!(false), &json!(all[5]))
    );
    for path in ["/api/tags", "/api/ps"] {
        let ollamas = proxy.get(path).await.json();
        let tagged = all.map(tagged);
        assert_eq!(each(&ollamas, "models", "name"), tagged, "{path}");
        assert_eq!(each(&ollamas, "models", "model"), tagged, "{path}");
        assert!(
            each(&ollamas, "models", "digest")
                .iter()
                .all(|it| it.len() == 64)
        );
    }
    let lm_studios = proxy.get("/api/v0/models").await.json();
    assert_eq!(each(&lm_studios, "data", "id"), all);
    assert!(
        each(&lm_studios, "data", "state")
            .iter()
            .all(|it| *it == "loaded")
    );
}

#[tokio::test]
async fn every_shape_tells_of_one_model_and_says_in_its_own_words_that_there_is_none() {
    let upstream = started(Simulator::builder().models(["org/a"])).await;
    let proxy = Proxy::start(&by_prefix(&upstream, "")).await;
    for path in ["/v1/models/openai/org/a", "/v1/models/openai%2Forg%2Fa"] {
        assert_eq!(proxy.get(path).await.json()["id"], "openai/org/a");
        let entry = as_anthropic(&proxy, path).await.json();
        assert_eq!(
            (&entry["type"], &entry["id"]),
            (&json!("model"), &json!("openai/org/a"))
        );
    }
    let entry = proxy.get("/api/v0/models/anthropic/org/a").await.json();
    assert_eq!(entry["id"], "anthropic/org/a");
    // Ollama's own command leaves out the tag, and older ones call the field otherwise.
    for asked in [
        json!({"model": "ollama/org/a"}),
        json!({"name": "ollama/org/a:latest"}),
    ] {
        let shown = proxy.post("/api/show", &asked).await;
        assert_eq!(shown.status, 200, "{}", shown.text());
        let shown = shown.json();
        assert_eq!(shown["details"]["family"], "simulator");
        assert!(shown["capabilities"].is_array() && shown["model_info"].is_object());
    }
    let absent = as_anthropic(&proxy, "/v1/models/nope").await;
    assert_eq!(
        (absent.status, anthropics_error(&absent).as_str()),
        (404, "not_found_error")
    );
    let absent = proxy.get("/v1/models/nope").await;
    assert_eq!(
        (absent.status, absent.code().as_str()),
        (404, "model_not_found")
    );
    let absent = proxy.post("/api/show", &json!({"model": "nope"})).await;
    assert_eq!(absent.status, 404);
    assert!(ollamas_error(&absent).contains("\"nope\""));
    let nameless = proxy.post("/api/show", &json!({})).await;
    assert_eq!(nameless.status, 400);
    assert!(ollamas_error(&nameless).contains("\"model\""));
}

#[tokio::test]
async fn ollamas_clients_are_told_what_the_catalog_says_that_a_model_can_do() {
    let upstream = simulator().await;
    let catalog =
        "catalog: [{name: seeing, metadata: {capabilities: [completion, vision]}}, {name: plain}]";
    let proxy = Proxy::start(&one("OpenAI", &upstream, catalog)).await;
    for (name, can) in [
        ("seeing", json!(["completion", "vision"])),
        ("plain", json!(["completion", "tools"])),
    ] {
        let shown = proxy.post("/api/show", &json!({"model": name})).await;
        assert_eq!(shown.json()["capabilities"], can, "{}", shown.text());
    }
}

#[tokio::test]
async fn filters_and_maps_hold_in_every_shape() {
    let upstream = started(Simulator::builder().models(["a", "b", "secret"])).await;
    let map = "rules:\n- match: {exact: gpt-4o}\n  target: {model: ollama/a:latest}\nlist: {deny: [{regex: \".*secret.*\"}], first: [\"ollama/b:latest\"]}";
    let manifest = by_prefix(&upstream, MAPPED) + &names(map);
    let proxy = Proxy::start(&manifest).await;
    let listed = proxy.models().await;
    assert_eq!(listed[0], "ollama/b:latest");
    assert!(listed.iter().any(|id| id == "gpt-4o"), "{listed:?}");
    assert!(!listed.iter().any(|id| id.contains("secret")), "{listed:?}");
    let anthropics = as_anthropic(&proxy, "/v1/models").await.json();
    assert_eq!(each(&anthropics, "data", "id"), listed);
    let ollamas = proxy.get("/api/tags").await.json();
    let all: Vec<_> = listed.iter().map(|name| tagged(name)).collect();
    assert_eq!(each(&ollamas, "models", "name"), all);
    let lm_studios = proxy.get("/api/v0/models").await.json();
    assert_eq!(each(&lm_studios, "data", "id"), listed);
    let asked = json!({"model": "ollama/secret"});
    assert_eq!(proxy.post("/api/show", &asked).await.status, 404);
    let path = "/api/v0/models/openai/secret";
    assert_eq!(proxy.get(path).await.status, 404);
}

#[tokio::test]
async fn anthropics_clients_turn_pages_in_both_directions() {
    let models = (0..7).map(|at| format!("m{at}"));
    let upstream = started(Simulator::builder().models(models)).await;
    let proxy = Proxy::start(&one("OpenAI", &upstream, "")).await;
    let (mut seen, mut path) = (Vec::new(), "/v1/models?limit=3".to_owned());
    loop {
        let page = as_anthropic(&proxy, &path).await.json();
        seen.extend(each(&page, "data", "id").into_iter().map(str::to_owned));
        if page["has_more"] == false {
            break;
        }
        let last = page["last_id"].as_str().unwrap();
        path = format!("/v1/models?limit=3&after_id={last}");
    }
    assert_eq!(seen, ["m0", "m1", "m2", "m3", "m4", "m5", "m6"]);
    let before = as_anthropic(&proxy, "/v1/models?limit=2&before_id=m3").await;
    assert_eq!(each(&before.json(), "data", "id"), ["m1", "m2"]);
    for query in ["limit=0", "limit=1001", "after_id=nope"] {
        let refused = as_anthropic(&proxy, &format!("/v1/models?{query}")).await;
        assert_eq!(refused.status, 400, "{query}");
        assert_eq!(anthropics_error(&refused), "invalid_request_error");
    }
}

#[tokio::test]
async fn an_anthropic_upstreams_list_is_read_to_its_last_page() {
    let models: Vec<String> = (0..2300).map(|at| format!("org/m{at}")).collect();
    let upstream = started(Simulator::builder().models(models.clone())).await;
    let proxy = Proxy::start(&keyed("Anthropic", &upstream, "")).await;
    assert_eq!(proxy.models().await, models);
    let asked = upstream.requests();
    let queries: Vec<_> = asked
        .iter()
        .map(|it| it.query.as_deref().unwrap())
        .collect();
    assert_eq!(
        queries,
        [
            "limit=1000",
            "limit=1000&after_id=org%2Fm999",
            "limit=1000&after_id=org%2Fm1999"
        ]
    );
    for request in asked {
        assert_eq!(request.path, "/v1/models");
        assert_eq!(request.header("x-api-key"), Some("sk-ours"));
    }
}

#[tokio::test]
async fn no_shape_tells_where_a_model_runs() {
    let upstream = started(Simulator::builder().models([json!({
        "id": "a",
        "remote_host": "https://far.example:443",
        "remote_model": "far-model",
        "details": {"family": "llama", "parent_model": "/root/.ollama/models/far-blob"},
    })]))
    .await;
    let proxy = Proxy::start(&keyed("Ollama", &upstream, "")).await;
    let mut told = String::new();
    for path in [
        "/",
        "/v1/models",
        "/v1/models/a:latest",
        "/api/tags",
        "/api/ps",
        "/api/version",
        "/api/ping",
        "/api/v0/models",
        "/api/v0/models/a:latest",
    ] {
        let reply = proxy.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        told += &format!("{} {:?}\n", reply.text(), reply.headers);
    }
    told += &proxy.post("/api/show", &json!({"model": "a"})).await.text();
    assert!(told.contains("llama"), "{told}");
    let address = upstream.addr().to_string();
    for secret in ["sk-ours", "far", "/root", address.as_str(), "x-simulator"] {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
    let asked = upstream.requests();
    assert_eq!((asked.len(), asked[0].path.as_str()), (1, "/api/tags"));
    assert_eq!(asked[0].header("authorization"), Some("Bearer sk-ours"));
}

#[tokio::test]
async fn clients_that_look_whether_it_is_there_are_answered_without_an_upstream() {
    let dead = backend("main", &format!("http://{}", nobody()), "dialect: Ollama");
    let proxy = Proxy::start(&(dead + &route(""))).await;
    let root = proxy.get("/").await;
    assert_eq!(
        (
            root.status,
            root.text().as_str(),
            root.header("content-type")
        ),
        (200, "Ollama is running", Some("text/plain; charset=utf-8"))
    );
    let below = format!("http://{}/routes/default/chat", proxy.address);
    for url in [below.clone(), below + "/"] {
        let root = answer(super::proxy::client().get(url)).await;
        assert_eq!(root.text(), "Ollama is running");
    }
    for path in ["/", "/api/version", "/api/ping"] {
        let head = answer(proxy.request(Method::HEAD, path)).await;
        assert_eq!((head.status, head.text().as_str()), (200, ""), "{path}");
    }
    let version = proxy.get("/api/version").await.json();
    assert!(
        version["version"]
            .as_str()
            .is_some_and(|it| it.starts_with("0."))
    );
    assert_eq!(proxy.get("/api/ping").await.json()["status"], true);
    let tags = proxy.get("/api/tags").await;
    assert_eq!(tags.status, 502);
    assert!(ollamas_error(&tags).starts_with("No list of models"));
    let models = as_anthropic(&proxy, "/v1/models").await;
    assert_eq!(
        (models.status, anthropics_error(&models).as_str()),
        (502, "api_error")
    );
}

#[tokio::test]
async fn what_changes_an_ollamas_models_is_refused_with_its_cure() {
    let upstream = simulator().await;
    let managing = [
        (Method::POST, "/api/pull"),
        (Method::POST, "/api/push"),
        (Method::POST, "/api/create"),
        (Method::POST, "/api/copy"),
        (Method::DELETE, "/api/delete"),
        (Method::POST, "/api/blobs/sha256:00"),
    ];
    // With our key or without one, and what is no Ollama too.
    for manifest in [
        keyed("Ollama", &upstream, ""),
        one("Ollama", &upstream, ""),
        keyed("OpenAI", &upstream, ""),
        one("OpenAI", &upstream, ""),
        one("Anthropic", &upstream, ""),
    ] {
        let proxy = Proxy::start(&manifest).await;
        for (method, path) in managing.clone() {
            let body = json!({"model": "echo"});
            let reply = answer(proxy.request(method.clone(), path).json(&body)).await;
            assert_eq!(reply.status, 403, "{method} {path}: {}", reply.text());
            let message = ollamas_error(&reply);
            for said in ["changes which models", "`ollama` command", "spec.relay"] {
                assert!(message.contains(said), "{message}");
            }
        }
    }
    assert_eq!(upstream.stats().requests, 0);
}

#[tokio::test]
async fn what_is_listed_of_what_changes_an_ollamas_models_reaches_it_under_its_own_names() {
    let upstream = simulator().await;
    let listed =
        "relay: [{methods: [POST], path: /api/pull}, {methods: [DELETE], path: /api/delete}]";
    for more in [listed.to_owned(), format!("{KEYED}\n{listed}")] {
        upstream.clear();
        let manifest = secret("ours", "sk-ours")
            + &speaking("main", "Ollama", &upstream, &more)
            + &route_to(
                "- {name: main, modelPrefix: mine/, backendRef: {name: main}}",
                "",
            );
        let proxy = Proxy::start(&manifest).await;
        for (method, path) in [(Method::POST, "/api/pull"), (Method::DELETE, "/api/delete")] {
            let body = json!({"model": "mine/new"});
            answer(proxy.request(method.clone(), path).json(&body)).await;
            let seen = upstream.requests().pop().unwrap();
            assert_eq!(
                (seen.method.as_str(), seen.path.as_str()),
                (method.as_str(), path)
            );
            assert_eq!(seen.json()["model"], "new");
            // A name of another's is not looked up there.
            let body = json!({"model": "other/new"});
            let reply = answer(proxy.request(method, path).json(&body)).await;
            assert_eq!(reply.status, 404);
            assert!(ollamas_error(&reply).contains("other/new"));
        }
        assert_eq!(upstream.requests().len(), 2);
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_refused_in_its_dialect_with_those_it_takes() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&one("Ollama", &upstream, "")).await;
    for (method, path, allow) in [
        (Method::POST, "/api/tags", "GET, HEAD, OPTIONS"),
        (Method::DELETE, "/api/ps", "GET, HEAD, OPTIONS"),
        (Method::POST, "/api/version", "GET, HEAD, OPTIONS"),
        (Method::GET, "/api/show", "POST, OPTIONS"),
        (Method::GET, "/api/chat", "POST, OPTIONS"),
        (Method::GET, "/api/generate", "POST, OPTIONS"),
        (Method::PUT, "/api/embed", "POST, OPTIONS"),
    ] {
        let refused = answer(proxy.request(method.clone(), path)).await;
        assert_eq!(refused.status, 405, "{method} {path}: {}", refused.text());
        assert_eq!(refused.header("allow"), Some(allow), "{path}");
        assert!(ollamas_error(&refused).contains("it takes"));
        let options = answer(proxy.request(Method::OPTIONS, path)).await;
        assert_eq!(
            (options.status, options.header("allow")),
            (204, Some(allow))
        );
    }
    for path in ["/v1/messages", "/v1/messages/count_tokens"] {
        let refused = answer(proxy.request(Method::GET, path)).await;
        assert_eq!(refused.status, 405, "{path}");
        anthropics_error(&refused);
    }
    for path in ["/api/v0/models", "/api/ping"] {
        let refused = answer(proxy.request(Method::POST, path)).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (405, "method_not_allowed")
        );
    }
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_tag_that_ollamas_clients_add_is_meant_for_ollama_alone_unless_a_name_has_it() {
    let upstream = simulator().await;
    let map = "rules:\n- match: {exact: \"openai/mine:latest\"}\n  target: {model: openai/say}\nlist: {deny: [{exact: openai/secret}]}";
    let proxy = Proxy::start(&(by_prefix(&upstream, MAPPED) + &names(map))).await;
    for (called, path, sent) in [
        ("openai/echo:latest", "/v1/chat/completions", "echo"),
        ("anthropic/echo:latest", "/v1/messages", "echo"),
        ("ollama/echo:latest", "/api/chat", "echo"),
        ("openai/mine:latest", "/v1/chat/completions", "say"),
        ("openai/echo:7b", "/v1/chat/completions", "echo:7b"),
        // What is denied is not let in by its tag.
        (
            "openai/secret:latest",
            "/v1/chat/completions",
            "secret:latest",
        ),
    ] {
        upstream.clear();
        let body = json!({"model": called, "stream": false, "messages": [{"role": "user", "content": "hi"}]});
        proxy.post("/api/chat", &body).await;
        let embedded = json!({"model": called, "input": "a"});
        proxy.post("/api/embed", &embedded).await;
        let seen = posts(&upstream);
        assert_eq!(seen[0].path, path, "{called}");
        for seen in seen {
            assert_eq!(seen.json()["model"], sent, "{called}");
        }
    }
    let shown = json!({"model": "openai/echo:latest"});
    assert_eq!(proxy.post("/api/show", &shown).await.status, 200);
    // OpenAI's clients know no tags.
    upstream.clear();
    proxy.chat("openai/echo:latest").await;
    assert_eq!(posts(&upstream)[0].json()["model"], "echo:latest");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdks_of_three_vendors_ask_before_they_call() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&by_prefix(&upstream, "")).await;
    let url = format!("http://{}/routes/default/chat", proxy.address);
    tokio::task::spawn_blocking(move || python_walk("listings", &url))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_sdks_of_three_vendors_ask_before_they_call() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&by_prefix(&upstream, "")).await;
    let url = format!("http://{}/routes/default/chat", proxy.address);
    tokio::task::spawn_blocking(move || node_walk("listings", &url))
        .await
        .unwrap();
}
