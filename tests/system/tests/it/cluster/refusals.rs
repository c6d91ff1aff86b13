//! What bad input gets: a refusal at apply, or a condition that names object, field and cure.

use dragoman_simulator::Simulator;
use dragoman_system::Kubectl;

use super::{backend, base_url, route, served, simulator};

fn message(condition: &serde_json::Value) -> &str {
    condition["message"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_typo_in_a_field_is_refused_at_apply() {
    let kubectl = Kubectl::in_new_namespace("typo");
    let manifest = route("one", "  modelMapReff: {name: names}\n");
    assert!(
        kubectl
            .refused(&manifest)
            .contains("unknown field \"spec.modelMapReff\"")
    );
}

#[tokio::test]
async fn two_credentials_are_refused_at_apply_with_the_cure() {
    let kubectl = Kubectl::in_new_namespace("twokeys");
    let upstream = simulator(Simulator::builder()).await;
    let both = "  credential: {secretRef: {name: a, key: b}, passthrough: {}}\n";
    assert!(
        kubectl
            .refused(&backend("one", &upstream, both))
            .contains("at most one of")
    );
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let kubectl = Kubectl::in_new_namespace("missing");
    kubectl.apply(&route("nobody", "  modelMapRef: {name: nothing}\n"));
    let condition = kubectl
        .condition("llmroute", "chat", "ResolvedRefs", "False")
        .await;
    assert!(
        message(&condition).contains("LLMBackend missing/nobody does not exist"),
        "{condition}"
    );
    assert!(
        message(&condition).contains("ModelMap missing/nothing does not exist"),
        "{condition}"
    );
    kubectl
        .condition("llmroute", "chat", "Ready", "False")
        .await;
}

#[tokio::test]
async fn a_cycle_of_fallbacks_is_named() {
    let kubectl = Kubectl::in_new_namespace("cycle");
    kubectl.apply(
        "apiVersion: dragoman.dev/v1alpha1\nkind: ModelMap\nmetadata: {name: names}\nspec:\n  rules:\n  - match: {exact: a}\n    fallbacks: [{model: b}]\n  - match: {exact: b}\n    fallbacks: [{model: a}]\n",
    );
    let condition = kubectl
        .condition("modelmap", "names", "Accepted", "False")
        .await;
    assert!(
        message(&condition).contains("spec.rules[1].fallbacks[0].model"),
        "{condition}"
    );
    assert!(message(&condition).contains("cycle"), "{condition}");
}

#[tokio::test]
async fn a_hostname_of_the_cluster_is_refused_and_a_taken_one_says_whose_it_is() {
    // Creation times have seconds; within one, the name decides, and these names decide alike.
    let older = Kubectl::in_new_namespace("a-older");
    let newer = Kubectl::in_new_namespace("b-newer");
    assert!(
        older
            .refused(&route("one", "  hostnames: [kubernetes.default.svc]\n"))
            .contains(".svc")
    );
    let upstream = simulator(Simulator::builder()).await;
    for kubectl in [&older, &newer] {
        kubectl.apply(&backend("one", &upstream, ""));
        kubectl.apply(&route("one", "  hostnames: [llm.example.com]\n"));
        kubectl
            .condition("llmroute", "chat", "Programmed", "True")
            .await;
    }
    let condition = newer
        .condition("llmroute", "chat", "Accepted", "False")
        .await;
    assert_eq!(condition["reason"], "HostnameTaken");
    assert!(message(&condition).contains("a-older/chat"), "{condition}");
    older.condition("llmroute", "chat", "Ready", "True").await;
    served(&base_url(&newer), "m", "m").await;
    older.run(&["delete", "llmroute", "chat"]);
    newer.condition("llmroute", "chat", "Ready", "True").await;
}

#[tokio::test]
async fn a_service_that_is_not_ours_is_left_alone() {
    let kubectl = Kubectl::in_new_namespace("foreign");
    let upstream = simulator(Simulator::builder()).await;
    kubectl.run(&["create", "service", "clusterip", "chat", "--tcp=80:8080"]);
    kubectl.apply(&backend("one", &upstream, ""));
    kubectl.apply(&route("one", ""));
    // Before that it may be false because no proxy has it yet.
    let condition = dragoman_system::eventually("the conflict is told", || async {
        let condition = kubectl
            .condition("llmroute", "chat", "Programmed", "False")
            .await;
        if condition["reason"] == "ServiceConflict" {
            Ok(condition)
        } else {
            Err(condition)
        }
    })
    .await;
    assert!(message(&condition).contains("foreign/chat"), "{condition}");
    let service = kubectl.get("service", "chat").unwrap();
    assert_eq!(service["spec"]["ports"][0]["targetPort"], 8080);
    assert!(
        service["metadata"]["ownerReferences"].is_null(),
        "{service}"
    );
    kubectl.run(&["delete", "service", "chat"]);
    kubectl.condition("llmroute", "chat", "Ready", "True").await;
    served(&base_url(&kubectl), "m", "m").await;
}

#[tokio::test]
async fn a_route_that_its_proxy_does_not_admit_says_so() {
    let kubectl = Kubectl::in_new_namespace("closed");
    let home = Kubectl::in_new_namespace("closedhome");
    home.apply("apiVersion: dragoman.dev/v1alpha1\nkind: LLMProxy\nmetadata: {name: own}\nspec: {deployment: {replicas: 0}}\n");
    kubectl.apply(&route(
        "one",
        "  proxyRefs: [{name: own, namespace: closedhome}]\n",
    ));
    let condition = kubectl
        .condition("llmroute", "chat", "Accepted", "False")
        .await;
    assert_eq!(condition["reason"], "NotAllowedByProxy");
    assert!(
        message(&condition).contains("spec.allowedRoutes.namespaces"),
        "{condition}"
    );
}

#[tokio::test]
async fn an_upstream_in_a_denied_place_is_not_called() {
    let kubectl = Kubectl::in_new_namespace("denied");
    kubectl.apply(
        "apiVersion: dragoman.dev/v1alpha1\nkind: LLMRoute\nmetadata: {name: chat}\nspec:\n  backends:\n  - {name: cloud, inline: {url: \"http://169.254.169.254/v1\"}}\n",
    );
    kubectl
        .condition("llmroute", "chat", "Programmed", "True")
        .await;
    let url = base_url(&kubectl);
    let (status, reply) = dragoman_system::eventually("the route answers", || async {
        super::chat(&url, "m").await
    })
    .await;
    assert_eq!(status, 502, "{reply}");
    assert_eq!(reply["error"]["code"], "upstream_denied", "{reply}");
}
