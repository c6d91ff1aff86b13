//! Small inputs that are meant to cost much.

use std::process::Command;
use std::time::{Duration, Instant};

use dragoman_system::programs;
use http::Method;

use super::super::manifests::{MAPPED, backend, mapped, names, route, secret, simple, simulator};
use super::super::proxy::{Proxy, answer, chat};

/// Far more than any of them may take, and far less than what they are meant to.
pub(super) const SOON: Duration = Duration::from_secs(10);

/// What `check` says of a manifest, which must be a refusal.
pub(super) fn refused(manifest: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("main.yaml"), manifest).unwrap();
    let began = Instant::now();
    let output = Command::new(programs().join("dragoman-proxy"))
        .args(["check", "--config", folder.path().to_str().unwrap()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(began.elapsed() < SOON * 2, "it took {:?}", began.elapsed());
    said
}

#[tokio::test]
async fn json_of_any_depth_is_refused_before_it_is_read() {
    let upstream = simulator().await;
    // With a key of ours, nothing goes on that was not read.
    let keyed = "credential: {secretRef: {name: provider, key: key}}";
    let manifest = secret("provider", "sk-ours-0123456789abcdef")
        + &backend("main", &upstream.url(), keyed)
        + &route("");
    let proxy = Proxy::start(&manifest).await;
    let bombs = [
        "[".repeat(1 << 20),
        format!(r#"{{"model":"echo","messages":{}"#, "[".repeat(1 << 20)),
        format!(
            r#"{{"model":"echo","messages":[],"x":{}1{}}}"#,
            r#"{"a":"#.repeat(100_000),
            "}".repeat(100_000)
        ),
        format!(
            r#"{{"model":"echo","contents":[],"prompt":"x","messages":[{}{}]}}"#,
            "[".repeat(1000),
            "]".repeat(1000)
        ),
    ];
    for path in [
        "/v1/chat/completions",
        "/v1/embeddings",
        "/v1/messages",
        "/api/chat",
        "/v1/responses",
        "/v1/images/generations",
        "/model/m/converse",
        "/v1beta/models/m:generateContent",
    ] {
        for bomb in &bombs {
            let began = Instant::now();
            let request = proxy.request(Method::POST, path);
            let request = request.header("content-type", "application/json");
            let reply = answer(request.body(bomb.clone())).await;
            let refused = [400, 404].contains(&reply.status);
            assert!(refused, "{path}: {} {}", reply.status, reply.text());
            assert!(began.elapsed() < SOON && reply.body.len() < 2048);
        }
    }
    assert_eq!(upstream.stats().requests, 0);
    assert_eq!(proxy.chat("echo").await.status, 200);
}

#[tokio::test]
async fn a_member_that_is_repeated_without_end_is_refused() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let body = format!(
        r#"{{{}"model":"echo","messages":[{{"role":"user","content":"x"}}]}}"#,
        r#""model":"other","#.repeat(100_000)
    );
    let request = proxy.request(Method::POST, "/v1/chat/completions");
    let reply = answer(
        request
            .header("content-type", "application/json")
            .body(body),
    )
    .await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert_eq!(upstream.stats().requests, 0);
}

#[tokio::test]
async fn what_is_compressed_is_never_unpacked() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    for encoding in [
        "gzip",
        "deflate",
        "br",
        "zstd",
        "GZIP",
        "gzip, gzip",
        "x-gzip",
        "identity, gzip",
        "*",
    ] {
        for path in ["/v1/chat/completions", "/api/chat", "/v1/messages"] {
            let request = proxy
                .request(Method::POST, path)
                .header("content-encoding", encoding)
                .header("content-type", "application/json");
            let reply = answer(request.json(&chat("echo", "x"))).await;
            assert_eq!(reply.status, 415, "{encoding} {path}: {}", reply.text());
        }
    }
    assert_eq!(upstream.stats().requests, 0);
    let plain = proxy.request(Method::POST, "/v1/chat/completions");
    let plain = plain.header("content-encoding", "identity");
    assert_eq!(answer(plain.json(&chat("echo", "x"))).await.status, 200);
}

#[tokio::test]
async fn a_regex_takes_time_by_the_length_of_the_name_alone() {
    let upstream = simulator().await;
    let rules = r#"rules:
- match: {regex: "(a+)+b"}
  target: {model: echo}
- match: {regex: "(a|aa)*c"}
  target: {model: echo}
- match: {regex: "(.*.*)*d"}
  target: {model: echo}"#;
    let proxy = Proxy::start(&mapped(&upstream, rules)).await;
    let began = Instant::now();
    for length in [1 << 10, 100 << 10] {
        let reply = proxy.chat(&"a".repeat(length)).await;
        assert!(reply.body.len() < 300 << 10, "{}", reply.body.len());
    }
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[test]
fn a_regex_that_unfolds_into_megabytes_is_refused_by_name() {
    for regex in [
        "((a{200}){200}){200}",
        "(?:(?:\\\\w{900}){900})",
        "\\\\pL{1000000}",
    ] {
        let rules = format!("rules:\n- match: {{regex: \"{regex}\"}}\n  target: {{model: b}}");
        let said = refused(
            &(backend("main", "http://127.0.0.1:1/v1", "") + &names(&rules) + &route(MAPPED)),
        );
        assert!(said.contains("spec.rules[0].match.regex"), "{said}");
    }
}

#[test]
fn an_expression_that_multiplies_itself_is_refused_by_name() {
    let list = "[1,2,3,4,5,6,7,8,9]";
    let deep = |name: &str, inner: &str| format!("{list}.all({name}, {inner})");
    let three = deep("x", &deep("y", &deep("z", "x + y + z > 0")));
    let long = vec!["request.a == 1"; 5000].join(" || ");
    let nested = format!("{}true{}", "!(".repeat(5000), ")".repeat(5000));
    for when in [three, long, nested] {
        let rules =
            format!("rules:\n- match: {{exact: a}}\n  when: \"{when}\"\n  target: {{model: b}}");
        let said = refused(
            &(backend("main", "http://127.0.0.1:1/v1", "") + &names(&rules) + &route(MAPPED)),
        );
        assert!(said.contains("spec.rules[0].when"), "{said}");
    }
}

#[test]
fn a_manifest_that_unfolds_without_end_is_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("a{level}: &a{level} [{before}]\n");
    }
    let said = refused(&format!(
        "apiVersion: dragoman.dev/v1alpha1\nkind: LLMRoute\nmetadata: {{name: chat}}\n{bomb}"
    ));
    assert!(said.contains("main.yaml"), "{said}");
}
