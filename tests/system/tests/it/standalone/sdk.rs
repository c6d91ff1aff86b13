//! The official SDKs, unmodified, against what `make run` serves.

use std::fs;

use dragoman_simulator::Simulator;
use dragoman_system::{node_walk, python_walk, root};

use super::manifests::{MAPPED, backend, names, object, route, route_to, simulator, started};
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
    tokio::task::spawn_blocking(move || python_walk("walk", &url))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_node_sdk_works_unmodified_with_the_standalone_example() {
    let (_simulator, proxy) = example().await;
    let url = format!("http://{}/routes/default/chat/v1", proxy.address);
    tokio::task::spawn_blocking(move || node_walk("walk", &url))
        .await
        .unwrap();
}

/// One simulator behind the route `chat`, in every dialect that upstreams are spoken to in, by a prefix of the models' names.
async fn dialects() -> (Simulator, Proxy, String) {
    let simulator = started(Simulator::builder().strict(true)).await;
    let origin = format!("http://{}", simulator.addr());
    let backends = [
        ("openai", "OpenAI", "/v1"),
        ("azure", "AzureOpenAI", ""),
        ("anthropic", "Anthropic", ""),
        ("ollama", "Ollama", ""),
        ("bedrock", "Bedrock", ""),
        ("gemini", "Gemini", ""),
        // It has one model, which says five words whatever it is asked.
        ("tgi", "TGI", "/tgi/tokens-5"),
        ("custom", "Custom", "/v1"),
    ];
    let entry =
        |name| format!("- {{name: {name}, modelPrefix: {name}/, backendRef: {{name: {name}}}}}\n");
    let mut manifest = route_to(&backends.map(|(name, ..)| entry(name)).concat(), MAPPED);
    manifest += &object(
        "Mapper",
        "{name: custom}",
        "path: \"'/chat/completions'\"\nresponse: body\nstreamEvent: \"body == '[DONE]' ? {'done': true} : body\"",
    );
    // TGI's clients name no model: a header of theirs says whose they want.
    let rule = |name: &str, model: &str, condition: &str| {
        format!(
            "- {{match: {{exact: tgi}}, when: \"headers['x-upstream'] == '{name}'{condition}\", target: {{model: {name}/{model}}}}}\n"
        )
    };
    let rules = backends.map(|(name, ..)| {
        rule(name, "status-429", " && headers['x-limited'] != null") + &rule(name, "echo", "")
    });
    manifest += &names(&format!("rules:\n{}", rules.concat()));
    for (name, dialect, path) in backends {
        let mut spec = format!("url: {origin}{path}\ndialect: {dialect}");
        match dialect {
            "AzureOpenAI" => spec += "\nazure: {apiVersion: 2024-10-21}",
            "Custom" => spec += "\nmapperRef: {name: custom}",
            _ => {}
        }
        manifest += &object("LLMBackend", &format!("{{name: {name}}}"), &spec);
    }
    let proxy = Proxy::start(&manifest).await;
    let url = format!("http://{}/routes/default/chat", proxy.address);
    (simulator, proxy, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdks_of_three_vendors_reach_models_behind_every_dialect() {
    let (_simulator, _proxy, url) = dialects().await;
    tokio::task::spawn_blocking(move || python_walk("dialects", &url))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_sdks_of_three_vendors_reach_models_behind_every_dialect() {
    let (_simulator, _proxy, url) = dialects().await;
    tokio::task::spawn_blocking(move || node_walk("dialects", &url))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdks_of_azure_aws_google_and_hugging_face_reach_models_behind_every_dialect() {
    let (_simulator, _proxy, url) = dialects().await;
    tokio::task::spawn_blocking(move || python_walk("vendors", &url))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_asynchronous_python_sdks_stream_tools_and_raise_errors_across_dialects() {
    let (_simulator, _proxy, url) = dialects().await;
    tokio::task::spawn_blocking(move || python_walk("asynchronous", &url))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn vercels_ai_sdk_reaches_models_behind_every_dialect() {
    let (_simulator, _proxy, url) = dialects().await;
    tokio::task::spawn_blocking(move || node_walk("ai", &url))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_responses_images_structured_output_and_reasoning_reach_the_python_sdks_across_dialects()
 {
    let (_simulator, _proxy, url) = dialects().await;
    tokio::task::spawn_blocking(move || python_walk("across", &url))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdks_raise_a_limit_as_their_own_error_and_read_when_to_come_again() {
    let simulator = simulator().await;
    let policy = "limits: [{per: Address, requests: 2, window: 1h}]";
    let manifest = backend("main", &simulator.url(), "")
        + &object("AccessPolicy", "{name: gold}", policy)
        + &route("accessPolicyRefs: [{name: gold}]");
    let proxy = Proxy::start(&manifest).await;
    let url = format!("http://{}/routes/default/chat", proxy.address);
    tokio::task::spawn_blocking(move || python_walk("limits", &url))
        .await
        .unwrap();
}
