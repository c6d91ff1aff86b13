//! The Responses API.

use std::borrow::Cow;

use dragoman_dialects::anthropic::Messages;
use dragoman_dialects::bedrock::{Converse, Invoke};
use dragoman_dialects::form::{Encrypted, ErrorKind, Event, Failure, Field, Message, Part, Role};
use dragoman_dialects::openai::{Chat, Responses};
use dragoman_dialects::{Codec, Path, Target};
use serde_json::{Value, json};

use super::golden::{Case, context, events, pretty, read_stream};

const TARGET: Target<'static> = Target {
    model: "m",
    stream: false,
};

fn read(body: Value) -> Result<dragoman_dialects::form::Request, String> {
    let body = body.to_string();
    Responses
        .read_request(body.as_bytes(), Path::default())
        .map_err(|fault| fault.to_string())
}

/// Forms are compared without the places of messages, which the writer renumbers.
fn placeless(mut messages: Vec<Message>) -> Vec<Message> {
    for message in &mut messages {
        message.at.clear();
    }
    messages
}

#[test]
fn a_request_with_everything_is_read_and_written_again() {
    let case = Case::new("responses", "request");
    let body = case.read("request.json");
    let form = Responses
        .read_request(body.as_bytes(), Path::default())
        .unwrap();
    case.assert("form.txt", &format!("{form:#?}\n"));
    let target = Target {
        model: &form.model,
        stream: true,
    };
    let written = Responses.write_request(&form, target).unwrap();
    case.assert("written.json", &pretty(&written));
    let again = Responses.read_request(&written, Path::default()).unwrap();
    assert_eq!(again.tools, form.tools);
    assert_eq!(again.extra, form.extra);
    assert_eq!(placeless(again.messages), placeless(form.messages));
}

#[test]
fn a_reply_is_read_and_written_again() {
    Case::new("responses", "reply").reply(&Responses);
}

#[test]
fn a_stream_is_read_and_written_again() {
    Case::new("responses", "stream").stream(&Responses);
}

#[test]
fn a_chat_stream_comes_as_numbered_events_with_all_their_pairs() {
    let stream = Case::new("chat", "stream").read("stream.txt");
    let mut writer = Responses.stream_writer(&context());
    let mut out = Vec::new();
    read_stream(&Chat, &stream, &mut |event| {
        writer.write(event, &|| context().started, &mut out);
    })
    .unwrap();
    let out = String::from_utf8(out).unwrap();
    Case::new("responses", "from-chat").assert("written.txt", &out);
    let numbers = out.lines().filter_map(|line| line.strip_prefix("data: "));
    for (number, data) in numbers.enumerate() {
        let event: Value = serde_json::from_str(data).unwrap();
        assert_eq!(event["sequence_number"], number);
    }
}

#[test]
fn what_is_written_in_events_is_read_as_the_same() {
    let stream = Case::new("responses", "stream").read("stream.txt");
    let written = Case::new("responses", "stream").read("written.txt");
    let said = |events: Vec<String>| -> Vec<String> {
        let kept = events
            .into_iter()
            .filter(|event| !event.starts_with("Start"));
        kept.collect()
    };
    let mut was = said(events(&Responses, &stream));
    let mut is = said(events(&Responses, &written));
    for list in [&mut was, &mut is] {
        // The written stream says figures that the first left out as zero, and `{}` for a call without arguments in another place.
        list.retain(|event| !event.starts_with("Usage") && !event.starts_with("ToolArguments"));
    }
    assert_eq!(is, was);
}

#[test]
fn what_needs_a_store_is_told_by_name() {
    for (name, value) in [
        ("previous_response_id", json!("resp_1")),
        ("conversation", json!({"id": "conv_1"})),
        ("prompt", json!({"id": "pmpt_1"})),
        ("background", json!(true)),
    ] {
        let mut body = json!({"model": "m", "input": "hi"});
        body[name] = value;
        let fault = read(body).unwrap_err();
        assert!(fault.starts_with(&format!("{name}: ")), "{fault}");
    }
    let body = json!({"model": "m", "input": [{"type": "item_reference", "id": "msg_1"}]});
    assert!(read(body).unwrap_err().starts_with("input[0]: "));
    let body =
        json!({"model": "m", "input": "hi", "background": false, "previous_response_id": null});
    assert_eq!(read(body).unwrap().messages[0].at, "input");
}

#[test]
fn an_assistants_items_in_a_row_are_one_turn() {
    let form = read(json!({"model": "m", "input": [
        {"role": "user", "content": "look"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"role": "assistant", "content": "Let me look."},
        {"type": "function_call", "call_id": "a", "name": "look", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "function_call_output", "call_id": "b", "output": "2"},
        {"role": "assistant", "content": "So."},
        {"role": "assistant", "content": "Done."},
    ]}))
    .unwrap();
    let turns: Vec<_> = form
        .messages
        .iter()
        .map(|message| (message.role, message.parts.len()))
        .collect();
    assert_eq!(
        turns,
        [
            (Role::User, 1),
            (Role::Assistant, 4),
            (Role::Tool, 1),
            (Role::Tool, 1),
            (Role::Assistant, 1),
            (Role::Assistant, 1),
        ]
    );
}

