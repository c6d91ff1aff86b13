//! What holds for any conversation, any answer and any bytes.

use dragoman_dialects::form::{
    Arguments, Base64, Event, Finish, Format, Logprobs, Message, Part, Reasoning, Request, Role,
    Source, Tool, ToolCall, ToolChoice, ToolResult, Usage, Vendor,
};
use dragoman_dialects::openai::{Chat, Completions, Embeddings, Responses};
use dragoman_dialects::{Codec, EmbeddingCodec, Frame, Path, Target};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::golden::{Case, context, read_stream};

/// One of OpenAI's, so that developers and limits have their newer names.
const MODEL: &str = "o3";

fn text() -> impl Strategy<Value = String> {
    "\\PC{1,8}|[a-z \n\"\\\\]{1,12}"
}

fn part() -> impl Strategy<Value = Part> {
    let base64 = || Base64::new("iVBORw0KGgoAAA".into());
    prop_oneof![
        3 => text().prop_map(Part::text),
        1 => option::of(Just("low".to_owned())).prop_map(move |detail| Part::Image {
            source: Source::Inline { media_type: Some("image/png".into()), data: base64() },
            detail,
            cache: None,
        }),
        1 => Just(Part::Image {
            source: Source::Url("https://example.org/a.png".into()),
            detail: None,
            cache: None,
        }),
        1 => text().prop_map(|name| Part::Document {
            source: Source::Inline {
                media_type: Some("application/pdf".into()),
                data: Base64::new("JVBERi0".into()),
            },
            name: Some(name),
            cache: None,
        }),
        1 => Just(Part::Document { source: Source::File { vendor: Vendor::OpenAi, id: "file-1".into() }, name: None, cache: None }),
    ]
}

/// Texts in a row would be joined.
fn parts() -> impl Strategy<Value = Vec<Part>> {
    vec(part(), 1..4).prop_map(|mut parts| {
        if parts.iter().all(|part| matches!(part, Part::Text { .. })) {
            parts.truncate(1);
        }
        parts
    })
}

/// What a person said, what the model answered, and its calls: names, arguments and results.
type Exchange = (Vec<Part>, Option<String>, Vec<(String, String, String)>);

fn exchange() -> impl Strategy<Value = Exchange> {
    let call = ("[a-z]{1,6}", text(), text());
    (parts(), option::of(text()), vec(call, 0..3))
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let system = option::of((any::<bool>(), text()));
    (system, vec(exchange(), 1..4)).prop_map(|(system, exchanges)| {
        let mut messages = Vec::new();
        let mut push = |role, parts| {
            let at = format!("messages[{}]", messages.len());
            messages.push(Message {
                role,
                name: None,
                parts,
                at,
            });
        };
        if let Some((developer, text)) = system {
            let role = if developer {
                Role::Developer
            } else {
                Role::System
            };
            push(role, vec![Part::text(text)]);
        }
        let mut count = 0;
        for (said, answer, calls) in exchanges {
            push(Role::User, said);
            let mut parts: Vec<_> = answer.map(Part::text).into_iter().collect();
            let mut results = Vec::new();
            for (name, arguments, result) in calls {
                let id = format!("call_{count}");
                count += 1;
                results.push(Part::ToolResult(ToolResult {
                    call: id.clone(),
                    name: None,
                    parts: vec![Part::text(result)],
                    is_error: false,
                    cache: None,
                }));
                let arguments = Arguments::from_text(arguments);
                parts.push(Part::ToolCall(ToolCall {
                    id,
                    name,
                    arguments,
                    signature: None,
                }));
            }
            if !parts.is_empty() {
                push(Role::Assistant, parts);
            }
            for result in results {
                push(Role::Tool, vec![result]);
            }
        }
        messages
    })
}

fn number() -> impl Strategy<Value = Option<f64>> {
    option::of((-40..40i32).prop_map(|number| f64::from(number) / 20.0))
}

fn format() -> impl Strategy<Value = Option<Format>> {
    let schema = (text(), option::of(text()), option::of(any::<bool>()));
    let schema = schema.prop_map(|(name, description, strict)| Format::JsonSchema {
        name: Some(name),
        description,
        schema: json!({"type": "object"}),
        strict,
    });
    option::of(prop_oneof![
        Just(Format::Text),
        Just(Format::JsonObject),
        schema
    ])
}

fn tools() -> impl Strategy<Value = Vec<Tool>> {
    let tool = ("[a-z]{1,6}", option::of(text()), any::<bool>());
    let tool = tool.prop_map(|(name, description, strict)| Tool::Function {
        name,
        description,
        parameters: Some(json!({"type": "object"})),
        strict: Some(strict),
        cache: None,
    });
    vec(tool, 0..3)
}

fn choice() -> impl Strategy<Value = Option<ToolChoice>> {
    let allowed = (vec("[a-z]{1,6}", 1..3), any::<bool>());
    option::of(prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        "[a-z]{1,6}".prop_map(ToolChoice::Named),
        allowed.prop_map(|(names, required)| ToolChoice::Allowed { names, required }),
    ])
}

