//! Whose key goes upstream, and where no key is ever seen (features A4, A5).

use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::manifests::{backend, posts, route, route_to, secret, simple, simulator};
use super::proxy::{Answer, Proxy, answer, chat, streamed};

const KEY: &str = "sk-ours-0123456789abcdef";
/// What a client may carry a key in.
const FOUR: [(&str, &str); 4] = [
    ("authorization", "Bearer sk-clients-own"),
    ("x-api-key", "sk-clients-own"),
    ("api-key", "sk-clients-own"),
    ("x-goog-api-key", "sk-clients-own"),
];
const OURS: &str = "credential: {secretRef: {name: provider, key: key}}";

fn with_key(url: &str) -> String {
    secret("provider", KEY) + &backend("main", url, OURS) + &route("")
}

/// A chat call with all four headers of a client.
async fn call_with_four(proxy: &Proxy, model: &str) -> Answer {
    let request = proxy
        .request(Method::POST, "/v1/chat/completions")
        .json(&chat(model, "hello"));
    let request = FOUR.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    answer(request.header("cookie", "session=sk-clients-own")).await
}

#[tokio::test]
async fn the_upstream_sees_the_configured_key_and_none_of_the_clients() {
    let upstream = simulator().await;
    upstream.set_api_keys([KEY]);
    let proxy = Proxy::start(&with_key(&upstream.url())).await;
    assert_eq!(call_with_four(&proxy, "echo").await.status, 200);
    let seen = &upstream.requests()[0];
    assert_eq!(
        seen.header("authorization"),
        Some(format!("Bearer {KEY}").as_str())
    );
    assert!(
        !format!("{:?}", seen.headers).contains("sk-clients-own"),
        "{:?}",
        seen.headers
    );
}

#[tokio::test]
async fn without_a_credential_none_of_the_clients_travels_on() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    assert_eq!(call_with_four(&proxy, "echo").await.status, 200);
    let seen = &upstream.requests()[0];
    assert!(
        !format!("{:?}", seen.headers).contains("sk-clients-own"),
        "{:?}",
        seen.headers
    );
}

#[tokio::test]
async fn with_passthrough_the_clients_own_credential_travels_unchanged() {
    let upstream = simulator().await;
    let manifest = backend("main", &upstream.url(), "credential: {passthrough: {}}") + &route("");
    let proxy = Proxy::start(&manifest).await;
    assert_eq!(call_with_four(&proxy, "echo").await.status, 200);
    let seen = &upstream.requests()[0];
    for (name, value) in FOUR {
        assert_eq!(seen.header(name), Some(value));
    }
    assert_eq!(
        seen.header("cookie"),
        None,
        "a cookie is no credential of an API"
    );
}

#[tokio::test]
async fn a_passed_key_never_reaches_a_backend_that_has_its_own() {
    let (first, second) = (simulator().await, simulator().await);
    let manifest = secret("provider", KEY)
        + &backend("main", &first.url(), "credential: {passthrough: {}}")
        + &backend("other", &second.url(), OURS)
        + &route_to(
            "- {name: main, backendRef: {name: main}}\n- {name: other, backendRef: {name: other}, priority: 1}",
            "",
        );
    let proxy = Proxy::start(&manifest).await;
    // The first fails, so that both are asked.
    assert_eq!(call_with_four(&proxy, "status-503").await.status, 503);
    assert_eq!(posts(&first)[0].header("authorization"), Some(FOUR[0].1));
    let seen = &posts(&second)[0];
    assert_eq!(
        seen.header("authorization"),
        Some(format!("Bearer {KEY}").as_str())
    );
    assert!(
        !format!("{:?}", seen.headers).contains("sk-clients-own"),
        "{:?}",
        seen.headers
    );
}

#[tokio::test]
async fn a_header_from_a_secret_replaces_the_clients() {
    let upstream = simulator().await;
    let headers = "headers:\n- {name: X-Tenant, valueFrom: {secretRef: {name: provider, key: key}}}\n- {name: X-Team, value: platform}";
    let manifest =
        secret("provider", KEY) + &backend("main", &upstream.url(), headers) + &route("");
    let proxy = Proxy::start(&manifest).await;
    let request = proxy
        .request(Method::POST, "/v1/chat/completions")
        .json(&chat("echo", "x"));
    assert_eq!(
        answer(
            request
                .header("x-tenant", "mallory")
                .header("x-team", "mallory")
        )
        .await
        .status,
        200
    );
    let seen = &upstream.requests()[0];
    assert_eq!(
        (seen.header("x-tenant"), seen.header("x-team")),
        (Some(KEY), Some("platform"))
    );
    assert!(!format!("{:?}", seen.headers).contains("mallory"));
}

