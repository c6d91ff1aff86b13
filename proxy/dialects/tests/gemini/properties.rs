//! Whatever is asked or streamed comes out as it went in, and no bytes make a reader panic.

use dragoman_dialects::form::{
    Arguments, Effort, Event, Finish, Format, Logprobs, Message, Part, Reasoning, Request, Role,
    Sampling, Tool, ToolCall, ToolResult, Usage, message,
};
use dragoman_dialects::gemini::{BatchEmbedContents, EmbedContent, Gemini};
use dragoman_dialects::{Codec, EmbeddingCodec, Frame, Path, Target, Wire};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::golden::{context, read_stream};

const MODEL: &str = "gemini-3-flash-preview";

fn path(stream: bool) -> Path<'static> {
    Path {
        model: Some(MODEL),
        stream: Some(stream),
    }
}

fn text() -> impl Strategy<Value = String> {
    "[a-zäß\"\\\\\n€😀]{1,12}"
}

fn hundredths() -> impl Strategy<Value = f64> {
    (1..199_i32).prop_map(|hundredths| f64::from(hundredths) / 100.0)
}

fn sampling() -> impl Strategy<Value = Sampling> {
    let some = (of(hundredths()), of(hundredths()), of(1..100_i64));
    (some, of(any::<i32>()), of(hundredths())).prop_map(
        |((temperature, top_p, top_k), seed, penalty)| Sampling {
            temperature,
            top_p,
            top_k,
            seed: seed.map(i64::from),
            frequency_penalty: penalty,
            presence_penalty: penalty,
            ..Sampling::default()
        },
    )
}

fn format() -> impl Strategy<Value = Format> {
    prop_oneof![
        Just(Format::Text),
        Just(Format::JsonObject),
        text().prop_map(|name| Format::JsonSchema {
            name: None,
            description: None,
            schema: json!({"type": "object", "properties": {name: {"type": "string"}}}),
            strict: None,
        }),
    ]
}

fn reasoning() -> impl Strategy<Value = Reasoning> {
    let efforts = [Effort::Minimal, Effort::Low, Effort::Medium, Effort::High];
    (0..4_usize, any::<bool>()).prop_map(move |(which, hidden)| Reasoning {
        effort: Some(efforts[which]),
        hidden,
        ..Reasoning::default()
    })
}

fn message(role: Role, parts: Vec<Part>) -> Message {
    Message {
        role,
        name: None,
        parts,
        at: String::new(),
    }
}

/// What the user says, what the model says, and its calls with what they gave.
fn turn() -> impl Strategy<Value = Vec<Message>> {
    let calls = vec((text(), text(), any::<bool>()), 0..3);
    (text(), text(), calls, 0..999_u32).prop_map(|(asked, said, calls, number)| {
        let id = |place: usize| format!("own_{number}_{place}");
        let each = calls.iter().enumerate();
        let mut said = vec![Part::text(said)];
        said.extend(each.clone().map(|(place, (name, value, _))| {
            let arguments = json!({name.as_str(): value});
            Part::ToolCall(ToolCall {
                id: id(place),
                name: name.clone(),
                arguments: Arguments::from_text(arguments.to_string()),
                signature: Some("c2ln".into()),
            })
        }));
        let gave: Vec<Part> = each
            .map(|(place, (name, value, is_error))| {
                Part::ToolResult(ToolResult {
                    call: id(place),
                    name: Some(name.clone()),
                    parts: vec![Part::text(value.clone())],
                    is_error: *is_error,
                    cache: None,
                })
            })
            .collect();
        let mut turn = vec![
            message(Role::User, vec![Part::text(asked)]),
            message(Role::Assistant, said),
        ];
        if !gave.is_empty() {
            turn.push(message(Role::Tool, gave));
        }
        turn
    })
}

fn request() -> impl Strategy<Value = Request> {
    let tools = vec((text(), of(text())), 0..3);
    let asked = (
        of(format()),
        of(reasoning()),
        of(0..5_u32),
        vec(text(), 0..3),
    );
    let rest = (any::<bool>(), sampling(), of(1..9_u32), of(1..9999_u64));
    (vec(turn(), 1..4), tools, asked, rest).prop_map(|(turns, tools, asked, rest)| {
        let (format, reasoning, top, stop) = asked;
        let (stream, sampling, n, max_tokens) = rest;
        let tools = tools.into_iter().map(|(name, description)| Tool::Function {
            parameters: Some(json!({"type": "object", "properties": {name.as_str(): {}}})),
            name,
            description,
            strict: None,
            cache: None,
        });
        let messages: Vec<Message> = turns.into_iter().flatten().collect();
        Request {
            model: MODEL.into(),
            stream,
            stream_usage: true,
            continued: message::begun(&messages),
            messages,
            tools: tools.collect(),
            sampling,
            n,
            max_tokens,
            format,
            reasoning,
            logprobs: top.map(|top| Logprobs { top: Some(top + 1) }),
            stop,
            ..Request::default()
        }
    })
}

fn piece() -> impl Strategy<Value = Event<'static>> {
    prop_oneof![
        text().prop_map(|text| Event::Text {
            choice: 0,
            text: text.into(),
            logprobs: None
        }),
        text().prop_map(|text| Event::Reasoning {
            choice: 0,
            text: text.into()
        }),
        (text(), text()).prop_map(|(name, id)| Event::ToolStart {
            choice: 0,
            call: 0,
            id: id.into(),
            name: name.into(),
            signature: None,
        }),
    ]
}