#[test]
fn what_an_assistant_says_behind_a_call_stands_beside_it_in_chat_completions() {
    let form = read(json!({"model": "m", "input": [
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": "Let me look."},
        {"type": "function_call", "call_id": "a", "name": "look", "arguments": "{}"},
        {"role": "assistant", "content": [{"type": "output_text", "text": " Looking."}]},
        {"type": "function_call", "call_id": "b", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "function_call_output", "call_id": "b", "output": "2"},
        {"role": "assistant", "content": "So."},
    ]}))
    .unwrap();
    let written = Chat.write_request(&form, TARGET).unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    let messages = written["messages"].as_array().unwrap();
    let roles: Vec<_> = messages.iter().map(|message| &message["role"]).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool", "assistant"]);
    assert_eq!(messages[1]["content"], "Let me look. Looking.");
    let ids: Vec<_> = messages[1]["tool_calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| &call["id"])
        .collect();
    assert_eq!(ids, ["a", "b"]);
}

#[test]
fn what_responses_cannot_say_is_refused_by_its_field() {
    let chat = |more: Value| {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let form = Chat.read_request(body.to_string().as_bytes(), Path::default());
        Responses.write_request(&form.unwrap(), TARGET)
    };
    for (more, field) in [
        (json!({"n": 2}), Field::N),
        (json!({"stop": "x"}), Field::Stop),
        (json!({"seed": 1}), Field::Seed),
        (json!({"logit_bias": {"1": 2}}), Field::LogitBias),
        (json!({"frequency_penalty": 0.5}), Field::FrequencyPenalty),
        (json!({"prediction": {}}), Field::Extra("prediction".into())),
    ] {
        let refused = chat(more).unwrap_err();
        assert_eq!(refused.field, field);
    }
    let plain = chat(json!({"n": 1, "frequency_penalty": 0, "verbosity": "low", "max_tokens": 9}));
    assert_eq!(
        serde_json::from_slice::<Value>(&plain.unwrap()).unwrap(),
        json!({
            "model": "m", "input": [{"type": "message", "role": "user", "content": "hi"}],
            "max_output_tokens": 9, "text": {"verbosity": "low"}, "store": false,
        })
    );
}

#[test]
fn a_response_repeats_what_the_client_asked() {
    let body = br#"{"model":"m","input":"hi","instructions":"Be brief.","temperature":0.5,"tools":[],"user":null,"metadata":{"a":"b"}}"#;
    let mut context = context();
    context.echo = Responses.echo(body);
    let form = Chat
        .read_reply(br#"{"id":"chatcmpl-1","choices":[{"message":{"content":"Hi"},"finish_reason":"length"}]}"#)
        .unwrap();
    let written = Responses.write_reply(&form, &context);
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(written["instructions"], "Be brief.");
    assert_eq!(written["temperature"], 0.5);
    assert_eq!(written["metadata"], json!({"a": "b"}));
    assert_eq!(written["top_p"], 1.0);
    assert_eq!(written["status"], "incomplete");
    assert_eq!(written["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(written["id"], "resp_019aa5c0000070008000000000000001");
}

#[test]
fn a_failure_ends_a_stream_without_success() {
    let mut writer = Responses.stream_writer(&context());
    let mut out = Vec::new();
    let text = Event::Text {
        choice: 0,
        text: Cow::Borrowed("Hi"),
        logprobs: None,
    };
    let failure = Failure {
        kind: ErrorKind::RateLimit,
        ..Failure::new(429, "slow down")
    };
    for event in [text, Event::Failed(failure)] {
        writer.write(event, &|| context().started, &mut out);
    }
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("event: error\n"));
    assert!(!out.contains("response.completed"));
    let read = events(&Responses, &out);
    assert!(
        read.iter()
            .any(|event| event.contains("kind: RateLimit, status: 429, message: \"slow down\"")),
        "{read:?}"
    );
}

#[test]
fn servers_that_send_calls_whole_and_reasoning_in_full_are_read() {
    let lines = [
        r#"{"type":"response.created","response":{"id":"r","created_at":1.5,"model":"gpt-oss"}}"#,
        r#"{"type":"response.reasoning_text.delta","delta":"Hm","item_id":"x","output_index":0,"content_index":0}"#,
        r#"{"type":"response.reasoning_summary_text.delta","delta":"Hm","item_id":"x","output_index":0,"summary_index":0}"#,
        r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"function_call","id":"fc","call_id":"","name":"look","arguments":"{\"a\":1}"}}"#,
        r#"{"type":"response.incomplete","response":{"id":"r","incomplete_details":{"reason":"content_filter"}}}"#,
    ];
    let stream: String = lines
        .iter()
        .map(|line| format!("data: {line}\n\n"))
        .collect();
    assert_eq!(
        events(&Responses, &stream),
        [
            r#"Start { id: Some("r"), model: Some("gpt-oss"), created: Some(1), usage: None }"#,
            r#"Reasoning { choice: 0, text: "Hm" }"#,
            r#"ToolStart { choice: 0, call: 0, id: "fc", name: "look", signature: None }"#,
            r#"ToolArguments { choice: 0, call: 0, json: "{\"a\":1}" }"#,
            "Finish { choice: 0, reason: ContentFilter }",
            "Done",
            "complete: true",
        ]
    );
    let failed = r#"data: {"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded","message":"slow"}}}"#;
    assert!(events(&Responses, failed)[0].contains("status: 429"));
}

#[test]
fn reasoning_goes_back_only_with_what_openai_can_read() {
    let mut form = read(json!({"model": "m", "input": "hi"})).unwrap();
    let reasoning = |encrypted: Option<&str>, id: Option<&str>| Part::Reasoning {
        text: "Hm".into(),
        signature: Some("another vendor's".into()),
        encrypted: encrypted.map(|data| Encrypted::by_openai(data.to_owned())),
        id: id.map(str::to_owned),
    };
    form.messages.push(Message {
        role: Role::Assistant,
        name: None,
        parts: vec![
            reasoning(None, None),
            reasoning(Some("x"), None),
            reasoning(Some("y"), Some("rs_1")),
        ],
        at: "input[1]".into(),
    });
    let written = Responses.write_request(&form, TARGET).unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(
        written["input"][1],
        json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "y"})
    );
    assert_eq!(written["input"].as_array().unwrap().len(), 2);
}

