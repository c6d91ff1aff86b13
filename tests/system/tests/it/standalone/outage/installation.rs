//! A proxy that ships its rows, a logbook, and a database: all as they run, on this machine.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use dragoman_simulator::Simulator;
use dragoman_system::{Program, eventually};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use super::operator::Operator;
use crate::standalone::manifests::{simple, simulator};
use crate::standalone::proxy::client;

/// How long catching up may take.
pub(super) const PATIENCE: Duration = Duration::from_mins(5);

pub(super) struct Installation {
    folder: TempDir,
    http: reqwest::Client,
    pub(super) logbook: Logbook,
    /// Where the proxy listens, for requests and for us.
    pub(super) port: u16,
    admin: u16,
    dials: u16,
    proxy: Option<Program>,
    _upstream: Simulator,
}

/// A logbook.
pub(super) struct Logbook {
    pub(super) port: u16,
    admin: u16,
    arguments: Vec<String>,
    database: String,
    program: Option<Program>,
}

impl Logbook {
    /// One that is about to run, on ports that are free now.
    pub(super) fn new(operator: &Operator, folder: &Path, database: &str) -> Self {
        let (certificate, key) = operator.certificate();
        for (name, content) in [
            ("tls.crt", certificate.pem()),
            ("tls.key", key.serialize_pem()),
            ("keys.json", operator.keys()),
        ] {
            fs::write(folder.join(name), content).unwrap();
        }
        let (port, admin) = (free(), free());
        let file = |option: &str, name: &str| format!("--{option}={}", folder.join(name).display());
        let arguments = vec![
            "logbook".to_owned(),
            format!("--listen=127.0.0.1:{port}"),
            format!("--admin=127.0.0.1:{admin}"),
            file("tls-cert", "tls.crt"),
            file("tls-key", "tls.key"),
            file("ticket-keys", "keys.json"),
        ];
        let mut logbook = Self {
            port,
            admin,
            arguments,
            database: database.to_owned(),
            program: None,
        };
        logbook.start();
        logbook
    }

    pub(super) fn start(&mut self) {
        let arguments: Vec<_> = self.arguments.iter().map(String::as_str).collect();
        let environment = [("DRAGOMAN_DATABASE_URL", self.database.clone())];
        self.program = Some(Program::start_in(
            "dragoman-proxy",
            &arguments,
            &environment,
        ));
    }

    /// kill -9.
    pub(super) fn kill(&mut self) {
        self.program = None;
    }

    pub(super) async fn ready(&self) {
        let http = client();
        eventually("the logbook is ready", || async {
            let url = format!("http://127.0.0.1:{}/readyz", self.admin);
            match http.get(url).send().await {
                Ok(answer) if answer.status() == 200 => Ok(()),
                Ok(answer) => Err(answer.status().to_string()),
                Err(fault) => Err(fault.to_string()),
            }
        })
        .await;
    }

    /// The most memory that it ever had, in KiB.
    pub(super) fn peak(&self) -> u64 {
        peak(self.program.as_ref().unwrap().id())
    }
}

impl Installation {
    pub(super) async fn start(database: &str) -> Self {
        let operator = Operator::new();
        let folder = tempfile::tempdir().unwrap();
        let upstream = simulator().await;
        let logbook = Logbook::new(&operator, folder.path(), database);
        let dials = operator.serve(&simple(&upstream), logbook.port).await;
        fs::write(folder.path().join("ca"), operator.authorities()).unwrap();
        fs::write(folder.path().join("token"), "token").unwrap();
        let mut installation = Self {
            folder,
            http: client(),
            logbook,
            port: free(),
            admin: free(),
            dials,
            proxy: None,
            _upstream: upstream,
        };
        installation.start_proxy();
        installation.logbook.ready().await;
        installation.proxy_ready().await;
        installation
    }

    pub(super) fn start_proxy(&mut self) {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let arguments = [
            "run".to_owned(),
            format!("--operator=https://localhost:{}", self.dials),
            "--proxy=default/default".to_owned(),
            "--pod-name=pod-1".to_owned(),
            format!("--token-file={}", path("token")),
            format!("--ca-file={}", path("ca")),
            format!("--data={}", path("data")),
            format!("--listen=127.0.0.1:{}", self.port),
            format!("--admin=127.0.0.1:{}", self.admin),
            "--threads=1".to_owned(),
        ];
        let arguments = arguments.each_ref().map(String::as_str);
        self.proxy = Some(Program::start("dragoman-proxy", &arguments));
    }

    pub(super) async fn proxy_ready(&self) {
        eventually("the proxy is ready", || async {
            match self.http.get(self.url("/readyz")).send().await {
                Ok(answer) if answer.status() == 200 => Ok(()),
                other => Err(format!("{other:?} {}", self.said())),
            }
        })
        .await;
    }

    fn said(&self) -> String {
        self.proxy.as_ref().map(Program::output).unwrap_or_default()
    }

    /// kill -9.
    pub(super) fn kill_proxy(&mut self) {
        self.proxy = None;
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.admin)
    }

    /// A sample of the proxy's metrics.
    pub(super) async fn metric(&self, sample: &str) -> f64 {
        let metrics = self.http.get(self.url("/metrics")).send().await.unwrap();
        let metrics = metrics.text().await.unwrap();
        let found = metrics
            .lines()
            .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        let found = found.unwrap_or_else(|| panic!("{sample} is not in {metrics}"));
        found.parse().unwrap()
    }

    pub(super) async fn rows(&self, outcome: &str) -> u64 {
        let sample = format!("dragoman_request_log_rows_total{{outcome=\"{outcome}\"}}");
        self.metric(&sample).await as u64
    }

    /// The most memory that the proxy ever had, in KiB.
    pub(super) fn peak(&self) -> u64 {
        peak(self.proxy.as_ref().unwrap().id())
    }
}

/// The ids on record.
pub(super) async fn on_record(database: &str) -> Vec<String> {
    let mut connection = PgConnection::connect(database).await.unwrap();
    sqlx::query_scalar("SELECT id FROM requests")
        .fetch_all(&mut connection)
        .await
        .unwrap()
}

/// Waits until all of these are on record, and fails if one is there twice.
pub(super) async fn all_once(database: &str, ids: &[String]) {
    let mut connection = PgConnection::connect(database).await.unwrap();
    let began = Instant::now();
    loop {
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM requests")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        if usize::try_from(rows).unwrap() >= ids.len() {
            break;
        }
        assert!(
            began.elapsed() < PATIENCE,
            "{rows} of {} rows are on record",
            ids.len()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut found = on_record(database).await;
    let rows = found.len();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), rows, "rows are there twice");
    let lost = ids.iter().filter(|id| found.binary_search(id).is_err());
    assert_eq!(lost.count(), 0, "of {} rows are lost", ids.len());
}

fn peak(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = line.unwrap().trim().trim_end_matches(" kB");
    peak.parse().unwrap()
}

/// A port that is free now.
fn free() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
