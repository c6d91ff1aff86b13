//! `invoke` with Anthropic's bodies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dragoman_dialects::anthropic::Messages;
use dragoman_dialects::bedrock::Invoke;
use dragoman_dialects::form::{Event, Failure};
use dragoman_dialects::openai::Chat;
use dragoman_dialects::{Codec, Path, Target};
use serde_json::{Value, json};

use super::golden::{Case, context, events as sse_events, read_stream};
use super::transcript::{MODEL, bytes, events, path, text, translated};

#[test]
fn a_body_is_anthropics_without_what_the_path_says() {
    let body = json!({
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}],
        "anthropic_beta": ["context-1m-2025-08-07"],
    });
    let form = Invoke
        .read_request(body.to_string().as_bytes(), path())
        .unwrap();
    assert_eq!((form.model.as_str(), form.stream), (MODEL, true));
    let target = Target {
        model: MODEL,
        stream: true,
    };
    let written = Invoke.write_request(&form, target).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), body);
    let fault = Invoke
        .read_request(br#"{"max_tokens":9,"messages":[]}"#, path())
        .unwrap_err();
    assert_eq!(fault.at, "anthropic_version");
    assert_eq!(
        Invoke
            .read_request(body.to_string().as_bytes(), Path::default())
            .unwrap_err()
            .at,
        "model"
    );
}

/// A chunk for each event of a transcript of Anthropic's.
fn chunks(stream: &str) -> Vec<u8> {
    let data = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    let chunks: String = data
        .map(|data| {
            format!(
                "chunk\n{{\"bytes\":\"{}\",\"p\":\"abc\"}}\n\n",
                STANDARD.encode(data)
            )
        })
        .collect();
    bytes(&chunks)
}

#[test]
fn a_stream_is_anthropics_in_chunks() {
    let stream = Case::new("messages", "stream").read("stream.txt");
    let direct = sse_events(&Messages, &stream);
    assert_eq!(
        events(&Invoke, &chunks(&stream))
            .lines()
            .collect::<Vec<_>>(),
        direct
    );
    let written = translated(&Invoke, &context(), |emit| {
        read_stream(&Messages, &stream, emit).unwrap();
    });
    // The start names the model that the client asked for.
    let read = events(&Invoke, &written);
    assert_eq!(read.lines().skip(1).collect::<Vec<_>>(), direct[1..]);
}

#[test]
fn openais_stream_reaches_bedrocks_client() {
    let stream = Case::new("chat", "stream").read("stream.txt");
    let written = translated(&Invoke, &context(), |emit| {
        read_stream(&Chat, &stream, emit).unwrap();
    });
    let decoded: String = text(&written)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|chunk| {
            let event = STANDARD.decode(chunk["bytes"].as_str().unwrap()).unwrap();
            String::from_utf8(event).unwrap() + "\n"
        })
        .collect();
    Case::new("invoke", "stream-from-chat").assert("decoded.txt", &decoded);
}

#[test]
fn an_exception_and_a_broken_chunk_end_a_stream() {
    let failed = events(
        &Invoke,
        &bytes("modelTimeoutException\n{\"message\":\"late\"}\n\n"),
    );
    assert!(
        failed.starts_with("Failed(Failure { kind: Timeout, status: 408, message: \"late\""),
        "{failed}"
    );
    for chunk in ["chunk\n{\"bytes\":\"?\"}\n\n", "chunk\nnothing\n\n"] {
        let read = super::transcript::read(Invoke.stream_reader(), &bytes(chunk), &mut |_| {});
        assert!(read.is_err(), "{chunk}");
    }
    let failure = Failure::new(504, "late");
    let written = translated(&Invoke, &context(), |emit| emit(Event::Failed(failure)));
    assert_eq!(
        text(&written),
        "modelTimeoutException\n{\"message\":\"late\"}\n\n"
    );
}
