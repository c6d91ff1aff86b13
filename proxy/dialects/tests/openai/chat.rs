//! Chat completions.

use dragoman_dialects::form::{
    Arguments, Field, Finish, Message, Part, Role, ToolCall, ToolChoice,
};
use dragoman_dialects::openai::Chat;
use dragoman_dialects::openai::chat::request::with_reasoning;
use dragoman_dialects::{Codec, Path, Target};
use serde_json::{Value, json};

use super::golden::{Case, context, pretty};

fn read(body: Value) -> Result<dragoman_dialects::form::Request, String> {
    let body = serde_json::to_vec(&body).unwrap();
    Chat.read_request(&body, Path::default())
        .map_err(|fault| fault.to_string())
}

#[test]
fn a_request_with_everything_is_read_and_written_again() {
    Case::new("chat", "request").request(&Chat);
}

#[test]
fn a_reply_is_read_and_written_again() {
    Case::new("chat", "reply").reply(&Chat);
}

#[test]
fn a_stream_is_read_and_written_again() {
    Case::new("chat", "stream").stream(&Chat);
}

#[test]
fn functions_are_tools_and_come_back_as_function_calls() {
    let body = json!({
        "model": "m",
        "functions": [{"name": "look", "parameters": {"type": "object"}}],
        "function_call": {"name": "look"},
        "messages": [
            {"role": "user", "content": "look"},
            {"role": "assistant", "content": null, "function_call": {"name": "look", "arguments": "{}"}},
            {"role": "function", "name": "look", "content": "a cat"},
        ],
    });
    let text = serde_json::to_vec(&body).unwrap();
    let form = read(body).unwrap();
    assert_eq!(form.tools[0].name(), "look");
    assert_eq!(form.tool_choice, Some(ToolChoice::Named("look".into())));
    let call = ToolCall {
        id: "call_0".into(),
        name: "look".into(),
        arguments: Arguments::from_text("{}"),
        signature: None,
    };
    assert_eq!(form.messages[1].parts, [Part::ToolCall(call.clone())]);
    let Part::ToolResult(result) = &form.messages[2].parts[0] else {
        panic!("no result");
    };
    assert_eq!(result.call, "call_0");

    let mut context = context();
    context.echo = Chat.echo(&text);
    let reply = dragoman_dialects::form::Reply {
        choices: vec![dragoman_dialects::form::Choice {
            index: 0,
            parts: vec![Part::ToolCall(call)],
            finish: Some(Finish::ToolCalls),
            logprobs: None,
        }],
        ..Default::default()
    };
    let written = pretty(&Chat.write_reply(&reply, &context));
    let written: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(written["choices"][0]["finish_reason"], "function_call");
    assert_eq!(
        written["choices"][0]["message"]["function_call"],
        json!({"name": "look", "arguments": "{}"})
    );
    assert_eq!(written["choices"][0]["message"].get("tool_calls"), None);
}

#[test]
fn what_sdks_send_back_of_a_reply_is_no_hindrance() {
    let form = read(json!({"model": "m", "messages": [
        {"role": "user", "content": "hi", "cache_control": {"type": "ephemeral"}},
        {"role": "assistant", "content": "Hi", "refusal": null, "annotations": [], "audio": null,
         "function_call": null, "tool_calls": null, "parsed": null, "reasoning_details": [{"type": "x"}]},
    ]}))
    .unwrap();
    assert_eq!(form.messages[1].parts, [Part::text("Hi")]);
    let Part::Text { cache, .. } = &form.messages[0].parts[0] else {
        panic!("no text");
    };
    assert_eq!(*cache, Some(json!({"type": "ephemeral"})));
}

