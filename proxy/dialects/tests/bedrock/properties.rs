//! Whatever is streamed comes out as it went in, and no bytes make a reader panic.

use dragoman_dialects::bedrock::{Converse, Invoke, Text};
use dragoman_dialects::form::{Event, Finish, Usage, Vendor};
use dragoman_dialects::{Codec, Frame};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::golden::context;
use super::transcript::{events, path, translated};

fn piece() -> impl Strategy<Value = Event<'static>> {
    let text = || "[a-zé\"\\\\\n]{1,6}";
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
        text().prop_map(|text| Event::ReasoningSignature {
            choice: 0,
            signature: text.into()
        }),
        text().prop_map(|text| Event::ReasoningEncrypted {
            choice: 0,
            vendor: Vendor::Anthropic,
            data: text.into()
        }),
        (text(), "[a-z]{1,4}").prop_map(|(json, name)| Event::ToolStart {
            choice: 0,
            call: 0,
            id: name.clone().into(),
            name: json.into(),
            signature: None,
        }),
    ]
}

/// A sound stream: calls are counted, and each has its arguments.
fn stream() -> impl Strategy<Value = Vec<Event<'static>>> {
    vec((piece(), vec("[a-z\"{}]{1,4}", 1..3)), 0..8).prop_map(|pieces| {
        let mut stream = Vec::new();
        let mut calls = 0;
        for (piece, arguments) in pieces {
            if let Event::ToolStart { id, name, .. } = piece {
                stream.push(Event::ToolStart {
                    choice: 0,
                    call: calls,
                    id,
                    name,
                    signature: None,
                });
                stream.extend(arguments.into_iter().map(|json| Event::ToolArguments {
                    choice: 0,
                    call: calls,
                    json: json.into(),
                }));
                calls += 1;
            } else {
                stream.push(piece);
            }
        }
        let reason = if calls > 0 {
            Finish::ToolCalls
        } else {
            Finish::Stop
        };
        stream.push(Event::Finish { choice: 0, reason });
        stream.push(Event::Usage(Usage {
            input: 7,
            output: 9,
            ..Usage::default()
        }));
        stream.push(Event::Done);
        stream
    })
}

proptest! {
    #[test]
    fn a_stream_that_is_written_is_read_as_it_was(stream in stream()) {
        let said: String = stream.iter().map(|event| format!("{event:?}\n")).collect();
        for codec in [&Converse as &dyn Codec, &Invoke] {
            let written = translated(codec, &context(), |emit| stream.iter().cloned().for_each(&mut *emit));
            let read = events(codec, &written);
            let (start, read) = read.split_once('\n').unwrap();
            prop_assert!(start.starts_with("Start"));
            prop_assert_eq!(read, format!("{said}complete: true\n"));
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        bytes in vec(any::<u8>(), 0..80),
        name in option::of(prop_oneof![Just("chunk"), Just("contentBlockDelta"), Just("oddException")]),
        exception in any::<bool>(),
    ) {
        for codec in [&Converse as &dyn Codec, &Invoke, &Text] {
            let _ = codec.read_request(&bytes, path());
            let _ = codec.read_reply(&bytes);
            let _ = codec.read_error(500, &bytes);
            let frame = Frame { name, exception, data: &bytes };
            let _ = codec.stream_reader().read(frame, &mut |_| {});
        }
    }
}
