//! What resources own: made, scaled, left alone where it is somebody else's, and gone with its namespace.

use dragoman_simulator::Simulator;
use dragoman_system::{Kubectl, eventually};
use serde_json::Value;

use super::{backend, base_url, route, served, simulator};

fn proxy(more: &str) -> String {
    format!(
        "apiVersion: dragoman.dev/v1alpha1\nkind: LLMProxy\nmetadata: {{name: own}}\nspec: {{{more}}}\n"
    )
}

async fn refused_child(kubectl: &Kubectl, named: &str) {
    eventually(&format!("the LLMProxy says that {named} is taken"), || {
        let object = kubectl.get("llmproxy", "own");
        async move {
            let status = object?["status"].take();
            let refused = status["conditions"].as_array().is_some_and(|conditions| {
                conditions.iter().any(|condition| {
                    condition["type"] == "Programmed"
                        && condition["reason"] == "ChildRefused"
                        && condition["message"]
                            .as_str()
                            .is_some_and(|message| message.contains(named))
                })
            });
            if refused { Ok(()) } else { Err(status) }
        }
    })
    .await;
}

#[tokio::test]
async fn objects_of_our_names_that_are_not_ours_are_left_alone() {
    let kubectl = Kubectl::in_new_namespace("taken");
    kubectl.run(&[
        "create",
        "configmap",
        "dragoman-own-ca",
        "--from-literal=ca.crt=theirs",
    ]);
    kubectl.run(&[
        "create",
        "deployment",
        "dragoman-own",
        "--image=theirs",
        "--replicas=0",
    ]);
    kubectl.apply(&proxy("deployment: {replicas: 0}"));
    refused_child(&kubectl, "ConfigMap dragoman-own-ca").await;
    kubectl
        .condition("llmproxy", "own", "Stalled", "True")
        .await;
    let map = kubectl.get("configmap", "dragoman-own-ca").unwrap();
    assert_eq!(map["data"]["ca.crt"], "theirs");
    assert!(map["metadata"]["ownerReferences"].is_null(), "{map}");

    kubectl.run(&["delete", "configmap", "dragoman-own-ca"]);
    refused_child(&kubectl, "Deployment dragoman-own").await;
    let deployment = kubectl.get("deployment", "dragoman-own").unwrap();
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "theirs", "{deployment}");

    kubectl.run(&["delete", "deployment", "dragoman-own"]);
    eventually("the LLMProxy has its Deployment", || {
        let deployment = kubectl.get("deployment", "dragoman-own");
        async move {
            let owner = &deployment?["metadata"]["ownerReferences"][0]["kind"];
            if owner == "LLMProxy" {
                Ok(())
            } else {
                Err(owner.to_string())
            }
        }
    })
    .await;
}

#[tokio::test]
async fn kubectl_scales_an_llmproxy_as_it_scales_a_deployment() {
    let kubectl = Kubectl::in_new_namespace("scaled");
    kubectl.apply(&proxy("deployment: {}"));
    let scaled_to = async |count: u64| {
        eventually(&format!("{count} proxies run"), || {
            let scale = kubectl.run(&[
                "get",
                "llmproxy",
                "own",
                "--subresource=scale",
                "-o",
                "json",
            ]);
            let scale: Value = serde_json::from_str(&scale).unwrap();
            let selector = scale["status"]["selector"].as_str().unwrap_or_default();
            let pods = kubectl.run(&["get", "pods", "-o", "name", "-l", selector]);
            let ready = kubectl.get("llmproxy", "own").unwrap()["status"]["proxies"].take();
            async move {
                let pods = pods.lines().count() as u64;
                if scale["status"]["replicas"] == count
                    && pods == count
                    && ready["programmed"] == count
                {
                    Ok(())
                } else {
                    Err(format!("{scale} {pods} {ready}"))
                }
            }
        })
        .await;
    };
    for count in [2, 1] {
        kubectl.run(&["scale", "llmproxy", "own", &format!("--replicas={count}")]);
        scaled_to(count).await;
    }
}

#[tokio::test]
async fn a_namespace_that_goes_warns_nobody() {
    let kubectl = Kubectl::in_new_namespace("going-away");
    let upstream = simulator(Simulator::builder()).await;
    kubectl.apply(&backend("one", &upstream, ""));
    kubectl.apply(&proxy("deployment: {replicas: 0}"));
    kubectl.apply(&route("one", ""));
    served(&base_url(&kubectl), "m", "m").await;
    kubectl.run(&["delete", "namespace", "going-away", "--wait"]);
    let log = Kubectl::in_namespace("dragoman-system").run(&[
        "logs",
        "--tail=-1",
        "-l",
        "app.kubernetes.io/name=dragoman-operator",
    ]);
    let warnings: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("going-away"))
        .filter(|line| line.contains("WARN") || line.contains("ERROR"))
        .collect();
    assert!(warnings.is_empty(), "{warnings:#?}");
}
