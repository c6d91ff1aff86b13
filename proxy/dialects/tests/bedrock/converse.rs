//! `converse`.

use dragoman_dialects::anthropic::Messages;
use dragoman_dialects::bedrock::Converse;
use dragoman_dialects::form::{ErrorKind, Event, Failure, Field, Refused, Request};
use dragoman_dialects::openai::Chat;
use dragoman_dialects::{Codec, Path, Target};
use serde_json::{Value, json};

use super::golden::{Case, context, pretty, read_stream};
use super::transcript::{MODEL, bytes, events, path, text, translated};

#[test]
fn a_request_with_everything_is_read_and_written_again() {
    let case = Case::new("converse", "request");
    let form = Converse
        .read_request(case.read("request.json").as_bytes(), path())
        .unwrap();
    case.assert("form.txt", &format!("{form:#?}\n"));
    let target = Target {
        model: MODEL,
        stream: true,
    };
    let written = Converse.write_request(&form, target).unwrap();
    case.assert("written.json", &pretty(&written));
    assert_eq!(Converse.read_request(&written, path()).unwrap(), form);
}

#[test]
fn a_reply_is_read_and_written_again() {
    Case::new("converse", "reply").reply(&Converse);
}

#[test]
fn a_stream_is_read_and_written_again() {
    let case = Case::new("converse", "stream");
    let stream = bytes(&case.read("stream.txt"));
    case.assert("events.txt", &events(&Converse, &stream));
    let written = translated(&Converse, &context(), |emit| {
        super::transcript::read(Converse.stream_reader(), &stream, emit).unwrap();
    });
    case.assert("written.txt", &text(&written));
    assert_eq!(events(&Converse, &written), events(&Converse, &stream));
}

#[test]
fn anthropics_stream_reaches_converses_client() {
    let stream = Case::new("messages", "stream").read("stream.txt");
    let written = translated(&Converse, &context(), |emit| {
        read_stream(&Messages, &stream, emit).unwrap();
    });
    Case::new("converse", "stream-from-messages").assert("written.txt", &text(&written));
}

#[test]
fn an_exception_ends_a_stream_and_says_its_status() {
    let stream = bytes(
        "messageStart\n{\"role\":\"assistant\"}\n\nthrottlingException\n{\"message\":\"slow\"}\n\nmetadata\n{}\n\n",
    );
    let events = events(&Converse, &stream);
    assert!(events.contains("Failed(Failure { kind: RateLimit, status: 429, message: \"slow\", type_: Some(\"ThrottlingException\")"), "{events}");
    assert!(!events.contains("Done"));
}

#[test]
fn a_stream_that_failed_ends_with_an_exception() {
    for (kind, name) in [
        (ErrorKind::RateLimit, "throttlingException"),
        (ErrorKind::Overloaded, "serviceUnavailableException"),
        (ErrorKind::Timeout, "modelStreamErrorException"),
        (ErrorKind::Server, "internalServerException"),
    ] {
        let failure = Failure {
            kind,
            ..Failure::new(500, "gone")
        };
        let written = translated(&Converse, &context(), |emit| emit(Event::Failed(failure)));
        assert_eq!(
            text(&written),
            format!("{name}\n{{\"message\":\"gone\"}}\n\n")
        );
    }
}

#[test]
fn what_follows_the_end_of_an_answer_is_no_part_of_it() {
    let stream = bytes(
        "messageStop\n{\"stopReason\":\"end_turn\"}\n\ncontentBlockStart\n{\"start\":{\"toolUse\":{\"toolUseId\":\"a\",\"name\":\"f\"}}}\n\ncontentBlockDelta\n{\"delta\":{\"text\":\"Hel\"}}\n\n",
    );
    let events = events(&Converse, &stream);
    let end = "Finish { choice: 0, reason: Stop }\nDone\ncomplete: true\n";
    assert!(events.ends_with(end), "{events}");
    assert!(
        !events.contains("Tool") && !events.contains("Hel"),
        "{events}"
    );
}

