//! Edits while it runs: what is served and what status says after each.

use dragoman_simulator::Simulator;
use dragoman_system::{Kubectl, eventually};
use serde_json::json;

use super::{backend, base_url, chat, client, names, route, served, simulator};

const MAPPED: &str = "  modelMapRef: {name: names}\n";

#[tokio::test]
async fn a_rename_is_served_at_once() {
    let kubectl = Kubectl::in_new_namespace("rename");
    let upstream = simulator(Simulator::builder()).await;
    kubectl.apply(&backend("one", &upstream, ""));
    kubectl.apply(&names("gpt-4", "first"));
    kubectl.apply(&route("one", MAPPED));
    kubectl.condition("llmroute", "chat", "Ready", "True").await;
    let url = base_url(&kubectl);
    served(&url, "gpt-4", "first").await;
    kubectl.apply(&names("gpt-4", "second"));
    served(&url, "gpt-4", "second").await;
    kubectl
        .condition("modelmap", "names", "Ready", "True")
        .await;
}

#[tokio::test]
async fn a_route_moves_to_another_backend() {
    let kubectl = Kubectl::in_new_namespace("swap");
    let one = simulator(Simulator::builder().name("one")).await;
    let two = simulator(Simulator::builder().name("two")).await;
    kubectl.apply(&backend("one", &one, ""));
    kubectl.apply(&backend("two", &two, ""));
    kubectl.apply(&route("one", ""));
    let url = base_url(&kubectl);
    served(&url, "m", "m").await;
    assert!(two.requests().is_empty());
    kubectl.apply(&route("two", ""));
    kubectl
        .condition("llmroute", "chat", "Programmed", "True")
        .await;
    one.clear();
    served(&url, "m", "m").await;
    assert!(
        one.requests()
            .iter()
            .all(|request| request.method != "POST")
    );
    assert!(
        two.requests()
            .iter()
            .any(|request| request.method == "POST")
    );
}

#[tokio::test]
async fn a_rotated_key_is_used_and_a_deleted_secret_breaks_nothing() {
    let kubectl = Kubectl::in_new_namespace("keys");
    let upstream = simulator(Simulator::builder().api_key("sk-old")).await;
    let secret = |key: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: key}}\nstringData: {{key: {key}}}\n"
        )
    };
    kubectl.apply(&secret("sk-old"));
    let with_key = backend(
        "one",
        &upstream,
        "  credential: {secretRef: {name: key, key: key}}\n",
    );
    kubectl.apply(&with_key);
    kubectl.apply(&route("one", ""));
    let url = base_url(&kubectl);
    served(&url, "m", "m").await;

    upstream.set_api_keys(["sk-new"]);
    kubectl.apply(&secret("sk-new"));
    served(&url, "m", "m").await;

    kubectl.run(&["delete", "secret", "key"]);
    let condition = kubectl
        .condition("llmbackend", "one", "ResolvedRefs", "False")
        .await;
    assert_eq!(condition["reason"], "SecretNotFound");
    let message = condition["message"].as_str().unwrap();
    assert!(
        message.contains("keys/key") && message.contains("create it"),
        "{message}"
    );
    assert!(!message.contains("sk-"), "{message}");
    served(&url, "m", "m").await;

    kubectl.apply(&secret("sk-new"));
    kubectl
        .condition("llmbackend", "one", "Ready", "True")
        .await;
}

#[tokio::test]
async fn a_map_that_does_not_compile_keeps_the_previous_one() {
    let kubectl = Kubectl::in_new_namespace("badmap");
    let upstream = simulator(Simulator::builder()).await;
    kubectl.apply(&backend("one", &upstream, ""));
    kubectl.apply(&names("gpt-4", "first"));
    kubectl.apply(&route("one", MAPPED));
    let url = base_url(&kubectl);
    served(&url, "gpt-4", "first").await;

    // A regex is refused by the API server itself; a group that it does not capture, by the compiler.
    let refused = kubectl.refused(&names("gpt-4", "x").replace("exact: gpt-4", "regex: \"(\""));
    assert!(refused.contains("regex"), "{refused}");
    kubectl.apply(&names("gpt-4", "\"$7\"").replace("exact: gpt-4", "regex: gpt-4"));
    let condition = kubectl
        .condition("modelmap", "names", "Accepted", "False")
        .await;
    assert!(
        condition["message"]
            .as_str()
            .unwrap()
            .contains("spec.rules[0].target.model"),
        "{condition}"
    );
    kubectl
        .condition("modelmap", "names", "Stalled", "True")
        .await;
    served(&url, "gpt-4", "first").await;

    kubectl.apply(&names("gpt-4", "second"));
    served(&url, "gpt-4", "second").await;
    kubectl
        .condition("modelmap", "names", "Ready", "True")
        .await;
}

