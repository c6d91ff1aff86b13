//! OpenAI's clients with Anthropic's models behind them, and the other way round.

use dragoman_dialects::anthropic::Messages;
use dragoman_dialects::form::{
    Encrypted, Event, Failure, Field, Finish, Part, Refused, Request, Usage,
};
use dragoman_dialects::openai::{Chat, Responses};
use dragoman_dialects::{Codec, Context, Path, Target};
use serde_json::{Value, json};

use super::golden::{Case, context};

fn form(with: Value) -> Request {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut()
        .unwrap()
        .extend(with.as_object().unwrap().clone());
    Chat.read_request(body.to_string().as_bytes(), Path::default())
        .unwrap()
}

fn written_for(model: &str, with: Value) -> Result<Value, Refused> {
    let written = Messages.write_request(
        &form(with),
        Target {
            model,
            stream: false,
        },
    )?;
    Ok(serde_json::from_slice(&written).unwrap())
}

fn written(with: Value) -> Value {
    written_for("claude-sonnet-4-5", with).unwrap()
}

#[test]
fn a_conversation_with_tools_and_images_is_anthropics() {
    let is = written(json!({
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": "Be kind."},
            {"role": "user", "name": "ann", "content": [
                {"type": "text", "text": "What is in these?"},
                {"type": "image_url", "image_url": {"url": "https://example.org/cat.png", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjc="}},
                {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,Q2F0cy4="}},
            ]},
            {"role": "assistant", "content": "", "tool_calls": [
                {"id": "functions.look:0", "type": "function", "function": {"name": "look", "arguments": "{\"at\": \"cat\"}"}},
                {"id": "call_b", "type": "function", "function": {"name": "look", "arguments": ""}},
            ]},
            {"role": "tool", "tool_call_id": "functions.look:0", "content": "a cat"},
            {"role": "tool", "tool_call_id": "call_b", "content": "a dog"},
            {"role": "user", "content": "Go on."},
        ],
        "tools": [
            {"type": "function", "function": {"name": "look", "parameters": {"properties": {}}, "strict": false}},
            {"type": "function", "function": {"name": "list"}},
        ],
        "tool_choice": "required",
        "parallel_tool_calls": false,
        "temperature": 0.5,
        "top_p": 1,
        "frequency_penalty": 0,
        "n": 1,
        "stop": "END",
        "user": "ann",
        "store": true,
        "service_tier": "flex",
        "response_format": {"type": "text"},
    }));
    assert_eq!(
        is,
        json!({
            "model": "claude-sonnet-4-5",
            "max_tokens": 4096,
            "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": "What is in these?"},
                    {"type": "image", "source": {"type": "url", "url": "https://example.org/cat.png"}},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
                    {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjc="}, "title": "a.pdf"},
                    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Cats."}, "title": "a.txt"},
                ]},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "functions_2elook_3a0", "name": "look", "input": {"at": "cat"}},
                    {"type": "tool_use", "id": "call_b", "name": "look", "input": {}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "functions_2elook_3a0", "content": "a cat"},
                    {"type": "tool_result", "tool_use_id": "call_b", "content": "a dog"},
                    {"type": "text", "text": "Go on."},
                ]},
            ],
            "tools": [
                {"name": "look", "input_schema": {"type": "object", "properties": {}}},
                {"name": "list", "input_schema": {"type": "object", "properties": {}}},
            ],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
            "temperature": 0.5,
            "stop_sequences": ["END"],
            "metadata": {"user_id": "ann"},
        })
    );
}

#[test]
fn an_effort_becomes_what_the_model_takes() {
    let effort = || json!({"reasoning_effort": "high", "max_tokens": 10_000});
    let of = |model| written_for(model, effort()).unwrap();
    let old = of("claude-sonnet-4-5");
    assert_eq!(
        old["thinking"],
        json!({"type": "enabled", "budget_tokens": 5000})
    );
    let new = of("claude-opus-4-7");
    assert_eq!(
        new["thinking"],
        json!({"type": "adaptive", "display": "summarized"})
    );
    assert_eq!(new["output_config"], json!({"effort": "high"}));
    assert_eq!(
        written(json!({"reasoning_effort": "low"}))["max_tokens"],
        4096 + 1024
    );
}

