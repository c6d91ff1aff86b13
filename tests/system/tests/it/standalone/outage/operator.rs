//! An operator within the test's process: it tells a proxy what to serve and where its rows go, and no more.

use std::convert::Infallible;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use dragoman_logbook::ship::remote::Remote;
use dragoman_logbook::ship::ticket::{AUDIENCE, Claims, Keys, Signer};
use futures::stream;
use http::{Request, Response};
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::certificates::{Authority, authority};

pub(super) struct Operator {
    authority: Authority,
    signer: Signer,
}

impl Operator {
    pub(super) fn new() -> Self {
        Self {
            authority: authority(),
            signer: Signer::generate().unwrap(),
        }
    }

    pub(super) fn authorities(&self) -> String {
        self.authority.pem()
    }

    /// The keys that the logbook believes.
    pub(super) fn keys(&self) -> String {
        Keys::write([self.signer.public()])
    }

    /// A certificate for `localhost`, and its key.
    pub(super) fn certificate(&self) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        (params.signed_by(&key, &self.authority).unwrap(), key)
    }

    fn ticket(&self, pod: &str) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = i64::try_from(now.unwrap().as_secs()).unwrap();
        self.signer.sign(&Claims {
            aud: AUDIENCE.into(),
            sub: "default/default".into(),
            pod: pod.into(),
            namespaces: ["default".to_owned()].into(),
            nbf: now,
            exp: now + 3600,
        })
    }

    /// What a pod sends rows with.
    pub(super) fn remote(&self, logbook: u16, pod: &str) -> Remote {
        let remote = Remote::new();
        let url = format!("https://localhost:{logbook}");
        let directed = remote.direct(&url, &self.authorities(), &self.ticket(pod));
        directed.unwrap();
        remote
    }

    /// Serves this manifest to whoever dials, and sends rows to the logbook at a port. Returns its own port.
    pub(super) async fn serve(&self, manifest: &str, logbook: u16) -> u16 {
        let logbook = json!({
            "type": "logbook", "url": format!("https://localhost:{logbook}"), "caPem": self.authorities(), "ticket": self.ticket("pod-1")
        });
        let lines = [transaction(manifest), logbook, json!({"type": "synced"})];
        let lines = Bytes::from(lines.map(|line| format!("{line}\n")).concat());
        let tls = self.tls();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (tls, lines) = (tls.clone(), lines.clone());
                tokio::spawn(async move {
                    let Ok(secured) = tls.accept(tcp).await else {
                        return;
                    };
                    let service = service_fn(|request| answer(request, lines.clone()));
                    let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    let _ended = http.serve_connection(TokioIo::new(secured), service).await;
                });
            }
        });
        port
    }

    fn tls(&self) -> TlsAcceptor {
        let (certificate, key) = self.certificate();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

/// All that a stream says, which then goes on without a word. What the proxy reports is read, and forgotten.
async fn answer(
    request: Request<Incoming>,
    lines: Bytes,
) -> Result<
    Response<StreamBody<impl stream::Stream<Item = Result<Frame<Bytes>, Infallible>>>>,
    Infallible,
> {
    let said = stream::unfold(
        (Some(lines), request.into_body()),
        |(lines, mut up)| async {
            use http_body_util::BodyExt as _;
            if let Some(lines) = lines {
                return Some((Ok(Frame::data(lines)), (None, up)));
            }
            while let Some(Ok(_)) = up.frame().await {}
            None
        },
    );
    Ok(Response::new(StreamBody::new(said)))
}

/// A manifest as an operator pushes it, compiled by the program itself.
fn transaction(manifest: &str) -> Value {
    let files = json!({"texts": [["main.yaml", manifest]], "faults": []});
    let mut compiler = Command::new(dragoman_system::programs().join("dragoman-proxy"))
        .arg("compile")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = compiler.stdin.take().unwrap();
    input.write_all(files.to_string().as_bytes()).unwrap();
    drop(input);
    let output = compiler.wait_with_output().unwrap().stdout;
    let answer: Value = serde_json::from_slice(&output).unwrap();
    let items = answer["loaded"]["items"]
        .as_object()
        .unwrap_or_else(|| panic!("{answer}"));
    let put: Vec<_> = items
        .iter()
        .map(|(name, item)| json!({"name": name, "hash": "1", "content": {"item": item}}))
        .collect();
    json!({"type": "transaction", "put": put, "digest": "1"})
}
