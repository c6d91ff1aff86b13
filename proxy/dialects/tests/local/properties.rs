//! What holds for every request and for every byte that a server may send.

use dragoman_dialects::form::{
    Arguments, Base64, Effort, Event, Format, Logprobs, Message, Part, Reasoning, Request, Role,
    Sampling, Source, Tool, ToolCall, ToolResult, message,
};
use dragoman_dialects::ollama::{Chat, Generate};
use dragoman_dialects::tgi::Tgi;
use dragoman_dialects::{Codec, Frame, Path, Target, Wire, models};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::golden::context;

/// All dialects: what the local servers' streams say reaches every client.
const WIRES: [Wire; 11] = [
    Wire::Conversation,
    Wire::ConversationChat,
    Wire::Messages,
    Wire::BedrockInvoke,
    Wire::BedrockConverse,
    Wire::Chat,
    Wire::Responses,
    Wire::Completions,
    Wire::OllamaChat,
    Wire::OllamaGenerate,
    Wire::Tgi,
];

fn text() -> impl Strategy<Value = String> {
    "[a-zäß\"\\\\\n€😀]{1,12}"
}

fn number() -> impl Strategy<Value = f64> {
    (1..199_i32).prop_map(|hundredths| f64::from(hundredths) / 100.0)
}

fn share() -> impl Strategy<Value = f64> {
    (1..99_i32).prop_map(|hundredths| f64::from(hundredths) / 100.0)
}

fn sampling() -> impl Strategy<Value = Sampling> {
    let some = (of(number()), of(share()), of(1..100_i64), of(share()));
    let more = (of(0..i64::MAX), of(number()), of(number()));
    (some, more).prop_map(
        |((temperature, top_p, top_k, typical_p), (seed, frequency, repetition))| Sampling {
            temperature,
            top_p,
            top_k,
            typical_p,
            seed,
            frequency_penalty: frequency,
            repetition_penalty: repetition,
            ..Sampling::default()
        },
    )
}

fn schema() -> impl Strategy<Value = Format> {
    text().prop_map(|name| Format::JsonSchema {
        name: None,
        description: None,
        schema: json!({"type": "object", "properties": {name: {"type": "string"}}}),
        strict: None,
    })
}

fn image() -> Part {
    Part::Image {
        source: Source::Inline {
            media_type: None,
            data: Base64::new("iVBORw0KGgo=".into()),
        },
        detail: None,
        cache: None,
    }
}

/// What Ollama's chat can say.
fn chat() -> impl Strategy<Value = Request> {
    let turn = (
        0..4_u8,
        text(),
        of(text()),
        vec((text(), text()), 0..3),
        any::<bool>(),
    );
    let tools = vec((text(), of(text())), 0..3);
    let reasoning = prop_oneof![
        any::<bool>().prop_map(|on| Reasoning {
            enabled: Some(on),
            ..Reasoning::default()
        }),
        Just(Reasoning {
            effort: Some(Effort::Medium),
            ..Reasoning::default()
        }),
    ];
    let asked = (
        of(schema()),
        of(reasoning),
        of(0..5_u32),
        vec(text(), 0..3),
        of(1..9999_u64),
    );
    let rest = (any::<bool>(), sampling(), of(share()), of(number()));
    (vec(turn, 0..5), tools, asked, rest).prop_map(|(turns, tools, asked, rest)| {
        let (format, reasoning, top, stop, max_tokens) = asked;
        let (stream, sampling, min_p, presence_penalty) = rest;
        let mut request = Request {
            // Its levels of thinking are said in words.
            model: "gpt-oss:20b".into(),
            stream,
            stream_usage: true,
            format,
            reasoning,
            logprobs: top.map(|top| Logprobs { top: Some(top) }),
            stop,
            max_tokens,
            sampling: Sampling {
                min_p,
                presence_penalty,
                ..sampling
            },
            keep_alive: Some(json!("5m")),
            ..Request::default()
        };
        request.extra.insert("truncate".into(), json!(true));
        request.extra.insert("options.num_ctx".into(), json!(4096));
        for (name, description) in tools {
            request.tools.push(Tool::Function {
                name,
                description,
                parameters: Some(json!({"type": "object"})),
                strict: None,
                cache: None,
            });
        }
        for (kind, said, thought, calls, shown) in turns {
            turn_of(&mut request, kind, said, thought, calls, shown);
        }
        request.continued = message::begun(&request.messages);
        request
    })
}

fn turn_of(
    request: &mut Request,
    kind: u8,
    said: String,
    thought: Option<String>,
    calls: Vec<(String, String)>,
    shown: bool,
) {
    let push = |request: &mut Request, role, parts| {
        let at = format!("messages[{}]", request.messages.len());
        request.messages.push(Message {
            role,
            name: None,
            parts,
            at,
        });
    };
    let mut parts = Vec::new();
    match kind {
        0 => push(request, Role::System, vec![Part::text(said)]),
        1 | 2 => {
            parts.extend(shown.then(image));
            parts.push(Part::text(said));
            push(request, Role::User, parts);
        }
        _ => {
            parts.extend(thought.map(|text| Part::Reasoning {
                text,
                signature: None,
                encrypted: None,
                id: None,
            }));
            parts.push(Part::text(said));
            let before = request.messages.len();
            let calls = calls
                .into_iter()
                .enumerate()
                .map(|(number, (name, value))| ToolCall {
                    id: format!("id_{before}_{number}"),
                    name,
                    arguments: Arguments::from_text(json!({"x": value}).to_string()),
                    signature: None,
                });
            let calls: Vec<_> = calls.collect();
            parts.extend(calls.iter().cloned().map(Part::ToolCall));
            push(request, Role::Assistant, parts);
            // Answered in another order than called.
            for call in calls.into_iter().rev() {
                let result = ToolResult {
                    call: call.id,
                    name: Some(call.name),
                    parts: vec![Part::text("result")],
                    is_error: false,
                    cache: None,
                };
                push(request, Role::Tool, vec![Part::ToolResult(result)]);
            }
        }
    }
}