#[test]
fn a_stream_that_ends_early_is_not_complete() {
    let stream = bytes(
        "messageStart\n{\"role\":\"assistant\"}\n\ncontentBlockDelta\n{\"contentBlockIndex\":0,\"delta\":{\"text\":\"Hel\"}}\n\n",
    );
    assert!(events(&Converse, &stream).ends_with("complete: false\n"));
}

#[test]
fn a_request_that_the_vendor_would_refuse_is_refused_at_its_place() {
    for (with, start) in [
        (json!({"messages": []}), "messages: "),
        (
            json!({"messages": [{"role": "bot", "content": []}]}),
            "messages[0].role: ",
        ),
        (
            json!({"messages": [{"role": "user", "content": "text"}]}),
            "messages[0].content: ",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{}]}]}),
            "messages[0].content[0]: ",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"image": {"format": "bmp", "source": {"bytes": "x"}}}]}]}),
            "messages[0].content[0].image.format: ",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"toolResult": {"toolUseId": "a", "content": [], "status": "odd"}}]}]}),
            "messages[0].content[0].toolResult.status: ",
        ),
        (
            json!({"toolConfig": {"tools": [{}]}}),
            "toolConfig.tools[0]: ",
        ),
        (
            json!({"toolConfig": {"tools": [], "toolChoice": {}}}),
            "toolConfig.toolChoice: ",
        ),
    ] {
        let mut body = json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}]});
        body.as_object_mut()
            .unwrap()
            .extend(with.as_object().unwrap().clone());
        let fault = Converse
            .read_request(body.to_string().as_bytes(), path())
            .unwrap_err();
        assert!(fault.to_string().starts_with(start), "{with}: {fault}");
    }
    let fault = Converse.read_request(b"{}", Path::default()).unwrap_err();
    assert_eq!(fault.at, "modelId");
}

fn form(with: Value) -> Request {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut()
        .unwrap()
        .extend(with.as_object().unwrap().clone());
    Chat.read_request(body.to_string().as_bytes(), Path::default())
        .unwrap()
}

fn written_for(model: &str, with: Value) -> Result<Value, Refused> {
    let target = Target {
        model,
        stream: false,
    };
    let written = Converse.write_request(&form(with), target)?;
    Ok(serde_json::from_slice(&written).unwrap())
}

#[test]
fn openais_conversation_is_converses() {
    let long = "x".repeat(80);
    let is = written_for(
        MODEL,
        json!({
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": [
                    {"type": "text", "text": "Look."},
                    {"type": "file", "file": {"filename": "a b.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjc="}},
                    {"type": "file", "file": {"filename": "a b.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjc="}},
                    {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                ]},
                {"role": "assistant", "content": null, "tool_calls": [{"id": long, "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": long, "content": "a cat"},
            ],
            "tools": [{"type": "function", "function": {"name": "look"}}],
            "tool_choice": {"type": "function", "function": {"name": "look"}},
            "reasoning_effort": "none",
            "top_k": 40,
        }),
    );
    let is = is.unwrap();
    let id = is["messages"][1]["content"][0]["toolUse"]["toolUseId"].clone();
    assert_eq!(id.as_str().unwrap().len(), 64);
    assert_eq!(
        is,
        json!({
            "system": [{"text": "Be brief."}],
            "messages": [
                {"role": "user", "content": [
                    {"text": "Look."},
                    {"document": {"format": "pdf", "name": "a-b-pdf", "source": {"bytes": "JVBERi0xLjc="}}},
                    {"document": {"format": "pdf", "name": "a-b-pdf-2", "source": {"bytes": "JVBERi0xLjc="}}},
                    {"audio": {"format": "wav", "source": {"bytes": "UklGRg=="}}},
                ]},
                {"role": "assistant", "content": [{"toolUse": {"toolUseId": id, "name": "look", "input": {}}}]},
                {"role": "user", "content": [{"toolResult": {"toolUseId": id, "content": [{"text": "a cat"}]}}]},
            ],
            "inferenceConfig": {},
            "toolConfig": {
                "tools": [{"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object", "properties": {}}}}}],
                "toolChoice": {"tool": {"name": "look"}},
            },
            "additionalModelRequestFields": {"thinking": {"type": "disabled"}, "top_k": 40},
        })
    );
}

