//! An operator that starts beside something that it cannot judge.

use dragoman_simulator::Simulator;
use dragoman_system::{Kubectl, eventually};

use super::{backend, base_url, chat, route, served, simulator};

/// A version of the route that names its backend no more, and does not compile.
const BROKEN: &str = "apiVersion: dragoman.dev/v1alpha1\nkind: LLMRoute\nmetadata: {name: chat}\nspec:\n  backends:\n  - {name: main, inline: {url: \"http://new\", timeouts: {connect: 48h}}}\n";

async fn serving(namespace: &str) -> (Kubectl, Simulator) {
    let kubectl = Kubectl::in_new_namespace(namespace);
    let upstream = simulator(Simulator::builder()).await;
    kubectl.apply(&backend("one", &upstream, ""));
    kubectl.apply(&route("one", ""));
    served(&base_url(&kubectl), "m", "m").await;
    (kubectl, upstream)
}

#[tokio::test]
async fn an_operator_that_starts_beside_a_broken_route_takes_nothing_away() {
    let (broken, _upstream) = serving("cold").await;
    let (sound, _other) = serving("cold-beside").await;
    broken.apply(BROKEN);
    let condition = broken
        .condition("llmroute", "chat", "Accepted", "False")
        .await;
    assert_eq!(condition["reason"], "Invalid", "{condition}");
    let system = Kubectl::in_namespace("dragoman-system");
    let operators = ["pods", "-l", "app.kubernetes.io/name=dragoman-operator"];
    let before = system.run(&[&["get"][..], &operators, &["-o", "name"]].concat());
    let force = ["--grace-period=0", "--force"];
    system.run(&[&["delete"][..], &operators, &force].concat());
    eventually("an operator leads that did not run before", || async {
        let lease = system.get("lease", "dragoman-operator")?;
        let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
        let mut former = before.lines().filter_map(|name| name.strip_prefix("pod/"));
        if holder.is_empty() || former.any(|pod| holder.starts_with(pod)) {
            return Err(lease.to_string());
        }
        Ok(())
    })
    .await;
    // An edit that runs on every connected proxy: each has synced with an operator that never saw the working version.
    sound.apply(&route("one", "  hostnames: [cold.example.com]\n"));
    sound
        .condition("llmroute", "chat", "Programmed", "True")
        .await;
    let url = base_url(&broken);
    for _ in 0..20 {
        let (status, reply) = chat(&url, "m").await.unwrap();
        assert_eq!(status, 200, "{reply}");
    }
    broken.apply(&route("one", ""));
    broken.condition("llmroute", "chat", "Ready", "True").await;
    served(&url, "m", "m").await;
}
