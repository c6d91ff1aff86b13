//! Text completions.

use dragoman_dialects::form::{Field, Message, Part, Reply, Role};
use dragoman_dialects::openai::{Chat, Completions};
use dragoman_dialects::{Codec, Path, Target};
use serde_json::{Value, json};

use super::golden::{Case, context};

const TARGET: Target<'static> = Target {
    model: "m",
    stream: false,
};

#[test]
fn a_request_with_everything_is_read_and_written_again() {
    Case::new("completions", "request").request(&Completions);
}

#[test]
fn a_reply_is_read_and_written_again() {
    Case::new("completions", "reply").reply(&Completions);
}

#[test]
fn a_stream_is_read_and_written_again() {
    Case::new("completions", "stream").stream(&Completions);
}

#[test]
fn several_prompts_and_tokens_are_told_to_come_as_one_text() {
    for (prompt, fault) in [
        (
            json!(["a", "b"]),
            "prompt: Only one prompt in a request can be translated for this model; send one request for each.",
        ),
        (
            json!([1, 2]),
            "prompt: The prompt must be text for this model: tokens are another model's.",
        ),
        (
            json!([[1, 2]]),
            "prompt: The prompt must be text for this model: tokens are another model's.",
        ),
        (json!(null), "prompt: The field is required."),
    ] {
        let body = json!({"model": "m", "prompt": prompt}).to_string();
        let fault_is = Completions.read_request(body.as_bytes(), Path::default());
        assert_eq!(fault_is.unwrap_err().to_string(), fault);
    }
}

#[test]
fn a_chats_texts_are_one_prompt_and_what_chats_alone_have_is_not_sent() {
    let written = |with: Value| {
        let parts = ["Hi", "there"].map(|text| json!({"type": "text", "text": text}));
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": parts}]});
        body.as_object_mut()
            .unwrap()
            .extend(with.as_object().unwrap().clone());
        let form = Chat.read_request(body.to_string().as_bytes(), Path::default());
        Completions.write_request(&form.unwrap(), TARGET)
    };
    let harmless =
        json!({"metadata": {"a": "b"}, "store": true, "service_tier": "auto", "min_tokens": 3});
    let is: Value = serde_json::from_slice(&written(harmless).unwrap()).unwrap();
    let expected =
        json!({"model": "m", "prompt": "Hi\nthere", "max_tokens": 1024, "min_tokens": 3});
    assert_eq!(is, expected);
    let refused = written(json!({"verbosity": "low"})).unwrap_err();
    assert_eq!(refused.field, Field::Extra("verbosity".into()));
}

#[test]
fn an_echo_is_put_before_the_reply() {
    let body = br#"{"model":"m","prompt":"Say ","echo":true}"#;
    let mut context = context();
    context.echo = Completions.echo(body);
    let form = Completions.read_request(body, Path::default()).unwrap();
    assert!(form.extra.is_empty());
    assert_eq!(form.max_tokens, Some(16));
    let reply = Reply {
        choices: vec![dragoman_dialects::form::Choice {
            index: 0,
            parts: vec![Part::text("hi")],
            finish: None,
            logprobs: None,
        }],
        ..Reply::default()
    };
    let written = Completions.write_reply(&reply, &context);
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(written["choices"][0]["text"], "Say hi");
}

#[test]
fn a_conversation_needs_a_template_and_one_turn_does_not() {
    let body = br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    let mut form = Chat.read_request(body, Path::default()).unwrap();
    let written = Completions.write_request(&form, TARGET).unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(
        written,
        json!({"model": "m", "prompt": "hi", "max_tokens": 1024})
    );
    let system = Message::text(Role::System, "x", "messages[0]");
    form.messages.insert(0, system);
    let refused = Completions.write_request(&form, TARGET).unwrap_err();
    assert_eq!(refused.field, Field::At("messages[0]".into()));
    assert!(refused.message.contains("one plain prompt"));
}

#[test]
fn a_chat_model_continues_a_prompt() {
    let body = br#"{"model":"m","prompt":"hi","max_tokens":5}"#;
    let form = Completions.read_request(body, Path::default()).unwrap();
    let written = Chat.write_request(&form, TARGET).unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(
        written,
        json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5})
    );
}
