//! Text Generation Inference's own API.

use dragoman_dialects::form::{
    Event, Field, Finish, Message, Refused, Reply, Request, Role, Usage,
};
use dragoman_dialects::template::{BuiltIn, Stops, Template};
use dragoman_dialects::tgi::Tgi;
use dragoman_dialects::{Codec, Path, StreamReader, Target, openai};
use serde_json::{Value, json};

use crate::golden::{Case, context};
use crate::transcript::{events, frames, translated};

/// The body that TGI is sent for a chat request of OpenAI's, by way of a template.
fn of_chat(body: &Value, stream: bool) -> Result<Value, Refused> {
    let request = openai::Chat
        .read_request(body.to_string().as_bytes(), Path::default())
        .unwrap();
    let prompt = Template::from(BuiltIn::Llama2).apply(request, context().started)?;
    written(&prompt, stream)
}

fn written(request: &Request, stream: bool) -> Result<Value, Refused> {
    let body = Tgi.write_request(request, Target { model: "m", stream })?;
    Ok(serde_json::from_slice(&body).unwrap())
}

/// What TGI's router refuses, from its `validation.rs`.
fn accepted(body: &Value) {
    assert!(
        body["inputs"].as_str().is_some_and(|text| !text.is_empty()),
        "{body}"
    );
    let parameters = &body["parameters"];
    let number = |name: &str| parameters[name].as_f64();
    assert!(
        number("temperature").is_none_or(|value| value > 0.0),
        "{body}"
    );
    assert!(
        number("repetition_penalty").is_none_or(|value| value > 0.0),
        "{body}"
    );
    assert!(
        number("frequency_penalty").is_none_or(|value| (-2.0..=2.0).contains(&value)),
        "{body}"
    );
    for name in ["top_p", "typical_p"] {
        assert!(
            number(name).is_none_or(|value| value > 0.0 && value < 1.0),
            "{body}"
        );
    }
    assert!(number("top_k").is_none_or(|value| value >= 1.0), "{body}");
    assert!(
        number("max_new_tokens").is_some_and(|value| value >= 1.0),
        "{body}"
    );
    assert!(
        parameters["stop"].is_null() || parameters["stop"].is_array(),
        "{body}"
    );
    if number("best_of").is_some_and(|value| value > 1.0) {
        assert!(
            parameters["seed"].is_null() && parameters["do_sample"] == true,
            "{body}"
        );
        assert_eq!(body["stream"], false, "{body}");
    }
    assert!(
        !(body["stream"] == true && parameters["decoder_input_details"] == true),
        "{body}"
    );
}

#[test]
fn a_request_with_everything_is_read_and_written_again() {
    Case::new("tgi", "request").request(&Tgi);
}

#[test]
fn a_reply_is_read_and_written_again() {
    Case::new("tgi", "reply").reply(&Tgi);
}

#[test]
fn a_stream_is_read_and_written_again_and_trimmed_for_openais_clients() {
    let case = Case::new("tgi", "stream");
    let stream = case.read("stream.txt");
    case.assert("events.txt", &events(&Tgi, &stream));
    case.assert("written.txt", &translated(&Tgi, &stream, &Tgi, &context()));
    let mut out = Vec::new();
    let mut writer = openai::Chat.stream_writer(&context());
    let stops = Stops::new(&["END".into()], &["[INST]".into()]);
    let mut reader: Box<dyn StreamReader> = stops.reader(Tgi.stream_reader());
    let mut emit = |event: dragoman_dialects::form::Event<'_>| {
        writer.write(event, &|| context().started, &mut out);
    };
    for data in frames(&Tgi, &stream) {
        let frame = dragoman_dialects::Frame {
            name: None,
            exception: false,
            data: data.as_bytes(),
        };
        reader.read(frame, &mut emit).unwrap();
    }
    assert!(reader.end(&mut emit));
    case.assert("chat.txt", &String::from_utf8(out).unwrap());
}

#[test]
fn a_chat_request_of_openais_becomes_one_prompt_with_parameters() {
    let case = Case::new("tgi", "request-of-openai");
    let body: Value = serde_json::from_str(&case.read("request.json")).unwrap();
    let body = of_chat(&body, false).unwrap();
    accepted(&body);
    case.assert("written.json", &format!("{body:#}\n"));
}

#[test]
fn whatever_openai_allows_becomes_a_body_that_tgi_accepts() {
    for change in [
        json!({}),
        json!({"temperature": 0}),
        json!({"temperature": 0, "top_p": 0.5, "seed": 1}),
        json!({"temperature": 2, "top_p": 1}),
        json!({"top_p": 0}),
        json!({"frequency_penalty": 0}),
        json!({"frequency_penalty": -1}),
        json!({"stop": "x"}),
        json!({"best_of": 2}),
        json!({"best_of": 2, "temperature": 0}),
        json!({"best_of": 1, "seed": 5}),
        json!({"n": 1, "presence_penalty": 0, "logit_bias": {}}),
        json!({"top_k": -1, "min_p": 0, "repetition_penalty": 1.0}),
        json!({"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none"}),
        json!({"user": "ann", "store": false, "reasoning_effort": "none"}),
    ] {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        accepted(&of_chat(&body, false).unwrap());
    }
}

#[test]
fn no_more_stops_are_sent_than_tgi_takes() {
    let stop = ["a", "b", "c", "d"];
    let body = json!({"model": "m", "stop": stop, "messages": [{"role": "user", "content": "x"}]});
    let sent = of_chat(&body, true).unwrap();
    accepted(&sent);
    assert_eq!(sent["parameters"]["stop"], json!(stop));
}

