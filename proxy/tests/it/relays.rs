//! Paths that no API of ours knows, and whose credential goes where.

use dragoman_config::{CredentialItem, HeaderItem, RelayItem, Secret};
use http::Method;
use serde_json::json;

use crate::harness::*;

mod methods;

/// A configured header whose value came from a Secret.
fn configured(name: &str, value: &str) -> HeaderItem {
    HeaderItem {
        name: name.into(),
        value: Secret::new(value),
        secret: true,
    }
}

fn keyed(simulator: &dragoman_simulator::Simulator, relay: Vec<RelayItem>) -> Items {
    let mut item = with_key(backend_at(simulator), "sk-ours");
    item.relay = relay;
    items().put_route("chat", route(vec![entry("b", item)]))
}

#[tokio::test]
async fn the_configured_key_is_sent_and_never_the_clients() {
    let simulator = simulator().await;
    let proxy = Proxy::start(keyed(&simulator, Vec::new()));
    let theirs = [
        ("authorization", "Bearer theirs"),
        ("x-api-key", "theirs"),
        ("api-key", "theirs"),
        ("x-goog-api-key", "theirs"),
        ("cookie", "theirs=1"),
        ("x-forwarded-for", "10.1.2.3"),
        ("connection", "x-mine"),
        ("x-mine", "1"),
        ("x-other", "2"),
    ];
    let body = chat("echo+headers+hop-headers", "x", false).to_string();
    let got = proxy
        .send(Method::POST, "/v1/chat/completions", &theirs, body)
        .await;
    assert_eq!(got.status, 200);
    let seen = &simulator.requests()[0];
    assert_eq!(seen.header("authorization"), Some("Bearer sk-ours"));
    for name in [
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "cookie",
        "x-forwarded-for",
        "x-mine",
    ] {
        assert_eq!(seen.header(name), None, "{name}");
    }
    assert_eq!(seen.header("x-other"), Some("2"));
    assert!(!format!("{seen:?}").contains("theirs"));
    for name in [
        "set-cookie",
        "keep-alive",
        "proxy-authenticate",
        "upgrade",
        "te",
        "trailer",
    ] {
        assert_eq!(got.header(name), None, "{name}");
    }
    assert!(!format!("{:?} {}", got.headers, got.text()).contains("sk-ours"));
    assert!(!proxy.shared.metrics_text().contains("sk-ours"));
}

#[tokio::test]
async fn with_passthrough_the_clients_own_credential_travels_unchanged() {
    let simulator = simulator().await;
    let mut item = backend_at(&simulator);
    item.credential = CredentialItem::Passthrough;
    item.headers = vec![configured("x-team", "ours")];
    let proxy = Proxy::start(items().put_route("chat", route(vec![entry("b", item)])));
    let headers = [
        ("x-api-key", "theirs"),
        ("authorization", "Basic abc"),
        ("x-team", "theirs"),
    ];
    proxy
        .send(
            Method::POST,
            "/v1/chat/completions",
            &headers,
            chat("echo", "x", false).to_string(),
        )
        .await;
    let seen = &simulator.requests()[0];
    assert_eq!(seen.header("x-api-key"), Some("theirs"));
    assert_eq!(seen.header("authorization"), Some("Basic abc"));
    assert_eq!(
        seen.headers
            .iter()
            .filter(|(name, _)| name == "x-team")
            .count(),
        1
    );
    assert_eq!(seen.header("x-team"), Some("ours"));
}

