//! An operator within the test's process: TLS and HTTP/2 as the real one has, and a script for what it says.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use dragoman_config::wire::{Content, Down, Hello, Put as Sent, Report, Transaction, Up};
use dragoman_config::{Key, ObjectKey, hash};
use dragoman_logbook::ship::remote::Remote;
use dragoman_proxy::control::publish::Publisher;
use dragoman_proxy::control::push::{Client, Source};
use dragoman_proxy::state::Shared;
use futures::stream;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::harness::{Items, PATIENCE, soon};

/// How the operator answers a request.
pub enum Answer {
    Stream,
    /// To this URL.
    Redirect(String),
    Refuse(StatusCode, &'static str),
    /// Not at all, while the connection stays.
    Never,
}

/// A stream from its other end.
pub struct Served {
    pub authorization: String,
    pub hello: Hello,
    up: mpsc::UnboundedReceiver<Value>,
    down: mpsc::UnboundedSender<Bytes>,
}

impl Served {
    pub fn send(&self, down: &Down) {
        self.send_json(&serde_json::to_value(down).unwrap());
    }

    /// Sends what a newer operator may send.
    pub fn send_json(&self, down: &Value) {
        self.down.send(format!("{down}\n").into()).unwrap();
    }

    /// Puts `items` where `held` is what the proxy has afterwards.
    pub fn put(&self, items: &Items, held: &Items) -> String {
        let transaction = transaction(items, held);
        let digest = transaction.digest.clone();
        self.send(&Down::Transaction(transaction));
        digest
    }

    pub async fn report(&mut self) -> Report {
        match serde_json::from_value(self.report_json().await).unwrap() {
            Up::Report(report) => report,
            Up::Hello(_) => panic!("a second hello"),
        }
    }

    pub async fn report_json(&mut self) -> Value {
        soon("a report", self.up.recv())
            .await
            .expect("the stream ended before a report came")
    }

    /// The first report that `wanted` admits; the reports that came instead are told when none does.
    pub async fn report_that(
        &mut self,
        wanted_is: &str,
        wanted: impl Fn(&Report) -> bool,
    ) -> Report {
        let mut others = Vec::new();
        let waiting = async {
            loop {
                let report = self.report().await;
                if wanted(&report) {
                    return report;
                }
                others.push(report);
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(report) => report,
            Err(_) => panic!("no report that {wanted_is}; there were {others:?}"),
        }
    }
}

/// What the operator calls a version.
pub fn version(item: &dragoman_config::Item) -> String {
    hash::item_hash(&[7; 32], &serde_json::to_vec(item).unwrap())
}

pub fn digest(held: &Items) -> String {
    let held: Vec<_> = held
        .iter()
        .map(|(key, item)| (key, version(item)))
        .collect();
    hash::digest(held.iter().map(|(key, hash)| (*key, hash.as_str())))
}

pub fn transaction(items: &Items, held: &Items) -> Transaction {
    let put = items.iter().map(|(name, item)| Sent {
        name: name.clone(),
        hash: version(item),
        content: Content::Item(Arc::clone(item)),
    });
    Transaction {
        put: put.collect(),
        digest: digest(held),
        ..Transaction::default()
    }
}

/// A certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for the name `localhost` and its key, as PEM.
    pub fn pair(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// A server of this authority, for the name `localhost` alone, whose certificate is valid from a year on.
    pub fn server(&self, from: i32) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        let certificate = params.signed_by(&key, &self.0).unwrap();
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

struct Inner {
    acceptor: Mutex<TlsAcceptor>,
    answers: Mutex<VecDeque<Answer>>,
    streams: mpsc::UnboundedSender<Served>,
    distrusted: watch::Sender<usize>,
    refused: watch::Sender<usize>,
}

/// The operator.
pub struct Operator {
    pub address: SocketAddr,
    inner: Arc<Inner>,
    streams: mpsc::UnboundedReceiver<Served>,
    listening: JoinHandle<()>,
}

impl Operator {
    pub async fn start(authority: &Authority) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, streams) = mpsc::unbounded_channel();
        let inner = Arc::new(Inner {
            acceptor: Mutex::new(authority.server(2000)),
            answers: Mutex::default(),
            streams: sender,
            distrusted: watch::Sender::new(0),
            refused: watch::Sender::new(0),
        });
        let serving = Arc::clone(&inner);
        let listening = tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let serving = Arc::clone(&serving);
                tokio::spawn(async move {
                    let acceptor = serving.acceptor.lock().unwrap().clone();
                    let Ok(tls) = acceptor.accept(tcp).await else {
                        return serving.distrusted.send_modify(|count| *count += 1);
                    };
                    let service = service_fn(|request| answer(Arc::clone(&serving), request));
                    let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    let _ended = http.serve_connection(TokioIo::new(tls), service).await;
                });
            }
        });
        Self {
            address,
            inner,
            streams,
            listening,
        }
    }

    /// The next request is answered like this; without a script each gets a stream.
    pub fn next_answer(&self, answer: Answer) {
        self.inner.answers.lock().unwrap().push_back(answer);
    }

    pub fn change_authority(&self, authority: &Authority) {
        *self.inner.acceptor.lock().unwrap() = authority.server(2000);
    }

    /// From now on with a certificate that is not valid yet by the proxy's clock.
    pub fn be_ahead(&self, authority: &Authority) {
        *self.inner.acceptor.lock().unwrap() = authority.server(4000);
    }

    pub async fn stream(&mut self) -> Served {
        soon("a stream of the proxy's", self.streams.recv())
            .await
            .unwrap()
    }

    /// The first stream that `wanted` admits; the others are closed.
    pub async fn stream_that(
        &mut self,
        wanted_is: &str,
        wanted: impl Fn(&Served) -> bool,
    ) -> Served {
        soon(&format!("a stream that {wanted_is}"), async {
            loop {
                let stream = self.stream().await;
                if wanted(&stream) {
                    return stream;
                }
            }
        })
        .await
    }

    pub async fn until_distrusted(&self) {
        let mut distrusted = self.inner.distrusted.subscribe();
        let coming = distrusted.wait_for(|count| *count > 0);
        soon("a dial that distrusts us", coming).await.unwrap();
    }

    pub async fn until_refused(&self, times: usize) {
        let mut refused = self.inner.refused.subscribe();
        let coming = refused.wait_for(|count| *count >= times);
        soon("a dial to refuse", coming).await.unwrap();
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

async fn answer(
    inner: Arc<Inner>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    assert_eq!(request.uri().path(), dragoman_config::wire::STREAM_PATH);
    let scripted = inner.answers.lock().unwrap().pop_front();
    let mut reply = Response::new(Full::default().boxed_unsync());
    match scripted.unwrap_or(Answer::Stream) {
        Answer::Redirect(to) => {
            *reply.status_mut() = StatusCode::TEMPORARY_REDIRECT;
            reply.headers_mut().insert("location", to.parse().unwrap());
        }
        Answer::Refuse(status, why) => {
            *reply.status_mut() = status;
            *reply.body_mut() = Full::new(Bytes::from_static(why.as_bytes())).boxed_unsync();
            inner.refused.send_modify(|count| *count += 1);
        }
        Answer::Never => std::future::pending().await,
        Answer::Stream => {
            let (down, lines) = mpsc::unbounded_channel();
            let lines = stream::unfold(lines, |mut lines| async move {
                Some((Ok(Frame::data(lines.recv().await?)), lines))
            });
            *reply.body_mut() = StreamBody::new(lines).boxed_unsync();
            tokio::spawn(listen(inner, request, down));
        }
    }
    Ok(reply)
}

async fn listen(inner: Arc<Inner>, request: Request<Incoming>, down: mpsc::UnboundedSender<Bytes>) {
    let authorization = request.headers()["authorization"]
        .to_str()
        .unwrap()
        .to_owned();
    let mut body = request.into_body();
    let (sender, up) = mpsc::unbounded_channel();
    let mut first = Some((authorization, up, down));
    let mut buffer = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        buffer.extend_from_slice(&frame.into_data().unwrap_or_default());
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffer.drain(..=end).collect();
            let Some((authorization, up, down)) = first.take() else {
                let _gone = sender.send(serde_json::from_slice(&line).unwrap());
                continue;
            };
            let Up::Hello(hello) = serde_json::from_slice(&line).unwrap() else {
                panic!("no hello first")
            };
            let _gone = inner.streams.send(Served {
                authorization,
                hello,
                up,
                down,
            });
        }
    }
}

