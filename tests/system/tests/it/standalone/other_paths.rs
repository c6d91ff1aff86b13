//! Paths besides chat, completions and embeddings: routed by the model that they name, or relayed where that is allowed (features B7, B10).

use dragoman_simulator::Simulator;
use http::Method;
use serde_json::json;
use tokio::sync::mpsc;

use super::manifests::{
    MAPPED, backend, names, posts, received, route, route_to, secret, simulator,
};
use super::proxy::{Proxy, answer, client};
use super::raw::{exchange, statuses};

const OURS: &str = "credential: {secretRef: {name: provider, key: key}}";

/// The route `chat` to an upstream with a credential of ours.
fn keyed(upstream: &Simulator, more: &str) -> String {
    secret("provider", "sk-ours")
        + &backend("main", &upstream.url(), &format!("{OURS}\n{more}"))
        + &route("")
}

fn open(upstream: &Simulator) -> String {
    backend("main", &upstream.url(), "") + &route("")
}

#[tokio::test]
async fn a_path_whose_body_names_a_model_is_judged_renamed_and_routed_by_it() {
    let (first, second) = (simulator().await, simulator().await);
    let manifest = secret("provider", "sk-ours")
        + &backend("main", &first.url(), OURS)
        + &backend("other", &second.url(), OURS)
        + &names("unmatched: Reject\nrules:\n- match: {exact: art}\n  target: {model: two/echo}\n")
        + &route_to(
            "- {name: main, backendRef: {name: main}, modelPrefix: one/}\n- {name: other, backendRef: {name: other}, modelPrefix: two/}",
            MAPPED,
        );
    let proxy = Proxy::start(&manifest).await;
    for (path, body) in [
        (
            "/v1/images/generations",
            json!({"model": "art", "prompt": "a cat", "n": 2}),
        ),
        (
            "/v1/audio/speech",
            json!({"model": "art", "input": "hello", "voice": "alloy"}),
        ),
        (
            "/v1/moderations",
            json!({"model": "art", "input": "flag me"}),
        ),
        (
            "/v1/rerank",
            json!({"model": "art", "query": "q", "documents": ["a", "b"]}),
        ),
    ] {
        let reply = proxy.post(path, &body).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        let seen = posts(&second).pop().unwrap();
        assert_eq!(
            (seen.path.as_str(), &seen.json()["model"]),
            (path, &"echo".into())
        );
        assert_eq!(seen.header("authorization"), Some("Bearer sk-ours"));
        let mut refused = body;
        refused["model"] = "nobody".into();
        let reply = proxy.post(path, &refused).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (404, "model_not_found"),
            "{path}"
        );
    }
    assert_eq!(posts(&first).len(), 0);
}

#[tokio::test]
async fn replies_that_are_no_text_pass_byte_for_byte() {
    let (direct, behind) = (simulator().await, simulator().await);
    let proxy = Proxy::start(&keyed(&behind, "relay: [{path: \"/files/*\"}]")).await;
    let body = json!({"model": "echo", "input": "hello", "voice": "alloy"});
    let straight = answer(
        client()
            .post(format!("{}/audio/speech", direct.url()))
            .json(&body),
    )
    .await;
    let through = proxy.post("/v1/audio/speech", &body).await;
    assert_eq!(
        (straight.body.len(), straight.header("content-type")),
        (1024, through.header("content-type"))
    );
    assert_eq!(straight.body, through.body);
    let file = proxy.get("/v1/files/file-1/content").await;
    assert_eq!(
        (file.status, file.body.as_ref()),
        (200, &[0, 159, 146, 150][..])
    );
}

/// A multipart form with a model and a file of every byte.
fn form(model: &str) -> (String, Vec<u8>) {
    let mut body = format!(
        "--XX\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n\
         --XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n"
    )
    .into_bytes();
    body.extend((0..=u8::MAX).cycle().take(4096));
    body.extend(b"\r\n--XX--\r\n");
    ("multipart/form-data; boundary=XX".into(), body)
}

