//! The official SDKs, unmodified, against what `make run` serves.

use std::fs;

use dragoman_simulator::Simulator;
use dragoman_system::{node_walk, python_walk, root};

use super::manifests::started;
use super::proxy::Proxy;

/// The manifests of `make run`, leading to a simulator of this test.
async fn example() -> (Simulator, Proxy) {
    let simulator = Simulator::builder()
        .models(["think", "echo", "llama3-8b"])
        .api_key("sk-simulated");
    let simulator = started(simulator).await;
    let manifest = fs::read_to_string(root().join("examples/standalone/proxy.yaml")).unwrap();
    assert!(
        manifest.contains("127.0.0.1:8090"),
        "where make run has its simulator"
    );
    let manifest = manifest.replace("127.0.0.1:8090", &simulator.addr().to_string());
    (simulator, Proxy::start(&manifest).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_python_sdk_works_unmodified_with_the_standalone_example() {
    let (_simulator, proxy) = example().await;
    let url = format!("http://{}/routes/default/chat/v1", proxy.address);
    tokio::task::spawn_blocking(move || python_walk(&url))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_node_sdk_works_unmodified_with_the_standalone_example() {
    let (_simulator, proxy) = example().await;
    let url = format!("http://{}/routes/default/chat/v1", proxy.address);
    tokio::task::spawn_blocking(move || node_walk(&url))
        .await
        .unwrap();
}
