//! The proxy under test: the binary on a folder of manifests of its own, on ports that the system chose.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use dragoman_system::{Program, eventually, eventually_within};
use http::{HeaderMap, Method};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long the program may take until it listens, or to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// A proxy that runs.
pub(super) struct Proxy {
    program: Program,
    folder: TempDir,
    data: TempDir,
    pub(super) address: SocketAddr,
    pub(super) admin: SocketAddr,
    http: reqwest::Client,
}

impl Proxy {
    /// A proxy that serves `manifest`.
    pub(super) async fn start(manifest: &str) -> Self {
        Self::start_with(manifest, &[]).await
    }

    /// The same with further options of `run`.
    pub(super) async fn start_with(manifest: &str, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("main.yaml"), manifest).unwrap();
        let config = folder.path().to_path_buf();
        Self::run(folder, &config, options).await
    }

    /// The same with variables in its environment.
    pub(super) async fn start_in(manifest: &str, environment: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("main.yaml"), manifest).unwrap();
        let config = folder.path().to_path_buf();
        Self::run_in("dragoman-proxy", folder, &config, &[], environment).await
    }

    /// A proxy that serves `config`, which may lie within `folder` or be a link there.
    pub(super) async fn run(folder: TempDir, config: &Path, options: &[&str]) -> Self {
        Self::run_as("dragoman-proxy", folder, config, options).await
    }

    /// The same by another file of the program.
    pub(super) async fn run_as(
        program: &str,
        folder: TempDir,
        config: &Path,
        options: &[&str],
    ) -> Self {
        Self::run_in(program, folder, config, options, &[]).await
    }

    async fn run_in(
        program: &str,
        folder: TempDir,
        config: &Path,
        options: &[&str],
        environment: &[(&str, String)],
    ) -> Self {
        let config = config.to_str().unwrap();
        let data = tempfile::tempdir().unwrap();
        let mut arguments = vec!["run", "--config", config];
        if !options.contains(&"--data") {
            arguments.extend(["--data", data.path().to_str().unwrap()]);
        }
        arguments.extend([
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--threads",
            "2",
        ]);
        arguments.extend(options);
        let log = options
            .iter()
            .position(|option| *option == "--log-file")
            .map(|at| options[at + 1]);
        let program = Program::start_in(program, &arguments, environment);
        let (address, admin) = eventually_within(PATIENCE, "the proxy listens", || {
            let mut output = program.output();
            output.extend(log.and_then(|log| fs::read_to_string(log).ok()));
            let told = addresses(&output);
            async move { told }
        })
        .await;
        let http = client();
        let proxy = Self {
            program,
            folder,
            data,
            address,
            admin,
            http,
        };
        eventually("the proxy is ready", || async {
            match proxy.admin_get("/readyz").await {
                answer if answer.status == 200 => Ok(()),
                answer => Err(answer.text()),
            }
        })
        .await;
        proxy
    }

    /// Replaces the manifests, as one edit.
    pub(super) fn edit(&self, manifest: &str) {
        let new = self.folder.path().join(".new");
        fs::write(&new, manifest).unwrap();
        fs::rename(new, self.folder.path().join("main.yaml")).unwrap();
    }

    /// The folder of its request log.
    pub(super) fn data(&self) -> &Path {
        self.data.path()
    }

    /// The folder that is served.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A request to a path of the route `chat`.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("http://{}{path}", self.address))
            .header("host", "chat")
    }

    /// A GET of the route `chat`.
    pub(super) async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    /// A POST of a JSON body to the route `chat`.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Answer {
        answer(self.request(Method::POST, path).json(body)).await
    }

    /// A chat call of the route `chat`.
    pub(super) async fn chat(&self, model: &str) -> Answer {
        self.post("/v1/chat/completions", &chat(model, "hello"))
            .await
    }

    /// The same, streamed.
    pub(super) async fn stream(&self, model: &str) -> Answer {
        self.post("/v1/chat/completions", &streamed(model, "hello"))
            .await
    }

    /// The ids that the route `chat` lists.
    pub(super) async fn models(&self) -> Vec<String> {
        let answer = self.get("/v1/models").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.ids()
    }

    /// A GET of the admin server.
    pub(super) async fn admin_get(&self, path: &str) -> Answer {
        answer(self.http.get(format!("http://{}{path}", self.admin))).await
    }

    /// A request to the admin server.
    pub(super) fn admin_request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("http://{}{path}", self.admin))
    }

    /// Everything that the process wrote so far.
    pub(super) fn log(&self) -> String {
        self.program.output()
    }

    /// Waits until the process has written `text`.
    pub(super) async fn logged(&self, text: &str) {
        eventually(&format!("{text:?} is logged"), || async {
            let log = self.log();
            if log.contains(text) { Ok(()) } else { Err(log) }
        })
        .await;
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.program.id()
    }

    /// Sends a signal, such as `HUP`.
    pub(super) fn signal(&self, name: &str) {
        let id = self.program.id().to_string();
        let sent = std::process::Command::new("kill")
            .args([format!("-{name}"), id])
            .status();
        assert!(sent.unwrap().success());
    }

    /// The processes that it started and has not waited for.
    pub(super) fn children(&self) -> Vec<u32> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.program.id())).unwrap();
        let children =
            tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
        let children = children.collect::<Vec<_>>().join(" ");
        children
            .split_whitespace()
            .map(|id| id.parse().unwrap())
            .collect()
    }

    /// Waits until the process has ended.
    pub(super) async fn ended(&mut self) -> ExitStatus {
        self.program.ended(PATIENCE).await
    }
}

