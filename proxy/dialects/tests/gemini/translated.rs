//! OpenAI's and Anthropic's clients with Gemini's models behind them, and the other way round.

use dragoman_dialects::anthropic::Messages;
use dragoman_dialects::form::{Event, Failure, Field, Refused, Request};
use dragoman_dialects::gemini::Gemini;
use dragoman_dialects::gemini::stream::Writer;
use dragoman_dialects::openai::{Chat, Completions};
use dragoman_dialects::{Codec, Context, Path, StreamWriter, Target, Wire};
use serde_json::{Value, json};

use super::generate::PATH;
use super::golden::{Case, context, pretty, read_stream};

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
    let written = Gemini.write_request(&form(with), target)?;
    Ok(serde_json::from_slice(&written).unwrap())
}

fn written(with: Value) -> Value {
    written_for("gemini-2.5-flash", with).unwrap()
}

fn golden(case: &str, codec: &dyn Codec) {
    let case = Case::new("gemini", case);
    let body = case.read("request.json");
    let form = codec.read_request(body.as_bytes(), Path::default());
    let target = Target {
        model: "gemini-3-pro-preview",
        stream: true,
    };
    let written = Gemini.write_request(&form.unwrap(), target).unwrap();
    case.assert("written.json", &pretty(&written));
}

#[test]
fn openais_conversation_with_tools_and_media_is_geminis() {
    golden("from-chat", &Chat);
}

#[test]
fn anthropics_conversation_with_thoughts_and_failed_tools_is_geminis() {
    golden("from-messages", &Messages);
}

#[test]
fn what_googles_sdk_sends_after_a_stream_reaches_anthropic_with_its_signature() {
    let case = Case::new("gemini", "from-sdk");
    let body = case.read("request.json");
    let form = Gemini.read_request(body.as_bytes(), PATH);
    let target = Target {
        model: "claude-sonnet-4-5",
        stream: true,
    };
    let written = Messages.write_request(&form.unwrap(), target).unwrap();
    case.assert("written.json", &pretty(&written));
}

fn streamed(from: &dyn Codec, stream: &str, to: &dyn Codec, context: &Context) -> String {
    written_by(to.stream_writer(context), from, stream, context)
}

fn written_by(
    mut writer: Box<dyn StreamWriter>,
    from: &dyn Codec,
    stream: &str,
    context: &Context,
) -> String {
    let mut out = Vec::new();
    read_stream(from, stream, &mut |event| {
        writer.write(event, &|| context.started, &mut out);
    })
    .unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn geminis_stream_reaches_openais_client() {
    let stream = Case::new("gemini", "stream").read("stream.txt");
    let written = streamed(&Gemini, &stream, &Chat, &context());
    Case::new("gemini", "stream-to-chat").assert("written.txt", &written);
}

#[test]
fn streams_of_other_vendors_reach_geminis_client() {
    for (wire, codec, case) in [
        ("chat", &Chat as &dyn Codec, "stream-from-chat"),
        ("messages", &Messages, "stream-from-messages"),
    ] {
        let stream = Case::new(wire, "stream").read("stream.txt");
        let written = streamed(codec, &stream, &Gemini, &context());
        Case::new("gemini", case).assert("written.txt", &written);
    }
}

#[test]
fn an_array_has_the_events_data_for_its_elements() {
    for (wire, codec) in [("chat", &Chat as &dyn Codec), ("messages", &Messages)] {
        let stream = Case::new(wire, "stream").read("stream.txt");
        let events = streamed(codec, &stream, &Gemini, &context());
        let events = events
            .split("\n\n")
            .filter_map(|it| it.strip_prefix("data: "));
        let array = Box::new(Writer::array(&context()));
        let array = written_by(array, codec, &stream, &context());
        let elements: Vec<&str> = events.collect();
        assert_eq!(array, format!("[{}\n]\n", elements.join("\n,\r\n")));
    }
}

#[test]
fn an_array_that_breaks_off_is_closed_after_its_error() {
    for before in [0, 1] {
        let mut writer = Writer::array(&context());
        let (mut out, now) = (Vec::new(), || context().started);
        let text = |text: &'static str| Event::Text {
            choice: 0,
            text: text.into(),
            logprobs: None,
        };
        for _ in 0..before {
            writer.write(text("a"), &now, &mut out);
        }
        let failure = Failure::new(503, "busy");
        writer.write(Event::Failed(failure), &now, &mut out);
        let array: Vec<Value> = serde_json::from_slice(&out).unwrap();
        assert_eq!(array.len(), before + 1);
        assert_eq!(array[before]["error"]["code"], 503);
    }
}