prop_compose! {
    /// What both chat completions and responses can say.
    fn request()(
        messages in messages(),
        tools in tools(),
        tool_choice in choice(),
        parallel in option::of(any::<bool>()),
        (temperature, top_p) in (number(), number()),
        max_tokens in option::of(1..u64::MAX),
        format in format(),
        effort in option::of(prop::sample::select(vec!["none", "minimal", "low", "medium", "high", "xhigh"])),
        top in option::of(option::of(1..20u32)),
        user in option::of(text()),
        stream in any::<bool>(),
    ) -> Request {
        let mut request = Request {
            model: MODEL.into(),
            stream,
            stream_usage: stream,
            messages,
            tools,
            tool_choice,
            parallel_tool_calls: parallel,
            max_tokens,
            format,
            reasoning: effort.map(|effort| Reasoning {
                effort: dragoman_dialects::form::Effort::parse(effort),
                ..Reasoning::default()
            }),
            logprobs: top.map(|top| Logprobs { top }),
            user,
            ..Request::default()
        };
        request.sampling.temperature = temperature;
        request.sampling.top_p = top_p;
        request
    }
}

prop_compose! {
    /// What chat completions can say beyond that.
    fn chat_request()(
        mut request in request(),
        (frequency, presence, repetition, min_p) in (number(), number(), number(), number()),
        (top_k, seed) in (option::of(any::<i64>()), option::of(any::<i64>())),
        n in option::of(1..9u32),
        stop in vec(text(), 0..4),
    ) -> Request {
        let sampling = &mut request.sampling;
        sampling.frequency_penalty = frequency;
        sampling.presence_penalty = presence;
        sampling.repetition_penalty = repetition;
        sampling.min_p = min_p;
        sampling.top_k = top_k;
        sampling.seed = seed;
        request.n = n;
        request.stop = stop;
        request
    }
}

fn written(codec: &dyn Codec, request: &Request) -> Request {
    let target = Target {
        model: MODEL,
        stream: request.stream,
    };
    let body = codec.write_request(request, target).unwrap();
    codec.read_request(&body, Path::default()).unwrap()
}

/// Steps of an answer, of which a sound sequence of events is made.
#[derive(Clone, Debug)]
enum Step {
    Text(String),
    Reasoning(String),
    Refusal(String),
    Call(String, Vec<String>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => text().prop_map(Step::Text),
        1 => text().prop_map(Step::Reasoning),
        1 => text().prop_map(Step::Refusal),
        2 => ("[a-z]{1,6}", vec(text(), 1..4)).prop_map(|(name, json)| Step::Call(name, json)),
    ]
}

fn answer(steps: &[Step], choice: u32, cut: bool) -> Vec<Event<'_>> {
    let mut events = Vec::new();
    let mut calls = 0;
    for step in steps {
        match step {
            Step::Text(text) => events.push(Event::Text {
                choice,
                text: text.into(),
                logprobs: None,
            }),
            Step::Reasoning(text) => events.push(Event::Reasoning {
                choice,
                text: text.into(),
            }),
            Step::Refusal(text) => events.push(Event::Refusal {
                choice,
                text: text.into(),
            }),
            Step::Call(name, pieces) => {
                events.push(Event::ToolStart {
                    choice,
                    call: calls,
                    id: format!("call_{choice}_{calls}").into(),
                    name: name.into(),
                    signature: None,
                });
                events.extend(pieces.iter().map(|json| Event::ToolArguments {
                    choice,
                    call: calls,
                    json: json.into(),
                }));
                calls += 1;
            }
        }
    }
    let reason = match (cut, calls) {
        (true, _) => Finish::Length,
        (false, 0) => Finish::Stop,
        (false, _) => Finish::ToolCalls,
    };
    events.push(Event::Finish { choice, reason });
    events
}

