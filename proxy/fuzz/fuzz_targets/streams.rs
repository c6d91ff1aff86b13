//! Any bytes as a stream of any dialect, split anywhere, for a client of any other.
//!
//! The input's first six bytes: the upstream's format, the client's, how the rest is read, and three sizes of chunks.
#![no_main]

use bytes::Bytes;
use dragoman_dialects::form::Event;
use dragoman_dialects::{Frame, Framing};
use dragoman_fuzz::order::Order;
use dragoman_fuzz::splits::{choices, chunks};
use dragoman_fuzz::transcript::messages;
use dragoman_fuzz::translate::frames::{Frames, Uncut};
use dragoman_fuzz::wires::{Side, context, json as read_json, now};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some(([upstream, client, raw, sizes @ ..], rest)) = choices::<6>(data) else {
        return;
    };
    let (upstream, client) = (Side::chosen(upstream), Side::chosen(client));
    let framing = upstream.codec().framing();
    // No mutation finds a checksum, so that messages are mostly made of what stands for them in the golden files.
    let stream = match std::str::from_utf8(rest) {
        Ok(transcript) if framing == Framing::EventStream && raw % 2 == 0 => {
            messages(upstream.wire, transcript)
        }
        _ => rest.to_vec(),
    };
    let whole = cut(framing, [&stream[..]]);
    let split = cut(framing, chunks(&stream, &sizes));
    assert_eq!(whole, split, "splits show");
    relay(upstream, client, &whole.0);
});

/// A frame that owns what it holds.
#[derive(Debug, PartialEq)]
struct Cut {
    name: Option<String>,
    exception: bool,
    data: Vec<u8>,
}

/// The frames of a stream, and why it went no further.
fn cut<'a>(
    framing: Framing,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Cut>, Option<String>) {
    let mut frames = Frames::new(framing);
    let mut out = Vec::new();
    let mut keep = |frame: Frame<'_>| {
        out.push(Cut {
            name: frame.name.map(str::to_owned),
            exception: frame.exception,
            data: frame.data.to_vec(),
        });
        Ok::<(), Uncut>(())
    };
    for chunk in chunks {
        if let Err(fault) = frames.push(Bytes::copy_from_slice(chunk), &mut keep) {
            return (out, Some(fault.to_string()));
        }
    }
    let end = frames.finish(&mut keep);
    (out, end.err().map(|fault| fault.to_string()))
}

/// Reads frames; whether the answer was complete, none if it could not be read.
fn read(side: &Side, frames: &[Cut], emit: &mut dyn FnMut(Event<'_>)) -> Option<bool> {
    let mut reader = side.codec().stream_reader();
    for frame in frames {
        let frame = Frame {
            name: frame.name.as_deref(),
            exception: frame.exception,
            data: &frame.data,
        };
        reader.read(frame, emit).ok()?;
    }
    Some(reader.end(emit))
}

fn relay(upstream: &Side, client: &Side, frames: &[Cut]) {
    let (mut order, mut out) = (Order::default(), Vec::new());
    let mut writer = client.codec().stream_writer(&context());
    let mut failed = false;
    let complete = read(upstream, frames, &mut |event| {
        order.see(&event);
        failed |= matches!(event, Event::Failed(_));
        writer.write(event, &now, &mut out);
    });
    let sent = cut(client.codec().framing(), [&out[..]]);
    assert_eq!(sent.1, None, "what is written is cut");
    for frame in &sent.0 {
        if frame.data != b"[DONE]" {
            read_json(&frame.data);
        }
    }
    let (mut order, mut told) = (Order::default(), false);
    let heard = read(client, &sent.0, &mut |event| {
        order.see(&event);
        told |= matches!(event, Event::Failed(_));
    });
    let heard = heard.expect("what is written is read");
    assert_eq!(failed, told, "errors reach the client, and only they");
    if complete == Some(true) && !failed {
        assert!(heard, "what was complete is complete");
    }
}
