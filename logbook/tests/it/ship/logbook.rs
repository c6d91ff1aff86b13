//! A logbook on a socket of its own, and tickets for it.

use bytes::Bytes;
use dragoman_logbook::ship::receive::Receiver;
use dragoman_logbook::ship::ticket::{AUDIENCE, Claims, Keys, Signer};
use dragoman_logbook::writer::Sink;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Who signs certificates and tickets.
pub(super) struct Operator {
    pub(super) authorities: String,
    key: KeyPair,
    parameters: CertificateParams,
    pub(super) signer: Signer,
}

impl Operator {
    pub(super) fn new() -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().unwrap();
        Self {
            authorities: parameters.self_signed(&key).unwrap().pem(),
            key,
            parameters,
            signer: Signer::generate().unwrap(),
        }
    }

    pub(super) fn keys(&self) -> Keys {
        Keys::read(Keys::write([self.signer.public()]).as_bytes()).unwrap()
    }

    /// A ticket as an operator gives it to a pod of `team/proxy`, and as somebody else might want it.
    pub(super) fn ticket(&self, pod: &str, change: impl FnOnce(&mut Claims)) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.unwrap().as_secs() as i64;
        let mut claims = Claims {
            aud: AUDIENCE.into(),
            sub: "team/proxy".into(),
            pod: pod.into(),
            namespaces: ["team".to_owned()].into(),
            nbf: now,
            exp: now + 3600,
        };
        change(&mut claims);
        self.signer.sign(&claims)
    }

    fn tls(&self) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let issuer = Issuer::from_params(&self.parameters, &self.key);
        let leaf = leaf.signed_by(&key, &issuer).unwrap();
        let secret = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], secret)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

/// What answers at an address.
pub(super) struct Logbook {
    address: SocketAddr,
    server: tokio::task::JoinHandle<()>,
}

impl Logbook {
    /// A receiver's.
    pub(super) async fn start<S: Sink>(operator: &Operator, receiver: &Arc<Receiver<S>>) -> Self {
        Self::at(operator, receiver, 0).await
    }

    /// The same at a port.
    pub(super) async fn at<S: Sink>(
        operator: &Operator,
        receiver: &Arc<Receiver<S>>,
        port: u16,
    ) -> Self {
        let receiver = Arc::clone(receiver);
        Self::serve(operator, port, move |request| {
            let receiver = Arc::clone(&receiver);
            async move { receiver.answer(request).await }
        })
        .await
    }

    /// Whatever answers so.
    pub(super) async fn serve<F, A>(operator: &Operator, port: u16, answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let tls = operator.tls();
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            // Dropped with the server, so that its connections end with it.
            let mut connections = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (tls, answer) = (tls.clone(), answer.clone());
                connections.spawn(async move {
                    let Ok(secured) = tls.accept(socket).await else {
                        return;
                    };
                    let service = service_fn(move |request| {
                        let answered = answer(request);
                        async move { Ok::<_, Infallible>(answered.await) }
                    });
                    let mut http = Builder::new(TokioExecutor::new());
                    http.http2().max_header_list_size(300 << 10);
                    let _ = http.serve_connection(TokioIo::new(secured), service).await;
                });
            }
        });
        Self { address, server }
    }

    pub(super) fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Ends it, and every connection with it.
    pub(super) async fn stop(self) {
        self.server.abort();
        let _ = self.server.await;
    }
}
