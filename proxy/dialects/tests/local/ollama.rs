//! Ollama's own API.

use dragoman_dialects::form::{
    EmbeddingInput, Failure, Field, Part, Refused, Request, Source, Tool, ToolChoice, Usage,
};
use dragoman_dialects::ollama::{Chat, Embed, Embeddings, Generate, load, measure};
use dragoman_dialects::{Codec, EmbeddingCodec, Path, Target, anthropic, openai};
use serde_json::{Value, json};

use crate::golden::{Case, context, pretty};
use crate::transcript::{events, translated};

fn chat(body: &Value) -> Result<Request, String> {
    let read = Chat.read_request(body.to_string().as_bytes(), Path::default());
    read.map_err(|fault| fault.to_string())
}

fn to_ollama(body: Value) -> Result<Value, Refused> {
    let request = openai::Chat
        .read_request(body.to_string().as_bytes(), Path::default())
        .unwrap();
    let target = Target {
        model: "qwen3:8b",
        stream: request.stream,
    };
    let written = Chat.write_request(&request, target)?;
    Ok(serde_json::from_slice(&written).unwrap())
}

#[test]
fn a_chat_request_with_everything_is_read_and_written_again() {
    Case::new("ollama-chat", "request").request(&Chat);
}

#[test]
fn a_chat_reply_is_read_and_written_again() {
    Case::new("ollama-chat", "reply").reply(&Chat);
}

#[test]
fn a_generate_request_with_everything_is_read_and_written_again() {
    Case::new("ollama-generate", "request").request(&Generate);
}

#[test]
fn a_generate_reply_is_read_and_written_again() {
    Case::new("ollama-generate", "reply").reply(&Generate);
}

#[test]
fn streams_are_read_and_written_again_and_for_openais_clients() {
    for (wire, codec) in [
        ("ollama-chat", &Chat as &dyn Codec),
        ("ollama-generate", &Generate),
    ] {
        let case = Case::new(wire, "stream");
        let stream = case.read("stream.txt");
        case.assert("events.txt", &events(codec, &stream));
        case.assert(
            "written.txt",
            &translated(codec, &stream, codec, &context()),
        );
        case.assert(
            "chat.txt",
            &translated(codec, &stream, &openai::Chat, &context()),
        );
    }
}

#[test]
fn a_stream_of_openais_becomes_lines_whose_calls_are_whole() {
    let case = Case::new("ollama-chat", "stream-of-openai");
    let stream = case.read("stream.txt");
    case.assert(
        "written.txt",
        &translated(&openai::Chat, &stream, &Chat, &context()),
    );
}

#[test]
fn a_request_of_openais_is_written_in_ollamas_words() {
    let case = Case::new("ollama-chat", "request-of-openai");
    let body: Value = serde_json::from_str(&case.read("request.json")).unwrap();
    let written = to_ollama(body).unwrap();
    case.assert("written.json", &format!("{written:#}\n"));
}

#[test]
fn a_level_of_thinking_is_said_to_models_that_have_levels_alone() {
    let think = |model, body: Value| {
        let body = body.to_string();
        let request = anthropic::Messages.read_request(body.as_bytes(), Path::default());
        let target = Target {
            model,
            stream: false,
        };
        let written = Chat.write_request(&request.unwrap(), target).unwrap();
        serde_json::from_slice::<Value>(&written).unwrap()["think"].clone()
    };
    let asked = |budget: u32| json!({"model": "m", "max_tokens": 50_000, "messages": [{"role": "user", "content": "Hi"}], "thinking": {"type": "enabled", "budget_tokens": budget}});
    assert_eq!(think("qwen3:8b", asked(1024)), true);
    assert_eq!(think("gpt-oss:20b", asked(1024)), "low");
    assert_eq!(think("OpenAI/GPT-OSS", asked(24_576)), "high");
}

#[test]
fn a_request_of_ollamas_is_written_in_the_words_of_others() {
    let case = Case::new("ollama-chat", "request");
    let request = Chat
        .read_request(case.read("request.json").as_bytes(), Path::default())
        .unwrap();
    let target = Target {
        model: "theirs",
        stream: false,
    };
    let written = openai::Chat.write_request(&request, target).unwrap();
    case.assert("chat.json", &pretty(&written));
}

#[test]
fn streams_are_wanted_unless_the_client_says_no() {
    assert!(chat(&json!({"model": "m"})).unwrap().stream);
    assert!(
        !chat(&json!({"model": "m", "stream": false}))
            .unwrap()
            .stream
    );
}

