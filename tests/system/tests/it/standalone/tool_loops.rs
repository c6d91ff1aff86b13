//! Tool calls that go on over several turns, with servers that want back what the model reasoned before them (feature B1).

use dragoman_simulator::Simulator;
use serde_json::{Value, json};

use super::manifests::{backend, posts, route, simulator};
use super::proxy::Proxy;

/// A model that reasons, calls a tool, and refuses a next turn without its reasoning, as DeepSeek's do.
const MODEL: &str = "reasoning+tools+remembers";

/// What a client of a dialect sends back: the answer, as its SDK has it, and the tool's result.
struct Client {
    name: &'static str,
    path: String,
    /// The request of the first turn, which asks for reasoning.
    asked: Value,
    /// Where its turns stand.
    turns: &'static str,
    /// The turns that follow an answer.
    next: fn(&Value) -> Vec<Value>,
}

fn clients() -> [Client; 5] {
    let schema = json!({"type": "object", "properties": {}});
    let say = json!({"role": "user", "content": "Look."});
    let anthropic = json!({"model": MODEL, "max_tokens": 4096, "messages": [say],
        "thinking": {"type": "enabled", "budget_tokens": 1024}, "tools": [{"name": "look", "input_schema": schema}]});
    let ollama = json!({"model": MODEL, "stream": false, "think": true, "messages": [say],
        "tools": [{"type": "function", "function": {"name": "look", "parameters": schema}}]});
    let responses = json!({"model": MODEL, "reasoning": {"effort": "medium", "summary": "auto"}, "input": [say],
        "tools": [{"type": "function", "name": "look", "parameters": schema}]});
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "Look."}]}],
        "generationConfig": {"thinkingConfig": {"includeThoughts": true}},
        "tools": [{"functionDeclarations": [{"name": "look", "parametersJsonSchema": schema}]}]});
    let converse = json!({"messages": [{"role": "user", "content": [{"text": "Look."}]}],
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        "toolConfig": {"tools": [{"toolSpec": {"name": "look", "inputSchema": {"json": schema}}}]}});
    [
        Client {
            name: "Anthropic",
            path: "/v1/messages".into(),
            asked: anthropic,
            turns: "messages",
            next: |answer| {
                let content = &answer["content"];
                let call = call_of(content, |part| part["type"] == "tool_use");
                vec![
                    json!({"role": "assistant", "content": content}),
                    json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": "a cat"}]}),
                ]
            },
        },
        Client {
            name: "Ollama",
            path: "/api/chat".into(),
            asked: ollama,
            turns: "messages",
            next: |answer| {
                vec![
                    answer["message"].clone(),
                    json!({"role": "tool", "tool_name": "look", "content": "a cat"}),
                ]
            },
        },
        Client {
            name: "Responses",
            path: "/v1/responses".into(),
            asked: responses,
            turns: "input",
            next: |answer| {
                let output = &answer["output"];
                let call = call_of(output, |item| item["type"] == "function_call");
                let result = json!({"type": "function_call_output", "call_id": call["call_id"], "output": "a cat"});
                let items = output.as_array().unwrap().iter().cloned();
                items.chain([result]).collect()
            },
        },
        Client {
            name: "Gemini",
            path: format!("/v1beta/models/{MODEL}:generateContent"),
            asked: gemini,
            turns: "contents",
            next: |answer| {
                vec![
                    answer["candidates"][0]["content"].clone(),
                    json!({"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"output": "a cat"}}}]}),
                ]
            },
        },
        Client {
            name: "Converse",
            path: format!("/model/{MODEL}/converse"),
            asked: converse,
            turns: "messages",
            next: |answer| {
                let message = &answer["output"]["message"];
                let call = call_of(&message["content"], |part| part.get("toolUse").is_some());
                vec![
                    message.clone(),
                    json!({"role": "user", "content": [{"toolResult": {"toolUseId": call["toolUse"]["toolUseId"], "content": [{"text": "a cat"}]}}]}),
                ]
            },
        },
    ]
}

fn call_of(parts: &Value, is_call: fn(&Value) -> bool) -> &Value {
    let mut parts = parts.as_array().unwrap().iter();
    parts.find(|part| is_call(part)).unwrap()
}

/// The status of a client's second turn.
async fn second_turn(proxy: &Proxy, client: &Client) -> (u16, String) {
    let mut asked = client.asked.clone();
    let first = proxy.post(&client.path, &asked).await;
    assert_eq!(first.status, 200, "{}: {}", client.name, first.text());
    let turns = asked[client.turns].as_array_mut().unwrap();
    turns.extend((client.next)(&first.json()));
    let second = proxy.post(&client.path, &asked).await;
    (second.status, second.text())
}

fn manifest(upstream: &Simulator, openai: &str) -> String {
    let url = format!("http://{}/v1", upstream.addr());
    backend("main", &url, &format!("openai: {{{openai}}}")) + &route("")
}

#[tokio::test]
async fn what_was_reasoned_before_a_call_goes_back_from_every_client_where_the_server_wants_it() {
    let upstream = simulator().await;
    let openai = "responses: Translate, reasoningContent: Send";
    let proxy = Proxy::start(&manifest(&upstream, openai)).await;
    for client in clients() {
        let (status, said) = second_turn(&proxy, &client).await;
        assert_eq!(status, 200, "{}: {said}", client.name);
        let sent = posts(&upstream).last().unwrap().json();
        let messages = sent["messages"].as_array().unwrap().iter();
        let own: Vec<_> = messages
            .filter(|message| message["role"] == "assistant")
            .collect();
        let reasoned = own[0]["reasoning_content"].as_str().unwrap();
        assert!(!reasoned.is_empty(), "{}: {sent}", client.name);
        assert_eq!(own.len(), 1, "{}: {sent}", client.name);
    }
}

#[tokio::test]
async fn reasoning_is_left_out_for_servers_that_refuse_the_field() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&manifest(&upstream, "responses: Translate")).await;
    for client in clients() {
        // This server wants it: what it says reaches the client.
        let (status, said) = second_turn(&proxy, &client).await;
        assert_eq!(status, 400, "{}: {said}", client.name);
        assert!(
            said.contains("reasoning_content"),
            "{}: {said}",
            client.name
        );
        let sent = posts(&upstream).last().unwrap().json().to_string();
        assert!(
            !sent.contains("reasoning_content"),
            "{}: {sent}",
            client.name
        );
    }
}