#[test]
fn what_one_vendor_encrypted_goes_to_no_other() {
    let ours = json!({"model": "m", "input": [
        {"role": "user", "content": "hi"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "by-openai"},
        {"role": "assistant", "content": "hello"},
        {"role": "user", "content": "and now?"},
    ]});
    let form = read(ours).unwrap();
    for codec in [&Messages as &dyn Codec, &Converse, &Invoke] {
        let target = Target {
            model: "anthropic.claude-sonnet-4-5-v1:0",
            stream: false,
        };
        let written = codec.write_request(&form, target).unwrap();
        let written = String::from_utf8(written).unwrap();
        assert!(written.contains("hello"), "{written}");
        assert!(!written.contains("by-openai"), "{written}");
        assert!(!written.contains("edacted"), "{written}");
    }
    let theirs = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Hm", "signature": "signed"},
            {"type": "redacted_thinking", "data": "by-anthropic"},
            {"type": "text", "text": "hello"},
        ]},
        {"role": "user", "content": "and now?"},
    ]});
    let form = Messages.read_request(theirs.to_string().as_bytes(), Path::default());
    let written = Responses.write_request(&form.unwrap(), TARGET).unwrap();
    let written = String::from_utf8(written).unwrap();
    assert!(written.contains("hello"), "{written}");
    for theirs in ["signed", "by-anthropic", "encrypted_content"] {
        assert!(!written.contains(theirs), "{written}");
    }
}

#[test]
fn no_client_is_given_what_another_vendor_encrypted() {
    let ours = Case::new("responses", "reply").read("reply.json");
    let theirs = Case::new("messages", "reply").read("reply.json");
    let ours = Responses.read_reply(ours.as_bytes()).unwrap();
    let theirs = Messages.read_reply(theirs.as_bytes()).unwrap();
    let told = |codec: &dyn Codec, reply| {
        let written = codec.write_reply(reply, &context());
        String::from_utf8(written).unwrap()
    };
    assert!(told(&Responses, &ours).contains("gAAAA"));
    assert!(!told(&Messages, &ours).contains("gAAAA"));
    assert!(!told(&Converse, &ours).contains("gAAAA"));
    assert!(told(&Messages, &theirs).contains("ZW5j"));
    assert!(told(&Converse, &theirs).contains("ZW5j"));
    assert!(!told(&Responses, &theirs).contains("ZW5j"));
}

#[test]
fn a_request_of_anthropics_comes_as_items() {
    let case = Case::new("responses", "from-messages");
    let body = case.read("request.json");
    let form = Messages.read_request(body.as_bytes(), Path::default());
    let written = Responses.write_request(&form.unwrap(), TARGET).unwrap();
    case.assert("written.json", &pretty(&written));
}

#[test]
fn a_function_of_anthropics_with_members_of_its_own_is_no_tool_of_free_text() {
    let tool = |kind: Value| {
        json!({
            "model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}],
            "tools": [{"type": kind, "name": "look", "input_schema": {"type": "object"}, "defer_loading": true}],
        })
    };
    for kind in [json!("custom"), json!(null)] {
        let form = Messages.read_request(tool(kind).to_string().as_bytes(), Path::default());
        let refused = Responses.write_request(&form.unwrap(), TARGET).unwrap_err();
        assert_eq!(refused.field, Field::Tools(Some(0)));
    }
}
