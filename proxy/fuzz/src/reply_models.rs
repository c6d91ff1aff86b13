//! What holds for every reply that is to name another model than the upstream did.

use bytes::Bytes;
use dragoman_dialects::Wire;

use crate::array::{Array, Part};
use crate::chunk::Chunk;
use crate::json::{members::DUPLICATES, string};
use crate::members::{is_odd, place, read};
use crate::messages::Messages;
use crate::ndjson::Lines;
use crate::reply_model::{self, Renamer};
use crate::splits::chunks;
use crate::sse::{Event, Framer};

/// Where a text names its model: the member, and the one around it.
type Place = (Option<&'static str>, &'static str);

/// A whole reply.
///
/// # Panics
/// Where a promise is broken.
pub fn whole(wire: Wire, name: &str, body: &[u8]) {
    let name = Bytes::from(string::literal(name));
    let renamed = reply_model::whole(wire, &Bytes::copy_from_slice(body), &name).concat();
    let place = match wire {
        Wire::Gemini => (None, "modelVersion"),
        _ => (None, "model"),
    };
    if let Some(expected) = expected(place, body, &name) {
        assert_eq!(shown(&renamed), shown(&expected));
    }
}

/// A stream, and whether it is one array.
///
/// # Panics
/// Where a promise is broken.
pub fn stream((wire, array): (Wire, bool), name: &str, sent: &[u8], sizes: &[u8]) {
    let name = Bytes::from(string::literal(name));
    let renamer = || match array {
        true => Renamer::array(name.clone()),
        false => Renamer::new(wire, name.clone()),
    };
    let whole = relayed(renamer(), [sent]);
    assert_eq!(
        whole,
        relayed(renamer(), chunks(sent, sizes)),
        "splits show"
    );
    if let (renamed, true) = &whole {
        compare((wire, array), &name, sent, renamed);
    }
    // Whatever is complete has gone on.
    let end: &[u8] = match wire {
        Wire::OllamaChat | Wire::OllamaGenerate => b"\n",
        Wire::BedrockInvoke | Wire::BedrockText => return,
        _ if array => return,
        _ => b"\n\n",
    };
    if let Some(at) = memchr::memmem::rfind(sent, end) {
        let (mut renamer, mut out) = (renamer(), Vec::new());
        let start = Bytes::copy_from_slice(&sent[..at + end.len()]);
        if renamer.push(start, &mut out).is_ok() {
            out.clear();
            renamer.finish(&mut out);
            assert_eq!(out.concat(), b"", "held though complete");
        }
    }
}

/// What goes to the client, and whether the stream could be read to its end.
fn relayed<'a>(mut renamer: Renamer, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Bytes, bool) {
    let mut out = Vec::new();
    for piece in pieces {
        if renamer
            .push(Bytes::copy_from_slice(piece), &mut out)
            .is_err()
        {
            return (out.concat().into(), false);
        }
    }
    renamer.finish(&mut out);
    (out.concat().into(), true)
}

/// Event by event, the name alone has changed.
fn compare((wire, array): (Wire, bool), name: &Bytes, sent: &[u8], renamed: &[u8]) {
    let place = match wire {
        Wire::Messages | Wire::BedrockInvoke => (Some("message"), "model"),
        Wire::Responses => (Some("response"), "model"),
        Wire::Gemini => (None, "modelVersion"),
        _ => (None, "model"),
    };
    match wire {
        _ if array => each(elements(sent), elements(renamed), |before, after| {
            same(place, name, &before, &after);
        }),
        Wire::OllamaChat | Wire::OllamaGenerate => {
            each(lines(sent), lines(renamed), |before, after| {
                same(place, name, &before, &after);
            });
        }
        Wire::BedrockInvoke | Wire::BedrockText => {
            each(messages(sent), messages(renamed), |before, after| {
                match (Chunk::read(before), Chunk::read(after)) {
                    (Ok(before), Ok(after)) => same(place, name, before.event(), after.event()),
                    (before, after) => assert_eq!(before.err(), after.err(), "no chunk"),
                }
            });
        }
        _ => each(events(sent), events(renamed), |before, after| {
            assert_eq!(before.name(), after.name());
            assert_eq!(before.complete, after.complete);
            assert_eq!(others(&before), others(&after), "other fields");
            match (before.data(), after.data()) {
                (Some(data), Some(renamed)) => {
                    same(place, name, data, renamed);
                    assert!(data != renamed || before.raw == after.raw, "touched");
                }
                (None, None) => assert_eq!(before.raw, after.raw),
                other => panic!("data came or went: {other:?}"),
            }
        }),
    }
}

