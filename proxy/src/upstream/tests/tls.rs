//! TLS on real sockets of the loopback interface.

use std::{net::SocketAddr, rc::Rc, sync::Arc};

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::server::{HELLO, post};
use crate::upstream::{Cluster, Endpoint, Fault, Http2, Settings, TlsSettings};

/// An authority, and what a server of the name `llm.test` needs.
struct Authority {
    pem: String,
    server: ServerConfig,
}

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["llm.test".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    Authority {
        pem: issuer.pem(),
        server,
    }
}

/// Runs a test with real time: there are real sockets to wait for.
fn run<F: Future>(test: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap()
        .block_on(test)
}

/// Serves `HELLO` on every connection, in TLS, and says which protocol was agreed on.
async fn serve(server: ServerConfig) -> (SocketAddr, Rc<std::cell::RefCell<Vec<Option<Vec<u8>>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let agreed = Rc::<std::cell::RefCell<Vec<_>>>::default();
    let log = Rc::clone(&agreed);
    let acceptor = TlsAcceptor::from(Arc::new(server));
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let chosen = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
            log.borrow_mut().push(chosen);
            tokio::task::spawn_local(async move {
                let mut seen = Vec::new();
                while stream.read_buf(&mut seen).await.is_ok_and(|read| read > 0) {
                    if seen.ends_with(b"hi") {
                        seen.clear();
                        stream.write_all(HELLO.as_bytes()).await.unwrap();
                    }
                }
            });
        }
    });
    (address, agreed)
}

fn cluster(address: SocketAddr, ca: &str, name: Option<&str>, http2: Http2) -> Cluster {
    let url = format!("https://{address}/v1");
    Cluster::new(Settings {
        tls: TlsSettings {
            ca_pem: Some(Bytes::copy_from_slice(ca.as_bytes())),
            server_name: name.map(Into::into),
        },
        http2,
        ..Settings::new(Endpoint::parse(&url).unwrap())
    })
    .unwrap()
}

#[test]
fn an_upstream_of_a_private_authority_is_reached_and_its_connection_kept() {
    run(async {
        let authority = authority();
        let (address, agreed) = serve(authority.server).await;
        let cluster = cluster(address, &authority.pem, Some("llm.test"), Http2::Negotiated);
        for _ in 0..3 {
            let reply = cluster.send(post("hi"), None).await.unwrap();
            assert_eq!(reply.body.collect(10).await.unwrap().unwrap(), "hello");
        }
        assert_eq!(agreed.borrow().len(), 1);
    });
}

#[test]
fn an_unknown_authority_is_refused() {
    run(async {
        let (address, _) = serve(authority().server).await;
        let cluster = cluster(
            address,
            &authority().pem,
            Some("llm.test"),
            Http2::Negotiated,
        );
        let fault = cluster.send(post("hi"), None).await.unwrap_err();
        assert!(matches!(fault, Fault::Tls { .. }), "{fault}");
        assert!(fault.to_string().contains("llm.test"), "{fault}");
    });
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    run(async {
        let authority = authority();
        let (address, _) = serve(authority.server).await;
        let cluster = cluster(address, &authority.pem, None, Http2::Negotiated);
        let fault = cluster.send(post("hi"), None).await.unwrap_err();
        assert!(
            matches!(fault, Fault::Tls { .. }) && fault.retryable(),
            "{fault}"
        );
    });
}

#[test]
fn an_upstream_that_speaks_in_clear_is_said_to_fail_in_tls() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::task::spawn_local(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .await
                .unwrap();
            let mut some = [0; 1000];
            while stream.read(&mut some).await.is_ok_and(|read| read > 0) {}
        });
        let cluster = cluster(address, &authority().pem, None, Http2::Negotiated);
        let fault = cluster.send(post("hi"), None).await.unwrap_err();
        assert!(matches!(fault, Fault::Tls { .. }), "{fault}");
    });
}

#[test]
fn http2_is_spoken_where_the_upstream_chooses_it() {
    run(async {
        let mut authority = authority();
        authority.server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(authority.server));
        tokio::task::spawn_local(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let stream = acceptor.accept(stream).await.unwrap();
                assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
                let service = hyper::service::service_fn(|request: http::Request<_>| {
                    let _: hyper::body::Incoming = request.into_body();
                    std::future::ready(Ok::<_, std::convert::Infallible>(http::Response::new(
                        http_body_util::Full::new(Bytes::from("over two")),
                    )))
                });
                tokio::spawn(
                    hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new())
                        .serve_connection(hyper_util::rt::TokioIo::new(stream), service),
                );
            }
        });
        let cluster = cluster(address, &authority.pem, Some("llm.test"), Http2::Negotiated);
        let both = futures::future::join_all((0..8).map(|_| cluster.send(post("hi"), None))).await;
        for reply in both {
            let body = reply.unwrap().body.collect(100).await.unwrap().unwrap();
            assert_eq!(body, "over two");
        }
    });
}

#[test]
fn http2_is_not_offered_where_it_is_switched_off() {
    run(async {
        let mut authority = authority();
        authority.server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let (address, agreed) = serve(authority.server).await;
        let cluster = cluster(address, &authority.pem, Some("llm.test"), Http2::Never);
        let reply = cluster.send(post("hi"), None).await.unwrap();
        assert_eq!(reply.body.collect(10).await.unwrap().unwrap(), "hello");
        assert_eq!(*agreed.borrow(), [Some(b"http/1.1".to_vec())]);
    });
}
