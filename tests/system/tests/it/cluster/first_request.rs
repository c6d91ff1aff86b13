//! The walk of the README: install, apply, call.

use dragoman_system::{Kubectl, node_walk, python_walk, root};

use super::{chat, eventually};

const URL: &str = "http://chat.team-a.svc.cluster.local/v1";

async fn quickstart() -> Kubectl {
    // Applied as a user would, without a namespace: the manifests name theirs.
    Kubectl::in_namespace("").run(&[
        "apply",
        "-f",
        root().join("examples/quickstart").to_str().unwrap(),
    ]);
    let kubectl = Kubectl::in_namespace("team-a");
    kubectl.run(&[
        "wait",
        "llmroute/chat",
        "--for=condition=Ready",
        "--timeout=60s",
    ]);
    eventually("the first call is answered", || async {
        match chat(URL, "gpt-4o").await? {
            (200, _) => Ok(()),
            (status, body) => Err(format!("{status} {body}")),
        }
    })
    .await;
    kubectl
}

#[tokio::test]
async fn the_official_sdks_work_unmodified_against_a_service_name() {
    quickstart().await;
    tokio::task::spawn_blocking(|| {
        python_walk("walk", URL);
        node_walk("walk", URL);
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_renamed_model_answers_without_its_thinking() {
    quickstart().await;
    let (status, reply) = chat(URL, "gpt-4o").await.unwrap();
    assert_eq!(status, 200);
    assert_eq!(
        reply["model"], "think",
        "the reply's model is the upstream's, byte for byte"
    );
    let text = reply["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(!text.is_empty() && !text.contains("think>"), "{text}");
}

#[tokio::test]
async fn status_names_the_url_and_every_condition_holds() {
    let kubectl = quickstart().await;
    for condition in [
        "Accepted",
        "ResolvedRefs",
        "Programmed",
        "BackendsHealthy",
        "Ready",
    ] {
        kubectl
            .condition("llmroute", "chat", condition, "True")
            .await;
    }
    let route = kubectl.get("llmroute", "chat").unwrap();
    assert_eq!(route["status"]["url"], "http://chat.team-a.svc/v1");
    assert_eq!(route["status"]["access"], "Open");
    let models = Kubectl::in_namespace("models");
    models
        .condition("llmbackend", "vllm", "Healthy", "True")
        .await;
    let system = Kubectl::in_namespace("dragoman-system");
    let proxy = system.get("llmproxy", "default").unwrap();
    assert_eq!(proxy["status"]["proxies"]["connected"], 2, "{proxy}");
    let columns = kubectl.run(&["get", "llmroutes"]);
    assert!(columns.contains("http://chat.team-a.svc/v1"), "{columns}");
}

#[tokio::test]
async fn explain_reads_like_documentation() {
    let kubectl = Kubectl::in_namespace("default");
    let text = kubectl.run(&["explain", "llmroute.spec.backends.modelPrefix"]);
    assert!(text.contains("towards clients"), "{text}");
}

#[tokio::test]
async fn deleting_a_route_takes_its_service_with_it() {
    let kubectl = quickstart().await;
    kubectl.run(&["delete", "llmroute", "chat", "--wait"]);
    eventually("the Service is gone", || async {
        match kubectl.get("service", "chat") {
            Err(fault) if fault.contains("NotFound") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    quickstart().await;
}