fn around(answers: Vec<Event<'_>>) -> Vec<Event<'_>> {
    let start = Event::Start {
        id: Some("resp_1".into()),
        model: Some("chat".into()),
        created: Some(1_760_000_000),
        usage: None,
    };
    let usage = Usage {
        input: 3,
        output: 5,
        cached_input: Some(1),
        cache_write: Some(2),
        reasoning: Some(4),
        ..Usage::default()
    };
    let mut events = vec![start];
    events.extend(answers);
    events.extend([Event::Usage(usage), Event::Done]);
    events
}

fn streamed(codec: &dyn Codec, events: &[Event<'_>]) -> Vec<String> {
    let mut writer = codec.stream_writer(&context());
    let mut out = Vec::new();
    for event in events {
        writer.write(event.clone(), &|| context().started, &mut out);
    }
    let mut read = Vec::new();
    let out = String::from_utf8(out).unwrap();
    let complete = read_stream(codec, &out, &mut |event| read.push(format!("{event:?}")));
    assert!(complete.unwrap(), "{out}");
    read
}

fn debugged(events: &[Event<'_>]) -> Vec<String> {
    events.iter().map(|event| format!("{event:?}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_chat_can_say_is_read_as_it_was_written(request in chat_request()) {
        prop_assert_eq!(written(&Chat, &request), request);
    }

    #[test]
    fn whatever_responses_can_say_is_read_as_it_was_written(mut request in request()) {
        let mut again = written(&Responses, &request);
        // Usage always comes, the first system message stands elsewhere, and `store` is said.
        request.stream_usage = true;
        prop_assert_eq!(again.extra.remove("store"), Some(json!(false)));
        for message in request.messages.iter_mut().chain(&mut again.messages) {
            message.at.clear();
        }
        prop_assert_eq!(again, request);
    }

    #[test]
    fn whatever_completions_can_say_is_read_as_it_was_written(
        mut request in chat_request(),
        prompt in text(),
        suffix in option::of(text()),
    ) {
        request.messages = vec![Message::text(Role::User, prompt, "prompt")];
        request.tools.clear();
        request.tool_choice = None;
        request.parallel_tool_calls = None;
        request.reasoning = None;
        request.format = request.format.filter(|format| *format != Format::Text);
        request.max_tokens = Some(request.max_tokens.unwrap_or(9));
        request.raw = true;
        request.suffix = suffix;
        prop_assert_eq!(written(&Completions, &request), request);
    }

    #[test]
    fn an_answer_in_chunks_is_read_as_it_was_written(
        answers in vec((vec(step(), 0..6), any::<bool>()), 1..3),
    ) {
        let events = answers.iter().zip(0..).flat_map(|((steps, cut), choice)| answer(steps, choice, *cut));
        let events = around(events.collect());
        prop_assert_eq!(streamed(&Chat, &events), debugged(&events));
    }

    #[test]
    fn an_answer_in_a_responses_events_is_read_as_it_was_written(
        steps in vec(step(), 0..8),
        cut in any::<bool>(),
    ) {
        let events = around(answer(&steps, 0, cut));
        prop_assert_eq!(streamed(&Responses, &events), debugged(&events));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in vec(any::<u8>(), 0..64)) {
        everything(&bytes);
    }

    #[test]
    fn no_change_of_a_body_makes_a_reader_panic(
        file in prop::sample::select(FILES.to_vec()),
        place in any::<prop::sample::Index>(),
        value in prop::sample::select(vec![json!(null), json!(true), json!(-1.5), json!("x"), json!([]), json!([1, "x", {}]), json!({}), json!({"type": "text"})]),
    ) {
        let (wire, case, name) = file;
        let mut body: Value = serde_json::from_str(&Case::new(wire, case).read(name)).unwrap();
        let mut paths = Vec::new();
        collect(&body, String::new(), &mut paths);
        *body.pointer_mut(&paths[place.index(paths.len())]).unwrap() = value;
        everything(body.to_string().as_bytes());
    }

    #[test]
    fn no_change_of_a_stream_makes_a_reader_panic(
        case in prop::sample::select(vec![("chat", "stream"), ("responses", "stream"), ("completions", "stream")]),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut stream = Case::new(case.0, case.1).read("stream.txt").into_bytes();
        let place = place.index(stream.len());
        stream[place] = byte;
        let stream = String::from_utf8_lossy(&stream);
        for codec in [&Chat as &dyn Codec, &Responses, &Completions] {
            let mut out = Vec::new();
            let mut writer = Responses.stream_writer(&context());
            let _ = read_stream(codec, &stream, &mut |event| {
                writer.write(event, &|| context().started, &mut out);
            });
        }
    }
}

const FILES: [(&str, &str, &str); 6] = [
    ("chat", "request", "request.json"),
    ("chat", "reply", "reply.json"),
    ("responses", "request", "request.json"),
    ("responses", "reply", "reply.json"),
    ("completions", "request", "request.json"),
    ("completions", "reply", "reply.json"),
];

fn collect(value: &Value, at: String, paths: &mut Vec<String>) {
    match value {
        Value::Array(list) => {
            for (number, inner) in list.iter().enumerate() {
                collect(inner, format!("{at}/{number}"), paths);
            }
        }
        Value::Object(map) => {
            for (name, inner) in map {
                collect(inner, format!("{at}/{name}"), paths);
            }
        }
        _ => {}
    }
    paths.push(at);
}

/// Reads bytes as everything that they could be, and writes on what came of it.
fn everything(bytes: &[u8]) {
    let target = Target {
        model: "m",
        stream: true,
    };
    let codecs = [&Chat as &dyn Codec, &Responses, &Completions];
    for codec in codecs {
        if let Ok(request) = codec.read_request(bytes, Path::default()) {
            for other in codecs {
                let _ = other.write_request(&request, target);
            }
        }
        if let Ok(reply) = codec.read_reply(bytes) {
            for other in codecs {
                other.write_reply(&reply, &context());
            }
        }
        codec.echo(bytes);
        codec.read_error(500, bytes);
        let frame = Frame {
            name: None,
            exception: false,
            data: bytes,
        };
        let _ = codec.stream_reader().read(frame, &mut |_| {});
    }
    let _ = Embeddings.read_reply(bytes);
    if let Ok(request) = Embeddings.read_request(bytes, Path::default()) {
        let _ = Embeddings.write_request(&request, target);
    }
}