#[test]
fn calls_without_ids_get_one_each_and_results_find_them() {
    let form = read(json!({"model": "m", "messages": [
        {"role": "assistant", "tool_calls": [
            {"type": "function", "function": {"name": "a", "arguments": {"x": 1}}},
            {"id": "", "function": {"name": "b", "arguments": ""}},
        ]},
        {"role": "tool", "content": "1"},
        {"role": "tool", "content": [{"type": "text", "text": "2"}]},
    ]}))
    .unwrap();
    let id = |message: &Message| match &message.parts[0] {
        Part::ToolResult(result) => result.call.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(id(&form.messages[1]), "call_0");
    assert_eq!(id(&form.messages[2]), "call_1");
    let Part::ToolCall(call) = &form.messages[0].parts[0] else {
        panic!("no call");
    };
    assert_eq!(call.arguments.as_text(), r#"{"x":1}"#);
}

#[test]
fn a_wrong_request_is_told_where_it_is_wrong() {
    for (body, fault) in [
        (json!({"messages": []}), "model: The field is required."),
        (json!({"model": "m"}), "messages: The field is required."),
        (
            json!({"model": "m", "messages": []}),
            "messages: The list must hold at least one message.",
        ),
        (
            json!({"model": "m", "messages": [{"role": "robot", "content": ""}]}),
            "messages[0].role: The role must be system, developer, user, assistant or tool, not \"robot\".",
        ),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
            "messages[0].content[0].image_url: The field is required.",
        ),
        (
            json!({"model": "m", "messages": [{"role": "tool", "content": "x"}]}),
            "messages[0].tool_call_id: The field is required: no call before this message waits for a result.",
        ),
        (
            json!({"model": "m", "messages": [{"role": "user"}], "reasoning_effort": "lots"}),
            "reasoning_effort: The effort must be none, minimal, low, medium, high, xhigh or max, not \"lots\".",
        ),
        (
            json!({"model": "m", "messages": [{"role": "user"}], "response_format": {"type": "xml"}}),
            "response_format.type: The type must be \"text\", \"json_object\" or \"json_schema\", not \"xml\".",
        ),
        (
            json!({"model": "m", "messages": [{"role": "user"}], "n": 0}),
            "n: The field must be at least 1.",
        ),
        (
            json!({"model": "m", "messages": [{"role": "user"}], "tool_choice": "some"}),
            "tool_choice: The choice must be auto, none, required or an object, not \"some\".",
        ),
    ] {
        assert_eq!(read(body).unwrap_err(), fault);
    }
}

#[test]
fn what_chat_completions_cannot_say_is_refused_by_its_place() {
    let target = Target {
        model: "m",
        stream: false,
    };
    let refused = |form| Chat.write_request(&form, target).unwrap_err().field;
    let mut form =
        read(json!({"model": "m", "messages": [{"role": "user", "content": "x"}]})).unwrap();
    form.extra.insert("top_a".into(), 1.into());
    assert_eq!(refused(form.clone()), Field::Extra("top_a".into()));
    form.extra.clear();
    form.suffix = Some("}".into());
    assert_eq!(refused(form.clone()), Field::Suffix);
    form.suffix = None;
    let search = Part::Other {
        kind: "web_search_call".into(),
        value: json!({"type": "web_search_call"}),
    };
    form.messages[0].parts.push(search);
    assert_eq!(refused(form.clone()), Field::At("messages[0]".into()));
    form.messages.clear();
    assert_eq!(refused(form), Field::At("messages".into()));
}

#[test]
fn servers_that_take_only_strings_get_one() {
    let mut form = read(json!({"model": "m", "messages": [
        {"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "user", "content": "x"},
    ], "max_completion_tokens": 5}))
    .unwrap();
    let mut answer = Message::text(Role::Assistant, "one, ", "messages[2]");
    answer.parts.push(Part::text("two"));
    form.messages.push(answer);
    let target = Target {
        model: "qwen3",
        stream: false,
    };
    let written = Chat.write_request(&form, target).unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&written).unwrap(),
        json!({"model": "qwen3", "messages": [
            {"role": "system", "content": "a\nb"},
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": "one, two"},
        ], "max_tokens": 5})
    );
}

#[test]
fn what_the_model_reasoned_goes_back_where_a_server_wants_it() {
    let mut form = read(json!({"model": "m", "messages": [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": "one", "reasoning_content": "because"},
        {"role": "user", "content": "y"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "z"},
        {"role": "assistant", "reasoning_content": "hm"},
        {"role": "user", "content": "?"},
    ]}))
    .unwrap();
    form.messages[1].parts.insert(1, reasoned(" of it"));
    let target = Target {
        model: "deepseek-v4-pro",
        stream: false,
    };
    let own = |form| {
        let written = Chat.write_request(form, target).unwrap();
        let written: Value = serde_json::from_slice(&written).unwrap();
        let messages = written["messages"].as_array().unwrap().clone();
        let own = |message: &Value| message["role"] == "assistant";
        Value::from_iter(messages.into_iter().filter(own))
    };
    let wanted = with_reasoning(&form);
    assert_eq!(
        own(&wanted),
        json!([
            {"role": "assistant", "content": "one", "reasoning_content": "because of it"},
            {"role": "assistant", "content": "two", "reasoning_content": ""},
            {"role": "assistant", "content": "", "reasoning_content": "hm"},
        ])
    );
    assert_eq!(
        own(&form),
        json!([
            {"role": "assistant", "content": "one"},
            {"role": "assistant", "content": "two"},
            {"role": "assistant", "content": ""},
        ])
    );
}

/// Reasoning that bears another vendor's signature.
fn reasoned(text: &str) -> Part {
    Part::Reasoning {
        text: text.into(),
        signature: Some("c2ln".into()),
        encrypted: None,
        id: None,
    }
}
