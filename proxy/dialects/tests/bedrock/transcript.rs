//! Event streams as text: a line with the event's name, one with its payload, and a blank one.

use std::fmt::Write as _;

use dragoman_dialects::form::{Event, Garbage};
use dragoman_dialects::framing::{EventStream, event_stream};
use dragoman_dialects::{Codec, Context, Path, StreamReader};

pub const MODEL: &str = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";

/// Where the model and the stream are said.
pub fn path() -> Path<'static> {
    Path {
        model: Some(MODEL),
        stream: Some(true),
    }
}

/// The bytes that a transcript stands for. A name that ends with `Exception` is one.
pub fn bytes(transcript: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for event in transcript
        .split("\n\n")
        .filter(|event| !event.trim().is_empty())
    {
        let (name, payload) = event.split_once('\n').unwrap();
        let payload = |out: &mut Vec<u8>| out.extend_from_slice(payload.as_bytes());
        if name.ends_with("Exception") {
            event_stream::write::exception(name, &mut out, payload);
        } else {
            event_stream::write::event(name, &mut out, payload);
        }
    }
    out
}

/// The transcript of bytes.
pub fn text(bytes: &[u8]) -> String {
    let mut stream = EventStream::default();
    stream.feed(bytes.to_vec().into());
    let mut out = String::new();
    while let Some(message) = stream.next_message().unwrap() {
        let payload = str::from_utf8(message.payload()).unwrap();
        write!(out, "{}\n{payload}\n\n", message.name().unwrap()).unwrap();
    }
    assert!(stream.is_between());
    out
}

/// Reads a stream's bytes; whether it was complete.
pub fn read(
    mut reader: Box<dyn StreamReader>,
    bytes: &[u8],
    emit: &mut dyn FnMut(Event<'_>),
) -> Result<bool, Garbage> {
    let mut stream = EventStream::default();
    stream.feed(bytes.to_vec().into());
    while let Some(message) = stream.next_message().unwrap() {
        reader.read(message.frame(), emit)?;
    }
    Ok(reader.end(emit))
}

/// What a stream says, and whether it was complete, as text.
pub fn events(codec: &dyn Codec, bytes: &[u8]) -> String {
    let mut lines = String::new();
    let complete = read(codec.stream_reader(), bytes, &mut |event| {
        writeln!(lines, "{event:?}").unwrap();
    });
    writeln!(lines, "complete: {}", complete.unwrap()).unwrap();
    lines
}

/// Writes every event of one dialect's stream, read by `each`, in another.
pub fn translated(
    codec: &dyn Codec,
    context: &Context,
    each: impl FnOnce(&mut dyn FnMut(Event<'_>)),
) -> Vec<u8> {
    let mut writer = codec.stream_writer(context);
    let mut out = Vec::new();
    each(&mut |event| writer.write(event, &|| context.started, &mut out));
    out
}