/// A sound stream: calls are counted, and each has its arguments.
fn stream() -> impl Strategy<Value = Vec<Event<'static>>> {
    vec((piece(), text()), 0..8).prop_map(|pieces| {
        let mut stream = Vec::new();
        let mut calls = 0;
        for (piece, value) in pieces {
            let Event::ToolStart { id, name, .. } = piece else {
                stream.push(piece);
                continue;
            };
            stream.push(Event::ToolStart {
                choice: 0,
                call: calls,
                id,
                name,
                signature: None,
            });
            stream.push(Event::ToolArguments {
                choice: 0,
                call: calls,
                json: json!({"at": value}).to_string().into(),
            });
            calls += 1;
        }
        let reason = match calls {
            0 => Finish::Stop,
            _ => Finish::ToolCalls,
        };
        stream.push(Event::Finish { choice: 0, reason });
        stream.push(Event::Usage(Usage {
            input: 7,
            output: 9,
            reasoning: Some(2),
            ..Usage::default()
        }));
        stream.push(Event::Done);
        stream
    })
}

/// JSON with the fields that the dialect has, and anything in them.
fn wild() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        text().prop_map(Value::from),
        prop::sample::select(vec![
            "user",
            "model",
            "STOP",
            "SAFETY",
            "image/png",
            "ANY",
            "application/json"
        ])
        .prop_map(Value::from),
        Just(json!({})),
        Just(json!([])),
    ];
    let names = prop::sample::select(vec![
        "candidates",
        "content",
        "parts",
        "text",
        "thought",
        "thoughtSignature",
        "functionCall",
        "function_response",
        "name",
        "args",
        "response",
        "inlineData",
        "fileData",
        "mimeType",
        "data",
        "finishReason",
        "index",
        "usageMetadata",
        "promptTokenCount",
        "promptFeedback",
        "blockReason",
        "logprobsResult",
        "chosenCandidates",
        "contents",
        "role",
        "tools",
        "functionDeclarations",
        "toolConfig",
        "generationConfig",
        "responseSchema",
        "error",
        "status",
    ]);
    leaf.prop_recursive(6, 32, 6, move |inner| {
        prop_oneof![
            vec((names.clone(), inner.clone()), 0..6).prop_map(|fields| {
                let fields = fields.into_iter();
                fields
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect()
            }),
            vec(inner, 0..3).prop_map(Value::Array),
        ]
    })
}

/// Reads frames and writes what they say to other dialects; the events come in a sound order.
fn sound(frames: &[Value]) {
    let wires = [Wire::Chat, Wire::Messages, Wire::OllamaChat, Wire::Gemini];
    let mut writers = wires.map(|wire| wire.codec().stream_writer(&context()));
    let (mut out, mut started, mut ended) = (Vec::new(), false, false);
    let mut emit = |event: Event<'_>| {
        assert!(!ended, "{event:?} after the end");
        let failed = matches!(event, Event::Failed(_));
        assert!(started || failed || matches!(event, Event::Start { .. }));
        started = true;
        ended = failed || event == Event::Done;
        for writer in &mut writers {
            writer.write(event.clone(), &|| context().started, &mut out);
        }
    };
    let mut reader = Gemini.stream_reader();
    for frame in frames {
        let data = frame.to_string();
        let frame = Frame {
            data: data.as_bytes(),
            ..Frame::default()
        };
        if reader.read(frame, &mut emit).is_err() {
            return;
        }
    }
    let complete = reader.end(&mut emit);
    assert_eq!(complete, ended);
}

proptest! {
    #[test]
    fn no_json_makes_a_reader_panic_or_break_the_order_of_events(frames in vec(wild(), 1..6)) {
        for frame in &frames {
            let body = frame.to_string();
            let _ = Gemini.read_request(body.as_bytes(), path(true));
            let _ = Gemini.read_reply(body.as_bytes());
            let _ = Gemini.read_error(500, body.as_bytes());
        }
        sound(&frames);
    }

    #[test]
    fn a_request_that_is_written_is_read_as_it_was(request in request()) {
        let target = Target { model: MODEL, stream: request.stream };
        let written = Gemini.write_request(&request, target).unwrap();
        let mut read = Gemini.read_request(&written, path(request.stream)).unwrap();
        read.messages.iter_mut().for_each(|message| message.at.clear());
        prop_assert_eq!(read, request);
    }

    #[test]
    fn a_stream_that_is_written_is_read_as_it_was(stream in stream()) {
        let mut writer = Gemini.stream_writer(&context());
        let mut out = Vec::new();
        for event in stream.iter().cloned() {
            writer.write(event, &|| context().started, &mut out);
        }
        let written = String::from_utf8(out).unwrap();
        let mut read = Vec::new();
        let complete = read_stream(&Gemini, &written, &mut |event| read.push(format!("{event:?}"))).unwrap();
        prop_assert!(complete);
        let said: Vec<String> = stream.iter().map(|event| format!("{event:?}")).collect();
        prop_assert_eq!(&read[1..], &said[..]);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in vec(any::<u8>(), 0..80)) {
        let _ = Gemini.read_request(&bytes, path(true));
        let _ = Gemini.read_reply(&bytes);
        let _ = Gemini.read_error(500, &bytes);
        let frame = Frame { data: &bytes, ..Frame::default() };
        let _ = Gemini.stream_reader().read(frame, &mut |_| {});
        let _ = EmbedContent.read_request(&bytes, path(false));
        let _ = BatchEmbedContents.read_request(&bytes, path(false));
        let _ = EmbedContent.read_reply(&bytes);
    }
}
