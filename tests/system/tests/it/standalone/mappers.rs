//! Mappers, dialect Custom and a route's own paths (features A3, A8).

use std::fs;

use dragoman_simulator::Simulator;
use dragoman_system::root;
use http::Method;
use serde_json::{Value, json};

use super::manifests::{backend, object, posts, route, secret, simulator};
use super::matrix::{Call, clients, every_client};
use super::oracle::{Live, Oracle};
use super::proxy::{Proxy, answer, chat, streamed};

/// The worked example of the guide, in front of this server.
pub(super) fn example(oracle: &Oracle) -> String {
    let manifest = fs::read_to_string(root().join("examples/custom-backend/oracle.yaml")).unwrap();
    manifest.replace("127.0.0.1:8095", &oracle.address.to_string())
}

fn mapper(spec: &str) -> String {
    object("Mapper", "{name: own}", spec)
}

fn custom(oracle: &Oracle, mapped: &str) -> String {
    let url = format!("http://{}", oracle.address);
    let spec = "dialect: Custom\nmapperRef: {name: own}\ncatalog: [{name: delphi}]";
    mapper(mapped) + &backend("main", &url, spec) + &route("")
}

#[tokio::test]
async fn a_json_api_of_its_own_answers_clients_of_every_dialect() {
    let oracle = Oracle::start(Live::Sse).await;
    let proxy = Proxy::start(&example(&oracle)).await;
    assert_eq!(proxy.models().await, ["delphi"]);
    let reply = proxy
        .post("/v1/chat/completions", &chat("delphi", "is it so?"))
        .await;
    assert_eq!(reply.content(), "All is well", "{}", reply.text());
    let said = reply.json();
    assert_eq!(said["usage"]["prompt_tokens"], 5, "{said}");
    assert_eq!(said["choices"][0]["finish_reason"], "stop", "{said}");
    assert_eq!(said["object"], "chat.completion", "{said}");
    let sent =
        json!({"engine": "delphi", "question": "user: is it so?", "limit": 256, "live": false});
    assert_eq!(oracle.seen(), [("/ask/delphi".to_owned(), sent)]);
    let message = json!({"model": "delphi", "max_tokens": 9, "system": "be brief", "messages": [{"role": "user", "content": "hm"}]});
    let reply = proxy.post("/v1/messages", &message).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let sent = json!({"engine": "delphi", "question": "system: be brief\nuser: hm", "limit": 9, "live": false});
    assert_eq!(oracle.seen(), [("/ask/delphi".to_owned(), sent)]);
    every_client_hears(&oracle, false).await;
}

#[tokio::test]
async fn its_stream_is_every_clients_own() {
    let oracle = Oracle::start(Live::Sse).await;
    every_client_hears(&oracle, true).await;
}

/// Asserts that clients of each dialect get the example's answer, in their own words.
async fn every_client_hears(oracle: &Oracle, streamed: bool) {
    let manifest = example(oracle) + &every_client("oracle", "delphi");
    let proxy = Proxy::start(&manifest).await;
    for client in clients() {
        let (_, body) = client.requests().swap_remove(0);
        let call = Call::new(client, body, streamed);
        let reply = call.send(&proxy, "oracle").await;
        assert_eq!(call.said(&reply), "All is well", "{call}: {}", reply.text());
        let seen = oracle.seen();
        let [(path, asked)] = seen.as_slice() else {
            panic!("{call}: {seen:?}");
        };
        assert_eq!(
            (path.as_str(), &asked["live"]),
            ("/ask/delphi", &json!(streamed)),
            "{call}"
        );
        assert!(
            asked["question"]
                .as_str()
                .unwrap()
                .contains("Where is the cat?"),
            "{call}: {asked}"
        );
    }
}

#[tokio::test]
async fn its_errors_are_told_in_the_clients_dialect() {
    let oracle = Oracle::start(Live::Sse).await;
    let proxy = Proxy::start(&example(&oracle)).await;
    let reply = proxy
        .post("/v1/chat/completions", &chat("delphi", "forbidden"))
        .await;
    assert_eq!(
        (reply.status, reply.message().as_str()),
        (418, "the oracle says: no such thing"),
        "{}",
        reply.text()
    );
    let message = json!({"model": "delphi", "max_tokens": 9, "messages": [{"role": "user", "content": "forbidden"}]});
    let reply = proxy.post("/v1/messages", &message).await;
    assert_eq!(reply.json()["type"], "error", "{}", reply.text());
    assert_eq!(reply.message(), "the oracle says: no such thing");
}

