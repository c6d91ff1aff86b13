//! `dragoman-proxy run` with one thread, a renamed model and a key of the upstream's; for the guarded way with an AccessPolicy too.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use super::process::Process;
use super::{Contender, free_address, policy};
use crate::fault::Fault;
use crate::wire::{self, Way};

/// Whether the proxy keeps a log of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    None,
    /// In SQLite, within the process.
    Kept,
}

/// Starts the proxy in front of `upstream`, on one core; it must pass the `ways`. The policy is there for the guarded one alone,
/// so that memory is measured without.
pub(crate) async fn start(
    program: &Path,
    core: usize,
    upstream: SocketAddr,
    ways: &[Way],
    log: Log,
) -> Result<Contender, Fault> {
    let address = free_address()?;
    let admin = free_address()?;
    let directory = tempfile::tempdir().map_err(|e| Fault::machine("make a directory", e))?;
    let config = directory.path().join("config");
    let mut text = manifests(upstream);
    if ways.contains(&Way::GUARDED) {
        text = text + "---\n" + &policy::manifests();
    }
    fs::create_dir(&config)
        .and_then(|()| fs::write(config.join("bench.yaml"), text))
        .map_err(|e| Fault::machine("write the proxy's config", e))?;
    let config = config.to_string_lossy().into_owned();
    let (listen, admin) = (address.to_string(), admin.to_string());
    let data = directory.path().join("log");
    let data = format!("--data={}", data.display());
    let arguments = [
        "run",
        match log {
            Log::None => "--no-request-log",
            Log::Kept => &data,
        },
        "--config",
        &config,
        "--listen",
        &listen,
        "--admin",
        &admin,
        "--threads",
        "1",
        "--drain-timeout",
        "1s",
        "--log-level",
        "warn",
    ];
    let process = Process::start(core, program, &arguments, directory)?;
    Contender::ready("dragoman-proxy", address, ways, process).await
}

fn manifests(upstream: SocketAddr) -> String {
    format!(
        "apiVersion: dragoman.dev/v1alpha1
kind: LLMBackend
metadata: {{name: chat}}
spec:
  url: http://{upstream}/v1
  dialect: OpenAI
  credential: {{secretRef: {{name: upstream-key, key: token}}}}
---
apiVersion: dragoman.dev/v1alpha1
kind: LLMBackend
metadata: {{name: messages}}
spec:
  url: http://{upstream}
  dialect: Anthropic
  credential: {{secretRef: {{name: upstream-key, key: token}}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: upstream-key}}
stringData: {{token: {key}}}
---
apiVersion: dragoman.dev/v1alpha1
kind: ModelMap
metadata: {{name: rename}}
spec:
  rules:
  - match: {{exact: {requested}}}
    target: {{model: {sent}}}
---
{chat}---
{messages}",
        key = wire::UPSTREAM_KEY,
        requested = wire::REQUESTED_MODEL,
        sent = wire::UPSTREAM_MODEL,
        chat = route("chat"),
        messages = route("messages"),
    )
}

/// A route to the backend of the same name.
fn route(name: &str) -> String {
    format!(
        "apiVersion: dragoman.dev/v1alpha1
kind: LLMRoute
metadata: {{name: {name}}}
spec:
  modelMapRef: {{name: rename}}
  backends:
  - name: upstream
    backendRef: {{name: {name}}}
"
    )
}