#[tokio::test]
async fn an_upload_passes_byte_for_byte() {
    let upstream = simulator().await;
    for manifest in [open(&upstream), keyed(&upstream, "")] {
        upstream.clear();
        let proxy = Proxy::start(&manifest).await;
        let (kind, body) = form("echo");
        let request = proxy
            .request(Method::POST, "/v1/audio/transcriptions")
            .header("content-type", &kind);
        let reply = answer(request.body(body.clone())).await;
        assert_eq!(
            (reply.status, &reply.json()["text"]),
            (200, &"4096 bytes of sound".into()),
            "{}",
            reply.text()
        );
        let seen = &upstream.requests()[0];
        assert_eq!(
            (seen.header("content-type"), seen.body_bytes),
            (Some(kind.as_str()), body.len())
        );
        assert_eq!(seen.body, String::from_utf8_lossy(&body));
    }
}

#[tokio::test]
async fn an_upload_is_judged_and_renamed_by_its_model_field() {
    let upstream = simulator().await;
    let map = "unmatched: Reject\nrules:\n- match: {exact: whisper}\n  target: {model: echo}\n";
    let manifest = secret("provider", "sk-ours")
        + &backend("main", &upstream.url(), OURS)
        + &names(map)
        + &route(MAPPED);
    let proxy = Proxy::start(&manifest).await;
    for (model, status) in [("whisper", 200), ("nobody", 404)] {
        let (kind, body) = form(model);
        let request = proxy
            .request(Method::POST, "/v1/audio/transcriptions")
            .header("content-type", kind)
            .body(body);
        assert_eq!(answer(request).await.status, status, "{model}");
    }
    assert_eq!(upstream.requests().len(), 1);
    assert_eq!(
        upstream.requests()[0].body,
        String::from_utf8_lossy(&form("echo").1)
    );
}

#[tokio::test]
async fn an_upload_streams_through_before_it_is_complete() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&open(&upstream)).await;
    let (sender, mut receiver) = mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
    let body = futures::stream::poll_fn(move |cx| receiver.poll_recv(cx));
    let request = proxy
        .request(Method::POST, "/v1/files")
        .header("content-type", "application/octet-stream");
    let request = request.body(reqwest::Body::wrap_stream(body));
    let reply = tokio::spawn(answer(request));
    sender.send(Ok(b"first".to_vec())).await.unwrap();
    received(&upstream, |seen| seen.len() == 1).await;
    assert!(!reply.is_finished());
    sender.send(Ok(b" second".to_vec())).await.unwrap();
    drop(sender);
    assert_eq!(reply.await.unwrap().status, 200);
    assert_eq!(upstream.requests()[0].body, "first second");
}

#[tokio::test]
async fn nothing_else_goes_upstream_with_our_key_and_the_refusal_names_the_field() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&keyed(&upstream, "")).await;
    for (method, path) in [
        (Method::GET, "/v1/files"),
        (Method::POST, "/v1/files"),
        (Method::DELETE, "/v1/files/file-1"),
        (Method::GET, "/v1/batches"),
        (Method::PUT, "/v1/anything/at/all"),
        (Method::GET, "/v1/chat/completions/some-id"),
    ] {
        let reply = answer(proxy.request(method.clone(), path)).await;
        assert_eq!(reply.status, 404, "{method} {path}: {}", reply.text());
        assert!(!reply.code().is_empty());
        assert!(
            reply.message().contains("spec.relay"),
            "{}",
            reply.message()
        );
    }
    assert_eq!(upstream.stats().requests, 0);
}