#[test]
fn reasoning_that_was_not_asked_for_is_not_shown_but_its_signature_comes_back() {
    let hidden = Context {
        reasoning: false,
        ..context()
    };
    let stream = Case::new("messages", "stream").read("stream.txt");
    let written = streamed(&Messages, &stream, &Gemini, &hidden);
    assert!(!written.contains("I should"), "{written}");
    assert!(
        written.contains(r#"{"text":"","thought":true,"thoughtSignature":"Y2xhdWRlc2ln"}"#),
        "{written}"
    );
}

#[test]
fn what_one_vendor_signed_goes_back_to_it_through_geminis_client() {
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "Look."}]},
        {"role": "model", "parts": [
            {"text": "I should look.", "thought": true, "thoughtSignature": "Y2xhdWRlc2ln"},
            {"text": "Gemini's own.", "thought": true, "thoughtSignature": "b3du"},
            {"functionCall": {"id": "toolu_a", "name": "look", "args": {}}, "thoughtSignature": "Z2VtaW5p"},
        ]},
        {"role": "user", "parts": [{"functionResponse": {"id": "toolu_a", "name": "look", "response": {"result": "a cat"}}}]},
    ], "tools": [{"functionDeclarations": [{"name": "look"}]}]});
    let form = Gemini.read_request(body.to_string().as_bytes(), PATH);
    let target = Target {
        model: "claude-sonnet-4-5",
        stream: false,
    };
    let written = Messages.write_request(&form.unwrap(), target).unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(written["messages"][1]["content"][0]["signature"], "c2ln");
    assert!(!written.to_string().contains("Z2VtaW5p"));
    assert!(!written.to_string().contains("b3du"));
    assert_eq!(written["messages"][2]["content"][0]["content"], "a cat");
}

#[test]
fn an_image_in_either_alphabet_reaches_every_vendor_in_the_standard_one() {
    let body = json!({"contents": [{"parts": [{"inline_data": {"mime_type": "image/png", "data": "iVBORw0KGgo-_w=="}}]}]});
    let form = Gemini.read_request(body.to_string().as_bytes(), PATH);
    let target = Target {
        model: "m",
        stream: false,
    };
    let written = Chat.write_request(&form.unwrap(), target).unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(
        written["messages"][0]["content"][0]["image_url"]["url"],
        "data:image/png;base64,iVBORw0KGgo+/w=="
    );
}

#[test]
fn a_call_that_nobody_signed_is_said_to_be_so_to_models_that_insist() {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "look", "arguments": "{}"}});
    let with = json!({"messages": [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "tool_calls": [call("a"), call("b")]},
        {"role": "tool", "tool_call_id": "a", "content": "a cat"},
        {"role": "tool", "tool_call_id": "b", "content": "[1]"},
    ]});
    let newer = written_for("gemini-3-flash-preview", with.clone()).unwrap();
    let parts = &newer["contents"][1]["parts"];
    assert_eq!(
        parts[0]["thoughtSignature"],
        "skip_thought_signature_validator"
    );
    assert_eq!(parts[1].get("thoughtSignature"), None);
    let older = written(with);
    assert_eq!(
        older["contents"][1]["parts"][0].get("thoughtSignature"),
        None
    );
    assert_eq!(older["contents"].as_array().unwrap().len(), 3);
    assert_eq!(
        older["contents"][2]["parts"][1]["functionResponse"]["response"],
        json!({"output": "[1]"})
    );
}

#[test]
fn choices_of_tools_are_modes() {
    let tools = json!([{"type": "function", "function": {"name": "look"}}, {"type": "function", "function": {"name": "rest"}}]);
    let allowed = |mode: &str| json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [{"type": "function", "function": {"name": "look"}}]}});
    let named = json!({"type": "function", "function": {"name": "look"}});
    for (choice, config) in [
        (json!("auto"), json!({"mode": "AUTO"})),
        (json!("none"), json!({"mode": "NONE"})),
        (json!("required"), json!({"mode": "ANY"})),
        (
            named,
            json!({"mode": "ANY", "allowedFunctionNames": ["look"]}),
        ),
        (
            allowed("required"),
            json!({"mode": "ANY", "allowedFunctionNames": ["look"]}),
        ),
        (
            allowed("auto"),
            json!({"mode": "VALIDATED", "allowedFunctionNames": ["look"]}),
        ),
    ] {
        let is = written(json!({"tools": tools, "tool_choice": choice}));
        assert_eq!(
            is["toolConfig"]["functionCallingConfig"], config,
            "{choice}"
        );
    }
}

