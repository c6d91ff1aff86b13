//! On a real cluster with the chart installed: run inside its network by `tests/system/on-a-cluster`, one test at a time.

mod access;
mod cold;
mod edits;
mod failures;
mod first_request;
mod hops;
mod https;
mod isolation;
mod log_readers;
mod logbook;
mod mappers;
mod owned;
mod pod;
mod push;
mod refusals;
mod rules;
mod sharing;

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

/// An object of ours, as the next of several.
fn object(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: dragoman.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"
    )
}

/// The addresses of an LLMProxy's pods, of those that have one.
fn pods(namespace: &str, proxy: &str) -> Vec<String> {
    let kubectl = Kubectl::in_namespace(namespace);
    let label = format!("dragoman.dev/proxy={proxy}");
    let list = kubectl.run(&["get", "pods", "-l", &label, "-o", "json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    let pods = list["items"].as_array().unwrap().iter();
    let stay = pods.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    stay.filter_map(|pod| pod["status"]["podIP"].as_str().map(str::to_owned))
        .collect()
}

/// The body of a chat call.
fn question(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "hello"}]})
}

/// One chat call with these headers, on a connection of its own.
async fn call(
    base_url: &str,
    model: &str,
    headers: &[(&str, &str)],
) -> Result<reqwest::Response, String> {
    let request = client().post(format!("{base_url}/chat/completions"));
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    let reply = request.json(&question(model)).send().await;
    reply.map_err(|fault| fault.to_string())
}

/// One chat call: the status and the body.
async fn chat(base_url: &str, model: &str) -> Result<(u16, Value), String> {
    let reply = call(base_url, model, &[]).await?;
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
