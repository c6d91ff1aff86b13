//! What the push server promises, over real TLS and HTTP/2 on loopback.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;
use dragoman_config::wire::{Content, Down, Hello, Report};
use dragoman_config::{Key, Kind, ObjectKey};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use jiff::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::sync::mpsc::{self, Receiver};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::lease::Term;
use crate::pki::Authorities;
use crate::push::shelf::{Shelf, Update};
use crate::push::token::tests::{Cluster, claims};
use crate::push::{Admitted, Keys};

struct Operator {
    address: std::net::SocketAddr,
    ca: String,
    role: watch::Sender<Role>,
    term: Term,
    core: Receiver<FromStream>,
    token: String,
    /// What a logbook verifies tickets with.
    ticket_keys: String,
    /// What the proxy claims to have.
    have: BTreeMap<Key, String>,
}

impl Operator {
    async fn start() -> Self {
        let cluster = Cluster::new("k1");
        let token = cluster.sign(&claims(Timestamp::now().as_second()));
        let keys = move || Ok(cluster.keys());
        Self::with_keys(token, keys).await
    }

    async fn with_keys(
        token: String,
        keys: impl Fn() -> Result<Keys, String> + Send + Sync + 'static,
    ) -> Self {
        Self::with_logbook(token, keys, None).await
    }

    async fn with_logbook(
        token: String,
        keys: impl Fn() -> Result<Keys, String> + Send + Sync + 'static,
        logbook: Option<Arc<str>>,
    ) -> Self {
        let now = Timestamp::now();
        let authorities = Authorities::generate(now).unwrap();
        let (leaf, _) = authorities
            .current
            .leaf(&["operator.test".to_owned()], now)
            .unwrap();
        let ca = authorities.bundle();
        let identity = Identity::new(leaf, &ca, [7; 32]);
        identity.sign_with(authorities.current.signer().unwrap());
        let ticket_keys = authorities.ticket_keys().unwrap();
        let term = Term::new(Instant::now(), Instant::now() + Duration::from_secs(3600));
        let (role, listening) = watch::channel(Role::Leading(term.clone()));
        let (to_core, core) = mpsc::channel(16);
        let keyring = Keyring::new(move || {
            let keys = keys();
            Box::pin(async move { keys })
        });
        let metrics = Arc::new(Metrics::new());
        let server = Server {
            role: listening,
            keyring,
            identity,
            core: to_core,
            metrics,
            logbook,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, Arc::new(server)));
        Self {
            address,
            ca,
            role,
            term,
            core,
            token,
            have: BTreeMap::new(),
            ticket_keys,
        }
    }

    /// Sends a request whose body is `lines` and stays open while the sender lives.
    async fn post(
        &self,
        path: &str,
        token: Option<&str>,
    ) -> (Response<Incoming>, mpsc::Sender<Bytes>) {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.ca.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let socket = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("operator.test").unwrap();
        let secured = TlsConnector::from(Arc::new(config))
            .connect(name, socket)
            .await
            .unwrap();
        let io = TokioIo::new(secured);
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
                .await
                .unwrap();
        tokio::spawn(connection);
        let (lines, body) = mpsc::channel::<Bytes>(4);
        let hello = Up::Hello(Hello {
            proxy: "gateways/edge".into(),
            pod: "edge-1".into(),
            version: "1".into(),
            items: self.have.clone(),
        });
        lines.send(line(&hello)).await.unwrap();
        let body = futures::stream::unfold(body, |mut body| async move {
            let line = body.recv().await?;
            Some((Ok::<_, Infallible>(Frame::data(line)), body))
        });
        let mut request = Request::post(format!("https://operator.test{path}"));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(StreamBody::new(body).boxed_unsync()).unwrap();
        (sender.send_request(request).await.unwrap(), lines)
    }

    async fn status(&self, path: &str, token: Option<&str>) -> StatusCode {
        self.post(path, token).await.0.status()
    }

    /// Connects a proxy that the core lets in.
    async fn connect(
        &mut self,
        shelf: &Arc<Shelf>,
        ended: &CancellationToken,
    ) -> (Reader, mpsc::Sender<Bytes>) {
        let token = self.token.clone();
        let have = self.have.clone();
        let (shelf, ended, term) = (Arc::clone(shelf), ended.clone(), self.term.clone());
        let (sender, core) = mpsc::channel(16);
        let mut from = std::mem::replace(&mut self.core, core);
        let admission = async {
            open(&mut from).await;
            let Some(FromStream::Connect {
                claims,
                hello,
                answer,
            }) = from.recv().await
            else {
                panic!("no connect")
            };
            assert_eq!(
                (claims.pod.as_str(), hello.proxy.as_str()),
                ("edge-1", "gateways/edge")
            );
            // Some of it may be what the proxy must keep.
            assert_eq!(hello.items, have, "the core hears what a proxy has");
            let proxy = ObjectKey::new("gateways", "edge");
            answer
                .send(Ok(Admitted {
                    stream: 1,
                    proxy,
                    shelf,
                    ended,
                    term,
                }))
                .unwrap();
        };
        let ((response, lines), ()) =
            tokio::join!(self.post(wire::STREAM_PATH, Some(&token)), admission);
        drop(sender);
        self.core = from;
        assert_eq!(response.status(), StatusCode::OK);
        (
            Reader {
                body: response.into_body(),
                buffer: Vec::new(),
            },
            lines,
        )
    }
}