#[test]
fn what_gemini_cannot_do_is_refused_by_name() {
    let tools = json!([{"type": "function", "function": {"name": "look"}}]);
    for (with, field) in [
        (json!({"logit_bias": {"1": 2}}), Field::LogitBias),
        (json!({"min_p": 0.1}), Field::MinP),
        (json!({"typical_p": 0.5}), Field::TypicalP),
        (json!({"repetition_penalty": 1.1}), Field::RepetitionPenalty),
        (json!({"temperature": 2.5}), Field::Temperature),
        (json!({"n": 9}), Field::N),
        (json!({"stop": [""]}), Field::Stop),
        (json!({"stop": ["1", "2", "3", "4", "5", "6"]}), Field::Stop),
        (
            json!({"tools": tools, "parallel_tool_calls": false}),
            Field::ParallelToolCalls,
        ),
        (json!({"tool_choice": "required"}), Field::ToolChoice),
        (
            json!({"tools": [{"type": "custom", "custom": {"name": "grep"}}]}),
            Field::Tools(Some(0)),
        ),
        (
            json!({"frobnicate": true}),
            Field::Extra("frobnicate".into()),
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]}),
            Field::At("messages[0]".into()),
        ),
        (
            json!({"messages": [{"role": "tool", "tool_call_id": "a", "content": "x"}]}),
            Field::At("messages[0]".into()),
        ),
        (
            json!({"messages": [{"role": "user", "content": ""}]}),
            Field::At("messages".into()),
        ),
    ] {
        let refused = written_for("gemini-2.5-flash", with.clone()).unwrap_err();
        assert_eq!(refused.field, field, "{with}");
        assert!(refused.message.ends_with('.'), "{}", refused.message);
    }
    let refused = written_for("gemini-2.0-flash", json!({"reasoning_effort": "low"}));
    assert_eq!(refused.unwrap_err().field, Field::Reasoning);
}

#[test]
fn what_says_what_happens_anyway_is_left_out() {
    let is = written(json!({
        "user": "ann", "min_p": 0, "repetition_penalty": 1, "top_k": -1, "logit_bias": {}, "parallel_tool_calls": true,
        "metadata": {"team": "a"}, "store": false,
    }));
    assert_eq!(
        is,
        json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]})
    );
}

#[test]
fn a_seed_of_64_bits_is_folded_into_32() {
    let seed = |seed: i64| written(json!({"seed": seed}))["generationConfig"]["seed"].clone();
    assert_eq!(seed(-7), -7);
    assert_eq!(seed(i64::MAX), seed(i64::MAX));
    assert_ne!(seed(i64::MAX), seed(i64::MAX - 1));
    assert!(i32::try_from(seed(i64::MIN).as_i64().unwrap()).is_ok());
}

#[test]
fn a_plain_prompt_is_what_the_user_says() {
    let body = br#"{"model":"m","prompt":"Once upon","max_tokens":9}"#;
    let form = Completions.read_request(body, Path::default()).unwrap();
    let target = Target {
        model: "gemini-2.5-flash",
        stream: false,
    };
    let written = Gemini.write_request(&form, target).unwrap();
    assert_eq!(
        String::from_utf8(written).unwrap(),
        r#"{"contents":[{"role":"user","parts":[{"text":"Once upon"}]}],"generationConfig":{"maxOutputTokens":9}}"#
    );
}

#[test]
fn filters_that_are_off_stop_no_other_vendor_and_strict_ones_do() {
    let form = |threshold: &str| {
        let body = json!({
            "contents": [{"parts": [{"text": "hi"}]}],
            "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": threshold}],
            "labels": {"team": "a"},
        });
        Gemini
            .read_request(body.to_string().as_bytes(), PATH)
            .unwrap()
    };
    let target = Target {
        model: "m",
        stream: false,
    };
    assert!(Chat.write_request(&form("BLOCK_NONE"), target).is_ok());
    let refused = Chat.write_request(&form("BLOCK_LOW_AND_ABOVE"), target);
    assert_eq!(
        refused.unwrap_err().field,
        Field::Extra("safetySettings".into())
    );
}

