//! Bodies that name what other teams keep with the vendor, under the key that all share.

use dragoman_simulator::Simulator;
use serde_json::{Value, json};

use super::super::manifests::{MAPPED, backend, names, posts, route, secret, simulator};
use super::super::proxy::{Proxy, chat};

const KEY: &str = "credential: {secretRef: {name: ours, key: key}}";

/// One backend of a dialect, with the platform's key, unless `more` says otherwise.
fn manifest(upstream: &Simulator, dialect: &str, more: &str) -> String {
    let url = upstream.url();
    let (url, version) = match dialect {
        "OpenAI" => (url.as_str(), ""),
        "AzureOpenAI" => (
            url.trim_end_matches("/v1"),
            "azure: {apiVersion: 2024-10-21}\n",
        ),
        _ => (url.trim_end_matches("/v1"), ""),
    };
    let spec = format!("dialect: {dialect}\n{version}{more}");
    secret("ours", "sk-ours-0123456789") + &backend("main", url, &spec)
}

fn said_in_chat(part: &Value) -> Value {
    json!({"model": "echo", "messages": [{"role": "user", "content": [part]}]})
}

fn to_claude(more: &Value) -> Value {
    let mut body =
        json!({"model": "echo", "max_tokens": 9, "messages": [{"role": "user", "content": "hm"}]});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// What is tried at a backend of each dialect: the field that is named, the path, the body.
fn tries() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    let (chat, responses, messages) = ("/v1/chat/completions", "/v1/responses", "/v1/messages");
    let file = said_in_chat(&json!({"type": "file", "file": {"file_id": "file-others"}}));
    let search = json!([{"type": "file_search", "vector_store_ids": ["vs_others"]}]);
    let document = json!([{"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": "file_others"}}]}]);
    let mut sources = self::chat("echo", "hm");
    sources["data_sources"] =
        json!([{"type": "azure_search", "parameters": {"index_name": "others"}}]);
    vec![
        ("OpenAI", "file_id", chat, file.clone()),
        (
            "OpenAI",
            "vector_store_ids",
            responses,
            json!({"model": "echo", "input": "hm", "tools": search}),
        ),
        (
            "OpenAI",
            "container",
            responses,
            json!({"model": "echo", "input": "hm", "tools": [{"type": "code_interpreter", "container": "cntr_others"}]}),
        ),
        (
            "OpenAI",
            "prompt",
            responses,
            json!({"model": "echo", "prompt": {"id": "pmpt_others"}}),
        ),
        (
            "OpenAI",
            "previous_response_id",
            responses,
            json!({"model": "echo", "input": "hm", "previous_response_id": "resp_others"}),
        ),
        (
            "OpenAI",
            "conversation",
            responses,
            json!({"model": "echo", "input": "hm", "conversation": "conv_others"}),
        ),
        (
            "OpenAI",
            "item_reference",
            responses,
            json!({"model": "echo", "input": [{"type": "item_reference", "id": "msg_others"}]}),
        ),
        (
            "OpenAI",
            "file_id",
            "/v1/images/edits",
            json!({"model": "echo", "prompt": "hm", "images": [{"file_id": "file-others"}]}),
        ),
        ("AzureOpenAI", "file_id", chat, file.clone()),
        ("AzureOpenAI", "data_sources", chat, sources),
        (
            "Anthropic",
            "file_id",
            messages,
            to_claude(&json!({"messages": document})),
        ),
        (
            "Anthropic",
            "file_id",
            "/v1/messages/count_tokens",
            to_claude(&json!({"messages": document})),
        ),
        (
            "Anthropic",
            "container",
            messages,
            to_claude(&json!({"container": "container_others"})),
        ),
        (
            "Anthropic",
            "skills",
            messages,
            to_claude(
                &json!({"container": {"skills": [{"type": "custom", "skill_id": "skill_others"}]}}),
            ),
        ),
        // Through another dialect's words.
        (
            "OpenAI",
            "file_id",
            responses,
            json!({"model": "echo", "input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-others"}]}]}),
        ),
    ]
}

#[tokio::test]
async fn no_body_leads_to_what_another_team_keeps_under_the_same_key() {
    for dialect in ["OpenAI", "AzureOpenAI", "Anthropic"] {
        let upstream = simulator().await;
        let of_dialect = || tries().into_iter().filter(|each| each.0 == dialect);
        let proxy = Proxy::start(&(manifest(&upstream, dialect, KEY) + &route(""))).await;
        for (_, what, path, body) in of_dialect() {
            let reply = proxy.post(path, &body).await;
            assert_eq!(reply.status, 400, "{dialect} {what}: {}", reply.text());
            assert!(reply.text().contains(what), "{}", reply.text());
            assert!(reply.text().contains("spec.relay"), "{}", reply.text());
        }
        assert!(posts(&upstream).is_empty(), "{dialect}");
        // Nothing of ours is there, or the backend's owner says that all who call it may.
        let listed = format!(
            "{KEY}\nrelay: [{{path: /chat/*}}, {{path: /responses}}, {{path: /images/*}}, {{path: /messages}}, {{path: /messages/*}}]"
        );
        for more in ["", listed.as_str()] {
            upstream.clear();
            let proxy = Proxy::start(&(manifest(&upstream, dialect, more) + &route(""))).await;
            for (_, _, path, body) in of_dialect() {
                proxy.post(path, &body).await;
            }
            assert_eq!(posts(&upstream).len(), of_dialect().count(), "{dialect}");
        }
    }
}

#[tokio::test]
async fn no_map_of_a_routes_and_no_translation_leads_there_either() {
    let upstream = simulator().await;
    let map = "rules:\n- match: {exact: echo}\n  target: {model: echo}\n  overrides: {container: {id: container_others}}";
    let manifest_of = |dialect: &str| manifest(&upstream, dialect, KEY);
    let proxy = Proxy::start(&(manifest_of("Anthropic") + &names(map) + &route(MAPPED))).await;
    for (path, body) in [
        ("/v1/messages", to_claude(&json!({}))),
        ("/v1/chat/completions", chat("echo", "hm")),
    ] {
        let reply = proxy.post(path, &body).await;
        assert_eq!(reply.status, 400, "{path}: {}", reply.text());
        assert!(reply.text().contains("container"), "{}", reply.text());
    }
    // A model that only a chat's words reach: the file's id would pass through.
    let proxy = Proxy::start(&(manifest_of("AzureOpenAI") + &route(""))).await;
    let file = json!({"type": "input_file", "file_id": "file-others"});
    let body = json!({"model": "echo", "input": [{"role": "user", "content": [file]}]});
    let reply = proxy.post("/v1/responses", &body).await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (400, "kept_content"),
        "{}",
        reply.text()
    );
    assert!(posts(&upstream).is_empty());
}

#[tokio::test]
async fn what_an_application_calls_its_own_reaches_the_model() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&(manifest(&upstream, "Anthropic", KEY) + &route(""))).await;
    let call = json!({"type": "tool_use", "id": "t", "name": "open", "input": {"file_id": "7", "container": "c"}});
    let result = json!({"type": "tool_result", "tool_use_id": "t", "content": "file_id"});
    let more = json!({
        "messages": [
            {"role": "user", "content": "hm"},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result]},
        ],
        "tools": [{"name": "open", "input_schema": {"type": "object", "properties": {"file_id": {"type": "string"}}}}],
        "container": {"skills": [{"type": "anthropic", "skill_id": "pptx", "version": "latest"}]},
    });
    let reply = proxy.post("/v1/messages", &to_claude(&more)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(posts(&upstream)[0].json(), to_claude(&more));
}
