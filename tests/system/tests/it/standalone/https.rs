//! HTTPS from Secrets, rotated while it is served (features A11).

use std::net::SocketAddr;
use std::process::Command;

use dragoman_system::{eventually, programs};
use reqwest::{Certificate, Version};

use crate::certificates::{Authority, authority, tls_secret};

use super::manifests::{object, simple, simulator};
use super::proxy::{Answer, Proxy, chat, streamed, try_answer};

/// The LLMProxy with these Secrets' certificates.
fn serving(secrets: &str) -> String {
    object(
        "LLMProxy",
        "{name: default}",
        &format!("tls: {{secretRefs: [{secrets}]}}"),
    )
}

async fn start(manifest: &str) -> (Proxy, SocketAddr) {
    let proxy = Proxy::start_with(manifest, &["--listen-tls", "127.0.0.1:0"]).await;
    proxy.logged("HTTPS is served").await;
    let log = proxy.log();
    let told = log.split("listen_tls=").nth(1).unwrap();
    let address = told.split_whitespace().next().unwrap().parse().unwrap();
    (proxy, address)
}

/// A client that trusts one authority alone, and finds every name of these tests at `address`.
fn client(issuer: &Authority, address: SocketAddr) -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let trusted = Certificate::from_pem(issuer.pem().as_bytes()).unwrap();
    let mut builder = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([trusted]);
    for name in ["chat.default.svc", "llm.example.com", "a.apps.example.com"] {
        builder = builder.resolve(name, address);
    }
    builder.build().unwrap()
}

fn url(name: &str, address: SocketAddr) -> String {
    format!(
        "https://{name}:{}/routes/default/chat/v1/chat/completions",
        address.port()
    )
}

async fn call(client: &reqwest::Client, name: &str, address: SocketAddr) -> Result<Answer, String> {
    let request = client.post(url(name, address)).json(&chat("echo", "hello"));
    try_answer(request)
        .await
        .map_err(|fault| format!("{fault:?}"))
}

#[tokio::test]
async fn https_is_served_from_secrets_and_each_name_gets_its_certificate() {
    let upstream = simulator().await;
    let (ours, theirs) = (authority(), authority());
    let manifest = simple(&upstream)
        + &tls_secret("edge", &["chat.default.svc"], &ours)
        + &tls_secret("apps", &["*.apps.example.com"], &theirs)
        + &serving("{name: edge}, {name: apps}");
    let (proxy, address) = start(&manifest).await;
    let [ours, theirs] = [&ours, &theirs].map(|issuer| client(issuer, address));
    let reply = call(&ours, "chat.default.svc", address).await.unwrap();
    assert_eq!((reply.status, reply.content()), (200, "hello".into()));
    assert!(reply.header("x-dragoman-request-id").is_some());
    assert_eq!(
        call(&theirs, "a.apps.example.com", address)
            .await
            .unwrap()
            .status,
        200
    );
    // A certificate is no other authority's, and the first one is no other name's.
    assert!(call(&theirs, "chat.default.svc", address).await.is_err());
    assert!(call(&ours, "llm.example.com", address).await.is_err());
    // HTTP/2 where the client offers it, HTTP/1.1 where it does not, HTTP on the other port as before.
    let request = ours.post(url("chat.default.svc", address));
    let sent = request
        .json(&streamed("tokens-5", "x"))
        .send()
        .await
        .unwrap();
    assert_eq!(sent.version(), Version::HTTP_2);
    assert!(sent.text().await.unwrap().ends_with("data: [DONE]\n\n"));
    assert_eq!(proxy.chat("echo").await.status, 200);
}