/// Answers a knock as for a proxy of ours.
async fn open(core: &mut Receiver<FromStream>) {
    let Some(FromStream::Knock { answer, .. }) = core.recv().await else {
        panic!("no knock")
    };
    answer.send(Ok(())).unwrap();
}

fn line(up: &Up) -> Bytes {
    let mut line = serde_json::to_vec(up).unwrap();
    line.push(b'\n');
    line.into()
}

struct Reader {
    body: Incoming,
    buffer: Vec<u8>,
}

impl Reader {
    async fn next(&mut self) -> Option<Down> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(end + 1);
                let line = std::mem::replace(&mut self.buffer, rest);
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let frame = self.body.frame().await?.ok()?;
            self.buffer.extend_from_slice(&frame.into_data().unwrap());
        }
    }
}

fn shelf(content: &str) -> Arc<Shelf> {
    let shelf = Shelf::new([7; 32]);
    put(&shelf, content);
    shelf
}

fn put(shelf: &Shelf, content: &str) {
    let name = Key::new(Kind::Route, "team-a", "chat");
    let canonical = content.as_bytes().into();
    let content = Some((Content::Invalid(content.to_owned()), canonical));
    shelf.update([Update { name, content }], Instant::now());
}

fn contents(down: Option<Down>) -> Vec<String> {
    let Some(Down::Transaction(transaction)) = down else {
        panic!("no transaction: {down:?}")
    };
    let content = |put: dragoman_config::wire::Put| match put.content {
        Content::Invalid(content) => content,
        Content::Item(_) => panic!("an item"),
    };
    transaction.put.into_iter().map(content).collect()
}

#[tokio::test]
async fn a_proxy_is_synced_and_then_hears_of_every_change() {
    let mut operator = Operator::start().await;
    let shelf = shelf("one");
    let (mut reader, lines) = operator.connect(&shelf, &CancellationToken::new()).await;
    assert_eq!(contents(reader.next().await), ["one"]);
    assert_eq!(reader.next().await, Some(Down::Synced));
    put(&shelf, "two");
    assert_eq!(contents(reader.next().await), ["two"]);

    let report = Report {
        digest: shelf.current().1.to_string(),
        ..Report::default()
    };
    lines.send(line(&Up::Report(report.clone()))).await.unwrap();
    let Some(FromStream::Report {
        stream: 1,
        report: told,
    }) = operator.core.recv().await
    else {
        panic!("no report")
    };
    assert_eq!(*told, report);
    drop((reader, lines));
    assert!(matches!(
        operator.core.recv().await,
        Some(FromStream::Ended(1))
    ));
    assert_eq!(shelf.standing(0), (0, 0));
}

