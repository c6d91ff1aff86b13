//! The program itself: exit codes, output, log, signals.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use dragoman_config::wire::Down;
use dragoman_config::{Key, Kind};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::control_files::{manifest, until};
use crate::control_operator::{Authority, Operator, Pod, hashes, transaction};
use crate::harness::{PATIENCE, Put, backend_at, entry, items, route, soon, with_key};

pub fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_dragoman-proxy"));
    program.env_clear();
    program
}

pub fn output(args: &[&str]) -> Output {
    let mut program = program();
    program.args(args).stdin(Stdio::null());
    let program = program.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = program.spawn().unwrap();
    let pid = child.id().to_string();
    let (sender, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    if let Ok(output) = ended.recv_timeout(PATIENCE) {
        return output.unwrap();
    }
    let _killed = Command::new("kill").args(["-s", "KILL", &pid]).status();
    panic!("{args:?} never ended")
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A process whose log is a file.
pub struct Running {
    child: Child,
    log: std::path::PathBuf,
}

impl Running {
    /// One that serves `directory`, and logs to the file `log` there.
    fn start(directory: &Path, more: &[&str]) -> Self {
        let mut run = program();
        run.args([
            "run",
            "--listen=127.0.0.1:0",
            "--admin=127.0.0.1:0",
            "--threads=1",
            "--no-request-log",
        ]);
        run.arg("--config").arg(directory).args(more);
        Self::spawn(run, directory.join("log"))
    }

    pub fn spawn(mut program: Command, log: std::path::PathBuf) -> Self {
        program.args(["--log-format=json", "--log-file"]).arg(&log);
        let child = program.stdout(Stdio::null()).spawn().unwrap();
        Self { child, log }
    }

    fn lines(&self) -> Vec<Value> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        // The last line may be half written.
        log.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    pub fn said(&self, message: &str) -> Option<Value> {
        self.lines().into_iter().find(|line| {
            line["message"]
                .as_str()
                .is_some_and(|said| said.contains(message))
        })
    }

    pub async fn until_said(&self, message: &str) -> Value {
        until(|| self.said(message).is_some()).await;
        self.said(message).unwrap()
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    pub async fn end(&mut self) -> ExitStatus {
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

pub async fn get(address: &Value, path: &str) -> (u16, String) {
    let mut tcp = tokio::net::TcpStream::connect(address.as_str().unwrap())
        .await
        .unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    let reading = tcp.read_to_string(&mut reply);
    soon(&format!("the answer to {path}"), reading)
        .await
        .unwrap();
    let status = reply.split(' ').nth(1).unwrap().parse().unwrap();
    (status, reply.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[test]
fn help_and_version_are_what_people_expect() {
    let help = output(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("check") && help.stderr.is_empty());
    let version = output(&["--version"]);
    assert_eq!(
        text(&version.stdout),
        concat!("dragoman-proxy ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert_eq!(output(&["run"]).status.code(), Some(2));
    assert_eq!(output(&[]).status.code(), Some(2));
}

#[test]
fn check_prints_every_fault_and_exits_1() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().to_str().unwrap();
    fs::write(directory.path().join("a.yaml"), manifest("a")).unwrap();
    let fine = output(&["check", "--config", config]);
    assert_eq!(
        (fine.status.code(), text(&fine.stdout)),
        (Some(0), "1 object in 1 file is fine\n".into())
    );
    fs::write(
        directory.path().join("b.yaml"),
        manifest("b").replace("url:", "urll:"),
    )
    .unwrap();
    fs::write(directory.path().join("c.yaml"), manifest("a")).unwrap();
    let faults = output(&["check", "--config", config]);
    assert_eq!(faults.status.code(), Some(1));
    assert_eq!(
        text(&faults.stdout).lines().count(),
        3,
        "{}",
        text(&faults.stdout)
    );
    let json = output(&["check", "--output=json", "--config", config]);
    let faults: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        (json.status.code(), faults.as_array().unwrap().len()),
        (Some(1), 3)
    );
}

#[test]
fn a_first_load_with_faults_names_them_and_exits_1() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(
        directory.path().join("a.yaml"),
        manifest("a").replace("url:", "urll:"),
    )
    .unwrap();
    let run = output(&["run", "--config", directory.path().to_str().unwrap()]);
    let told = text(&run.stderr);
    assert_eq!(run.status.code(), Some(1));
    assert!(
        told.contains("a.yaml:4: LLMRoute default/a: spec.backends[0].inline.url: "),
        "{told}"
    );
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
    assert_eq!(
        (status, body.as_str()),
        (200, r#"{"ready":true,"missing":[]}"#)
    );
    assert!(
        get(&listening["admin"], "/metrics")
            .await
            .1
            .contains("# TYPE")
    );
    // The route's backend is nowhere, so the answer is the proxy's own.
    assert_eq!(
        get(&listening["listen"], "/routes/default/a/v1/models")
            .await
            .0,
        502
    );
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
    assert_eq!(
        get(&listening["listen"], "/routes/default/a/v1/models")
            .await
            .0,
        502
    );
    process.signal("INT");
    assert_eq!(process.end().await.code(), Some(0));
}

#[tokio::test]
async fn a_stream_that_runs_may_finish() {
    let simulator = crate::harness::simulator().await;
    let directory = tempfile::tempdir().unwrap();
    let route = manifest("a").replace("http://127.0.0.1:1/v1", &simulator.url());
    fs::write(directory.path().join("a.yaml"), route).unwrap();
    let mut process = Running::start(directory.path(), &[]);
    let listening = process.until_said("listening").await;
    let address = listening["listen"].as_str().unwrap();
    let mut tcp = tokio::net::TcpStream::connect(address).await.unwrap();
    let body = r#"{"model":"token-50ms","stream":true,"messages":[{"role":"user","content":"a b c d e f g h i j"}]}"#;
    let request = format!(
        "POST /routes/default/a/v1/chat/completions HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut reply = vec![0; 1];
    soon("the first byte", tcp.read_exact(&mut reply))
        .await
        .unwrap();
    process.signal("TERM");
    process.until_said("requests may finish").await;
    soon("the end of the reply", tcp.read_to_end(&mut reply))
        .await
        .unwrap();
    let reply = text(&reply);
    assert!(
        reply.starts_with("HTTP/1.1 200") && reply.contains("data: [DONE]"),
        "{reply}"
    );
    assert_eq!(process.end().await.code(), Some(0));
}

#[tokio::test]
async fn in_a_cluster_the_operator_makes_it_ready_and_no_log_holds_a_secret() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let pod = Pod::new(&authority);
    let log = pod.path("log");
    let mut program = program();
    program
        .args([
            "run",
            "--listen=127.0.0.1:0",
            "--admin=127.0.0.1:0",
            "--threads=1",
        ])
        .args([
            "--log-format=json",
            "--log-level=trace",
            "--proxy=dragoman/default",
        ])
        .arg(format!(
            "--operator=https://localhost:{}",
            operator.address.port()
        ))
        .args(["--drain-delay=0s", "--snapshot"])
        .arg(pod.path("snapshot"))
        .args(["--token-file".as_ref(), pod.path("token").as_os_str()])
        .args(["--ca-file".as_ref(), pod.path("ca").as_os_str()])
        .args(["--log-file".as_ref(), log.as_os_str()])
        .env("POD_NAME", "pod-1");
    let mut process = Running {
        child: program.spawn().unwrap(),
        log,
    };
    let mut stream = operator.stream().await;
    let admin = process.until_said("listening").await["admin"].clone();
    let (status, body) = get(&admin, "/readyz").await;
    assert_eq!(status, 503);
    assert!(body.contains("config from the operator"), "{body}");
    let simulator = crate::harness::simulator().await;
    let backend = with_key(backend_at(&simulator), "sk-secret");
    let held = items().put_route("chat", route(vec![entry("a", backend)]));
    stream.put(&held, &held);
    stream.send(&Down::Synced);
    stream.report().await;
    assert_eq!(get(&admin, "/readyz").await.0, 200);
    // A newer operator has another form of credential. Neither log nor report quote what cannot be read.
    let chat = Key::new(Kind::Route, "team-a", "chat");
    let mut newer = serde_json::to_value(&held[&chat]).unwrap();
    newer["backends"][0]["target"]["inline"]["credential"] = "sk-secret".into();
    stream.send_json(&json!({
        "type": "transaction",
        "put": [{"name": chat, "hash": "newer", "content": {"item": newer}}],
        "digest": "of the two",
    }));
    // The digest is of something else, so everything is asked for again; this time it fits.
    let mut stream = operator.stream().await;
    let rest = items();
    let put: Vec<_> = transaction(&rest, &rest).put;
    let mut versions = hashes(&rest);
    versions.insert(chat.clone(), "newer".into());
    let versions = versions.iter().map(|(name, hash)| (name, hash.as_str()));
    let digest = dragoman_config::hash::digest(versions);
    let mut puts = serde_json::to_value(put).unwrap();
    let name = json!({"name": chat, "hash": "newer", "content": {"item": newer}});
    puts.as_array_mut().unwrap().push(name);
    stream.send_json(&json!({"type": "transaction", "put": puts, "digest": digest}));
    stream.send(&Down::Synced);
    let report = stream.report().await;
    assert_eq!(report.digest, digest);
    let why = &report.refused[&chat];
    assert!(
        why.contains("cannot read it (unknown variant: expected"),
        "{why}"
    );
    process.signal("TERM");
    assert_eq!(process.end().await.code(), Some(0));
    let log = fs::read_to_string(&process.log).unwrap();
    assert!(
        !log.contains("sk-secret") && !log.contains("token-1"),
        "{log}"
    );
}

#[tokio::test]
async fn a_bad_edit_changes_nothing_is_told_once_and_mended_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("a.yaml"), manifest("a")).unwrap();
    let process = Running::start(directory.path(), &[]);
    let listen = process.until_said("listening").await["listen"].clone();
    fs::write(at("a.yaml"), manifest("a").replace("url:", "urll:")).unwrap();
    process.until_said("the previous config stays").await;
    // What is fine waits for what is not.
    fs::write(at("b.yaml"), manifest("b")).unwrap();
    process.signal("HUP");
    let kept = |line: &Value| {
        line["message"]
            .as_str()
            .is_some_and(|it| it.contains("the previous config stays"))
    };
    until(|| process.lines().iter().filter(|line| kept(line)).count() == 2).await;
    let served = async |route: &str| {
        get(&listen, &format!("/routes/default/{route}/v1/models"))
            .await
            .0
    };
    assert_eq!((served("a").await, served("b").await), (502, 404));
    fs::write(at("a.yaml"), manifest("c")).unwrap();
    until(|| {
        process.lines().iter().any(|line| {
            line["changed"] == "LLMRoute/default/a, LLMRoute/default/b, LLMRoute/default/c"
        })
    })
    .await;
    assert_eq!(
        (served("a").await, served("b").await, served("c").await),
        (404, 502, 502)
    );
    let told: Vec<_> = process
        .lines()
        .into_iter()
        .filter(|line| line["level"] == "ERROR")
        .collect();
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