#[test]
fn what_only_gemini_has_is_refused_by_every_other_dialect_at_its_place() {
    let parts = [
        json!({"fileData": {"fileUri": "https://www.youtube.com/watch?v=1"}}),
        json!({"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/a", "mimeType": "image/png"}}),
        json!({"fileData": {"fileUri": "gs://bucket/cat.png"}}),
        json!({"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}),
        json!({"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}}),
        json!({"text": "hi", "speechMetadata": {"speaker": "ann"}}),
        json!({"executableCode": {"language": "PYTHON", "code": "1"}}),
        json!({"toolUse": {}}),
        json!({"video": {"format": "mp4"}}),
    ];
    let others = [
        Wire::Chat,
        Wire::Responses,
        Wire::Messages,
        Wire::BedrockConverse,
        Wire::OllamaChat,
    ];
    for part in parts {
        let body = json!({"contents": [{"parts": [{"text": "What?"}, part]}]});
        let form = Gemini.read_request(body.to_string().as_bytes(), PATH);
        let form = form.unwrap();
        for wire in others {
            let target = Target {
                model: "claude-sonnet-4-5",
                stream: false,
            };
            let refused = wire.codec().write_request(&form, target);
            let place = Field::At("contents[0]".into());
            assert_eq!(refused.unwrap_err().field, place, "{wire:?} {part}");
        }
        let target = Target {
            model: "gemini-2.5-flash",
            stream: false,
        };
        let own = Gemini.write_request(&form, target).unwrap();
        let own: Value = serde_json::from_slice(&own).unwrap();
        assert_eq!(own["contents"][0]["parts"][1], part);
    }
}

#[test]
fn googles_own_tools_are_refused_by_every_other_dialect_by_their_index() {
    let body = json!({"contents": [{"parts": [{"text": "hi"}]}], "tools": [{"functionDeclarations": [{"name": "look"}]}, {"googleSearch": {}}]});
    let form = Gemini.read_request(body.to_string().as_bytes(), PATH);
    let form = form.unwrap();
    for wire in [
        Wire::Chat,
        Wire::Responses,
        Wire::Messages,
        Wire::BedrockConverse,
        Wire::OllamaChat,
    ] {
        let target = Target {
            model: "claude-sonnet-4-5",
            stream: false,
        };
        let refused = wire.codec().write_request(&form, target);
        let field = Field::Tools(Some(1));
        assert_eq!(refused.unwrap_err().field, field, "{wire:?}");
    }
}

#[test]
fn parts_of_other_vendors_are_refused() {
    let body = json!({"messages": [{"role": "user", "content": [{"text": "hi"}, {"video": {"format": "mp4", "source": {"bytes": "AA=="}}}]}]});
    let converse = Wire::BedrockConverse.codec();
    let form = converse.read_request(body.to_string().as_bytes(), PATH);
    let target = Target {
        model: "gemini-2.5-flash",
        stream: false,
    };
    let refused = Gemini.write_request(&form.unwrap(), target).unwrap_err();
    assert_eq!(refused.field, Field::At("messages[0]".into()));
}

#[test]
fn a_penalty_at_the_end_of_openais_range_stays_within_geminis() {
    let is = written(json!({"presence_penalty": 2, "frequency_penalty": -2}));
    let config = &is["generationConfig"];
    assert_eq!(config["presencePenalty"], 1.99);
    assert_eq!(config["frequencyPenalty"], -2.0);
}

#[test]
fn an_image_that_a_function_gave_by_its_url_is_refused() {
    let body = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "look", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [
            {"type": "image", "source": {"type": "url", "url": "https://example.org/cat.png"}}]}]},
    ]});
    let form = Messages.read_request(body.to_string().as_bytes(), Path::default());
    let target = Target {
        model: "gemini-2.5-flash",
        stream: false,
    };
    let refused = Gemini.write_request(&form.unwrap(), target).unwrap_err();
    assert!(refused.message.contains("an image"), "{}", refused.message);
}