#[tokio::test]
async fn a_body_that_names_a_model_is_judged_by_it_on_any_path() {
    let simulator = simulator().await;
    let mut names = map();
    names.rules = vec![rule(exact("pictures"), "echo")];
    names.list.names.deny = vec![exact("secret")];
    let proxy = Proxy::start(mapped(&simulator, names));
    for path in [
        "/v1/images/generations",
        "/moderations",
        "/v1/rerank",
        "/v1/audio/speech",
    ] {
        simulator.clear();
        let body = json!({
            "model": "pictures", "prompt": "x", "input": "x", "voice": "alloy", "query": "x", "documents": ["a"]
        });
        let got = proxy.post(path, &body).await;
        assert_eq!(got.status, 200, "{path}: {:?}", got.body);
        assert_eq!(simulator.requests()[0].json()["model"], "echo", "{path}");
        let got = proxy.post(path, &json!({"model": "secret"})).await;
        assert_eq!(got.error_code(), "model_not_found", "{path}");
        // However the client names the type.
        for kind in [
            "application/x-www-form-urlencoded",
            "application/octet-stream",
            "x/y; boundary=B",
        ] {
            let plain = [("content-type", kind)];
            let got = proxy
                .send(Method::POST, path, &plain, r#"{"model": "secret"}"#)
                .await;
            assert_eq!(got.error_code(), "model_not_found", "{path}");
        }
        for (name, first, second, code) in [
            (
                "content-type",
                "audio/wav",
                "application/json",
                "ambiguous_content_type",
            ),
            ("content-encoding", "identity", "gzip", "encoded_body"),
        ] {
            let twice = [(name, first), (name, second)];
            let got = proxy
                .send(Method::POST, path, &twice, r#"{"model": "secret"}"#)
                .await;
            assert_eq!(got.error_code(), code, "{path}");
        }
    }
}

fn transcription(model: &str) -> String {
    format!(
        "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n{}\r\n--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--B--\r\n",
        "a".repeat(200_000)
    )
}

#[tokio::test]
async fn a_forms_model_is_judged_and_renamed_though_it_stands_last() {
    let simulator = simulator().await;
    let mut names = map();
    names.rules = vec![rule(exact("whisper"), "echo")];
    names.list.names.deny = vec![exact("secret")];
    let proxy = Proxy::start(mapped(&simulator, names));
    let headers = [("content-type", "multipart/form-data; boundary=B")];
    let path = "/v1/audio/transcriptions";
    let got = proxy
        .send(Method::POST, path, &headers, transcription("whisper"))
        .await;
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(
        simulator.requests()[0].body_bytes,
        transcription("echo").len()
    );
    let got = proxy
        .send(Method::POST, path, &headers, transcription("secret"))
        .await;
    assert_eq!(got.error_code(), "model_not_found");
    let encoded = transcription("secret").replace("name=\"model\"", "name*=utf-8''model");
    let hidden = format!(
        "--B\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\n\r\n--B--x\r\n{}",
        transcription("secret")
    );
    for ambiguous in [encoded, transcription("whisper").replace("--B--", &hidden)] {
        let got = proxy.send(Method::POST, path, &headers, ambiguous).await;
        assert_eq!(got.error_code(), "ambiguous_model");
    }
}

#[tokio::test]
async fn without_a_key_of_ours_every_path_is_relayed_as_it_is() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    let body = vec![0xff; 3 << 20];
    let headers = [
        ("content-type", "application/octet-stream"),
        ("accept-encoding", "gzip"),
    ];
    for method in [Method::PUT, Method::POST, Method::DELETE, Method::PATCH] {
        simulator.clear();
        let got = proxy
            .send(
                method.clone(),
                "/v1/anything/here?x=%20y",
                &headers,
                body.clone(),
            )
            .await;
        assert!(got.header("x-dragoman-request-id").is_some());
        let seen = simulator.wait_until(|seen| !seen.is_empty()).await;
        assert_eq!(seen[0].method, method.as_str());
        assert_eq!(
            (seen[0].path.as_str(), seen[0].query.as_deref()),
            ("/v1/anything/here", Some("x=%20y"))
        );
        assert_eq!(seen[0].header("accept-encoding"), Some("gzip"));
    }
    let form = [("content-type", "multipart/form-data; boundary=B")];
    let file = "--B\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\n\r\n";
    let file = format!("{file}{}\r\n--B--\r\n", "{}\n".repeat(100_000));
    let got = proxy
        .send(Method::POST, "/v1/files", &form, file.clone())
        .await;
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(simulator.requests().last().unwrap().body_bytes, file.len());
}

#[tokio::test]
async fn with_a_key_of_ours_only_listed_paths_are_relayed() {
    let simulator = simulator().await;
    let relay = vec![
        RelayItem {
            methods: Some(vec!["GET".into()]),
            path: "/files".into(),
            below: true,
        },
        RelayItem {
            methods: None,
            path: "/batches".into(),
            below: false,
        },
    ];
    let proxy = Proxy::start(keyed(&simulator, relay));
    for (method, path, allowed) in [
        (Method::GET, "/v1/files", true),
        (Method::GET, "/files/abc/content", true),
        (Method::POST, "/v1/batches", true),
        (Method::POST, "/v1/files", false),
        (Method::DELETE, "/v1/files/abc", false),
        (Method::GET, "/v1/batches/abc", false),
        (Method::GET, "/v1/filesystem", false),
        (Method::GET, "/v1/assistants", false),
        (Method::GET, "/v1/f%69les", true),
        (Method::DELETE, "/v1/%66iles/abc", false),
        (Method::TRACE, "/v1/files", false),
    ] {
        simulator.clear();
        let got = proxy.send(method.clone(), path, &[], "").await;
        assert_eq!(!simulator.requests().is_empty(), allowed, "{method} {path}");
        if !allowed && method != Method::TRACE {
            assert_eq!(
                (got.status.as_u16(), got.error_code().as_str()),
                (404, "path_not_relayed")
            );
            assert!(got.text().contains("spec.relay"));
        }
    }
}

#[tokio::test]
async fn no_model_and_no_spelling_opens_what_our_key_owns() {
    let simulator = simulator().await;
    let relay = vec![RelayItem {
        methods: None,
        path: "/files/mine".into(),
        below: true,
    }];
    let proxy = Proxy::start(keyed(&simulator, relay));
    for path in [
        "/v1/files",
        "/v1/batches",
        "/v1/fine_tuning/jobs",
        "/v1/assistants",
        "/v1/responses/r1/cancel",
    ] {
        let got = proxy
            .post(path, &json!({"model": "echo", "input_file_id": "file-1"}))
            .await;
        assert_eq!(got.error_code(), "path_not_relayed", "{path}");
    }
    for path in [
        "/v1/files/mine/../theirs",
        "/v1/files/mine/%2e%2e/theirs",
        "/v1/files/mine/..%2ftheirs",
        "/v1/files/mine/..%5ctheirs",
        "/v1/files/mine/..;/theirs",
        "/routes/team-a/chat/../../../v1/files",
    ] {
        let raw = format!("GET {path} HTTP/1.1\r\nhost: chat.team-a\r\nconnection: close\r\n\r\n");
        let got = proxy.raw(&raw).await;
        assert!(got.starts_with("HTTP/1.1 400 "), "{path}: {got}");
    }
    let got = proxy
        .send(Method::GET, "/v1/files", &[], r#"{"model":"echo"}"#)
        .await;
    assert_eq!(got.error_code(), "path_not_relayed");
    assert!(simulator.requests().is_empty());
}

#[tokio::test]
async fn a_key_that_the_upstream_repeats_is_masked() {
    let simulator = simulator().await;
    simulator.set_api_keys(["another"]);
    let proxy = Proxy::start(keyed(&simulator, Vec::new()));
    let got = proxy.chat("echo", "x").await;
    assert_eq!(got.status, 401);
    assert_eq!(got.header("x-dragoman-fault"), Some("proxy"));
    assert!(!got.text().contains("sk-ours"), "{}", got.text());
}

#[tokio::test]
async fn redirects_stay_posts_and_take_no_key_to_another_host() {
    let simulator = simulator().await;
    let other = dragoman_simulator::Simulator::builder()
        .start()
        .await
        .unwrap();
    let proxy = Proxy::start(keyed(&simulator, Vec::new()));
    for status in [301, 302, 307, 308] {
        simulator.clear();
        let got = proxy.chat(&format!("redirect-{status}-2"), "hello").await;
        assert_eq!(got.status, 200, "{status}: {}", got.text());
        let seen = simulator.requests();
        assert_eq!(seen.len(), 3);
        assert!(
            seen.iter()
                .all(|each| each.method == "POST" && each.body == seen[0].body)
        );
        assert!(
            seen.iter()
                .all(|seen| seen.header("authorization") == Some("Bearer sk-ours"))
        );
        // The other one redirects to itself for ever, which ends at the bound on hops.
        other.clear();
        let got = proxy
            .chat(&format!("redirect-{status}-to-{}", other.addr()), "hello")
            .await;
        assert_eq!(
            (got.status.as_u16(), got.error_code().as_str()),
            (502, "upstream_failed")
        );
        let seen = other.requests();
        assert!((1..=10).contains(&seen.len()), "{}", seen.len());
        assert!(
            seen.iter()
                .all(|seen| seen.method == "POST" && seen.header("authorization").is_none())
        );
    }
}

#[tokio::test]
async fn a_model_leads_no_owned_path_to_another_backends_key() {
    let (keyless, ours) = (simulator().await, simulator().await);
    keyless.set_models(["local"]);
    ours.set_models(["echo"]);
    let backends = vec![
        entry("keyless", backend_at(&keyless)),
        entry("ours", with_key(backend_at(&ours), "sk-ours")),
    ];
    let proxy = Proxy::start(items().put_route("chat", route(backends)));
    proxy.get("/v1/models").await;
    ours.clear();
    for path in [
        "/v1/files",
        "/v1/%66iles",
        "/v1/Files",
        "/v1/v1/files",
        "/v1/files;a=b",
    ] {
        let got = proxy.post(path, &json!({"model": "echo"})).await;
        assert_eq!(got.error_code(), "path_not_relayed", "{path}");
    }
    assert!(ours.requests().is_empty());
    assert_eq!(
        proxy
            .post(
                "/v1/rerank",
                &json!({"model": "echo", "query": "x", "documents": ["a"]})
            )
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_response_leads_to_no_other_with_a_key_of_ours_unless_relay_lists_it() {
    let simulator = simulator().await;
    let body = json!({"model": "echo", "input": "x", "previous_response_id": "r1"});
    let proxy = Proxy::start(keyed(&simulator, Vec::new()));
    let got = proxy.post("/v1/responses", &body).await;
    assert_eq!(
        (got.status.as_u16(), got.error_code().as_str()),
        (400, "kept_content")
    );
    assert!(got.text().contains("previous_response_id"));
    assert!(simulator.requests().is_empty());
    let relay = vec![RelayItem {
        methods: None,
        path: "/responses".into(),
        below: false,
    }];
    proxy.shared.publish(keyed(&simulator, relay));
    proxy.post("/v1/responses", &body).await;
    assert_eq!(simulator.requests().len(), 1);
}

#[tokio::test]
async fn a_configured_header_is_a_credential_where_it_came_from_a_secret() {
    for (secret, status) in [(true, 404), (false, 200)] {
        let (here, elsewhere) = (simulator().await, simulator().await);
        let mut item = backend_at(&here);
        item.headers = vec![HeaderItem {
            secret,
            ..configured("x-tenant", "ours-1")
        }];
        let proxy = Proxy::start(items().put_route("chat", route(vec![entry("b", item)])));
        let got = proxy.send(Method::GET, "/v1/files", &[], "").await;
        assert_eq!(got.status, status, "{}", got.text());
        let model = format!("redirect-307-to-{}+times-1", elsewhere.addr());
        assert_eq!(proxy.chat(&model, "x").await.status, 200);
        let told = elsewhere.requests()[0].header("x-tenant").is_some();
        assert_eq!(told, !secret, "another origin hears of what is no secret");
    }
}