#[tokio::test]
async fn a_ticket_comes_before_the_route_whose_rows_it_is_for() {
    const URL: &str = "https://logbook.ns.svc:8443";
    let cluster = Cluster::new("k1");
    let token = cluster.sign(&claims(Timestamp::now().as_second()));
    let mut operator =
        Operator::with_logbook(token, move || Ok(cluster.keys()), Some(URL.into())).await;
    let (ca, keys) = (operator.ca.clone(), operator.ticket_keys.clone());
    let keys = dragoman_ticket::Keys::read(keys.as_bytes()).unwrap();
    let namespaces = |down: Option<Down>| {
        let Some(Down::Logbook(logbook)) = down else {
            panic!("no ticket: {down:?}")
        };
        assert_eq!((logbook.url.as_str(), logbook.ca_pem.as_str()), (URL, &*ca));
        let now = Timestamp::now().as_second();
        let claims = keys.verify(logbook.ticket.expose(), now).unwrap();
        assert_eq!(
            (claims.sub.as_str(), claims.pod.as_str()),
            ("gateways/edge", "edge-1")
        );
        claims.namespaces.into_iter().collect::<Vec<_>>()
    };
    let shelf = shelf("one");
    let (mut reader, _lines) = operator.connect(&shelf, &CancellationToken::new()).await;
    assert_eq!(namespaces(reader.next().await), ["gateways", "team-a"]);
    assert_eq!(contents(reader.next().await), ["one"]);
    assert_eq!(reader.next().await, Some(Down::Synced));
    put(&shelf, "two");
    assert_eq!(contents(reader.next().await), ["two"]);
    let name = Key::new(Kind::Route, "team-b", "chat");
    let content = Some((Content::Invalid("three".into()), b"three".as_slice().into()));
    shelf.update([Update { name, content }], Instant::now());
    assert_eq!(
        namespaces(reader.next().await),
        ["gateways", "team-a", "team-b"]
    );
    assert_eq!(contents(reader.next().await), ["three"]);
    // What a proxy only named is nobody's leave to write.
    let name = Key::new(Kind::Route, "victim", "chat");
    shelf.update(
        [Update::invalid(name, crate::push::shelf::KEPT)],
        Instant::now(),
    );
    assert_eq!(contents(reader.next().await), [crate::push::shelf::KEPT]);
}

#[tokio::test]
async fn a_leader_that_stops_says_goodbye() {
    let mut operator = Operator::start().await;
    let (mut reader, _lines) = operator
        .connect(&shelf("one"), &CancellationToken::new())
        .await;
    reader.next().await;
    reader.next().await;
    operator.term.end();
    assert_eq!(reader.next().await, Some(Down::Goodbye));
    assert_eq!(reader.next().await, None);
}

#[tokio::test]
async fn the_stream_of_a_pod_that_is_gone_ends() {
    let mut operator = Operator::start().await;
    let ended = CancellationToken::new();
    let (mut reader, _lines) = operator.connect(&shelf("one"), &ended).await;
    reader.next().await;
    reader.next().await;
    ended.cancel();
    assert_eq!(reader.next().await, None);
}

