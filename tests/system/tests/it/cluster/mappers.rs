//! A Mapper's status, and what an edit of it does (feature A8).

use dragoman_simulator::Simulator;
use dragoman_system::Kubectl;

use super::{base_url, route, served, simulator};

fn mapper(request: &str, expect: &str) -> String {
    format!(
        "apiVersion: dragoman.dev/v1alpha1\nkind: Mapper\nmetadata: {{name: own}}\nspec:\n  request: \"{request}\"\n  tests:\n  - {{name: a word, phase: Request, input: {{body: {{model: a}}}}, expect: {expect}}}\n"
    )
}

fn message(condition: &serde_json::Value) -> &str {
    condition["message"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_mapper_tells_whether_its_tests_pass_and_an_edit_of_it_is_served() {
    let kubectl = Kubectl::in_new_namespace("mapper");
    let upstream = simulator(Simulator::builder()).await;
    let spec = "  mapperRef: {name: own}\n";
    kubectl.apply(&super::backend("one", &upstream, spec));
    kubectl.apply(&route("one", ""));
    kubectl.apply(&mapper("merge(body, {'model': 'first'})", "{model: first}"));
    let passed = kubectl
        .condition("mapper", "own", "TestsPassed", "True")
        .await;
    assert_eq!(passed["reason"], "TestsPassed");
    kubectl.condition("mapper", "own", "Ready", "True").await;
    let url = base_url(&kubectl);
    served(&url, "m", "first").await;
    // A version whose tests fail is told, and the one before stays.
    kubectl.apply(&mapper(
        "merge(body, {'model': 'second'})",
        "{model: first}",
    ));
    let failed = kubectl
        .condition("mapper", "own", "TestsPassed", "False")
        .await;
    assert!(message(&failed).contains("spec.tests[a word]"), "{failed}");
    kubectl
        .condition("llmbackend", "one", "ResolvedRefs", "False")
        .await;
    served(&url, "m", "first").await;
    kubectl.apply(&mapper(
        "merge(body, {'model': 'second'})",
        "{model: second}",
    ));
    served(&url, "m", "second").await;
    kubectl
        .condition("llmbackend", "one", "ResolvedRefs", "True")
        .await;
}
