//! Whatever the form says is read again as it was written, and no bytes make a reader panic.

use dragoman_dialects::anthropic::Messages;
use dragoman_dialects::form::{
    Arguments, Base64, Event, Message, Part, Request, Role, Source, Tool, ToolCall, ToolChoice,
    ToolResult, message,
};
use dragoman_dialects::{Codec, Frame, Path, Target};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::json;

fn text() -> impl Strategy<Value = String> {
    "[a-zé\"\\\\\n]{0,6}[a-z]"
}

fn said() -> impl Strategy<Value = Part> {
    prop_oneof![
        (text(), any::<bool>()).prop_map(|(text, marked)| Part::Text {
            text,
            citations: None,
            cache: marked.then(|| json!({"type": "ephemeral"})),
        }),
        text().prop_map(|url| Part::Image {
            source: Source::Url(format!("https://{url}")),
            detail: None,
            cache: None
        }),
        option::of(text()).prop_map(|name| Part::Document {
            source: Source::Inline {
                media_type: Some("application/pdf".into()),
                data: Base64::new("JVBERi0=".into())
            },
            name,
            cache: None,
        }),
    ]
}

fn call() -> impl Strategy<Value = Part> {
    ("[a-zA-Z0-9_-]{1,9}", text(), text()).prop_map(|(id, name, value)| {
        Part::ToolCall(ToolCall {
            id,
            name,
            arguments: Arguments::from_text(json!({"a": value}).to_string()),
            signature: None,
        })
    })
}

fn answer() -> impl Strategy<Value = Part> {
    prop_oneof![
        text().prop_map(Part::text),
        (text(), text()).prop_map(|(text, signature)| Part::Reasoning {
            text,
            signature: Some(signature),
            encrypted: None,
            id: None,
        }),
        call(),
    ]
}

fn result() -> impl Strategy<Value = Part> {
    ("[a-zA-Z0-9_-]{1,9}", vec(said(), 0..3), any::<bool>()).prop_map(|(call, parts, is_error)| {
        Part::ToolResult(ToolResult {
            call,
            name: None,
            parts,
            is_error,
            cache: None,
        })
    })
}

/// Turns in the order that the vendor asks for: the model, results, the person.
fn messages() -> impl Strategy<Value = Vec<Message>> {
    let message = |role, parts| Message {
        role,
        name: None,
        parts,
        at: String::new(),
    };
    let round = (vec(answer(), 1..4), vec(result(), 0..3), vec(said(), 1..4));
    (option::of(text()), vec(said(), 1..4), vec(round, 0..3)).prop_map(
        move |(system, first, rounds)| {
            let mut messages: Vec<Message> = Vec::new();
            messages.extend(system.map(|text| Message {
                at: "system".into(),
                ..Message::text(Role::System, text, "")
            }));
            messages.push(message(Role::User, first));
            let mut turn = 0;
            messages.last_mut().unwrap().at = "messages[0]".into();
            for (answers, results, said) in rounds {
                turn += 2;
                let (model, person) = (
                    format!("messages[{}]", turn - 1),
                    format!("messages[{turn}]"),
                );
                messages.push(Message {
                    at: model,
                    ..message(Role::Assistant, answers)
                });
                if !results.is_empty() {
                    messages.push(Message {
                        at: person.clone(),
                        ..message(Role::Tool, results)
                    });
                }
                messages.push(Message {
                    at: person,
                    ..message(Role::User, said)
                });
            }
            messages
        },
    )
}

prop_compose! {
    fn request()(
        messages in messages(),
        tools in vec((text(), option::of(text())), 1..3),
        choice in prop_oneof![Just(ToolChoice::Auto), Just(ToolChoice::None), Just(ToolChoice::Required), text().prop_map(ToolChoice::Named)],
        stream in any::<bool>(),
        max_tokens in 1..9000_u64,
        temperature in option::of((0..=100_u8).prop_map(|hundredths| f64::from(hundredths) / 100.0)),
        user in option::of(text()),
        stop in vec(text(), 0..3),
    ) -> Request {
        let tools = tools.into_iter().map(|(name, description)| Tool::Function {
            name,
            description,
            parameters: Some(json!({"type": "object"})),
            strict: None,
            cache: None,
        });
        let mut request = Request {
            model: "m".into(),
            stream,
            stream_usage: true,
            continued: message::begun(&messages),
            messages,
            tools: tools.collect(),
            tool_choice: Some(choice),
            max_tokens: Some(max_tokens),
            user,
            stop,
            ..Request::default()
        };
        request.sampling.temperature = temperature;
        request
    }
}

proptest! {
    #[test]
    fn a_request_that_is_written_is_read_as_it_was(request in request()) {
        let target = Target { model: "m", stream: request.stream };
        let written = Messages.write_request(&request, target).unwrap();
        let read = Messages.read_request(&written, Path::default()).unwrap();
        prop_assert_eq!(read, request);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in vec(any::<u8>(), 0..80), name in option::of("[a-z_]{0,12}")) {
        let _ = Messages.read_request(&bytes, Path::default());
        let _ = Messages.read_reply(&bytes);
        let _ = Messages.read_error(500, &bytes);
        let frame = Frame { name: name.as_deref(), exception: false, data: &bytes };
        let _ = Messages.stream_reader().read(frame, &mut |_| {});
    }

    #[test]
    fn no_event_makes_a_reader_panic(
        frames in vec(prop_oneof![
            Just(r#"{"type":"message_start"}"#),
            Just(r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use"}}"#),
            Just(r#"{"type":"content_block_start","index":1,"content_block":{"type":"text"}}"#),
            Just(r#"{"type":"content_block_start"}"#),
            Just(r#"{"type":"content_block_delta","index":1,"delta":{"partial_json":"{"}}"#),
            Just(r#"{"type":"content_block_delta","delta":{"text":"x"}}"#),
            Just(r#"{"type":"content_block_stop","index":7}"#),
            Just(r#"{"type":"content_block_stop"}"#),
            Just(r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}"#),
            Just(r#"{"type":"message_stop"}"#),
        ], 0..12),
    ) {
        let mut reader = Messages.stream_reader();
        let (mut starts, mut ends) = (0, 0);
        let mut emit = |event: Event<'_>| match event {
            Event::Start { .. } => starts += 1,
            Event::Done => ends += 1,
            _ => {}
        };
        for data in &frames {
            let frame = Frame { name: None, exception: false, data: data.as_bytes() };
            reader.read(frame, &mut emit).unwrap();
        }
        let complete = reader.end(&mut emit);
        prop_assert!(starts <= 1 && ends == usize::from(complete));
    }
}