#[test]
fn thinking_is_left_out_of_a_turn_that_brought_none_back() {
    let is = written(json!({
        "reasoning_effort": "high",
        "temperature": 0.2,
        "tools": [{"type": "function", "function": {"name": "look"}}],
        "messages": [
            {"role": "user", "content": "look"},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "a", "content": "a cat"},
        ],
    }));
    assert_eq!(is["thinking"], Value::Null);
}

#[test]
fn what_is_said_in_words_and_encrypted_is_a_block_each() {
    let reply = json!({"id": "r", "object": "response", "created_at": 1, "status": "completed", "model": "m", "output": [
        {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
    ]});
    let mut reply = Responses.read_reply(reply.to_string().as_bytes()).unwrap();
    if let [Part::Reasoning { encrypted, .. }] = &mut reply.choices[0].parts[..] {
        *encrypted = Some(Encrypted::by_anthropic("ZW5j".into()));
    }
    let content = |context: &Context| {
        let written: Value =
            serde_json::from_slice(&Messages.write_reply(&reply, context)).unwrap();
        written["content"].clone()
    };
    let redacted = json!({"type": "redacted_thinking", "data": "ZW5j"});
    let thinking = json!({"type": "thinking", "thinking": "Hm.", "signature": ""});
    assert_eq!(content(&context()), json!([thinking, redacted]));
    let hidden = Context {
        reasoning: false,
        ..context()
    };
    assert_eq!(content(&hidden), json!([redacted]));
}

#[test]
fn a_prompt_of_system_messages_alone_is_asked_as_the_users() {
    let is = written(json!({"messages": [{"role": "system", "content": "Say hi."}]}));
    assert_eq!(
        is["messages"],
        json!([{"role": "user", "content": "Say hi."}])
    );
    assert_eq!(is["system"], Value::Null);
}

#[test]
fn allowed_tools_are_the_tools_that_are_sent() {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name}});
    let is = written(json!({
        "tools": [tool("a"), tool("b")],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [tool("b")]}},
    }));
    assert_eq!(is["tools"].as_array().unwrap().len(), 1);
    assert_eq!(is["tools"][0]["name"], "b");
    assert_eq!(is["tool_choice"], json!({"type": "any"}));
}

#[test]
fn what_anthropic_cannot_say_is_refused_by_its_field_with_its_page() {
    let thinking = |with: Value| {
        let mut all = json!({"reasoning_effort": "high"});
        all.as_object_mut()
            .unwrap()
            .extend(with.as_object().unwrap().clone());
        all
    };
    for (with, field) in [
        (json!({"n": 2}), Field::N),
        (json!({"seed": 7}), Field::Seed),
        (json!({"temperature": 1.5}), Field::Temperature),
        (json!({"frequency_penalty": 0.5}), Field::FrequencyPenalty),
        (json!({"presence_penalty": -1}), Field::PresencePenalty),
        (json!({"logit_bias": {"1": 2}}), Field::LogitBias),
        (json!({"logprobs": true}), Field::Logprobs),
        (json!({"stop": ["\n"]}), Field::Stop),
        (
            json!({"response_format": {"type": "json_object"}}),
            Field::Format,
        ),
        (json!({"tool_choice": "required"}), Field::ToolChoice),
        (
            json!({"tools": [{"type": "custom", "custom": {"name": "grep"}}]}),
            Field::Tools(Some(0)),
        ),
        (thinking(json!({"temperature": 0.5})), Field::Temperature),
        (thinking(json!({"top_p": 0.5})), Field::TopP),
        (
            thinking(
                json!({"tools": [{"type": "function", "function": {"name": "a"}}], "tool_choice": "required"}),
            ),
            Field::ToolChoice,
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}]}]}),
            Field::At("messages[0]".into()),
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/bmp;base64,Qk0="}}]}]}),
            Field::At("messages[0]".into()),
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "video_url", "video_url": {}}]}]}),
            Field::At("messages[0]".into()),
        ),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "b", "arguments": "{\"a"}}]}]}),
            Field::At("messages[0]".into()),
        ),
        (
            json!({"messages": [{"role": "user", "content": " "}]}),
            Field::At("messages".into()),
        ),
    ] {
        let refused = written_for("claude-sonnet-4-5", with.clone()).unwrap_err();
        assert_eq!(refused.field, field, "{with}");
        assert!(
            refused
                .source
                .is_some_and(|page| page.starts_with("https://platform.claude.com/")),
            "{with}"
        );
        assert!(refused.message.ends_with('.'), "{}", refused.message);
    }
    let refused = written_for("claude-sonnet-4-5", json!({"web_search_options": {}})).unwrap_err();
    assert_eq!(refused.field, Field::Extra("web_search_options".into()));
}

