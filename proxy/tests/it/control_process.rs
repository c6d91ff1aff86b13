//! The program itself: exit codes, output, log, signals.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use serde_json::Value;

use crate::control_files::{manifest, until};

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_dragoman-proxy"));
    program.env_clear();
    program
}

fn output(args: &[&str]) -> Output {
    program().args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A process that serves `directory`; its log is the file `log` there.
struct Running {
    child: Child,
    log: std::path::PathBuf,
}

impl Running {
    fn start(directory: &Path, more: &[&str]) -> Self {
        let log = directory.join("log");
        let child = program()
            .args(["run", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--threads=1"])
            .args(["--log-format=json", "--config"])
            .arg(directory)
            .arg("--log-file")
            .arg(&log)
            .args(more)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, log }
    }

    fn lines(&self) -> Vec<Value> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        // The last line may be half written.
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn said(&self, message: &str) -> Option<Value> {
        self.lines().into_iter().find(|line| {
            line["message"].as_str().is_some_and(|said| said.contains(message))
        })
    }

    async fn until_said(&self, message: &str) -> Value {
        until(|| self.said(message).is_some()).await;
        self.said(message).unwrap()
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    async fn end(&mut self) -> ExitStatus {
        let mut status = None;
        let child = std::cell::RefCell::new((&mut self.child, &mut status));
        until(|| {
            let (child, status) = &mut *child.borrow_mut();
            **status = child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

async fn get(address: &Value, path: &str) -> (u16, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut tcp = tokio::net::TcpStream::connect(address.as_str().unwrap()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    tcp.read_to_string(&mut reply).await.unwrap();
    let status = reply.split(' ').nth(1).unwrap().parse().unwrap();
    (status, reply.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[test]
fn help_and_version_are_what_people_expect() {
    let help = output(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("check") && help.stderr.is_empty());
    let version = output(&["--version"]);
    assert_eq!(text(&version.stdout), concat!("dragoman-proxy ", env!("CARGO_PKG_VERSION"), "\n"));
    assert_eq!(output(&["run"]).status.code(), Some(2));
    assert_eq!(output(&[]).status.code(), Some(2));
}

#[test]
fn check_prints_every_fault_and_exits_1() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().to_str().unwrap();
    fs::write(directory.path().join("a.yaml"), manifest("a")).unwrap();
    let fine = output(&["check", "--config", config]);
    assert_eq!((fine.status.code(), text(&fine.stdout)), (Some(0), "1 object in 1 file is fine\n".into()));
    fs::write(directory.path().join("b.yaml"), manifest("b").replace("url:", "urll:")).unwrap();
    fs::write(directory.path().join("c.yaml"), manifest("a")).unwrap();
    let faults = output(&["check", "--config", config]);
    assert_eq!(faults.status.code(), Some(1));
    assert_eq!(text(&faults.stdout).lines().count(), 3, "{}", text(&faults.stdout));
    let json = output(&["check", "--output=json", "--config", config]);
    let faults: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((json.status.code(), faults.as_array().unwrap().len()), (Some(1), 3));
}

#[test]
fn a_first_load_with_faults_names_them_and_exits_1() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.yaml"), manifest("a").replace("url:", "urll:")).unwrap();
    let run = output(&["run", "--config", directory.path().to_str().unwrap()]);
    let told = text(&run.stderr);
    assert_eq!(run.status.code(), Some(1));
    assert!(told.contains("a.yaml:4: LLMRoute default/a: spec.backends[0].inline.url: "), "{told}");
    assert!(told.ends_with("has 2 faults\n"), "{told}");
}

#[tokio::test]
async fn it_serves_until_sigterm_and_exits_0() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.yaml"), manifest("a")).unwrap();
    let mut process = Running::start(directory.path(), &[]);
    let listening = process.until_said("listening").await;
    assert_eq!(get(&listening["admin"], "/healthz").await.0, 200);
    let (status, body) = get(&listening["admin"], "/readyz").await;
    assert_eq!((status, body.as_str()), (200, r#"{"ready":true,"missing":[]}"#));
    assert!(get(&listening["admin"], "/metrics").await.1.contains("# TYPE"));
    // The route's backend is nowhere, so the answer is the proxy's own.
    assert_eq!(get(&listening["listen"], "/routes/default/a/v1/models").await.0, 502);
    process.signal("TERM");
    assert_eq!(process.end().await.code(), Some(0));
    assert!(process.said("stopped").is_some());
}

#[tokio::test]
async fn while_others_learn_that_it_stops_it_is_unready_and_serves() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.yaml"), manifest("a")).unwrap();
    let mut process = Running::start(directory.path(), &["--drain-delay=1h"]);
    let listening = process.until_said("listening").await;
    process.signal("TERM");
    process.until_said("requests are still accepted").await;
    let (status, body) = get(&listening["admin"], "/readyz").await;
    assert_eq!(status, 503);
    assert!(body.contains("stopping"), "{body}");
    assert_eq!(get(&listening["listen"], "/routes/default/a/v1/models").await.0, 502);
    process.signal("INT");
    assert_eq!(process.end().await.code(), Some(0));
}

#[tokio::test]
async fn a_bad_edit_is_told_once_and_mended_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.yaml");
    fs::write(&file, manifest("a")).unwrap();
    let process = Running::start(directory.path(), &[]);
    process.until_said("listening").await;
    fs::write(&file, manifest("a").replace("url:", "urll:")).unwrap();
    process.signal("HUP");
    process.until_said("the previous config stays").await;
    fs::write(&file, manifest("b")).unwrap();
    until(|| process.lines().iter().any(|line| {
        line["changed"].as_str().is_some_and(|it| it.contains("LLMRoute/default/b"))
    }))
    .await;
    let told: Vec<_> = process.lines().into_iter().filter(|line| line["level"] == "ERROR").collect();
    assert_eq!(told.len(), 2, "{told:?}");
}

#[tokio::test]
async fn an_llmproxy_changes_the_log_level_live() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.yaml"), manifest("a")).unwrap();
    let process = Running::start(directory.path(), &["--log-level=warn"]);
    until(|| process.log.exists()).await;
    assert!(process.said("listening").is_none());
    let proxy = "{apiVersion: dragoman.dev/v1alpha1, kind: LLMProxy, metadata: {name: p}, spec: {logging: {level: debug}}}";
    fs::write(directory.path().join("p.yaml"), proxy).unwrap();
    process.until_said("log level changed").await;
}