/// A client that follows nothing and goes through no proxy of the environment.
pub(super) fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().no_proxy();
    builder
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

/// A chat body.
pub(super) fn chat(model: &str, text: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": text}]})
}

/// A chat body that asks for a stream.
pub(super) fn streamed(model: &str, text: &str) -> Value {
    let mut body = chat(model, text);
    body["stream"] = true.into();
    body
}

/// A reply, read to its end.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// `error.code` of an error in OpenAI's shape, which must be whole.
    pub(super) fn code(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            Some("application/json"),
            "{}",
            self.text()
        );
        let body = self.json();
        assert!(
            body["error"]["message"].is_string() && body["error"]["type"].is_string(),
            "{body}"
        );
        body["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// `error.message` of an error in OpenAI's shape.
    pub(super) fn message(&self) -> String {
        self.json()["error"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The ids of a list.
    pub(super) fn ids(&self) -> Vec<String> {
        let list = self.json();
        assert_eq!(list["object"], "list", "{list}");
        let entries = list["data"].as_array().unwrap().iter();
        entries
            .map(|entry| entry["id"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The text of a plain chat reply, or of a stream's choice 0.
    pub(super) fn content(&self) -> String {
        self.content_of(0, "content")
    }

    /// A text field of one choice of a chat reply, plain or streamed.
    pub(super) fn content_of(&self, choice: usize, field: &str) -> String {
        if !self
            .header("content-type")
            .unwrap_or_default()
            .starts_with("text/event-stream")
        {
            let body = self.json();
            return body["choices"][choice]["message"][field]
                .as_str()
                .unwrap_or_default()
                .to_owned();
        }
        let chunks = self.chunks();
        let choices = chunks
            .iter()
            .flat_map(|chunk| chunk["choices"].as_array().into_iter().flatten());
        let mine = choices.filter(|one| one["index"] == choice);
        mine.filter_map(|one| one["delta"][field].as_str())
            .collect()
    }

    /// The chunks of a stream, `[DONE]` and comments apart.
    pub(super) fn chunks(&self) -> Vec<Value> {
        let events = self.events().into_iter().filter(|event| event != "[DONE]");
        events
            .map(|event| serde_json::from_str(&event).unwrap_or_else(|_| panic!("{event}")))
            .collect()
    }

    /// The data of a stream's events.
    pub(super) fn events(&self) -> Vec<String> {
        let text = self.text().replace("\r\n", "\n");
        text.split("\n\n")
            .filter_map(|event| event.trim_start().strip_prefix("data: ").map(str::to_owned))
            .collect()
    }

    /// Whether a stream ended as it should.
    pub(super) fn is_done(&self) -> bool {
        self.events().last().is_some_and(|last| last == "[DONE]")
    }
}

/// Sends a request and reads the reply to its end.
pub(super) async fn answer(request: RequestBuilder) -> Answer {
    try_answer(request)
        .await
        .unwrap_or_else(|fault| panic!("{fault:?}"))
}

/// The same, for one that may break.
pub(super) async fn try_answer(request: RequestBuilder) -> reqwest::Result<Answer> {
    let reply = request.send().await?;
    let (status, headers) = (reply.status().as_u16(), reply.headers().clone());
    Ok(Answer {
        status,
        headers,
        body: reply.bytes().await?,
    })
}

/// Traffic and admin address, as the log tells them in either format.
fn addresses(log: &str) -> Result<(SocketAddr, SocketAddr), String> {
    let line = log
        .lines()
        .find(|line| line.contains("listening"))
        .ok_or(log)?;
    let after = |name: &str| {
        let text = ["=", "\":\""]
            .iter()
            .find_map(|sign| line.split_once(&format!("{name}{sign}")));
        let text = text.map(|(_, rest)| rest.split([' ', '"']).next().unwrap_or_default());
        text.and_then(|text| text.parse().ok()).ok_or(line)
    };
    Ok((after("listen")?, after("admin")?))
}