#[tokio::test]
async fn a_backend_that_goes_down_is_seen_and_the_call_says_whose_fault_it_is() {
    let kubectl = Kubectl::in_new_namespace("down");
    let upstream = simulator(Simulator::builder()).await;
    kubectl.apply(&backend(
        "one",
        &upstream,
        "  health: {path: /health, interval: 1s, unhealthyAfter: 2}\n",
    ));
    kubectl.apply(&route("one", ""));
    let url = base_url(&kubectl);
    served(&url, "m", "m").await;
    kubectl
        .condition("llmbackend", "one", "Healthy", "True")
        .await;
    upstream.shutdown().await;
    kubectl
        .condition("llmbackend", "one", "Healthy", "False")
        .await;
    kubectl
        .condition("llmroute", "chat", "BackendsHealthy", "False")
        .await;
    kubectl.condition("llmroute", "chat", "Ready", "True").await;
    let (status, reply) = chat(&url, "m").await.unwrap();
    assert_eq!(status, 502, "{reply}");
    assert_eq!(reply["error"]["code"], "upstream_unreachable", "{reply}");
    assert!(
        reply["error"]["message"]
            .as_str()
            .unwrap()
            .contains("\"main\""),
        "{reply}"
    );
}

#[tokio::test]
async fn a_route_follows_the_permission_of_its_backend() {
    let platform = Kubectl::in_new_namespace("platform");
    let team = Kubectl::in_new_namespace("tenant");
    let upstream = simulator(Simulator::builder()).await;
    platform.apply(&backend("shared", &upstream, ""));
    team.apply(&route("shared, namespace: platform", ""));
    let condition = team
        .condition("llmroute", "chat", "ResolvedRefs", "False")
        .await;
    assert_eq!(condition["reason"], "RefNotPermitted");
    platform.apply(&backend("shared", &upstream, "  allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {llm: \"yes\"}}}}\n"));
    team.run(&["label", "namespace", "tenant", "llm=yes", "--overwrite"]);
    team.condition("llmroute", "chat", "ResolvedRefs", "True")
        .await;
    let url = base_url(&team);
    served(&url, "m", "m").await;
    team.run(&["label", "namespace", "tenant", "llm-"]);
    eventually("the route is closed again", || async {
        match chat(&url, "m").await? {
            (503, _) => Ok(()),
            (status, reply) => Err(format!("{status} {reply}")),
        }
    })
    .await;
}

#[tokio::test]
async fn prompts_are_read_from_a_config_map_and_an_edit_of_it_is_served() {
    let kubectl = Kubectl::in_new_namespace("prompts");
    let upstream = simulator(Simulator::builder()).await;
    kubectl.apply(&backend("one", &upstream, ""));
    kubectl.apply(&route(
        "one",
        "  conversation: {prefix: /talk, promptsRef: {name: prompts}}\n",
    ));
    eventually("the ConfigMap is missed", || async {
        // Until it was looked for it is pending.
        let missed = kubectl
            .condition("llmroute", "chat", "ResolvedRefs", "False")
            .await;
        match missed["reason"].as_str() {
            Some("ConfigMapNotFound") => Ok(()),
            _ => Err(missed),
        }
    })
    .await;
    let url = base_url(&kubectl).replace("/v1", "/talk/conversation_with_model");
    for prompt in ["Be brief.", "Be briefer."] {
        kubectl.apply(&format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: prompts}}\ndata: {{en.chat-conversation-simple.prompt: {prompt}}}\n"
        ));
        eventually(prompt, || async {
            let body = json!({"model_name": "m", "user_last_statement": "hello", "stream": false});
            let reply = client().post(&url).json(&body).send().await;
            let reply = reply.map_err(|fault| fault.to_string())?;
            let (status, text) = (reply.status(), reply.text().await.unwrap_or_default());
            let requests = upstream.requests();
            let asked = requests.iter().rfind(|request| request.method == "POST");
            let told = asked.map(|asked| asked.json()["messages"][0]["content"].clone());
            match told {
                Some(told) if status == 200 && told == prompt => Ok(()),
                told => Err(format!("{status} {text} {told:?}")),
            }
        })
        .await;
    }
    kubectl.condition("llmroute", "chat", "Ready", "True").await;
}