#[tokio::test]
async fn a_key_shows_in_no_error_log_line_or_metric() {
    let upstream = simulator().await;
    upstream.set_api_keys(["another"]);
    let proxy = Proxy::start_with(&with_key(&upstream.url()), &["--log-level", "trace"]).await;
    let mut said = String::new();
    for status in ["refused", "accepted"] {
        for model in [
            "echo",
            "status-500",
            "status-401",
            "drop",
            "headers",
            "redirect-307-2",
            "redirect-302-99",
        ] {
            for body in [chat(model, "x"), streamed(model, "x")] {
                let request = proxy
                    .request(Method::POST, "/v1/chat/completions")
                    .json(&body);
                let reply = answer(request.header("authorization", FOUR[0].1)).await;
                said += &format!("{:?} {}\n", reply.headers, reply.text());
            }
        }
        for path in ["/v1/models", "/v1/files", "/v1/models/nobody", "/nothing"] {
            let reply = proxy.get(path).await;
            said += &format!("{:?} {}\n", reply.headers, reply.text());
        }
        assert!(!said.is_empty(), "{status}");
        upstream.set_api_keys([KEY]);
    }
    for path in ["/metrics", "/readyz", "/healthz"] {
        said += &proxy.admin_get(path).await.text();
    }
    said += &proxy.log();
    assert!(said.contains("dragoman_requests_total"), "{said}");
    assert!(
        !said.contains(KEY) && !said.contains("sk-clients-own"),
        "{said}"
    );
}

/// The key that a request brings.
fn key_of(request: &str) -> &str {
    let mut lines = request.lines();
    let line = lines.find(|line| line.to_ascii_lowercase().starts_with("authorization:"));
    line.unwrap().rsplit(' ').next().unwrap()
}

/// An upstream that answers every request with an error that repeats what it was sent, in a header and in its body.
async fn parrot(body_of: fn(&str) -> String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 65536];
            let length = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..length]);
            let (body, key) = (body_of(&request), key_of(&request));
            let reply = format!(
                "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\nwww-authenticate: Bearer error=\"not {key}\"\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(reply.as_bytes()).await.unwrap();
        }
    });
    url
}

#[tokio::test]
async fn an_upstream_that_repeats_the_key_in_its_error_is_masked() {
    fn openais(request: &str) -> String {
        let key = key_of(request);
        format!(
            r#"{{"error":{{"message":"Incorrect API key provided: {key}.","type":"x","param":null,"code":"invalid_api_key"}}}}"#
        )
    }
    for url in [parrot(openais).await, parrot(str::to_owned).await] {
        let proxy = Proxy::start(&with_key(&url)).await;
        for reply in [proxy.chat("echo").await, proxy.stream("echo").await] {
            assert_eq!(reply.status, 401);
            assert!(!reply.text().contains(KEY), "{}", reply.text());
            assert!(reply.text().contains("[masked]"), "{}", reply.text());
            let told = reply.header("www-authenticate");
            assert_eq!(told, Some("Bearer error=\"not [masked]\""));
            assert!(!reply.code().is_empty());
            assert_eq!(
                reply.header("x-dragoman-fault"),
                Some("proxy"),
                "our key is refused, not the client's"
            );
        }
        proxy.logged("refuses the key").await;
        let warned = proxy.log().matches("refuses the key").count();
        assert_eq!(warned, 1, "what is known is no news: {}", proxy.log());
        assert!(!proxy.log().contains(KEY), "{}", proxy.log());
    }
}

#[tokio::test]
async fn an_upstream_that_repeats_the_key_within_a_stream_is_masked_wherever_it_is_cut() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let start = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"so far\"}}]}\n\ndata: {\"error\":{\"message\":\"Bearer ";
    let end = "\",\"code\":401}}\n\n";
    // Stripping reads events and would gather them by itself: the other route passes its stream on as it comes.
    let plain = "thinking: {text: Keep}";
    for more in ["", plain] {
        let manifest = secret("provider", KEY) + &backend("main", &url, OURS) + &route(more);
        let proxy = Proxy::start(&manifest).await;
        for cut in 0..=KEY.len() {
            let request = proxy
                .request(Method::POST, "/v1/chat/completions")
                .json(&streamed("echo", "x"));
            let sent = tokio::spawn(request.send());
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 65536];
            let _read = stream.read(&mut request).await.unwrap();
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
            let first = format!("{head}{start}{}", &KEY[..cut]);
            stream.write_all(first.as_bytes()).await.unwrap();
            let mut reply = sent.await.unwrap().unwrap();
            let mut said = Vec::new();
            // The rest is sent when the first piece has been passed on.
            while !String::from_utf8_lossy(&said).contains("so far") {
                said.extend(reply.chunk().await.unwrap().unwrap());
            }
            let rest = format!("{}{end}", &KEY[cut..]);
            stream.write_all(rest.as_bytes()).await.unwrap();
            drop(stream);
            while let Some(piece) = reply.chunk().await.unwrap() {
                said.extend(piece);
            }
            let said = String::from_utf8(said).unwrap();
            assert!(!said.contains(KEY), "cut at {cut}: {said}");
            assert!(said.contains("so far") && said.ends_with(end), "{said}");
            assert!(said.contains("[masked]"), "{said}");
        }
    }
}
