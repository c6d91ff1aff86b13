//! `dragoman-proxy logbook`: a process that takes rows over TLS, and what it does when files change and when it ends.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::SystemTime;

use dragoman_config::Secret;
use dragoman_config::wire::{self, Down};
use dragoman_logbook::record::Record;
use dragoman_logbook::replay::{Found, Replies as _, Wanted};
use dragoman_logbook::ship::remote::Remote;
use dragoman_logbook::ship::ticket::{AUDIENCE, Claims, Keys, Signer};
use dragoman_logbook::store::{Inserted, micros};
use dragoman_logbook::writer::Sink as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::control_files::until;
use crate::control_operator::{Authority, in_sync};
use crate::control_process::{Running, get, output, program, text};
use crate::harness::{items, soon};

/// What an operator gives to logbook and proxies.
pub struct Operator {
    authority: Authority,
    signer: Signer,
}

impl Operator {
    pub fn new() -> Self {
        Self {
            authority: Authority::new(),
            signer: Signer::generate().unwrap(),
        }
    }

    /// Writes the logbook's files.
    pub fn write(&self, directory: &Path) {
        let (certificate, key) = self.authority.pair();
        let keys = Keys::write([self.signer.public()]);
        for (name, content) in [
            ("tls.crt", certificate),
            ("tls.key", key),
            ("keys.json", keys),
        ] {
            fs::write(directory.join(name), content).unwrap();
        }
    }

