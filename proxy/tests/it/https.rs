//! HTTPS: beside HTTP, by SNI, with certificates that change while connections stand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dragoman_config::{CertificateItem, Item, Key, Kind, Secret};
use dragoman_simulator::Simulator;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, ProtocolVersion, SignatureScheme, version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::harness::*;

/// Notes the certificate that is shown, and believes it: whose it is is what is tested.
#[derive(Debug)]
struct Believer(rustls::crypto::CryptoProvider);

impl ServerCertVerifier for Believer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn client(
    versions: &[&'static rustls::SupportedProtocolVersion],
    alpn: &[&str],
) -> Arc<ClientConfig> {
    let provider = rustls::crypto::ring::default_provider();
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider.clone()))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Believer(provider)))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// A certificate, as a Secret holds it, and in DER.
fn certificate(secret: &str, name: &str) -> (CertificateItem, CertificateDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let signed = params.self_signed(&key).unwrap();
    let item = CertificateItem {
        name: secret.into(),
        chain: signed.pem(),
        key: Secret::new(key.serialize_pem()),
    };
    (item, signed.der().clone())
}

/// The route `chat` on a proxy with these certificates.
fn served_with(simulator: &Simulator, certificates: Vec<CertificateItem>) -> Items {
    let mut items = simple(simulator);
    let key = Key::new(Kind::Proxy, "dragoman", "default");
    let Item::Proxy(mut proxy) = (*items[&key]).clone() else {
        panic!("{key} is no proxy");
    };
    proxy.certificates = Some(certificates);
    items.insert(key, Arc::new(Item::Proxy(proxy)));
    items
}

/// A proxy that serves HTTPS too, and where.
fn start(items: Items) -> (Proxy, SocketAddr) {
    let proxy = Proxy::start(items);
    let mut https = proxy.running.https(([127, 0, 0, 1], 0).into());
    let address = https.open().unwrap();
    tokio::spawn(https.follow(Arc::clone(&proxy.shared)));
    (proxy, address)
}

async fn dial(address: SocketAddr, name: &str, config: Arc<ClientConfig>) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let session = TlsConnector::from(config).connect(name, stream);
    soon("a TLS session", session).await.unwrap()
}

fn shown(session: &TlsStream<TcpStream>) -> &CertificateDer<'static> {
    &session.get_ref().1.peer_certificates().unwrap()[0]
}

const ALPN: [&str; 2] = ["h2", "http/1.1"];

fn request(model: &str, stream: bool) -> Request<Full<bytes::Bytes>> {
    Request::post("https://chat.team-a.svc/v1/chat/completions")
        .header("host", "chat.team-a.svc")
        .header("content-type", "application/json")
        .body(Full::from(chat(model, "hello", stream).to_string()))
        .unwrap()
}

/// Sends over HTTP/1.1 on a session, and says how to go on: the reply's head has come.
async fn http1(session: TlsStream<TcpStream>, model: &str, stream: bool) -> Response<Incoming> {
    let io = TokioIo::new(session);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let reply = sender.send_request(request(model, stream));
    soon("a reply", reply).await.unwrap()
}

async fn text(reply: Response<Incoming>) -> String {
    let body = soon("a body", reply.into_body().collect()).await.unwrap();
    String::from_utf8(body.to_bytes().into()).unwrap()
}

