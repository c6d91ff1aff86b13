//! Manifests for tests: a route `chat` to backends that are simulators.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use dragoman_simulator::{Builder, Received, Simulator};

/// One object of ours, with the lines of its spec.
pub(super) fn object(kind: &str, name: &str, spec: &str) -> String {
    let lines: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "---\napiVersion: dragoman.dev/v1alpha1\nkind: {kind}\nmetadata: {name}\nspec:\n{lines}"
    )
}

/// An LLMBackend that leads to `url`, with further lines of its spec.
pub(super) fn backend(name: &str, url: &str, more: &str) -> String {
    object(
        "LLMBackend",
        &format!("{{name: {name}}}"),
        &format!("url: {url}\n{more}"),
    )
}

/// A Secret with one key, `key`.
pub(super) fn secret(name: &str, value: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData: {{key: \"{value}\"}}\n"
    )
}

/// The LLMRoute `chat` to the LLMBackend `main`, with further lines of its spec.
pub(super) fn route(more: &str) -> String {
    route_to("- {name: main, backendRef: {name: main}}", more)
}

/// The LLMRoute `chat` to these backends, with further lines of its spec.
pub(super) fn route_to(backends: &str, more: &str) -> String {
    object(
        "LLMRoute",
        "{name: chat}",
        &format!("backends:\n{backends}\n{more}"),
    )
}

/// The ModelMap `names`.
pub(super) fn names(spec: &str) -> String {
    object("ModelMap", "{name: names}", spec)
}

/// The line of a route that refers to the ModelMap `names`.
pub(super) const MAPPED: &str = "modelMapRef: {name: names}";

/// The route `chat` to one simulator.
pub(super) fn simple(upstream: &Simulator) -> String {
    backend("main", &upstream.url(), "") + &route("")
}

/// The same with the ModelMap `names`.
pub(super) fn mapped(upstream: &Simulator, map: &str) -> String {
    backend("main", &upstream.url(), "") + &names(map) + &route(MAPPED)
}

/// A simulator with defaults.
pub(super) async fn simulator() -> Simulator {
    started(Simulator::builder()).await
}

/// A simulator set up as wanted.
pub(super) async fn started(builder: Builder) -> Simulator {
    builder.start().await.unwrap()
}

/// The calls that it received, fetches of its list apart.
pub(super) fn posts(simulator: &Simulator) -> Vec<Received> {
    simulator
        .requests()
        .into_iter()
        .filter(|request| request.method == "POST")
        .collect()
}

/// Waits until what a simulator received is as wanted, and gives it.
pub(super) async fn received(
    simulator: &Simulator,
    wanted: impl Fn(&[Received]) -> bool,
) -> Vec<Received> {
    let waited = tokio::time::timeout(Duration::from_secs(20), simulator.wait_until(wanted)).await;
    waited.unwrap_or_else(|_| panic!("not so within 20 s: {:?}", simulator.requests()))
}

/// An address where nobody listens.
pub(super) fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}
