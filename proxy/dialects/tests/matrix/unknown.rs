//! Members that no reader knows, at every depth: none vanishes. What is null or empty says nothing, and what clients send back of a
//! reply is taken.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::requests::{Outcome, outcome, written};
use crate::wires::{SIDES, Side, clients};

const UNKNOWN: &str = "frobnicate";

/// Objects whose members are the application's own: schemas and arguments, and what is no matter of the model's.
const FREE: [&str; 16] = [
    "arguments",
    "args",
    "input",
    "input_schema",
    "json",
    "response",
    "parameters",
    "parametersJsonSchema",
    "responseJsonSchema",
    "responseSchema",
    "schema",
    "logit_bias",
    "metadata",
    "cache_control",
    "cachePoint",
    "format",
];

/// The places of the objects within a body, as JSON pointers, with the path that a client is told.
fn objects(value: &Value, at: (&str, &str), places: &mut Vec<(String, String)>) {
    let (pointer, path) = at;
    match value {
        Value::Object(map) => {
            if !path.is_empty() {
                places.push((pointer.to_owned(), path.to_owned()));
            }
            for (name, inner) in map {
                let free = FREE.contains(&name.as_str()) && !is_said(name, inner);
                if !free {
                    let dot = if path.is_empty() { "" } else { "." };
                    let inner_path = format!("{path}{dot}{name}");
                    objects(inner, (&format!("{pointer}/{name}"), &inner_path), places);
                }
            }
        }
        Value::Array(list) => {
            for (number, inner) in list.iter().enumerate() {
                let inner_path = format!("{path}[{number}]");
                objects(inner, (&format!("{pointer}/{number}"), &inner_path), places);
            }
        }
        _ => {}
    }
}

/// Whether a member that is free elsewhere is the dialect's own here: Responses' `input` and `text.format`, TGI's `parameters`.
fn is_said(name: &str, value: &Value) -> bool {
    match name {
        "input" => value.is_array(),
        "format" => value
            .get("type")
            .is_some_and(|kind| *kind == "json_schema" || *kind == "json_object"),
        "parameters" => value.get("type").is_none(),
        _ => false,
    }
}

/// The request with one more member at a place.
fn with(body: &Value, place: &str, value: Value) -> Vec<u8> {
    let mut body = body.clone();
    body.pointer_mut(place).unwrap()[UNKNOWN] = value;
    body.to_string().into_bytes()
}

/// What is wrong with what becomes of a request with an unknown member.
fn vanishes(client: &Side, upstream: &Side, body: &[u8], path: &str) -> Option<String> {
    // A fault of the request is as good.
    let request = client.read(body).ok()?;
    match outcome(client, upstream, &request) {
        Ok(Outcome::Refused(refusal)) => {
            // What is kept as it stood is refused as a whole, and much is refused for another reason.
            let named = refusal.field == format!("{path}.{UNKNOWN}");
            let other = !refusal.field.contains(UNKNOWN);
            (!(named || other)).then(|| format!("{refusal:?}"))
        }
        // A sibling gets what is its own as it stood.
        Ok(Outcome::Translated(_)) | Err(_) => {
            let sent = written(upstream, &request, upstream.target()).unwrap();
            let sent = String::from_utf8_lossy(&sent).into_owned();
            (!sent.contains(UNKNOWN)).then_some(sent)
        }
    }
}

