//! Anthropic's clients with other models behind them: an agent's request, as such clients send it.

use dragoman_dialects::anthropic::Messages;
use dragoman_dialects::openai::Chat;
use dragoman_dialects::{Codec, Path, Target};
use serde_json::{Value, json};

fn agent() -> Value {
    json!({
        "model": "claude-opus-4-7",
        "max_tokens": 32000,
        "stream": true,
        "system": [
            {"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}},
        ],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "look at a.rs", "cache_control": {"type": "ephemeral"}}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "I should read it.", "signature": ""},
                {"type": "text", "text": "Reading."},
                {"type": "tool_use", "id": "call_1", "name": "Read", "input": {"path": "a.rs"}, "cache_control": {"type": "ephemeral"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "fn main() {}", "is_error": false, "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": "and go on"},
            ]},
        ],
        "tools": [{"name": "Read", "description": "Reads.", "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}, "eager_input_streaming": true}],
        "metadata": {"user_id": "ann"},
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "medium"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "temperature": 1,
    })
}

#[test]
fn an_agents_request_reaches_openais_models() {
    let form = Messages
        .read_request(agent().to_string().as_bytes(), Path::default())
        .unwrap();
    let target = Target {
        model: "gpt-5",
        stream: true,
    };
    let written = Chat.write_request(&form, target).unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(written["reasoning_effort"], "medium");
    assert_eq!(written["tools"][0]["function"]["name"], "Read");
    let roles: Vec<&str> = written["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "user"]);
    let call = &written["messages"][2]["tool_calls"][0];
    assert_eq!(call["function"]["arguments"], r#"{"path":"a.rs"}"#);
    assert_eq!(call["id"], written["messages"][3]["tool_call_id"]);
}

#[test]
fn an_agents_request_comes_back_to_anthropic_without_the_thinking_that_nobody_signed() {
    let form = Messages
        .read_request(agent().to_string().as_bytes(), Path::default())
        .unwrap();
    let target = Target {
        model: "claude-opus-4-7",
        stream: true,
    };
    let written = Messages.write_request(&form, target).unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(
        written["messages"][1]["content"][0],
        json!({"type": "text", "text": "Reading."})
    );
    assert_eq!(written["context_management"], agent()["context_management"]);
    assert_eq!(written["system"], agent()["system"]);
}
