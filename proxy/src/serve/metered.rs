//! A reply on its way to the client, looked into for what it tells of tokens, while a limit counts them.
//!
//! A stream of OpenAI's tells nothing unless it is asked to. Where a client did not ask, we do, and it is not shown the extra event that comes of it.

use bytes::Bytes;
use dragoman_dialects::{StreamReader, Wire};
use http::{HeaderMap, Response};

use super::body::Body;
use super::{reply, translated};
use crate::access::usage::{Finder, Meter, text};
use crate::json;
use crate::sse::{self, Framer, Relay};
use crate::translate::frames::{Frames, Uncut};
use crate::upstream::RequestBody;

/// A reply, and the meter that counts it.
pub(crate) struct Metered {
    meter: Meter,
    reading: Reading,
}

enum Reading {
    /// Nothing counts what is used, or it cannot be told.
    None,
    /// A whole reply.
    Whole(Finder),
    /// A stream.
    Frames(Frames),
    /// One whose events are coded once more: Bedrock's invocations.
    Coded(Frames, Box<dyn StreamReader>),
    /// OpenAI's, without the event that the client did not ask for.
    Hiding(Framer),
}

impl Metered {
    /// For a reply with these headers, in the client's dialect. `hides`: the client did not ask for usage, and we did.
    pub(crate) fn new(meter: Meter, client: Wire, headers: &HeaderMap, hides: bool) -> Self {
        let encoded = headers
            .get(http::header::CONTENT_ENCODING)
            .is_some_and(|encoding| encoding != "identity");
        let reading = match translated::framing(headers) {
            _ if encoded || !meter.counts() => Reading::None,
            None if !reply::is_json(headers) => Reading::None,
            None => Reading::Whole(Finder::default()),
            Some(dragoman_dialects::Framing::Sse) if hides => Reading::Hiding(Framer::default()),
            Some(framing) if matches!(client, Wire::BedrockInvoke | Wire::BedrockText) => {
                Reading::Coded(Frames::new(framing), client.codec().stream_reader())
            }
            Some(framing) => Reading::Frames(Frames::new(framing)),
        };
        Self { meter, reading }
    }

    /// For a reply that was counted already: what it holds is released at its end.
    pub(crate) fn counted(mut meter: Meter) -> Self {
        meter.ended();
        let reading = Reading::None;
        Self { meter, reading }
    }

    /// Looks into the next piece. What comes back goes to the client; it may be empty.
    pub(crate) fn pass(&mut self, piece: Bytes) -> Bytes {
        let meter = &mut self.meter;
        let seen: Result<(), Unread> = match &mut self.reading {
            Reading::None => Ok(()),
            Reading::Whole(finder) => {
                let before = finder.text();
                finder.push(&piece);
                meter.text(finder.text() - before);
                // Whoever knows the length of a reply does not ask for its end.
                if let Some(usage) = finder.usage().filter(|_| finder.is_done()) {
                    meter.said(&usage);
                    meter.ended();
                }
                Ok(())
            }
            Reading::Frames(frames) => frames
                .push(piece.clone(), |frame| {
                    event(meter, frame.data);
                    Ok(())
                })
                .map(drop),
            Reading::Coded(frames, reader) => frames
                .push(piece.clone(), |frame| {
                    let read = reader.read(frame, &mut |event| meter.event(&event));
                    read.map_err(|_| Unread)
                })
                .map(drop),
            Reading::Hiding(framer) => {
                let mut out = Vec::new();
                let passed = without_usage(framer, piece, meter, &mut out);
                if passed.is_err() {
                    // Too long to be looked into: the rest passes as it comes.
                    out.extend(framer.finish().map(|event| event.raw));
                    self.reading = Reading::None;
                }
                return joined(out);
            }
        };
        if seen.is_err() {
            self.reading = Reading::None;
        }
        piece
    }

    /// The reply has ended. What comes back goes to the client still.
    pub(crate) fn end(&mut self) -> Bytes {
        let meter = &mut self.meter;
        let mut rest = Bytes::new();
        match &mut self.reading {
            Reading::None | Reading::Coded(..) | Reading::Whole(_) => {}
            Reading::Frames(frames) => {
                let _ = frames.finish(|frame| {
                    event(meter, frame.data);
                    Ok::<_, Unread>(())
                });
            }
            Reading::Hiding(framer) => {
                if let Some(last) = framer.finish() {
                    let hidden = last
                        .data()
                        .is_some_and(|data| event(meter, data) && is_extra(data));
                    rest = if hidden { rest } else { last.raw };
                }
            }
        }
        self.reading = Reading::None;
        self.meter.ended();
        rest
    }
}