const ANSWER: &str = "{'choices': [{'index': 0, 'message': {'role': 'assistant', 'content': body.answer}, 'finish_reason': 'stop'}]}";
const WORDS: &str = "body.kind == 'word' ? {'choices': [{'index': 0, 'delta': {'content': body.text}, 'finish_reason': body.text == 'All ' ? null : 'stop'}]} : body.kind == 'end' ? {'done': true} : null";

#[tokio::test]
async fn lines_of_json_are_a_stream_too() {
    let oracle = Oracle::start(Live::Ndjson).await;
    let spec = format!(
        "stream: NDJSON\nrequest: \"{{'live': stream}}\"\nstreamEvent: \"{WORDS}\"\nresponse: \"{ANSWER}\""
    );
    let proxy = Proxy::start(&custom(&oracle, &spec)).await;
    for body in [streamed("delphi", "so?"), chat("delphi", "so?")] {
        let reply = proxy.post("/v1/chat/completions", &body).await;
        assert_eq!(reply.content(), "All is well", "{}", reply.text());
    }
    // Without a path of its own, the url itself is called.
    assert!(oracle.seen().iter().all(|(path, _)| path == "/"));
}

#[tokio::test]
async fn a_server_without_streams_is_asked_for_none_and_clients_get_one_all_the_same() {
    let oracle = Oracle::start(Live::Sse).await;
    let spec = format!(
        "stream: None\nrequest: \"{{'live': stream, 'asked': body.stream}}\"\nresponse: \"{ANSWER}\""
    );
    let proxy = Proxy::start(&custom(&oracle, &spec)).await;
    let reply = proxy
        .post("/v1/chat/completions", &streamed("delphi", "so?"))
        .await;
    assert_eq!(reply.header("content-type"), Some("text/event-stream"));
    assert_eq!(reply.content(), "All is well", "{}", reply.text());
    assert!(reply.text().contains("data: [DONE]"), "{}", reply.text());
    let seen = oracle.seen();
    assert_eq!(seen[0].1["live"], false);
    assert!(seen[0].1["asked"] != true, "{seen:?}");
}

#[tokio::test]
async fn vectors_are_mapped_by_their_operation() {
    let oracle = Oracle::start(Live::Sse).await;
    let spec = "request: \"{'what': operation, 'texts': body.input}\"\nresponse: \"{'data': [{'index': 0, 'embedding': body.vectors[0]}]}\"";
    let proxy = Proxy::start(&custom(&oracle, spec)).await;
    let body = json!({"model": "delphi", "input": ["a"]});
    let reply = proxy.post("/v1/embeddings", &body).await;
    assert_eq!(
        reply.json()["data"][0]["embedding"],
        json!([0.5, 0.25]),
        "{}",
        reply.text()
    );
    assert_eq!(
        oracle.seen()[0].1,
        json!({"what": "embeddings", "texts": ["a"]})
    );
}

#[tokio::test]
async fn what_fails_is_refused_with_mapper_expression_and_column_and_nothing_is_sent() {
    let oracle = Oracle::start(Live::Sse).await;
    let spec = "request: \"{'a': 1, 'b': body.model.deep}\"";
    let proxy = Proxy::start(&custom(&oracle, spec)).await;
    let reply = proxy
        .post("/v1/chat/completions", &chat("delphi", "so?"))
        .await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (500, "mapper_failed")
    );
    for part in [
        "Mapper default/own",
        "request: column 15",
        "body.model is text",
    ] {
        assert!(
            reply.message().contains(part),
            "{part}: {}",
            reply.message()
        );
    }
    assert!(oracle.seen().is_empty());
    let proxy = Proxy::start(&custom(&oracle, "response: body.tokens.read.more")).await;
    let reply = proxy
        .post("/v1/chat/completions", &chat("delphi", "so?"))
        .await;
    assert_eq!(reply.status, 500);
    assert!(
        reply
            .message()
            .contains("response: column 1: body.tokens.read is a number"),
        "{}",
        reply.message()
    );
}

#[tokio::test]
async fn a_stream_whose_event_fails_ends_with_an_error_and_no_success() {
    let oracle = Oracle::start(Live::Sse).await;
    let proxy = Proxy::start(
        &example(&oracle).replace("'content': body.text}", "'content': body.text + ''}"),
    )
    .await;
    let reply = proxy
        .post("/v1/chat/completions", &streamed("delphi", "a number"))
        .await;
    let text = reply.text();
    assert!(text.contains("\"All \""), "{text}");
    assert!(
        text.contains("mapper_failed")
            && text.contains("Mapper default/oracle: streamEvent: column"),
        "{text}"
    );
    assert!(!text.contains("[DONE]"), "{text}");
}