#[tokio::test]
async fn https_speaks_http_1_and_2_as_the_client_chooses_on_tls_1_2_and_1_3() {
    let simulator = simulator().await;
    let (item, own) = certificate("edge", "chat.team-a.svc");
    let (proxy, address) = start(served_with(&simulator, vec![item]));
    for (tls, is) in [
        (&version::TLS12, ProtocolVersion::TLSv1_2),
        (&version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        for offered in [&[][..], &["http/1.1"]] {
            let session = dial(address, "chat.team-a.svc", client(&[tls], offered)).await;
            assert_eq!(session.get_ref().1.protocol_version(), Some(is));
            assert_eq!(shown(&session), &own);
            let reply = http1(session, "echo", false).await;
            assert_eq!(reply.status(), 200);
            assert!(reply.headers().contains_key("x-dragoman-request-id"));
            assert!(text(reply).await.contains("hello"));
        }
        let session = dial(address, "chat.team-a.svc", client(&[tls], &ALPN)).await;
        assert_eq!(session.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let io = TokioIo::new(session);
        let spoken = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await;
        let (mut sender, connection) = spoken.unwrap();
        tokio::spawn(connection);
        let reply = sender.send_request(request("echo", true));
        let reply = soon("a reply over HTTP/2", reply).await.unwrap();
        assert!(text(reply).await.ends_with("data: [DONE]\n\n"));
    }
    assert_eq!(proxy.chat("echo", "in the clear too").await.status, 200);
}

#[tokio::test]
async fn each_host_is_shown_its_certificate_and_any_other_the_first() {
    let simulator = simulator().await;
    let (first, first_own) = certificate("first", "first.example");
    let (wild, wild_own) = certificate("wild", "*.example.com");
    let (_proxy, address) = start(served_with(&simulator, vec![first, wild]));
    for (name, own) in [
        ("first.example", &first_own),
        ("chat.example.com", &wild_own),
        ("else.example", &first_own),
        ("127.0.0.1", &first_own),
    ] {
        let session = dial(address, name, client(rustls::DEFAULT_VERSIONS, &ALPN)).await;
        assert_eq!(shown(&session), own, "{name}");
    }
}

#[tokio::test]
async fn a_certificate_is_replaced_at_once_and_a_stream_goes_on() {
    let simulator = simulator().await;
    let (old, old_own) = certificate("edge", "chat.team-a.svc");
    let (new, new_own) = certificate("edge", "chat.team-a.svc");
    let (proxy, address) = start(served_with(&simulator, vec![old]));
    let config = client(rustls::DEFAULT_VERSIONS, &["http/1.1"]);
    let session = dial(address, "chat.team-a.svc", Arc::clone(&config)).await;
    assert_eq!(shown(&session), &old_own);
    let reply = http1(session, "tokens-20+token-20ms", true).await;
    assert_eq!(reply.status(), 200);
    let refused = proxy.shared.publish(served_with(&simulator, vec![new]));
    assert!(refused.is_empty(), "{refused:?}");
    // The client has a ticket of the old certificate's, which is worth nothing any more.
    let session = dial(address, "chat.team-a.svc", config).await;
    assert_eq!(shown(&session), &new_own);
    assert!(
        text(reply).await.ends_with("data: [DONE]\n\n"),
        "the stream came to its end"
    );
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_leaves_the_one_before_in_place_and_is_named() {
    let simulator = simulator().await;
    let (good, own) = certificate("edge", "chat.team-a.svc");
    let (mut bad, _) = certificate("edge", "chat.team-a.svc");
    bad.key = good.key.clone();
    let (proxy, address) = start(served_with(&simulator, vec![good]));
    for _ in 0..2 {
        let refused = proxy
            .shared
            .publish(served_with(&simulator, vec![bad.clone()]));
        let why: Vec<_> = refused.into_values().collect();
        assert!(why.len() == 1 && why[0].contains("edge"), "{why:?}");
        let config = client(rustls::DEFAULT_VERSIONS, &ALPN);
        assert_eq!(shown(&dial(address, "chat.team-a.svc", config).await), &own);
    }
    // Where there is none before, everything but HTTPS is served.
    let shared = dragoman_proxy::state::Shared::new(1);
    let refused = shared.publish(served_with(&simulator, vec![bad]));
    assert_eq!(refused.len(), 1);
    assert!(!*shared.https().borrow());
    assert_eq!(
        shared.state().proxy.body_bytes,
        1 << 20,
        "its settings hold"
    );
}

#[tokio::test]
async fn https_comes_and_goes_with_the_certificates() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    // A port that was free a moment ago, of an address that a connection to a closed port is never made from.
    let free = std::net::TcpListener::bind(("127.0.0.2", 0)).unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let https = proxy.running.https(address);
    tokio::spawn(https.follow(Arc::clone(&proxy.shared)));
    assert!(TcpStream::connect(address).await.is_err());
    let (item, _) = certificate("edge", "chat.team-a.svc");
    for _ in 0..2 {
        proxy
            .shared
            .publish(served_with(&simulator, vec![item.clone()]));
        let listens = async {
            while TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        soon("the listener", listens).await;
        let config = client(rustls::DEFAULT_VERSIONS, &["http/1.1"]);
        let session = dial(address, "chat.team-a.svc", config).await;
        let reply = http1(session, "tokens-10+token-20ms", true).await;
        proxy.shared.publish(simple(&simulator));
        let closes = async {
            while TcpStream::connect(address).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        soon("the listener's end", closes).await;
        assert!(
            text(reply).await.ends_with("data: [DONE]\n\n"),
            "what runs goes on"
        );
    }
}

#[tokio::test]
async fn whoever_speaks_no_tls_or_never_finishes_a_handshake_keeps_nobody_waiting() {
    let simulator = simulator().await;
    let (item, _) = certificate("edge", "chat.team-a.svc");
    let (_proxy, address) = start(served_with(&simulator, vec![item]));
    let mut idle = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The beginning of a ClientHello that never goes on.
        stream.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
        idle.push(stream);
    }
    let mut clear = TcpStream::connect(address).await.unwrap();
    clear
        .write_all(b"GET / HTTP/1.1\r\nHost: chat\r\n\r\n")
        .await
        .unwrap();
    let mut said = Vec::new();
    let _ = soon("the end of the connection", clear.read_to_end(&mut said)).await;
    assert_eq!(
        said.first(),
        Some(&0x15),
        "a TLS alert, and no HTTP: {said:?}"
    );
    let config = client(rustls::DEFAULT_VERSIONS, &["http/1.1"]);
    let session = dial(address, "chat.team-a.svc", config).await;
    assert_eq!(http1(session, "echo", false).await.status(), 200);
}

#[tokio::test]
async fn draining_ends_sessions_that_ask_nothing_and_lets_a_stream_finish() {
    let simulator = simulator().await;
    let (item, _) = certificate("edge", "chat.team-a.svc");
    let (proxy, address) = start(served_with(&simulator, vec![item]));
    let config = client(rustls::DEFAULT_VERSIONS, &["http/1.1"]);
    let idle = dial(address, "chat.team-a.svc", Arc::clone(&config)).await;
    let busy = dial(address, "chat.team-a.svc", config).await;
    let reply = http1(busy, "tokens-20+token-20ms", true).await;
    proxy.shared.drain();
    assert!(text(reply).await.ends_with("data: [DONE]\n\n"));
    soon("the end of all connections", proxy.running.drained()).await;
    drop(idle);
}