#[tokio::test]
async fn a_rotated_certificate_is_served_at_once_and_no_connection_is_dropped() {
    let upstream = simulator().await;
    let (before, after) = (authority(), authority());
    let manifest = |issuer: &Authority| {
        simple(&upstream)
            + &tls_secret("edge", &["chat.default.svc"], issuer)
            + &serving("{name: edge}")
    };
    let (proxy, address) = start(&manifest(&before)).await;
    let [old, new] = [&before, &after].map(|issuer| client(issuer, address));
    let request = old.post(url("chat.default.svc", address));
    let stream = request.json(&streamed("tokens-100+token-20ms", "x")).send();
    let stream = stream.await.unwrap();
    proxy.edit(&manifest(&after));
    eventually("the new certificate is served", || {
        call(&new, "chat.default.svc", address)
    })
    .await;
    // The old connection stands, and carries further requests beside its stream.
    assert_eq!(
        call(&old, "chat.default.svc", address)
            .await
            .unwrap()
            .status,
        200
    );
    assert!(stream.text().await.unwrap().ends_with("data: [DONE]\n\n"));
    let fresh = client(&before, address);
    assert!(call(&fresh, "chat.default.svc", address).await.is_err());
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_keeps_the_one_before_and_says_whose_it_is() {
    let upstream = simulator().await;
    let issuer = authority();
    let good = tls_secret("edge", &["chat.default.svc"], &issuer);
    let others = tls_secret("edge", &["chat.default.svc"], &issuer);
    let manifest = |secret: &str| simple(&upstream) + secret + &serving("{name: edge}");
    let (proxy, address) = start(&manifest(&good)).await;
    let [chain, key] = [&good, &others].map(|secret| {
        let (chain, key) = secret.split_once("  tls.key: |\n").unwrap();
        [chain.to_owned(), key.to_owned()]
    });
    let mixed = format!("{}  tls.key: |\n{}", chain[0], key[1]);
    proxy.edit(&manifest(&mixed));
    proxy.logged("tls.key").await;
    let log = proxy.log();
    assert!(
        log.contains("edge") && !log.contains("PRIVATE KEY"),
        "{log}"
    );
    let fresh = client(&issuer, address);
    assert_eq!(
        call(&fresh, "chat.default.svc", address)
            .await
            .unwrap()
            .status,
        200
    );
}

#[tokio::test]
async fn https_comes_and_goes_with_an_edit_of_the_llmproxy() {
    let upstream = simulator().await;
    let issuer = authority();
    let proxy = Proxy::start_with(&simple(&upstream), &["--listen-tls", "127.0.0.1:0"]).await;
    assert!(
        !proxy.log().contains("listen_tls="),
        "nothing to serve it with"
    );
    let secret = tls_secret("edge", &["chat.default.svc"], &issuer);
    proxy.edit(&(simple(&upstream) + &secret + &serving("{name: edge}")));
    proxy.logged("HTTPS is served").await;
    let log = proxy.log();
    let told = log.split("listen_tls=").nth(1).unwrap();
    let address: SocketAddr = told.split_whitespace().next().unwrap().parse().unwrap();
    assert_eq!(
        call(&client(&issuer, address), "chat.default.svc", address)
            .await
            .unwrap()
            .status,
        200
    );
    proxy.edit(&simple(&upstream));
    proxy.logged("HTTPS is not served any more").await;
    eventually("the port is closed", || async {
        match tokio::net::TcpStream::connect(address).await {
            Ok(_) => Err("it is open"),
            Err(_) => Ok(()),
        }
    })
    .await;
    assert_eq!(proxy.chat("echo").await.status, 200);
}

#[test]
fn an_address_for_https_that_is_taken_is_named_with_its_option() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let manifest =
        tls_secret("edge", &["chat.default.svc"], &authority()) + &serving("{name: edge}");
    std::fs::write(folder.path().join("main.yaml"), manifest).unwrap();
    let output = Command::new(programs().join("dragoman-proxy"))
        .args([
            "run",
            "--no-request-log",
            "--config",
            folder.path().to_str().unwrap(),
        ])
        .args([
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--listen-tls",
            &address,
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&address) && said.contains("--listen-tls"),
        "{said}"
    );
}