/// A reply in the client's dialect, looked into as it goes. `hides` as for [`Metered::new`]. One that tells of an error used nothing.
pub(crate) fn response(
    response: Response<Body>,
    mut meter: Meter,
    client: Wire,
    hides: bool,
) -> Response<Body> {
    if response.status().as_u16() >= 400 {
        meter.refund();
    }
    let metered = Metered::new(meter, client, response.headers(), hides);
    response.map(|body| body.metered(Some(metered)))
}

/// A stream that cannot be cut or read. It is the client's to see; here it is counted by its text.
struct Unread;

impl From<Uncut> for Unread {
    fn from(_: Uncut) -> Self {
        Self
    }
}

/// Reads an event. Whether it tells of tokens.
fn event(meter: &mut Meter, data: &[u8]) -> bool {
    meter.text(text(data));
    if !may_tell(data) {
        return false;
    }
    let mut finder = Finder::default();
    finder.push(data);
    let usage = finder.usage();
    if let Some(usage) = &usage {
        meter.said(usage);
    }
    usage.is_some()
}

/// Whether an event may tell of tokens: most do not, and are not worth a look.
fn may_tell(data: &[u8]) -> bool {
    let words: [&[u8]; 3] = [b"\"usage", b"eval_count\"", b"\"generated_tokens\""];
    words
        .iter()
        .any(|word| memchr::memmem::find(data, word).is_some())
}

fn without_usage(
    framer: &mut Framer,
    piece: Bytes,
    meter: &mut Meter,
    out: &mut Vec<Bytes>,
) -> Result<(), sse::TooLong> {
    let mut relay = Relay::new(piece.clone(), out);
    framer.feed(piece);
    while let Some(next) = framer.next_event()? {
        let told = next
            .data()
            .is_some_and(|data| event(meter, data) && is_extra(data));
        if !told {
            relay.pass(next.raw);
        }
    }
    Ok(())
}

/// Whether an event that tells of tokens tells nothing else: its `choices` are empty.
fn is_extra(data: &[u8]) -> bool {
    let Ok(members) = json::scan(data, &["choices"]) else {
        return false;
    };
    let choices = members.get("choices").and_then(|at| data.get(at));
    choices.is_some_and(|choices| {
        let inner = choices
            .strip_prefix(b"[")
            .and_then(|it| it.strip_suffix(b"]"));
        inner.is_some_and(|inner| inner.trim_ascii().is_empty())
    })
}

fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    match pieces.pop() {
        Some(only) if pieces.is_empty() => only,
        last => pieces
            .into_iter()
            .chain(last)
            .collect::<Vec<_>>()
            .concat()
            .into(),
    }
}

/// Whether a request of OpenAI's asks for a stream, and not for its usage: then we are to ask, and to hide it.
pub(crate) fn hides(client: Wire, body: &[u8]) -> bool {
    if !matches!(client, Wire::Chat | Wire::Completions) {
        return false;
    }
    let Ok(members) = json::scan(body, &["stream", "stream_options"]) else {
        return false;
    };
    members.is_true(body, "stream") && !asks(body, &members)
}

fn asks(body: &[u8], members: &json::Members<'_, &'static str>) -> bool {
    let Some(options) = members.get("stream_options") else {
        return false;
    };
    let text = std::str::from_utf8(body).unwrap_or_default();
    json::read(text, &options, &["include_usage"])
        .is_ok_and(|options| options.is_true(body, "include_usage"))
}

/// The same request, asking for usage.
pub(crate) fn asking(body: RequestBody) -> RequestBody {
    let bytes: Bytes = match body {
        RequestBody::Bytes(bytes) => bytes,
        RequestBody::Segments(segments) => segments.concat().into(),
        other => return other,
    };
    let Ok(members) = json::scan(&bytes, &["stream_options"]) else {
        return RequestBody::Bytes(bytes);
    };
    let said = members.get("stream_options").and_then(|at| bytes.get(at));
    let said = said.and_then(|said| serde_json::from_slice(said).ok());
    let mut options = match said {
        Some(serde_json::Value::Object(options)) => options,
        _ => serde_json::Map::new(),
    };
    options.insert("include_usage".into(), true.into());
    let options = serde_json::Value::Object(options).to_string();
    let mut edit = json::ObjectEdit::new(&members);
    edit.set("stream_options", options.into());
    RequestBody::Segments(json::splice(&bytes, edit.finish()).into())
}

#[cfg(test)]
mod tests;