fn each<T>(before: Vec<T>, after: Vec<T>, mut compare: impl FnMut(T, T)) {
    assert_eq!(before.len(), after.len(), "as many as came");
    for (before, after) in before.into_iter().zip(after) {
        compare(before, after);
    }
}

fn same(place: Place, name: &Bytes, before: &[u8], after: &[u8]) {
    if let Some(expected) = expected(place, before, name) {
        assert_eq!(shown(after), shown(&expected));
    }
}

/// A text with another model, as serde finds it there; none if serde may not read it.
fn expected((within, member): Place, text: &[u8], name: &Bytes) -> Option<Vec<u8>> {
    if is_odd(text) {
        return None;
    }
    let unchanged = Some(text.to_vec());
    // A server that escapes the names of its members is not looked for.
    let quoted = within.map(|within| format!("\"{within}\""));
    if quoted.is_some_and(|quoted| memchr::memmem::find(text, quoted.as_bytes()).is_none()) {
        return unchanged;
    }
    let Some((text, members)) = std::str::from_utf8(text)
        .ok()
        .and_then(|text| Some((text, read(text)?.0)))
    else {
        return unchanged;
    };
    let named = |members: Vec<(String, _)>, wanted: &str| {
        let members = members.into_iter().filter(|(name, _)| name == wanted);
        let all: Vec<_> = members.map(|(_, value)| value).collect();
        // More than that are an attack.
        (all.len() <= 1 + DUPLICATES).then_some(all)
    };
    let models = match within {
        None => named(members, member),
        Some(within) => named(members, within).and_then(|mut all| {
            let inner = read(all.pop()?.get())?;
            named(inner.0, member)
        }),
    };
    let (mut out, mut done) = (Vec::new(), 0);
    for model in models.unwrap_or_default() {
        let at = place(text, model);
        out.extend_from_slice(&text.as_bytes()[done..at.start]);
        out.extend_from_slice(name);
        done = at.end;
    }
    out.extend_from_slice(&text.as_bytes()[done..]);
    Some(out)
}

fn shown(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn events(stream: &[u8]) -> Vec<Event> {
    let (mut framer, mut out) = (Framer::default(), Vec::new());
    framer.feed(Bytes::copy_from_slice(stream));
    while let Ok(Some(event)) = framer.next_event() {
        out.push(event);
    }
    out.extend(framer.finish());
    out
}

/// The lines of an event that are no data.
fn others(event: &Event) -> Vec<&[u8]> {
    let raw = event
        .raw
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(&event.raw);
    let lines = raw.split(|byte| matches!(byte, b'\r' | b'\n'));
    lines
        .filter(|line| !line.is_empty() && *line != b"data" && !line.starts_with(b"data:"))
        .collect()
}

fn lines(stream: &[u8]) -> Vec<Bytes> {
    let (mut lines, mut out) = (Lines::default(), Vec::new());
    lines.feed(Bytes::copy_from_slice(stream));
    while let Ok(Some(line)) = lines.next_line() {
        out.push(line);
    }
    out.extend(lines.finish());
    out
}

fn messages(stream: &[u8]) -> Vec<Bytes> {
    let (mut messages, mut out) = (Messages::default(), Vec::new());
    messages
        .push(stream, &mut out)
        .expect("messages, as before");
    out.push(messages.rest());
    out
}

/// Elements, and what stands between them.
fn elements(stream: &[u8]) -> Vec<Bytes> {
    let (mut array, mut out) = (Array::default(), Vec::new());
    array.feed(&Bytes::copy_from_slice(stream));
    while let Ok(Some(part)) = array.next_part() {
        let (Part::Open(part) | Part::Element(part) | Part::Comma(part) | Part::Close(part)) = part;
        out.push(part);
    }
    out.push(array.finish());
    out
}