#[test]
fn figures_that_are_estimated_are_marked() {
    let usage = |estimated| Usage {
        input: 3,
        output: 2,
        estimated,
        ..Usage::default()
    };
    for estimated in [false, true] {
        let usage = usage(estimated);
        let reply = Reply {
            usage: Some(usage),
            ..Reply::default()
        };
        let whole: Value = serde_json::from_slice(&Tgi.write_reply(&reply, &context())).unwrap();
        let mut out = Vec::new();
        let mut writer = Tgi.stream_writer(&context());
        for event in [Event::Usage(usage), Event::Done] {
            writer.write(event, &|| context().started, &mut out);
        }
        let last: Value = serde_json::from_slice(&out["data:".len()..]).unwrap();
        for details in [&whole["details"], &last["details"]] {
            assert_eq!(details["generated_tokens"], 2, "{details}");
            assert_eq!(details["input_length"], 3, "{details}");
            assert_eq!(details["usage_estimated"] == true, estimated, "{details}");
        }
    }
}

#[test]
fn greedy_sends_no_parameter_of_sampling() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "temperature": 0, "top_p": 0.5, "seed": 1});
    let parameters = of_chat(&body, true).unwrap()["parameters"].clone();
    assert_eq!(parameters["do_sample"], false);
    for name in ["temperature", "top_p", "top_k", "typical_p", "seed"] {
        assert!(parameters.get(name).is_none(), "{name}");
    }
}

#[test]
fn what_tgi_cannot_do_is_refused_with_a_cure() {
    for (change, field) in [
        (json!({"n": 2}), Field::N),
        (json!({"logprobs": true}), Field::Logprobs),
        (json!({"presence_penalty": 1}), Field::PresencePenalty),
        (json!({"logit_bias": {"1": 1}}), Field::LogitBias),
        (json!({"reasoning_effort": "high"}), Field::Reasoning),
        (
            json!({"response_format": {"type": "json_object"}}),
            Field::Format,
        ),
        (
            json!({"tools": [{"type": "function", "function": {"name": "f"}}]}),
            Field::Tools(None),
        ),
        (
            json!({"best_of": 2, "seed": 1}),
            Field::Extra("best_of".into()),
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}]}]}),
            Field::At("messages[0]".into()),
        ),
    ] {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let refused = of_chat(&body, false).unwrap_err();
        assert_eq!(refused.field, field);
        assert!(refused.message.ends_with('.'));
    }
    let conversation = Request {
        messages: vec![
            Message::text(Role::System, "a", "messages[0]"),
            Message::text(Role::User, "b", "messages[1]"),
        ],
        ..Request::default()
    };
    let refused = written(&conversation, false).unwrap_err();
    assert!(
        refused.message.contains("one prompt"),
        "{}",
        refused.message
    );
}

#[test]
fn a_prompt_without_parameters_is_greedy_as_tgi_is() {
    let read = |body: Value| {
        let read = Tgi.read_request(body.to_string().as_bytes(), Path::default());
        read.map_err(|fault| fault.to_string())
    };
    let request = read(json!({"inputs": "x"})).unwrap();
    assert_eq!(request.sampling.temperature, Some(0.0));
    assert!(request.raw && !request.stream);
    let request =
        read(json!({"inputs": "x", "parameters": {"do_sample": true}, "stream": true})).unwrap();
    assert_eq!(request.sampling.temperature, None);
    assert!(request.stream);
    assert_eq!(
        read(json!({})).unwrap_err(),
        "inputs: The field is required."
    );
    assert_eq!(
        read(json!({"inputs": "x", "parameters": {"grammar": {"type": "lark", "value": "x"}}}))
            .unwrap_err(),
        "parameters.grammar.type: The field must be \"json\", \"json_schema\" or \"regex\"."
    );
}

#[test]
fn a_reply_is_trimmed_at_its_stop_and_says_which() {
    let mut reply = Tgi
        .read_reply(Case::new("tgi", "reply").read("reply.json").as_bytes())
        .unwrap();
    assert_eq!(
        reply.usage.map(|usage| (usage.input, usage.output)),
        Some((3, 5))
    );
    Stops::new(&["END".into()], &[]).trim(&mut reply);
    let written = openai::Chat.write_reply(&reply, &context());
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(written["choices"][0]["message"]["content"], "Tom, I say.");
    assert_eq!(
        reply.choices[0].finish,
        Some(Finish::StopSequence(Some("END".into())))
    );
    assert!(Tgi.read_reply(br#"[{"generated_text":"a"}]"#).is_ok());
    let listed = dragoman_dialects::tgi::listed(Tgi.write_reply(&reply, &context()));
    let read = Tgi.read_reply(&listed).unwrap();
    assert_eq!(read.choices[0].parts, reply.choices[0].parts);
    assert!(Tgi.read_reply(b"[]").is_err());
}

#[test]
fn an_error_within_a_stream_is_a_failure_and_a_cut_is_no_end() {
    let read = events(
        &Tgi,
        "data:{\"error\":\"Model is overloaded\",\"error_type\":\"overloaded\"}\n",
    );
    assert!(
        read.contains("Overloaded") && read.contains("status: 429"),
        "{read}"
    );
    let cut = r#"data:{"token":{"id":1,"text":"a","logprob":0,"special":false}}"#;
    assert!(events(&Tgi, cut).ends_with("complete: false\n"));
}