#[test]
fn an_unknown_member_is_refused_at_every_depth() {
    // Of the second and third, tools are not sent at all by the rules.
    let others = ["unknown field", "no tool", "some tools"];
    let mut faults = String::new();
    for client in clients() {
        let requests = client.requests().into_iter();
        for (feature, body) in requests.filter(|(feature, _)| !others.contains(feature)) {
            let mut places = Vec::new();
            objects(&body, ("", ""), &mut places);
            for (place, path) in places {
                let asked = with(&body, &place, json!({"a": 1}));
                for upstream in &SIDES {
                    if let Some(fault) = vanishes(client, upstream, &asked, &path) {
                        let pair = format!("{} to {}", client.file, upstream.file);
                        writeln!(faults, "{pair}, {feature}, {path}: {fault}").unwrap();
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn an_unknown_member_that_is_null_or_empty_says_nothing() {
    let mut faults = String::new();
    for client in clients() {
        for (feature, body) in client.requests() {
            let plain = client.read(body.to_string().as_bytes()).unwrap();
            let mut places = Vec::new();
            objects(&body, ("", ""), &mut places);
            for (place, path) in places {
                for nothing in [json!(null), json!([])] {
                    let read = client.read(&with(&body, &place, nothing.clone()));
                    // What is kept as it stood is kept with it.
                    let kept = |shown: &str| shown.contains(UNKNOWN);
                    if read.as_ref() != Ok(&plain) && !kept(&format!("{read:?}")) {
                        writeln!(faults, "{}, {feature}, {path}: {read:?}", client.file).unwrap();
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

/// What official SDKs and their users send back of an answer with thoughts, words and a call, everything included that the answer had,
/// and the result; by the client's dialect.
fn echoes() -> [(&'static str, Value); 6] {
    let chat = json!({"model": "m", "messages": [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": "Looking.", "refusal": null, "annotations": [], "audio": null, "function_call": null, "parsed": null,
            "reasoning_content": "The box.", "reasoning": "The box.", "reasoning_details": [{"type": "reasoning.text", "text": "The box."}],
            "provider_specific_fields": {"a": 1}, "tool_calls": [{"id": "call_a", "type": "function", "index": 0,
                "extra_content": {"google": {"thought_signature": "c2ln"}},
                "function": {"name": "look", "arguments": "{}", "parsed_arguments": {"at": "box"}}}]},
        {"role": "tool", "tool_call_id": "call_a", "content": [{"type": "text", "text": "a cat", "cache_control": {"type": "ephemeral"}, "prompt_cache_breakpoint": {"mode": "explicit"}}]}]});
    let responses = json!({"model": "m", "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "Look."}]},
        {"type": "reasoning", "id": "rs_a", "status": "completed", "encrypted_content": null,
            "summary": [{"type": "summary_text", "text": "The box."}], "content": [{"type": "reasoning_text", "text": "The box."}]},
        {"type": "message", "id": "msg_a", "role": "assistant", "status": "completed", "phase": "commentary",
            "content": [{"type": "output_text", "text": "Looking.", "annotations": [], "logprobs": [{"token": "a"}], "parsed": {"a": 1}}]},
        {"type": "function_call", "id": "fc_a", "call_id": "call_a", "name": "look", "arguments": "{}", "status": "completed",
            "parsed_arguments": {"at": "box"}, "namespace": null},
        {"type": "function_call_output", "id": "fco_a", "call_id": "call_a", "output": "a cat", "status": "completed"}]});
    let messages = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "The box.", "signature": ""},
            {"type": "text", "text": "Looking.", "citations": null},
            {"type": "tool_use", "id": "call_a", "name": "look", "input": {}, "caller": {"type": "direct"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_a", "content": [{"type": "text", "text": "a cat"}]}]}]});
    let ollama = json!({"model": "m", "messages": [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": "Looking.", "thinking": "The box.", "images": null, "tool_name": null,
            "tool_calls": [{"id": "call_a", "type": "function", "function": {"index": 0, "name": "look", "arguments": {}}}]},
        {"role": "tool", "tool_name": "look", "tool_call_id": "call_a", "content": "a cat"}]});
    let gemini = json!({"contents": [
        {"role": "user", "parts": [{"text": "Look."}]},
        {"role": "model", "parts": [
            {"text": "The box.", "thought": true},
            {"text": "Looking.", "thoughtSignature": "c2ln", "thought": null},
            {"functionCall": {"id": "call_a", "name": "look", "args": {}, "willContinue": false, "partialArgs": null}, "thoughtSignature": "c2ln"}]},
        {"role": "user", "parts": [{"functionResponse": {"id": "call_a", "name": "look", "response": {"output": "a cat"}, "parts": null}}]}],
        "systemInstruction": {"role": "user", "parts": [{"text": "Be brief."}]}});
    let converse = json!({"messages": [
        {"role": "user", "content": [{"text": "Look."}]},
        {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "The box."}}},
            {"text": "Looking."},
            {"toolUse": {"toolUseId": "call_a", "name": "look", "input": {}}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "call_a", "content": [{"json": {"cat": true}}], "status": "success"}}]}],
        "toolConfig": {"tools": [{"toolSpec": {"name": "look", "inputSchema": {"json": {}}}}], "toolChoice": {"auto": {}}}});
    [
        ("chat", chat),
        ("responses", responses),
        ("messages", messages),
        ("ollama-chat", ollama),
        ("gemini", gemini),
        ("converse", converse),
    ]
}

#[test]
fn what_clients_send_back_of_an_answer_is_taken() {
    for (name, body) in echoes() {
        let client = clients().find(|side| side.file == name).unwrap();
        let request = client.read(body.to_string().as_bytes()).unwrap();
        let calls = [
            "chat",
            "responses",
            "messages",
            "ollama-chat",
            "gemini",
            "invoke",
        ];
        for upstream in SIDES.iter().filter(|side| calls.contains(&side.file)) {
            let written = written(upstream, &request, upstream.target());
            assert!(written.is_ok(), "{name} to {}: {written:?}", upstream.file);
        }
    }
}