#[tokio::test]
async fn nobody_without_a_good_token_gets_past_the_door() {
    let operator = Operator::start().await;
    assert_eq!(
        operator.status(wire::STREAM_PATH, None).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        operator.status(wire::STREAM_PATH, Some("a.b.c")).await,
        StatusCode::UNAUTHORIZED
    );
    let forged = Cluster::new("k1").sign(&claims(Timestamp::now().as_second()));
    assert_eq!(
        operator.status(wire::STREAM_PATH, Some(&forged)).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        operator.status("/metrics", Some(&operator.token)).await,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_token_that_cannot_be_checked_is_told_to_come_again() {
    let operator = Operator::with_keys("a.b.c".into(), || Err("away".into())).await;
    let (response, _lines) = operator.post(wire::STREAM_PATH, Some("a.b.c")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key(http::header::RETRY_AFTER));
}

#[tokio::test]
async fn a_standby_sends_proxies_to_the_leader() {
    let operator = Operator::start().await;
    operator
        .role
        .send_replace(Role::Following(Some("10.0.0.9:9443".into())));
    let (response, _lines) = operator.post(wire::STREAM_PATH, None).await;
    assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(
        response.headers()[http::header::LOCATION],
        "https://10.0.0.9:9443/v1/stream"
    );
    operator.role.send_replace(Role::Following(None));
    assert_eq!(
        operator.status(wire::STREAM_PATH, None).await,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn a_proxy_that_asks_for_anothers_config_is_told_why_not() {
    let mut operator = Operator::start().await;
    let (_, core) = mpsc::channel(1);
    let mut from = std::mem::replace(&mut operator.core, core);
    let refusal = async {
        open(&mut from).await;
        let Some(FromStream::Connect { answer, .. }) = from.recv().await else {
            panic!()
        };
        answer
            .send(Err(Refused::NotYours("it belongs to LLMProxy a/b".into())))
            .unwrap();
    };
    let token = operator.token.clone();
    let ((response, _lines), ()) =
        tokio::join!(operator.post(wire::STREAM_PATH, Some(&token)), refusal);
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["error"]["message"], "it belongs to LLMProxy a/b");
}

#[tokio::test]
async fn the_hello_of_a_pod_that_is_no_proxy_is_not_read() {
    let mut operator = Operator::start().await;
    let (_, core) = mpsc::channel(1);
    let mut from = std::mem::replace(&mut operator.core, core);
    let refusal = async {
        let Some(FromStream::Knock { answer, claims }) = from.recv().await else {
            panic!("no knock")
        };
        assert_eq!(claims.pod, "edge-1");
        answer
            .send(Err(Refused::NotYours("no such Pod".into())))
            .unwrap();
    };
    let token = operator.token.clone();
    let ((response, _lines), ()) =
        tokio::join!(operator.post(wire::STREAM_PATH, Some(&token)), refusal);
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(from.try_recv().is_err(), "nothing more is asked");
}

/// Claims that make a hello of `bytes` bytes and a little less.
fn claims_of(bytes: usize) -> BTreeMap<Key, String> {
    let hash = "0".repeat(64);
    let name = |number| {
        Key::new(
            Kind::Map,
            "team-a",
            format!("{}{number:05}", "x".repeat(200)),
        )
    };
    // Names, hashes, quotes, colon and comma; the rest of the hello takes some hundred bytes.
    let claim = name(0).to_string().len() + hash.len() + 6;
    let claims = (0..(bytes - 200) / claim).map(|number| (name(number), hash.clone()));
    claims.collect()
}

#[tokio::test]
async fn a_hello_of_the_longest_length_is_read() {
    let mut operator = Operator::start().await;
    operator.have = claims_of(wire::LONGEST_HELLO);
    assert!(operator.have.len() > 7000);
    let (mut reader, _lines) = operator
        .connect(&shelf("one"), &CancellationToken::new())
        .await;
    let Some(Down::Transaction(transaction)) = reader.next().await else {
        panic!("no transaction")
    };
    // Nothing of it is known, so it goes.
    assert_eq!(transaction.delete.len(), operator.have.len());
    assert_eq!(reader.next().await, Some(Down::Synced));
}

#[tokio::test]
async fn a_longer_hello_is_refused_as_the_proxys_fault_so_that_it_claims_nothing_next_time() {
    let mut operator = Operator::start().await;
    operator.have = claims_of(wire::LONGEST_HELLO + 4096);
    let (_, core) = mpsc::channel(1);
    let mut from = std::mem::replace(&mut operator.core, core);
    let token = operator.token.clone();
    let posting = async {
        tokio::select! {
            answered = operator.post(wire::STREAM_PATH, Some(&token)) => answered,
            // Held open, so that nothing is refused for want of a core.
            asked = async { open(&mut from).await; from.recv().await } => panic!("asked: {asked:?}"),
        }
    };
    let patience = Duration::from_secs(60);
    let (response, _lines) = tokio::time::timeout(patience, posting).await.unwrap();
    // This status is what makes a proxy claim nothing.
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}
