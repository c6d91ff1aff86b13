//! Tool calls over two turns, with a server of OpenAI's chat completions that wants back what its model reasoned before them.

use dragoman_dialects::openai::Chat;
use dragoman_dialects::openai::chat::request::with_reasoning;
use dragoman_dialects::{Codec, Context};
use serde_json::{Value, json};

use crate::answers::context;
use crate::wires::{Side, clients};

/// What such a server answers first.
fn answer() -> Value {
    json!({"id": "r", "object": "chat.completion", "created": 1, "model": "deepseek-v4-pro", "choices": [{"index": 0, "finish_reason": "tool_calls",
        "message": {"role": "assistant", "content": "Looking.", "reasoning_content": "The box.", "tool_calls": [
            {"index": 0, "id": "call_a", "type": "function", "function": {"name": "look", "arguments": "{}"}}]}}]})
}

/// A client's second request: the turns that follow the question, out of the answer as it was told.
fn second(client: &Side, told: &Value) -> Value {
    let result = "a cat";
    match client.file {
        "messages" => json!({"model": "m", "max_tokens": 9, "messages": [
            {"role": "user", "content": "Look."},
            {"role": "assistant", "content": told["content"]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_a", "content": result}]}]}),
        "ollama-chat" => json!({"model": "m", "messages": [
            {"role": "user", "content": "Look."},
            told["message"],
            {"role": "tool", "tool_name": "look", "content": result}]}),
        "responses" => {
            let mut input = vec![json!({"role": "user", "content": "Look."})];
            input.extend(told["output"].as_array().unwrap().iter().cloned());
            input.push(
                json!({"type": "function_call_output", "call_id": "call_a", "output": result}),
            );
            json!({"model": "m", "input": input})
        }
        "gemini" => json!({"contents": [
            {"role": "user", "parts": [{"text": "Look."}]},
            told["candidates"][0]["content"],
            {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"output": result}}}]}]}),
        "converse" => json!({"messages": [
            {"role": "user", "content": [{"text": "Look."}]},
            told["output"]["message"],
            {"role": "user", "content": [{"toolResult": {"toolUseId": "call_a", "content": [{"text": result}]}}]}]}),
        other => panic!("{other}"),
    }
}

#[test]
fn what_was_reasoned_before_a_call_goes_back_from_every_client_where_it_is_wanted() {
    for name in ["messages", "ollama-chat", "responses", "gemini", "converse"] {
        let client = clients().find(|side| side.file == name).unwrap();
        let reply = Chat.read_reply(answer().to_string().as_bytes()).unwrap();
        let context = Context {
            reasoning: true,
            ..context()
        };
        let told = client.codec().write_reply(&reply, &context);
        let told: Value = serde_json::from_slice(&told).unwrap();
        let body = second(client, &told).to_string();
        let request = client.read(body.as_bytes()).unwrap();
        let sent = |request| {
            let written = Chat.write_request(request, client.target()).unwrap();
            let written: Value = serde_json::from_slice(&written).unwrap();
            let messages = written["messages"].as_array().unwrap();
            let own = |message: &&Value| message["role"] == "assistant";
            Value::from_iter(messages.iter().filter(own).cloned())
        };
        let mut expected = json!([{"role": "assistant", "content": "Looking.", "tool_calls": [
            {"id": "call_a", "type": "function", "function": {"name": "look", "arguments": "{}"}}]}]);
        assert_eq!(sent(&request), expected, "{name}");
        expected[0]["reasoning_content"] = "The box.".into();
        assert_eq!(sent(&with_reasoning(&request)), expected, "{name}");
    }
}