    fn ticket(&self) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = i64::try_from(now.unwrap().as_secs()).unwrap();
        self.signer.sign(&Claims {
            aud: AUDIENCE.into(),
            sub: "team/edge".into(),
            pod: "edge-1".into(),
            namespaces: ["team".to_owned(), "them".to_owned()].into(),
            nbf: now,
            exp: now + 3600,
        })
    }

    fn remote(&self, port: u16) -> Remote {
        let remote = Remote::new();
        let url = format!("https://localhost:{port}");
        let directed = remote.direct(&url, &self.authority.pem(), &self.ticket());
        directed.unwrap();
        remote
    }

    /// Puts a batch as a writer does: again, as long as the logbook is away.
    pub async fn put(&self, port: u16, rows: &[Record]) -> Inserted {
        let remote = self.remote(port);
        let putting = async {
            loop {
                match remote.put(rows).await {
                    Ok(inserted) => return inserted,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        soon("the batch's answer", putting).await
    }
}

fn options(directory: &Path) -> Vec<String> {
    let file = |option: &str, name: &str| format!("--{option}={}", directory.join(name).display());
    vec![
        "logbook".into(),
        "--listen=127.0.0.1:0".into(),
        "--admin=127.0.0.1:0".into(),
        file("tls-cert", "tls.crt"),
        file("tls-key", "tls.key"),
        file("ticket-keys", "keys.json"),
        file("data", "data"),
    ]
}

/// A logbook that is ready.
pub struct Logbook {
    pub process: Running,
    pub port: u16,
    pub admin: Value,
}

impl Logbook {
    async fn start(directory: &Path) -> Self {
        Self::start_with(directory, |_| {}).await
    }

    /// Starts one with more options.
    pub async fn start_with(directory: &Path, more: impl FnOnce(&mut Command)) -> Self {
        let log = directory.join("log");
        let _former = fs::remove_file(&log);
        let mut command = program();
        command.args(options(directory));
        more(&mut command);
        let process = Running::spawn(command, log);
        process.until_said("ready").await;
        let listens = process.said("the logbook listens").unwrap();
        let port = listens["listen"].as_str().unwrap().rsplit(':').next();
        Self {
            port: port.unwrap().parse().unwrap(),
            admin: listens["admin"].clone(),
            process,
        }
    }

    async fn metric(&self, sample: &str) -> bool {
        let (status, metrics) = get(&self.admin, "/metrics").await;
        assert_eq!(status, 200);
        metrics.lines().any(|line| line == sample)
    }

    async fn end(mut self) {
        self.process.signal("TERM");
        assert_eq!(self.process.end().await.code(), Some(0));
    }
}

pub fn row(id: &str) -> Record {
    let now = micros(SystemTime::now());
    Record {
        id: id.into(),
        started_at: now,
        completed_at: now,
        namespace: "team".into(),
        method: "POST".into(),
        path: "/v1/chat/completions".into(),
        ..Record::default()
    }
}

#[tokio::test]
async fn rows_are_taken_over_tls_and_are_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let operator = Operator::new();
    operator.write(directory.path());
    let logbook = Logbook::start(directory.path()).await;
    assert_eq!(get(&logbook.admin, "/readyz").await.0, 200);
    // No batch is taken there: whoever asks for a page signs in first.
    assert_eq!(get(&logbook.admin, "/v1/records").await.0, 303);
    let rows: Vec<_> = ["a", "b"].into_iter().map(row).collect();
    let inserted = operator.put(logbook.port, &rows).await;
    assert_eq!((inserted.stored, inserted.known), (2, 0));
    let stored = "dragoman_logbook_rows_total{outcome=\"stored\"} 2";
    assert!(logbook.metric(stored).await);
    logbook.end().await;
    let logbook = Logbook::start(directory.path()).await;
    let inserted = operator.put(logbook.port, &rows).await;
    assert_eq!((inserted.stored, inserted.known), (0, 2));
}

#[tokio::test]
async fn a_reply_that_is_on_record_is_given_over_the_way_that_rows_take() {
    let directory = tempfile::tempdir().unwrap();
    let operator = Operator::new();
    operator.write(directory.path());
    let logbook = Logbook::start(directory.path()).await;
    let kept = Record {
        route: Some("chat".into()),
        client_address: Some("10.0.0.1".into()),
        status: Some(200),
        response_bytes: 2,
        response_body: Some("{}".into()),
        replay_as: Some("application/json".into()),
        ..row("a")
    };
    operator.put(logbook.port, &[kept]).await;
    let remote = operator.remote(logbook.port);
    let from = |address: &str| Wanted {
        id: "a".into(),
        namespace: "team".into(),
        route: "chat".into(),
        address: address.into(),
        ..Wanted::default()
    };
    let asking = async |wanted: Wanted| loop {
        match remote.reply(&wanted).await {
            Ok(found) => return found,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let own = soon("the reply", asking(from("10.0.0.1"))).await;
    assert!(matches!(own, Found::Reply(reply) if reply.body == "{}"));
    let others = soon("an answer", asking(from("10.0.0.2"))).await;
    assert_eq!(others, Found::Nothing);
    assert!(logbook.metric("dragoman_logbook_replies_total 2").await);
}

#[tokio::test]
async fn certificate_and_ticket_keys_are_replaced_while_it_runs() {
    let directory = tempfile::tempdir().unwrap();
    let (former, successor) = (Operator::new(), Operator::new());
    former.write(directory.path());
    let logbook = Logbook::start(directory.path()).await;
    former.put(logbook.port, &[row("a")]).await;
    // Half a change, as files that are written one by one: what was there stays.
    fs::write(directory.path().join("tls.crt"), "nonsense").unwrap();
    logbook.process.signal("HUP");
    logbook
        .process
        .until_said("what was read before stays")
        .await;
    former.put(logbook.port, &[row("b")]).await;
    successor.write(directory.path());
    logbook.process.signal("HUP");
    logbook
        .process
        .until_said("the certificate was replaced")
        .await;
    logbook
        .process
        .until_said("the keys of tickets were replaced")
        .await;
    successor.put(logbook.port, &[row("c")]).await;
    let refused = former.remote(logbook.port).put(&[row("d")]).await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn a_proxy_ships_where_the_stream_says_with_the_ticket_that_came_last() {
    let directory = tempfile::tempdir().unwrap();
    let operator = Operator::new();
    operator.write(directory.path());
    let logbook = Logbook::start(directory.path()).await;
    let (_operator, _, pod, stream) = in_sync(&items()).await;
    let ships = async |id: &str| pod.sink.put(&[row(id)]).await;
    let fault = ships("a").await.unwrap_err();
    assert!(fault.to_string().contains("no ticket"), "{fault}");
    let line = |ticket: &str| {
        Down::Logbook(wire::Logbook {
            url: format!("https://localhost:{}", logbook.port),
            ca_pem: operator.authority.pem(),
            ticket: Secret::new(ticket),
        })
    };
    stream.send(&line("stale"));
    let refused = async {
        loop {
            match ships("a").await {
                Err(fault) if fault.to_string().contains("401") => break,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    soon("the first ticket", refused).await;
    // A newer operator's words, which this version cannot read, change nothing.
    stream.send_json(&serde_json::json!({"type": "logbook", "places": []}));
    stream.send(&line(&operator.ticket()));
    let stored = async {
        while ships("a").await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    soon("the successor", stored).await;
    assert_eq!(ships("a").await.unwrap().known, 1);
}

#[tokio::test]
async fn a_directory_is_for_one_process_and_what_is_wrong_is_named() {
    let directory = tempfile::tempdir().unwrap();
    Operator::new().write(directory.path());
    let _first = Logbook::start(directory.path()).await;
    let fails = |options: &[String]| {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let output = output(&options);
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr)
    };
    let mut second = options(directory.path());
    let told = fails(&second);
    assert!(
        told.contains("--data") && told.contains("another process uses it"),
        "{told}"
    );
    fs::write(directory.path().join("keys.json"), "{\"keys\":[]}").unwrap();
    let told = fails(&second);
    assert!(
        told.contains("--ticket-keys") && told.contains("Ed25519"),
        "{told}"
    );
    second[3] = "--tls-cert=/nowhere".into();
    let told = fails(&second);
    assert!(told.contains("--tls-cert /nowhere"), "{told}");
}

#[tokio::test]
async fn a_batch_that_is_under_way_when_it_is_told_to_stop_is_still_stored() {
    let directory = tempfile::tempdir().unwrap();
    let operator = Operator::new();
    operator.write(directory.path());
    let mut logbook = Logbook::start(directory.path()).await;
    let mut roots = rustls::RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(operator.authority.pem().as_bytes());
    roots.add(authority.unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(("127.0.0.1", logbook.port))
        .await
        .unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = TlsConnector::from(Arc::new(tls))
        .connect(name, tcp)
        .await
        .unwrap();
    let body = format!("{}\n", serde_json::to_string(&row("late")).unwrap());
    let head = format!(
        "POST /v1/records HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
        operator.ticket(),
        body.len()
    );
    let (first, rest) = body.split_at(10);
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(first.as_bytes()).await.unwrap();
    while !logbook.metric("dragoman_logbook_batches_in_flight 1").await {
        tokio::task::yield_now().await;
    }
    logbook.process.signal("TERM");
    until(|| std::net::TcpStream::connect(("127.0.0.1", logbook.port)).is_err()).await;
    assert_eq!(get(&logbook.admin, "/readyz").await.0, 503);
    connection.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // How a connection ends is no matter once it has answered.
    let _end = soon("the answer", connection.read_to_string(&mut answer)).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("\"stored\":1"), "{answer}");
    assert_eq!(logbook.process.end().await.code(), Some(0));
}
