//! What fails around the proxies must not reach the applications.

use std::fs;
use std::process::Command;

use dragoman_simulator::Simulator;
use dragoman_system::{Kubectl, eventually, root};
use serde_json::Value;

use super::{backend, base_url, names, route, served, simulator};

const MAPPED: &str = "  modelMapRef: {name: names}\n";

fn system() -> Kubectl {
    Kubectl::in_namespace("dragoman-system")
}

async fn serving(namespace: &str) -> (Kubectl, Simulator) {
    let kubectl = Kubectl::in_new_namespace(namespace);
    let upstream = simulator(Simulator::builder()).await;
    kubectl.apply(&backend("one", &upstream, ""));
    kubectl.apply(&names("gpt-4", "before"));
    kubectl.apply(&route("one", MAPPED));
    served(&base_url(&kubectl), "gpt-4", "before").await;
    (kubectl, upstream)
}

/// An edit is served and status speaks of it: everything works.
async fn works_again(kubectl: &Kubectl) {
    kubectl.apply(&names("gpt-4", "after"));
    served(&base_url(kubectl), "gpt-4", "after").await;
    kubectl
        .condition("modelmap", "names", "Ready", "True")
        .await;
    kubectl.condition("llmroute", "chat", "Ready", "True").await;
}

#[tokio::test]
async fn a_killed_operator_is_followed_by_another_and_nothing_is_lost() {
    let (kubectl, _upstream) = serving("killed").await;
    system().run(&[
        "delete",
        "pods",
        "-l",
        "app.kubernetes.io/name=dragoman-operator",
        "--grace-period=0",
        "--force",
    ]);
    served(&base_url(&kubectl), "gpt-4", "before").await;
    works_again(&kubectl).await;
}

/// Kills the proxy process of one pod, from outside: a scratch image holds no shell.
fn kill_proxy_of(pod: &str) {
    let process = fs::read_dir("/proc")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|process| {
            let read = |file: &str| fs::read_to_string(process.join(file)).unwrap_or_default();
            read("comm").trim() == "dragoman-proxy" && read("cgroup").contains(pod)
        });
    let process = process.unwrap_or_else(|| panic!("no proxy runs in the pod {pod}"));
    let id = process.file_name().unwrap();
    assert!(
        Command::new("kill")
            .arg("-KILL")
            .arg(id)
            .status()
            .unwrap()
            .success()
    );
}

#[tokio::test]
async fn a_proxy_container_restarts_and_serves_while_the_operator_is_away() {
    let (kubectl, _upstream) = serving("away").await;
    let system = system();
    system.run(&["scale", "deployment/dragoman-operator", "--replicas=0"]);
    system.run(&[
        "wait",
        "pods",
        "-l",
        "app.kubernetes.io/name=dragoman-operator",
        "--for=delete",
        "--timeout=60s",
    ]);
    let pods = || {
        let pods = system.run(&[
            "get",
            "pods",
            "-l",
            "dragoman.dev/proxy=default",
            "-o",
            "json",
        ]);
        let pods: Value = serde_json::from_str(&pods).unwrap();
        pods["items"].as_array().unwrap().clone()
    };
    let restarts = |pods: &[Value]| -> u64 {
        let count = |pod: &Value| pod["status"]["containerStatuses"][0]["restartCount"].as_u64();
        pods.iter().filter_map(count).sum()
    };
    let running = pods();
    let before = restarts(&running);
    for pod in &running {
        kill_proxy_of(pod["metadata"]["uid"].as_str().unwrap());
    }
    eventually(
        "every proxy container was restarted and is ready",
        || async {
            let pods = pods();
            let ready = pods
                .iter()
                .all(|pod| pod["status"]["containerStatuses"][0]["ready"] == true);
            let all = restarts(&pods) >= before + running.len() as u64;
            if all && ready {
                Ok(())
            } else {
                Err(format!("{pods:?}"))
            }
        },
    )
    .await;
    served(&base_url(&kubectl), "gpt-4", "before").await;
    system.run(&["scale", "deployment/dragoman-operator", "--replicas=2"]);
    works_again(&kubectl).await;
}

#[tokio::test]
async fn calls_are_answered_while_the_api_server_restarts_and_status_is_right_after() {
    let (kubectl, _upstream) = serving("restart").await;
    let url = base_url(&kubectl);
    let cluster = std::env::var("DRAGOMAN_TEST_CLUSTER").unwrap();
    let mut restart = Command::new(root().join("tests/cluster/restart-apiserver"))
        .arg(cluster)
        .spawn()
        .unwrap();
    while restart.try_wait().unwrap().is_none() {
        served(&url, "gpt-4", "before").await;
    }
    assert!(restart.wait().unwrap().success());
    works_again(&kubectl).await;
}