fn streamed(events: Vec<Event<'_>>, context: &Context) -> String {
    let mut writer = Messages.stream_writer(context);
    let mut out = Vec::new();
    for event in events {
        writer.write(event, &|| context.started, &mut out);
    }
    String::from_utf8(out).unwrap()
}

fn start() -> Event<'static> {
    Event::Start {
        id: Some("chatcmpl-1".into()),
        model: None,
        created: None,
        usage: None,
    }
}

#[test]
fn openais_stream_reaches_anthropics_client_block_by_block() {
    let stream = Case::new("chat", "stream").read("stream.txt");
    let mut writer = Messages.stream_writer(&context());
    let mut out = Vec::new();
    super::golden::read_stream(&Chat, &stream, &mut |event| {
        writer.write(event, &|| context().started, &mut out);
    })
    .unwrap();
    Case::new("messages", "stream-from-chat")
        .assert("written.txt", &String::from_utf8(out).unwrap());
}

#[test]
fn anthropics_stream_reaches_openais_client() {
    let stream = Case::new("messages", "stream").read("stream.txt");
    let mut writer = Chat.stream_writer(&context());
    let mut out = Vec::new();
    super::golden::read_stream(&Messages, &stream, &mut |event| {
        writer.write(event, &|| context().started, &mut out);
    })
    .unwrap();
    Case::new("messages", "stream-to-chat").assert("written.txt", &String::from_utf8(out).unwrap());
}

#[test]
fn hidden_reasoning_leaves_its_signature_alone() {
    let hidden = Context {
        reasoning: false,
        ..context()
    };
    let events = || {
        vec![
            start(),
            Event::Reasoning {
                choice: 0,
                text: "secret".into(),
            },
            Event::ReasoningSignature {
                choice: 0,
                signature: "c2ln".into(),
            },
            Event::Text {
                choice: 0,
                text: "hi".into(),
                logprobs: None,
            },
        ]
    };
    let is = streamed(events(), &hidden);
    assert!(!is.contains("secret") && is.contains("c2ln"), "{is}");
    assert!(
        is.contains(r#""index":1,"delta":{"type":"text_delta","text":"hi"}"#),
        "{is}"
    );
    assert!(streamed(events(), &context()).contains("secret"));
}

#[test]
fn a_stream_that_failed_has_no_success_terminator() {
    let is = streamed(
        vec![start(), Event::Failed(Failure::new(502, "gone"))],
        &context(),
    );
    assert!(is.ends_with("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"gone\"}}\n\n"), "{is}");
    assert!(!is.contains("message_stop"));
}

#[test]
fn arguments_that_come_late_find_their_call() {
    let arguments = |call| Event::ToolArguments {
        choice: 0,
        call,
        json: "{}".into(),
    };
    let call = |call, id: &'static str| Event::ToolStart {
        choice: 0,
        call,
        id: id.into(),
        name: "f".into(),
        signature: None,
    };
    let finish = Event::Finish {
        choice: 0,
        reason: Finish::Stop,
    };
    let is = streamed(
        vec![
            start(),
            call(0, "a"),
            call(1, "b"),
            arguments(1),
            arguments(0),
            finish,
            Event::Usage(Usage::default()),
            Event::Done,
        ],
        &context(),
    );
    let places: Vec<usize> = [1, 0]
        .iter()
        .map(|index| {
            is.find(&format!(
                r#""index":{index},"delta":{{"type":"input_json_delta""#
            ))
            .unwrap()
        })
        .collect();
    assert!(places[0] < places[1]);
    assert!(is.contains(r#""stop_reason":"tool_use""#), "{is}");
    assert_eq!(is.matches("event: message_stop").count(), 1);
}