#[tokio::test]
async fn a_mapper_edits_what_a_backend_of_a_known_dialect_is_sent_and_says() {
    let upstream = simulator().await;
    let url = format!("http://{}/v1", upstream.addr());
    let spec = "request: \"merge(body, {'messages': [{'role': 'user', 'content': headers['x-team']}], 'seed': parameters.seed})\"\nresponse: \"merge(body, {'mapped': operation})\"\nstreamEvent: \"merge(body, {'mapped': true})\"\nparameters: {seed: 7}";
    let manifest = mapper(spec) + &backend("main", &url, "mapperRef: {name: own}") + &route("");
    let proxy = Proxy::start(&manifest).await;
    let call = |body: &Value| {
        answer(
            proxy
                .request(Method::POST, "/v1/chat/completions")
                .header("x-team", "blue team")
                .header("authorization", "Bearer k")
                .json(body),
        )
    };
    let reply = call(&chat("echo", "hello")).await;
    assert_eq!(reply.content(), "blue team", "{}", reply.text());
    assert_eq!(reply.json()["mapped"], "chat");
    let reply = call(&streamed("echo", "hello")).await;
    assert_eq!(reply.content(), "blue team", "{}", reply.text());
    assert!(
        reply.text().contains("\"mapped\":true") && reply.text().contains("[DONE]"),
        "{}",
        reply.text()
    );
    // A client of another dialect is translated first, and its reply afterwards.
    let message =
        json!({"model": "echo", "max_tokens": 9, "messages": [{"role": "user", "content": "hm"}]});
    let reply = answer(
        proxy
            .request(Method::POST, "/v1/messages")
            .header("x-team", "red")
            .json(&message),
    )
    .await;
    assert_eq!(
        reply.json()["content"][0]["text"],
        "red",
        "{}",
        reply.text()
    );
    assert!(posts(&upstream).iter().all(|call| call.json()["seed"] == 7));
}

#[tokio::test]
async fn each_element_of_a_geminis_array_is_an_event_to_its_mapper() {
    let upstream = simulator().await;
    let url = format!("http://{}", upstream.addr());
    let spec = "response: \"{'whole': body}\"\nstreamEvent: \"merge(body, {'mapped': true})\"";
    let backend = backend("main", &url, "dialect: Gemini\nmapperRef: {name: own}");
    let proxy = Proxy::start(&(mapper(spec) + &backend + &route(""))).await;
    let ask = json!({"contents": [{"role": "user", "parts": [{"text": "one two three"}]}]});
    let path = "/v1beta/models/echo:streamGenerateContent";
    let reply = proxy.post(path, &ask).await;
    let elements: Vec<Value> = serde_json::from_slice(&reply.body).unwrap();
    assert!(elements.len() > 1, "{}", reply.text());
    assert!(
        elements.iter().all(|element| element["mapped"] == true),
        "{}",
        reply.text()
    );
    let events = proxy.post(&format!("{path}?alt=sse"), &ask).await;
    assert!(
        events.text().contains("\"mapped\":true"),
        "{}",
        events.text()
    );
    let whole = proxy
        .post("/v1beta/models/echo:generateContent", &ask)
        .await;
    assert!(
        whole.json()["whole"]["candidates"].is_array(),
        "{}",
        whole.text()
    );
}