fn written_and_read(codec: &dyn Codec, request: &Request) -> Request {
    let target = Target {
        model: &request.model,
        stream: request.stream,
    };
    let body = codec.write_request(request, target).unwrap();
    codec.read_request(&body, Path::default()).unwrap()
}

proptest! {
    #[test]
    fn a_chat_that_is_written_is_read_as_the_same(request in chat()) {
        prop_assert_eq!(written_and_read(&Chat, &request), request);
    }

    #[test]
    fn a_prompt_that_is_written_is_read_as_the_same(
        prompt in text(), sampling in sampling(), stop in vec(text(), 0..3), format in of(schema()),
        limit in 1..9999_u64, stream in any::<bool>(), suffix in of(text()), system in of(text()),
    ) {
        let base = Request {
            stream,
            stream_usage: true,
            sampling: Sampling { temperature: sampling.temperature.or(Some(0.5)), ..sampling },
            stop,
            format,
            max_tokens: Some(limit),
            messages: vec![Message::text(Role::User, prompt, "inputs")],
            raw: true,
            ..Request::default()
        };
        prop_assert_eq!(&written_and_read(&Tgi, &base), &base);
        let mut request = Request { model: "m".into(), ..base };
        request.messages[0].at = "prompt".into();
        request.raw = suffix.is_none() && system.is_none();
        request.suffix = suffix;
        if let Some(system) = system {
            request.messages.insert(0, Message::text(Role::System, system, "system"));
        }
        prop_assert_eq!(&written_and_read(&Generate, &request), &request);
    }

    #[test]
    fn no_byte_makes_a_reader_panic(bytes in vec(any::<u8>(), 0..200)) {
        for codec in WIRES.map(Wire::codec) {
            let _ = codec.read_request(&bytes, Path::default());
            let _ = codec.read_reply(&bytes);
            let _ = codec.read_error(500, &bytes);
            stream(codec, &[&bytes]);
        }
        let _ = models::read(&bytes);
    }

    #[test]
    fn no_json_makes_a_reader_panic_or_break_the_order_of_events(lines in vec(wild(), 1..6)) {
        let lines: Vec<Vec<u8>> = lines.into_iter().map(|line| line.to_string().into_bytes()).collect();
        let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        for codec in WIRES.map(Wire::codec) {
            for line in &lines {
                let _ = codec.read_request(line, Path::default());
                let _ = codec.read_reply(line);
                let _ = codec.read_error(500, line);
                let _ = models::read(line);
            }
            stream(codec, &lines);
        }
    }
}

/// JSON with the fields that the dialects have, and anything in them.
fn wild() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        Just(json!(1.5)),
        text().prop_map(Value::from),
        Just(json!("stop")),
        prop::sample::select(vec![
            "user",
            "assistant",
            "tool",
            "system",
            "function",
            "text",
            "message_start",
            "content_block_start",
            "content_block_delta",
            "message_delta",
            "message_stop",
            "tool_use",
            "response.created",
            "tool_calls",
            "length"
        ])
        .prop_map(Value::from),
        Just(json!({})),
        Just(json!([])),
    ];
    let names = prop::sample::select(vec![
        "model",
        "messages",
        "message",
        "role",
        "content",
        "thinking",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "id",
        "done",
        "done_reason",
        "response",
        "created_at",
        "eval_count",
        "prompt_eval_count",
        "total_duration",
        "error",
        "error_type",
        "token",
        "text",
        "special",
        "generated_text",
        "details",
        "finish_reason",
        "generated_tokens",
        "input_length",
        "inputs",
        "parameters",
        "options",
        "tools",
        "images",
        "data",
        "models",
        "response",
        "model_name",
        "user_last_statement",
        "historical_messages",
    ]);
    leaf.prop_recursive(4, 24, 6, move |inner| {
        prop_oneof![
            vec((names.clone(), inner.clone()), 0..6).prop_map(|fields| {
                Value::Object(
                    fields
                        .into_iter()
                        .map(|(name, value)| (name.to_owned(), value))
                        .collect(),
                )
            }),
            vec(inner, 0..3).prop_map(Value::Array),
        ]
    })
}

/// Reads a stream and writes what it says to every dialect; the events come in a sound order.
fn stream(codec: &dyn Codec, frames: &[&[u8]]) {
    let mut writers: Vec<_> = WIRES
        .iter()
        .map(|to| to.codec().stream_writer(&context()))
        .collect();
    let mut out = Vec::new();
    let (mut started, mut ended) = (false, false);
    let mut emit = |event: Event<'_>| {
        assert!(!ended, "{event:?} after the end");
        let failed = matches!(event, Event::Failed(_));
        assert!(
            started || failed || matches!(event, Event::Start { .. }),
            "{event:?} before the start"
        );
        started = true;
        ended = failed || event == Event::Done;
        for writer in &mut writers {
            writer.write(event.clone(), &|| context().started, &mut out);
        }
    };
    let mut reader = codec.stream_reader();
    for data in frames {
        let frame = Frame {
            name: None,
            exception: false,
            data,
        };
        if reader.read(frame, &mut emit).is_err() {
            return;
        }
    }
    reader.end(&mut emit);
}