#[test]
fn a_wrong_request_is_told_where_it_is_wrong() {
    for (body, fault) in [
        (json!({}), "model: The field is required."),
        (
            json!({"model": 1}),
            "model: The field must be a string, not 1.",
        ),
        (
            json!({"model": "m", "messages": [{"role": "robot"}]}),
            "messages[0].role: The field must be \"system\", \"user\", \"assistant\" or \"tool\".",
        ),
        (
            json!({"model": "m", "messages": [{"role": "user", "images": "x"}]}),
            "messages[0].images: The field must be a list of base64 strings.",
        ),
        (
            json!({"model": "m", "messages": [{"role": "assistant", "tool_calls": [{}]}]}),
            "messages[0].tool_calls[0].function: The field is required.",
        ),
        (
            json!({"model": "m", "think": "xhigh"}),
            "think: The field must be true, false, \"low\", \"medium\" or \"high\".",
        ),
        (
            json!({"model": "m", "format": "yaml"}),
            "format: The field must be \"json\" or a JSON schema (an object).",
        ),
        (
            json!({"model": "m", "options": {"temperature": "hot"}}),
            "options.temperature: The field must be a number, not a string.",
        ),
        (
            json!({"model": "m", "keep_alive": true}),
            "keep_alive: The field must be a duration such as \"5m\", or a number of seconds.",
        ),
    ] {
        assert_eq!(chat(&body).unwrap_err(), fault, "{body}");
    }
}

#[test]
fn what_ollama_cannot_do_is_refused_with_a_cure_and_its_page() {
    let tool = json!([{"type": "function", "function": {"name": "f"}}]);
    let user = json!([{"role": "user", "content": "x"}]);
    for (change, field) in [
        (json!({"n": 2}), Field::N),
        (json!({"logit_bias": {"1": 1}}), Field::LogitBias),
        (
            json!({"tools": tool, "tool_choice": "required"}),
            Field::ToolChoice,
        ),
        (
            json!({"tools": tool, "parallel_tool_calls": false}),
            Field::ParallelToolCalls,
        ),
        (
            json!({"web_search_options": {}}),
            Field::Extra("web_search_options".into()),
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]}]}),
            Field::At("messages[0]".into()),
        ),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "no"}}]}]}),
            Field::At("messages[0].tool_calls[0]".into()),
        ),
    ] {
        let mut body = json!({"model": "m", "messages": user});
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let refused = to_ollama(body).unwrap_err();
        assert_eq!(refused.field, field);
        assert!(refused.message.ends_with('.'), "{}", refused.message);
    }
}

#[test]
fn a_choice_of_no_tool_leaves_the_tools_out() {
    let tools = |choice: ToolChoice| {
        let function = |name: &str| Tool::Function {
            name: name.into(),
            description: None,
            parameters: None,
            strict: None,
            cache: None,
        };
        let request = Request {
            tools: vec![function("a"), function("b")],
            tool_choice: Some(choice),
            ..Request::default()
        };
        let target = Target {
            model: "m",
            stream: false,
        };
        let body: Value =
            serde_json::from_slice(&Chat.write_request(&request, target).unwrap()).unwrap();
        let tools = body["tools"].as_array().cloned().unwrap_or_default();
        tools
            .iter()
            .map(|tool| tool["function"]["name"].clone())
            .collect::<Vec<_>>()
    };
    assert!(tools(ToolChoice::None).is_empty());
    let names = vec!["b".to_owned()];
    let some = ToolChoice::Allowed {
        names,
        required: false,
    };
    assert_eq!(tools(some), ["b"]);
}

#[test]
fn context_and_other_options_of_ollama_do_not_keep_a_request_from_others() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "truncate": true,
        "options": {"num_ctx": 4096, "num_gpu": 1, "mirostat": 2}, "keep_alive": "5m", "num_predict": 1000, "system": "Mine."});
    let request = chat(&body).unwrap();
    let target = Target {
        model: "gpt-4o",
        stream: false,
    };
    let written = openai::Chat.write_request(&request, target).unwrap();
    let written = String::from_utf8(written).unwrap();
    for ignored in ["num_ctx", "1000", "Mine."] {
        assert!(!written.contains(ignored), "{written}");
    }
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "options": {"repeat_last_n": 64}});
    let refused = openai::Chat
        .write_request(&chat(&body).unwrap(), target)
        .unwrap_err();
    assert_eq!(refused.field, Field::Extra("options.repeat_last_n".into()));
}

