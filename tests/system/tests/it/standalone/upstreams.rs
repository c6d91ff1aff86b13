//! How upstreams are reached: TLS and whom it trusts, HTTP/2, kept connections, networks that are denied (features A20, D7; design §4).

use dragoman_simulator::Simulator;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::manifests::{backend, object, posts, route, simple, simulator, started};
use super::proxy::Proxy;

/// A simulator over TLS whose certificate is for `name`, and the authority that signed it.
async fn over_tls(name: &str) -> (Simulator, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let builder = Simulator::builder().tls(certificate.pem(), key.serialize_pem());
    (started(builder).await, issuer.pem())
}

/// A Secret `ca` with an authority, and the route `chat` to an upstream that is trusted by it.
fn trusting(url: &str, authority: &str, more: &str) -> String {
    let pem = authority.trim().replace('\n', "\n    ");
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: ca}}\nstringData:\n  ca.crt: |\n    {pem}\n"
    ) + &backend(
        "main",
        url,
        &format!("tls:\n  caSecretRef: {{name: ca, key: ca.crt}}\n{more}"),
    ) + &route("")
}

#[tokio::test]
async fn an_upstream_over_tls_is_trusted_by_the_authority_of_a_secret_and_speaks_http_2() {
    let (upstream, authority) = over_tls("127.0.0.1").await;
    let proxy = Proxy::start(&trusting(&upstream.url(), &authority, "")).await;
    assert_eq!(proxy.chat("echo").await.content(), "hello");
    assert_eq!(proxy.stream("think").await.content(), "hello");
    assert!(
        upstream
            .requests()
            .iter()
            .all(|request| request.version == "HTTP/2.0")
    );
    assert_eq!(
        upstream.stats().connections,
        1,
        "one connection carries all"
    );
}

#[tokio::test]
async fn an_upstream_that_nothing_vouches_for_is_a_502_and_sees_no_request() {
    let (upstream, _) = over_tls("127.0.0.1").await;
    let (_, another) = over_tls("127.0.0.1").await;
    let by_the_system = backend("main", &upstream.url(), "") + &route("");
    for manifest in [trusting(&upstream.url(), &another, ""), by_the_system] {
        let proxy = Proxy::start(&manifest).await;
        let reply = proxy.chat("echo").await;
        assert_eq!((reply.status, reply.code().as_str()), (502, "upstream_tls"));
    }
    assert_eq!(upstream.stats().requests, 0);
}

#[tokio::test]
async fn a_certificate_must_bear_the_name_that_was_asked_for() {
    let (upstream, authority) = over_tls("llm.internal").await;
    let proxy = Proxy::start(&trusting(&upstream.url(), &authority, "")).await;
    assert_eq!(proxy.chat("echo").await.code(), "upstream_tls");
    let named = trusting(&upstream.url(), &authority, "  serverName: llm.internal");
    assert_eq!(Proxy::start(&named).await.chat("echo").await.status, 200);
}

#[tokio::test]
async fn a_connection_to_the_upstream_serves_one_request_after_another() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    for model in ["echo", "status-429", "think", "status-500", "echo"] {
        proxy.chat(model).await;
        proxy.stream(model).await;
    }
    assert_eq!(
        (posts(&upstream).len(), upstream.stats().connections),
        (10, 1)
    );
}

#[tokio::test]
async fn an_upstream_that_restarted_is_called_again_without_a_failed_request() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    for _ in 0..4 {
        assert_eq!(proxy.chat("echo").await.status, 200);
    }
    let address = upstream.addr();
    upstream.shutdown().await;
    let _again = started(Simulator::builder().listen(address)).await;
    for _ in 0..4 {
        assert_eq!(proxy.chat("echo").await.status, 200);
    }
}

#[tokio::test]
async fn a_denied_network_is_never_called_whatever_name_leads_there() {
    let upstream = simulator().await;
    let port = upstream.addr().port();
    let denied = object(
        "LLMProxy",
        "{name: default}",
        "backends: {deniedCIDRs: [127.0.0.0/8, \"::1/128\"]}",
    );
    for host in ["127.0.0.1", "localhost", "127.1.2.3", "[::ffff:127.0.0.1]"] {
        let manifest =
            backend("main", &format!("http://{host}:{port}/v1"), "") + &route("") + &denied;
        let reply = Proxy::start(&manifest).await.chat("echo").await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (502, "upstream_denied"),
            "{host}: {}",
            reply.text()
        );
        assert_eq!(reply.header("x-dragoman-fault"), Some("proxy"));
    }
    assert_eq!(upstream.stats().requests, 0);
}