#[test]
fn each_vendors_model_is_asked_to_reason_in_its_own_words() {
    let effort = || json!({"reasoning_effort": "high"});
    let of = |model| {
        written_for(model, effort()).map(|body| body["additionalModelRequestFields"].clone())
    };
    assert_eq!(
        of(MODEL),
        Ok(json!({"thinking": {"type": "enabled", "budget_tokens": 24576}}))
    );
    assert_eq!(
        of("anthropic.claude-opus-4-6-v1"),
        Ok(json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}))
    );
    assert_eq!(
        of("openai.gpt-oss-120b-1:0"),
        Ok(json!({"reasoning_effort": "high"}))
    );
    assert_eq!(
        of("meta.llama3-1-70b-instruct-v1:0").unwrap_err().field,
        Field::Reasoning
    );
}

#[test]
fn what_converse_cannot_say_is_refused_by_its_field_with_its_page() {
    let tool = json!({"type": "function", "function": {"name": "look"}});
    let called = json!([
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "a", "content": "a cat"},
    ]);
    for (with, field) in [
        (json!({"seed": 7}), Field::Seed),
        (json!({"n": 2}), Field::N),
        (
            json!({"tools": [tool], "parallel_tool_calls": false}),
            Field::ParallelToolCalls,
        ),
        (json!({"messages": called}), Field::Tools(None)),
        (
            json!({"messages": called, "tools": [tool], "tool_choice": "none"}),
            Field::ToolChoice,
        ),
        (json!({"tool_choice": "required"}), Field::ToolChoice),
        (
            json!({"messages": [{"role": "assistant", "content": "hi"}]}),
            Field::At("messages".into()),
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]}]}),
            Field::At("messages[0]".into()),
        ),
        (
            json!({"response_format": {"type": "json_object"}}),
            Field::Format,
        ),
        (
            json!({"reasoning_effort": "high", "temperature": 0.5}),
            Field::Temperature,
        ),
    ] {
        let refused = written_for(MODEL, with.clone()).unwrap_err();
        assert_eq!(refused.field, field, "{with}");
        assert!(
            refused.source.is_some() && refused.message.ends_with('.'),
            "{with}"
        );
    }
}

#[test]
fn anthropics_request_reaches_converse() {
    let body = json!({
        "model": "claude-opus-4-7",
        "max_tokens": 9000,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "look"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "tool_use", "id": "toolu_a", "name": "look", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_a", "is_error": true, "content": "no", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            ]},
        ],
        "tools": [{"name": "look", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}}],
        "thinking": {"type": "adaptive"},
        "metadata": {"user_id": "ann"},
    });
    let form = Messages
        .read_request(body.to_string().as_bytes(), Path::default())
        .unwrap();
    let target = Target {
        model: "anthropic.claude-opus-4-7-v1",
        stream: false,
    };
    let written = Converse.write_request(&form, target).unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&written).unwrap(),
        json!({
            "messages": [
                {"role": "user", "content": [{"text": "look"}]},
                {"role": "assistant", "content": [
                    {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
                    {"toolUse": {"toolUseId": "toolu_a", "name": "look", "input": {}}},
                ]},
                {"role": "user", "content": [
                    {"toolResult": {"toolUseId": "toolu_a", "content": [{"text": "no"}], "status": "error"}},
                    {"cachePoint": {"type": "default", "ttl": "1h"}},
                ]},
            ],
            "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
            "inferenceConfig": {"maxTokens": 9000},
            "toolConfig": {"tools": [
                {"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}},
                {"cachePoint": {"type": "default"}},
            ]},
            "additionalModelRequestFields": {"thinking": {"type": "adaptive", "display": "summarized"}},
        })
    );
}

#[test]
fn a_part_of_converses_is_no_field_of_openais_message() {
    for name in ["video", "role", "prefix"] {
        let body = json!({"messages": [{"role": "user", "content": [{name: {"format": "mp4"}}]}]});
        let form = Converse
            .read_request(body.to_string().as_bytes(), path())
            .unwrap();
        let target = Target {
            model: "m",
            stream: false,
        };
        let refused = Chat.write_request(&form, target).unwrap_err();
        assert!(refused.message.contains(name), "{}", refused.message);
    }
}