#[test]
fn an_image_has_the_media_type_of_its_bytes() {
    let body =
        json!({"model": "m", "messages": [{"role": "user", "images": ["iVBORw0KGgoAAA=="]}]});
    let request = chat(&body).unwrap();
    let Part::Image {
        source: Source::Inline {
            media_type: None,
            data,
        },
        ..
    } = &request.messages[0].parts[0]
    else {
        panic!("no image");
    };
    assert_eq!(data.sniff(), Some("image/png"));
}

#[test]
fn what_follows_the_end_of_an_answer_is_no_part_of_it() {
    let end = r#"{"model":"m","message":{"content":"Hi"},"done_reason":"stop","done":false}"#;
    let late = r#"{"model":"m","message":{"content":"late"},"done":true,"done_reason":"stop"}"#;
    let read = events(&Chat, &format!("{end}\n{late}\n"));
    assert!(read.contains("Hi") && !read.contains("late"), "{read}");
    assert!(
        read.ends_with("Finish { choice: 0, reason: Stop }\nDone\ncomplete: true\n"),
        "{read}"
    );
}

#[test]
fn an_error_within_a_stream_is_a_failure_and_a_cut_is_no_end() {
    let line = r#"{"model":"m","created_at":"x","message":{"content":"a"},"done":false}"#;
    let failed = format!("{line}\n{{\"error\":\"an error was encountered\"}}\n");
    let read = events(&Chat, &failed);
    assert!(
        read.contains("Failed") && read.contains("an error was encountered"),
        "{read}"
    );
    assert!(!read.contains("Done"));
    assert!(events(&Chat, line).ends_with("complete: false\n"));
    let garbage = events(&Chat, "<html>");
    assert!(garbage.contains("It sent: <html>"), "{garbage}");

    let mut out = Vec::new();
    let mut writer = Chat.stream_writer(&context());
    let failed = dragoman_dialects::form::Event::Failed(Failure::new(502, "cut"));
    writer.write(failed, &|| context().started, &mut out);
    assert_eq!(out, b"{\"error\":\"cut\"}\n");
}

#[test]
fn a_model_that_is_only_loaded_is_answered_in_ollamas_words() {
    let body = json!({"model": "m", "keep_alive": 0});
    let request = chat(&body).unwrap();
    assert!(load::is_load(&request));
    let written = pretty(&Chat.write_reply(&load::reply(&request), &context()));
    let written: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(
        written,
        json!({"model": "chat", "created_at": "2026-11-21T07:00:00.000000000Z",
            "message": {"role": "assistant", "content": ""}, "done": true, "done_reason": "unload"})
    );
}

#[test]
fn durations_are_measured_where_the_upstream_says_none() {
    let mut reply = Chat
        .read_reply(
            br#"{"message":{"content":"a"},"done":true,"prompt_eval_count":1,"eval_count":2}"#,
        )
        .unwrap();
    let started = context().started;
    measure::fill(
        &mut reply.usage,
        started,
        started + jiff::SignedDuration::from_millis(1500),
    );
    let body: Value = serde_json::from_slice(&Chat.write_reply(&reply, &context())).unwrap();
    assert_eq!(body["total_duration"], 1_500_000_000_u64);
    assert_eq!(body["eval_count"], 2);
}

