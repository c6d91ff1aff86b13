//! On a real cluster with the chart installed: run inside its network by `tests/system/on-a-cluster`, one test at a time.

mod access;
mod cold;
mod edits;
mod failures;
mod first_request;
mod isolation;
mod mappers;
mod owned;
mod push;
mod refusals;
mod rules;

use dragoman_simulator::{Builder, Simulator};
use dragoman_system::{Kubectl, eventually};
use serde_json::{Value, json};

/// The node's address: what pods call to reach a simulator that the test runs itself.
const NODE: &str = "172.20.0.1";

/// A simulator that pods can reach.
async fn simulator(builder: Builder) -> Simulator {
    builder
        .listen(format!("{NODE}:0").parse().unwrap())
        .start()
        .await
        .unwrap()
}

/// An LLMBackend that leads to a simulator.
fn backend(name: &str, simulator: &Simulator, more: &str) -> String {
    format!(
        "apiVersion: dragoman.dev/v1alpha1\nkind: LLMBackend\nmetadata: {{name: {name}}}\nspec:\n  url: {}\n{more}",
        simulator.url()
    )
}

/// An LLMRoute `chat` to one LLMBackend.
fn route(backend: &str, more: &str) -> String {
    format!(
        "apiVersion: dragoman.dev/v1alpha1\nkind: LLMRoute\nmetadata: {{name: chat}}\nspec:\n  backends:\n  - {{name: main, backendRef: {{name: {backend}}}}}\n{more}"
    )
}

/// A ModelMap `names` with one rule.
fn names(from: &str, to: &str) -> String {
    format!(
        "apiVersion: dragoman.dev/v1alpha1\nkind: ModelMap\nmetadata: {{name: names}}\nspec:\n  rules:\n  - match: {{exact: {from}}}\n    target: {{model: {to}}}\n"
    )
}

/// The URL that an application in the cluster sets.
fn base_url(kubectl: &Kubectl) -> String {
    format!("http://chat.{}.svc.cluster.local/v1", kubectl.namespace())
}

/// One chat call: the status and the body.
async fn chat(base_url: &str, model: &str) -> Result<(u16, Value), String> {
    let body = json!({"model": model, "messages": [{"role": "user", "content": "hello"}]});
    let reply = client()
        .post(format!("{base_url}/chat/completions"))
        .json(&body)
        .send()
        .await
        .map_err(|fault| fault.to_string())?;
    let status = reply.status().as_u16();
    Ok((
        status,
        reply.json().await.map_err(|fault| fault.to_string())?,
    ))
}

/// A client whose connections are its own, so that each test goes through the Service anew.
fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Waits until a chat call is answered by the upstream under `model`.
async fn served(base_url: &str, model: &str, sent: &str) {
    eventually(&format!("{model} is served as {sent}"), || async {
        match chat(base_url, model).await? {
            (200, reply) if reply["model"] == sent => Ok(()),
            (status, reply) => Err(format!("{status} {reply}")),
        }
    })
    .await;
}