#[tokio::test]
async fn a_routes_paths_lead_to_paths_of_a_backend_with_query_and_body() {
    let oracle = Oracle::start(Live::Sse).await;
    let url = format!("http://{}/base", oracle.address);
    let paths = "paths:\n- {path: /score, backend: main, to: /v2/score}\n- {path: /old/*, backend: main, to: /new/*}\n- {path: /as/it/is, backend: main}\n- {path: /chat/completions, backend: main, to: /taken, mapperRef: {name: own}}";
    let mapped = "request: \"{'question': body.q + '!'}\"\nresponse: \"{'said': body.answer}\"\nerror: \"{'said': body.problem}\"";
    let manifest = mapper(mapped) + &backend("main", &url, "") + &route(paths);
    let proxy = Proxy::start(&manifest).await;
    let body = json!({"any": 1});
    for (asked, called) in [
        ("/v1/score?a=1&b", "/base/v2/score?a=1&b"),
        ("/score", "/base/v2/score"),
        ("/old/a/b?c=%20", "/base/new/a/b?c=%20"),
        ("/v1/as/it/is", "/base/as/it/is"),
    ] {
        let reply = proxy.post(asked, &body).await;
        assert_eq!(
            reply.json()["answer"],
            "All is well",
            "{asked}: {}",
            reply.text()
        );
        assert_eq!(oracle.seen(), [(called.to_owned(), body.clone())]);
    }
    let reply = proxy
        .post("/v1/chat/completions", &json!({"q": "what"}))
        .await;
    assert_eq!(reply.json(), json!({"said": "All is well"}));
    assert_eq!(
        oracle.seen(),
        [("/base/taken".to_owned(), json!({"question": "what!"}))]
    );
    let reply = proxy
        .post("/v1/chat/completions", &json!({"q": "forbidden"}))
        .await;
    assert_eq!(
        (reply.status, reply.json()),
        (418, json!({"said": "no such thing"}))
    );
    let reply = proxy.post("/v1/chat/completions", &json!({"q": 1})).await;
    assert_eq!(reply.status, 500, "{}", reply.text());
}

#[tokio::test]
async fn a_path_reaches_what_a_key_of_ours_opens_only_where_the_backend_relays_it() {
    let upstream = Simulator::builder()
        .models(["echo"])
        .api_key("sk-ours")
        .start()
        .await
        .unwrap();
    let url = format!("http://{}/v1", upstream.addr());
    let manifest = |relay: &str| {
        let spec = format!("credential: {{secretRef: {{name: ours, key: key}}}}\n{relay}");
        let paths = "paths: [{path: /team/files, backend: main, to: /files}]";
        secret("ours", "sk-ours") + &backend("main", &url, &spec) + &route(paths)
    };
    let proxy = Proxy::start(&manifest("")).await;
    let reply = proxy.get("/team/files").await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (404, "path_not_relayed")
    );
    assert!(
        reply.message().contains("spec.relay"),
        "{}",
        reply.message()
    );
    let proxy = Proxy::start(&manifest("relay: [{path: /files}]")).await;
    let reply = proxy.get("/team/files").await;
    assert_ne!(reply.status, 404, "{}", reply.text());
    assert_eq!(upstream.requests().last().unwrap().path, "/v1/files");
}

#[tokio::test]
async fn no_name_leads_out_of_the_path_that_a_mapper_makes() {
    let oracle = Oracle::start(Live::Sse).await;
    let url = format!("http://{}", oracle.address);
    let spec = "dialect: Custom\nmapperRef: {name: own}";
    let mapped = "path: \"'/ask/' + model\"\nresponse: \"{'choices': []}\"";
    let proxy = Proxy::start(&(mapper(mapped) + &backend("main", &url, spec) + &route(""))).await;
    for name in ["..", "."] {
        let reply = proxy.post("/v1/chat/completions", &chat(name, "hm")).await;
        assert_eq!(reply.status, 400, "{name}: {}", reply.text());
    }
    assert_eq!(oracle.seen(), []);
    for (name, path) in [
        ("../files/x", "/ask/..%2Ffiles%2Fx"),
        ("a?b=c#d", "/ask/a%3Fb%3Dc%23d"),
        ("org/a b", "/ask/org%2Fa%20b"),
    ] {
        proxy.post("/v1/chat/completions", &chat(name, "hm")).await;
        let seen: Vec<String> = oracle.seen().into_iter().map(|(path, _)| path).collect();
        assert_eq!(seen, [path], "{name}");
    }
}

#[tokio::test]
async fn a_routes_mapper_is_no_way_around_what_a_keyed_backend_lists() {
    let upstream = simulator().await;
    let keyed = "credential: {secretRef: {name: ours, key: key}}\nrelay: [{methods: [POST], path: /rerank}]";
    let manifest = secret("ours", "sk-ours")
        + &mapper("path: \"'/files/abc/content'\"")
        + &backend("main", &upstream.url(), keyed)
        + &route("paths: [{path: /x, backend: main, to: /rerank, mapperRef: {name: own}}]");
    let proxy = Proxy::start(&manifest).await;
    let reply = proxy.post("/x", &json!({"model": "echo"})).await;
    assert_eq!(reply.status, 404, "{}", reply.text());
    assert!(
        reply.text().contains("/files/abc/content"),
        "{}",
        reply.text()
    );
    assert!(posts(&upstream).is_empty());
}
