//! Redirects of upstreams, followed with method and body, and with a key to nobody else (features A9).

use dragoman_simulator::Simulator;
use http::Method;

use super::manifests::{backend, object, route, secret, simple, simulator, started};
use super::proxy::{Proxy, answer, chat};

const KEY: &str = "sk-ours-0123456789abcdef";
const OURS: &str = "credential: {secretRef: {name: provider, key: key}}";

fn with_key(url: &str) -> String {
    secret("provider", KEY) + &backend("main", url, OURS) + &route("")
}

#[tokio::test]
async fn a_redirect_stays_a_post_with_its_body() {
    let upstream = simulator().await;
    upstream.set_api_keys([KEY]);
    let proxy = Proxy::start(&with_key(&upstream.url())).await;
    for status in [301, 302, 307, 308] {
        upstream.clear();
        let reply = proxy.chat(&format!("redirect-{status}-2")).await;
        assert_eq!(
            (reply.status, reply.content()),
            (200, "hello".into()),
            "{status}"
        );
        let seen = upstream.requests();
        assert_eq!(seen.len(), 3);
        for request in &seen {
            assert_eq!(
                (request.method.as_str(), &request.body),
                ("POST", &seen[0].body)
            );
            assert_eq!(
                request.header("authorization"),
                Some(format!("Bearer {KEY}").as_str())
            );
        }
    }
}

#[tokio::test]
async fn a_redirect_to_another_origin_takes_no_key_along() {
    let (first, second) = (simulator().await, simulator().await);
    let headers = format!(
        "{OURS}\nheaders:\n- {{name: x-api-key, valueFrom: {{secretRef: {{name: provider, key: key}}}}}}"
    );
    let manifest = secret("provider", KEY) + &backend("main", &first.url(), &headers) + &route("");
    let proxy = Proxy::start(&manifest).await;
    for status in [301, 302, 307, 308] {
        second.clear();
        // It sends to itself what it is sent, once, then answers.
        let reply = proxy
            .chat(&format!("redirect-{status}-to-{}+times-1", second.addr()))
            .await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let seen = second.requests();
        assert!(!seen.is_empty());
        for request in seen {
            assert_eq!(request.method, "POST");
            assert!(request.body.contains("hello"));
            assert!(
                !format!("{:?}", request.headers).contains(KEY),
                "{:?}",
                request.headers
            );
        }
    }
}

#[tokio::test]
async fn redirects_without_end_are_a_502() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let reply = proxy.chat("redirect-307-99").await;
    assert_eq!(
        (reply.status, reply.header("x-dragoman-fault")),
        (502, Some("upstream"))
    );
    assert!(upstream.stats().requests < 20);
}

#[tokio::test]
async fn a_stream_is_followed_as_a_plain_reply_is() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&with_key(&upstream.url())).await;
    for status in [301, 302, 307, 308] {
        let reply = proxy.stream(&format!("redirect-{status}-2")).await;
        assert_eq!(reply.content(), "hello", "{status}");
        assert!(reply.is_done());
    }
}

#[tokio::test]
async fn a_passed_key_of_the_clients_goes_to_no_other_origin() {
    let (first, second) = (simulator().await, simulator().await);
    let manifest = backend("main", &first.url(), "credential: {passthrough: {}}") + &route("");
    let proxy = Proxy::start(&manifest).await;
    for name in [
        "authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "ocp-apim-subscription-key",
        "x-amz-security-token",
    ] {
        let model = format!("redirect-307-to-{}+times-1", second.addr());
        let request = proxy.request(Method::POST, "/v1/chat/completions");
        let request = request.header(name, "sk-clients-own");
        let reply = answer(request.json(&chat(&model, "hello"))).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(first.requests()[0].header(name), Some("sk-clients-own"));
        for request in second.requests() {
            assert_eq!(request.header(name), None, "{:?}", request.headers);
        }
        first.clear();
    }
}

#[tokio::test]
async fn a_redirect_leads_to_no_address_that_is_denied() {
    let upstream = simulator().await;
    let inside = started(Simulator::builder().listen(([127, 0, 0, 2], 0).into())).await;
    let denied = object(
        "LLMProxy",
        "{name: default}",
        "backends: {deniedCIDRs: [127.0.0.2/32]}",
    );
    let proxy = Proxy::start(&(simple(&upstream) + &denied)).await;
    for place in [inside.addr().to_string(), "169.254.169.254:80".into()] {
        let reply = proxy.chat(&format!("redirect-307-to-{place}")).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (502, "upstream_denied"),
            "{}",
            reply.text()
        );
    }
    assert_eq!(inside.stats().requests, 0);
}