#[tokio::test]
async fn listed_paths_and_methods_are_relayed_and_no_others() {
    let upstream = simulator().await;
    let relay = "relay: [{methods: [GET, POST], path: /files}, {path: \"/files/shared/*\"}]";
    let proxy = Proxy::start(&keyed(&upstream, relay)).await;
    for (method, path, status) in [
        (Method::GET, "/v1/files?limit=2&after=x", 200),
        (Method::POST, "/files", 200),
        (Method::GET, "/v1/files/shared/1", 200),
        (Method::DELETE, "/v1/files/shared/1", 200),
        (Method::DELETE, "/v1/files", 404),
        (Method::GET, "/v1/files/1", 404),
        (Method::GET, "/v1/filesystem", 404),
        (Method::GET, "/v1/files/sharedness", 404),
    ] {
        let reply = answer(proxy.request(method.clone(), path)).await;
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.text());
    }
    let seen = upstream.requests();
    assert_eq!(seen.len(), 4);
    assert_eq!(
        (seen[0].path.as_str(), seen[0].query.as_deref()),
        ("/v1/files", Some("limit=2&after=x"))
    );
    assert!(
        seen.iter()
            .all(|request| request.header("authorization") == Some("Bearer sk-ours"))
    );
}

#[tokio::test]
async fn without_a_key_of_ours_any_method_path_and_body_is_relayed() {
    let upstream = simulator().await;
    let passthrough =
        backend("main", &upstream.url(), "credential: {passthrough: {}}") + &route("");
    for manifest in [open(&upstream), passthrough] {
        let proxy = Proxy::start(&manifest).await;
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"] {
            upstream.clear();
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let request = proxy
                .request(method.clone(), "/v1/vendor/thing?x=%20")
                .bearer_auth("sk-client")
                .body(vec![0, 1, 255]);
            let reply = answer(request).await;
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (404, "unknown_url"),
                "the simulator knows no such path"
            );
            let seen = &upstream.requests()[0];
            assert_eq!(
                (seen.method.as_str(), seen.path.as_str()),
                (method.as_str(), "/v1/vendor/thing")
            );
            assert_eq!((seen.query.as_deref(), seen.body_bytes), (Some("x=%20"), 3));
        }
    }
}

#[tokio::test]
async fn unknown_fields_survive_byte_for_byte_both_ways() {
    let (direct, behind) = (simulator().await, simulator().await);
    let proxy = Proxy::start(&open(&behind)).await;
    let body = "{\"model\":\"extras\", \"x_new\" : {\"deep\":[1.0,1e+2,\"\\u00e9\\/\"]},\"messages\":[{\"role\":\"user\",\"content\":\"hi\",\"x_msg\":null}]}";
    for path in ["/chat/completions", "/completions"] {
        let body = if path == "/completions" {
            body.replace("\"messages\":", "\"prompt\":\"p\",\"messages\":")
        } else {
            body.to_owned()
        };
        let send = |request: reqwest::RequestBuilder| {
            answer(
                request
                    .header("content-type", "application/json")
                    .body(body.clone()),
            )
        };
        let straight = send(client().post(format!("{}{path}", direct.url()))).await;
        let through = send(proxy.request(Method::POST, &format!("/v1{path}"))).await;
        assert_eq!(straight.status, 200, "{}", straight.text());
        assert_eq!(straight.body, through.body);
        assert_eq!(behind.requests().last().unwrap().body, body);
    }
}

#[tokio::test]
async fn no_spelling_of_a_path_leads_where_it_was_not_judged_to() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&keyed(&upstream, "relay: [{path: \"/files/*\"}]")).await;
    for path in [
        "/v1/files/../batches",
        "/v1/files/%2e%2e/batches",
        "/v1/files/.%2E/batches",
        "/v1/files/..%2fbatches",
        "/v1/files/..;x=1/batches",
        "/v1/files\\..\\batches",
        "/v1/files/%5c..%5cbatches",
        "/v1/files/a%2f..%2f..%2fbatches",
        "/v1/files/%00",
        "/v1/files/./x",
        "/../v1/files/x",
        "/routes/default/chat/../../x",
        "/v1/files/%zz",
        "/v1/files/a%0d%0ab",
    ] {
        let said = exchange(
            proxy.address,
            format!("GET {path} HTTP/1.1\r\nHost: chat\r\nConnection: close\r\n\r\n"),
        )
        .await;
        let status = statuses(&said)[0];
        assert!(status == 400 || status == 404, "{path}: {said}");
    }
    assert_eq!(upstream.stats().requests, 0);
}