#[test]
fn vectors_go_both_ways_in_both_forms() {
    let body = json!({"model": "m", "input": ["a", "b"], "truncate": false, "dimensions": 3,
        "keep_alive": "1m", "options": {"num_ctx": 512}});
    let request = Embed
        .read_request(body.to_string().as_bytes(), Path::default())
        .unwrap();
    assert_eq!(request.inputs[1], EmbeddingInput::Text("b".into()));
    let target = Target {
        model: "m",
        stream: false,
    };
    let written = Embed.write_request(&request, target).unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(written, body);

    let old = br#"{"model":"m","prompt":"a"}"#;
    let request = Embeddings.read_request(old, Path::default()).unwrap();
    assert_eq!(Embeddings.write_request(&request, target).unwrap(), old);
    let written = Embed.write_request(&request, target).unwrap();
    assert_eq!(written, br#"{"model":"m","input":"a"}"#);

    let reply = Embed
        .read_reply(br#"{"model":"m","embeddings":[[0.10,-1],[2,3]],"prompt_eval_count":4}"#)
        .unwrap();
    assert_eq!(
        reply.usage,
        Some(Usage {
            input: 4,
            ..Usage::default()
        })
    );
    let written = String::from_utf8(Embed.write_reply(&reply, false, &context())).unwrap();
    assert_eq!(
        written,
        r#"{"model":"chat","embeddings":[[0.1,-1],[2,3]],"prompt_eval_count":4}"#
    );
    let one = String::from_utf8(Embeddings.write_reply(&reply, false, &context())).unwrap();
    assert_eq!(one, r#"{"embedding":[0.1,-1]}"#);
    assert!(Embed.read_reply(b"{}").is_err());
}

#[test]
fn a_plain_prompt_of_openais_is_sent_to_generate_as_it_stands() {
    let body = br#"{"model":"m","prompt":"def f(","max_tokens":5}"#;
    let request = openai::Completions
        .read_request(body, Path::default())
        .unwrap();
    let target = Target {
        model: "m",
        stream: false,
    };
    let written: Value =
        serde_json::from_slice(&Generate.write_request(&request, target).unwrap()).unwrap();
    assert_eq!(
        written,
        json!({"model": "m", "prompt": "def f(", "raw": true, "stream": false, "options": {"num_predict": 5}})
    );
}

#[test]
fn generate_takes_one_prompt_and_no_tools() {
    let refused = |body: Value| {
        let target = Target {
            model: "m",
            stream: false,
        };
        let request = chat(&body).unwrap();
        Generate.write_request(&request, target).unwrap_err()
    };
    let user = json!({"role": "user", "content": "x"});
    let two = refused(json!({"model": "m", "messages": [user, user]}));
    assert_eq!(two.field, Field::At("messages[1]".into()));
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let tools = refused(json!({"model": "m", "messages": [user], "tools": tools}));
    assert_eq!(tools.field, Field::Tools(None));
    assert!(tools.source.is_some());
}

#[test]
fn a_template_or_a_context_of_ollamas_is_for_ollama_alone() {
    for field in [
        json!({"template": "{{ .Prompt }}"}),
        json!({"context": [1, 2]}),
    ] {
        let mut body = json!({"model": "m", "prompt": "x"});
        body.as_object_mut()
            .unwrap()
            .extend(field.as_object().unwrap().clone());
        let read = Generate.read_request(body.to_string().as_bytes(), Path::default());
        let target = Target {
            model: "m",
            stream: false,
        };
        let refused = openai::Chat
            .write_request(&read.unwrap(), target)
            .unwrap_err();
        let name = field.as_object().unwrap().keys().next().unwrap().clone();
        assert_eq!(refused.field, Field::Extra(name));
    }
}

#[test]
fn a_call_whose_arguments_are_no_object_still_reaches_the_client() {
    let body = br#"{"choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"half {"}}]},"finish_reason":"tool_calls"}]}"#;
    let reply = openai::Chat.read_reply(body).unwrap();
    let written: Value = serde_json::from_slice(&Chat.write_reply(&reply, &context())).unwrap();
    let call = &written["message"]["tool_calls"][0]["function"];
    assert_eq!(call["arguments"], json!({"arguments": "half {"}));
}

#[test]
fn older_and_stranger_servers_are_understood() {
    let stream = concat!(
        // A server without times, with a null, and arguments in a string.
        r#"{"message":{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":"{\"a\":1}"}}]}}"#,
        "\n",
        // The reason comes before the end, and no count does.
        r#"{"message":{"content":""},"done":false,"done_reason":"stop"}"#,
        "\n",
    );
    let read = events(&Chat, stream);
    assert!(
        read.contains(r#"ToolStart { choice: 0, call: 0, id: "call_0""#),
        "{read}"
    );
    assert!(read.contains(r#"json: "{\"a\":1}""#), "{read}");
    assert!(
        read.ends_with("Finish { choice: 0, reason: ToolCalls }\nDone\ncomplete: true\n"),
        "{read}"
    );
    // Counts with a fraction, from a server in a language without whole numbers.
    let reply = Chat
        .read_reply(br#"{"message":{"content":"a"},"done":true,"eval_count":2.0,"prompt_eval_count":1.0,"total_duration":1.5e9}"#)
        .unwrap();
    let usage = reply.usage.unwrap();
    assert_eq!((usage.input, usage.output), (1, 2));
    assert_eq!(usage.durations.unwrap().total, 1_500_000_000);
}
