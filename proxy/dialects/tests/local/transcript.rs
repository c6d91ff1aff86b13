//! Streams between dialects, from transcripts: lines, or server-sent events.

use std::fmt::Write as _;

use dragoman_dialects::form::Event;
use dragoman_dialects::{Codec, Context, Frame, Framing};
use jiff::{SignedDuration, Timestamp};

/// The data of each event of a transcript.
pub(crate) fn frames<'a>(codec: &dyn Codec, stream: &'a str) -> Vec<&'a str> {
    match codec.framing() {
        Framing::Ndjson => stream.lines().filter(|line| !line.is_empty()).collect(),
        _ => {
            let lines = stream.lines().filter_map(|line| line.strip_prefix("data:"));
            lines
                .map(|data| data.strip_prefix(' ').unwrap_or(data))
                .collect()
        }
    }
}

/// What a stream says, an event a line, and whether it was complete.
pub(crate) fn events(codec: &dyn Codec, stream: &str) -> String {
    let mut lines = String::new();
    read(
        codec,
        stream,
        &mut |event| writeln!(lines, "{event:?}").unwrap(),
        true,
    )
    .map_or_else(|fault| fault, |complete| format!("complete: {complete}"))
    .lines()
    .for_each(|last| writeln!(lines, "{last}").unwrap());
    lines
}

/// The stream as a client of another dialect is sent it, a quarter of a second between any two events.
pub(crate) fn translated(
    from: &dyn Codec,
    stream: &str,
    to: &dyn Codec,
    context: &Context,
) -> String {
    let mut out = Vec::new();
    let mut writer = to.stream_writer(context);
    let mut steps = 0;
    let mut write = |event: Event<'_>| {
        steps += 1;
        let now = context.started + SignedDuration::from_millis(250 * steps);
        writer.write(event, &|| -> Timestamp { now }, &mut out);
    };
    read(from, stream, &mut write, true).unwrap();
    String::from_utf8(out).unwrap()
}

/// Reads a stream; whether it was complete.
pub(crate) fn read(
    codec: &dyn Codec,
    stream: &str,
    emit: &mut dyn FnMut(Event<'_>),
    end: bool,
) -> Result<bool, String> {
    let mut reader = codec.stream_reader();
    for data in frames(codec, stream) {
        let frame = Frame {
            name: None,
            exception: false,
            data: data.as_bytes(),
        };
        reader
            .read(frame, emit)
            .map_err(|fault| fault.to_string())?;
    }
    Ok(end && reader.end(emit))
}
