//! Bodies of each dialect, as people see them.

use super::*;
use serde_json::json;

fn shown(body: &Value) -> Vec<String> {
    let part = |part: &Part| match part {
        Text(text) => text.clone(),
        Thinking(text) => format!("({text})"),
        Attachment(what) => format!("[{what}]"),
        Call(name, arguments) => format!("{name}{}", arguments.replace(['\n', ' '], "")),
        Outcome(text) => format!("= {}", text.replace(['\n', ' '], "")),
    };
    let turn = |turn: Turn| {
        let parts: Vec<_> = turn.parts.iter().map(part).collect();
        format!("{}: {}", turn.role, parts.join(" "))
    };
    of_request(body).into_iter().map(turn).collect()
}

#[test]
fn chat_completions_are_read() {
    let body = json!({"messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is it?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
        {"role": "assistant", "content": null, "reasoning_content": "Hm.", "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{\"at\": 1}"}}]},
        {"role": "tool", "tool_call_id": "1", "content": "a cat"}
    ], "tools": [{"type": "function", "function": {"name": "look"}}]});
    assert_eq!(
        shown(&body),
        [
            "system: Be brief.",
            "user: What is it? [image_url: data:image/png;base64, 4 characters]",
            "assistant: (Hm.) look{\"at\":1}",
            "tool: = a cat".replace("a cat", "acat").as_str(),
        ]
    );
    assert_eq!(tools(&body), ["look"]);
}

#[test]
fn messages_of_anthropic_are_read() {
    let body = json!({"system": [{"type": "text", "text": "Be brief."}], "messages": [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "tool_use", "name": "look", "input": {"at": 1}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "cat"}]},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]}
    ], "tools": [{"name": "look"}]});
    assert_eq!(
        shown(&body),
        [
            "system: Be brief.",
            "user: Hello",
            "assistant: (Hm.) look{\"at\":1}",
            "user: = cat [image: image/png]"
        ]
    );
    assert_eq!(tools(&body), ["look"]);
}

#[test]
fn the_responses_api_is_read() {
    let body = json!({"instructions": "Be brief.", "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "Hello"}, {"type": "input_image", "image_url": "https://a.example/b.png"}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "function_call", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "cat"}
    ]});
    assert_eq!(
        shown(&body),
        [
            "system: Be brief.",
            "user: Hello [image_url: https://a.example/b.png]",
            "assistant: (Hm.)",
            "assistant: look{}",
            "tool: = cat"
        ]
    );
    assert_eq!(shown(&json!({"input": "Hello"})), ["user: Hello"]);
}

#[test]
fn gemini_bedrock_ollama_and_plain_prompts_are_read() {
    let gemini = json!({"systemInstruction": {"parts": [{"text": "Be brief."}]}, "contents": [
        {"role": "user", "parts": [{"text": "Hello"}, {"inlineData": {"mimeType": "image/png", "data": "AA"}}]},
        {"role": "model", "parts": [{"text": "Hm.", "thought": true}, {"functionCall": {"name": "look", "args": {"at": 1}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"is": "cat"}}}]}
    ], "tools": [{"functionDeclarations": [{"name": "look"}, {"name": "leap"}]}]});
    assert_eq!(
        shown(&gemini),
        [
            "system: Be brief.",
            "user: Hello [inlineData: image/png]",
            "model: (Hm.) look{\"at\":1}",
            "user: = {\"is\":\"cat\"}"
        ]
    );
    assert_eq!(tools(&gemini), ["look", "leap"]);
    let converse = json!({"system": [{"text": "Be brief."}], "messages": [
        {"role": "user", "content": [{"text": "Hello"}, {"image": {"format": "png", "source": {"bytes": "AA"}}}]},
        {"role": "assistant", "content": [{"toolUse": {"name": "look", "input": {}}}]},
        {"role": "user", "content": [{"toolResult": {"content": [{"json": {"is": "cat"}}]}}]}
    ], "toolConfig": {"tools": [{"toolSpec": {"name": "look"}}]}});
    assert_eq!(
        shown(&converse),
        [
            "system: Be brief.",
            "user: Hello [image: png]",
            "assistant: look{}",
            "user: = {\"is\":\"cat\"}"
        ]
    );
    assert_eq!(tools(&converse), ["look"]);
    let chat = json!({"messages": [{"role": "user", "content": "Hello", "images": ["AA"]}]});
    assert_eq!(shown(&chat), ["user: Hello [image]"]);
    assert_eq!(
        shown(&json!({"prompt": ["a", "b"], "system": "s"})),
        ["system: s", "user: a", "user: b"]
    );
    assert_eq!(shown(&json!({"inputs": "Hello"})), ["user: Hello"]);
}

#[test]
fn nonsense_is_passed_over() {
    for body in [
        json!(null),
        json!([1]),
        json!({"messages": 5}),
        json!({"messages": [1, null, [], {}]}),
        json!({"messages": [{"role": 5, "content": {"type": 7}}], "tools": [1, {"name": 2}], "prompt": {"a": 1}}),
    ] {
        assert!(of_request(&body).is_empty(), "{body}");
        assert!(tools(&body).is_empty());
    }
    assert_eq!(of_reply(Some(""), Some(&json!([]))), None);
    let odd = of_reply(None, Some(&json!([5]))).unwrap();
    assert_eq!(odd.parts, [Call("?".into(), String::new())]);
}