/// A pod: its mounts, and the proxy's client in it.
pub struct Pod {
    pub directory: tempfile::TempDir,
    pub shared: Arc<Shared>,
    /// Where the rows of its last start go.
    pub sink: Remote,
    client: Option<JoinHandle<()>>,
}

impl Pod {
    pub fn new(authority: &Authority) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca"), authority.pem()).unwrap();
        std::fs::write(directory.path().join("token"), "token-1\n").unwrap();
        std::fs::create_dir(directory.path().join("snapshot")).unwrap();
        Self {
            directory,
            shared: Shared::new(1),
            sink: Remote::new(),
            client: None,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts the proxy's container, again if there was one: what is in memory is lost then.
    pub fn start(&mut self, operator: SocketAddr) {
        if let Some(client) = self.client.take() {
            client.abort();
            self.shared = Shared::new(1);
        }
        let source = Source {
            url: format!("https://localhost:{}", operator.port())
                .parse()
                .unwrap(),
            proxy: ObjectKey::new("dragoman", "default"),
            pod: "pod-1".into(),
            token_file: self.path("token"),
            ca_file: self.path("ca"),
            snapshot: Some(self.path("snapshot")),
        };
        let client = Client::new(source, Publisher::new(Arc::clone(&self.shared), None));
        self.sink = client.sink();
        self.client = Some(tokio::spawn(client.run()));
    }

    /// The routes that are served.
    pub fn routes(&self) -> Vec<String> {
        self.shared
            .state()
            .routes
            .iter()
            .map(|route| route.key.to_string())
            .collect()
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        if let Some(client) = &self.client {
            client.abort();
        }
    }
}

/// The names in `items`, with their versions.
pub fn hashes(items: &Items) -> std::collections::BTreeMap<Key, String> {
    items
        .iter()
        .map(|(key, item)| (key.clone(), version(item)))
        .collect()
}

/// Waits until `path` exists.
pub async fn until_exists(path: &Path) {
    crate::control_files::until(|| path.exists()).await;
}

/// A pod and an operator in sync about `held`.
pub async fn in_sync(held: &Items) -> (Operator, Authority, Pod, Served) {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let mut pod = Pod::new(&authority);
    pod.start(operator.address);
    let mut stream = operator.stream().await;
    let digest = stream.put(held, held);
    stream.send(&Down::Synced);
    assert_eq!(stream.report().await.digest, digest);
    (operator, authority, pod, stream)
}
