//! Streams that a Mapper changes: what holds for them whatever the Mapper makes of an event.
//!
//! In the place of expressions, whose evaluation is not fuzzed, [`Makes`] says what becomes of an event.

#[path = "../../../src/serve/mapped/elements.rs"]
mod elements;
#[path = "../../../src/serve/mapped/events.rs"]
mod events;

use bytes::Bytes;
use dragoman_dialects::{Frame, Framing};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::members::is_deep;
use crate::splits::chunks;
use crate::translate::frames::{Frames, Uncut};
use crate::upstream::{Edit, Fault};
use elements::Elements;
use events::{Events, json_or_text};

/// What a Mapper makes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Makes {
    /// Itself: it does not map events.
    Itself,
    /// Nothing.
    Nothing,
    /// One that tells what came, with a type of the upstream's choice.
    One,
    /// Two.
    Two,
    /// One, and the end of the stream if that is in it.
    End,
    /// A fault, if it is no JSON.
    Fault,
}

/// What becomes of an event.
#[derive(Debug, Default)]
struct Made {
    events: Vec<Value>,
    done: bool,
}

/// In the proxy's place: a Mapper, and the call that it takes part in.
#[derive(Clone, Copy, Debug)]
struct Mapped {
    makes: Makes,
    custom: bool,
}

impl Mapped {
    fn is_custom(&self) -> bool {
        self.custom
    }

    fn events(&self, body: &Value) -> Result<Option<Made>, Fault> {
        let kind = body["say"].as_str().or(body.as_str()).unwrap_or("none");
        let event = json!({"type": kind, "was": body});
        let events = match self.makes {
            Makes::Itself => return Ok(None),
            Makes::Nothing => vec![],
            Makes::Two => vec![event.clone(), event],
            Makes::Fault if body.is_string() => return Err(Fault::Mapper("no JSON".into())),
            _ => vec![event],
        };
        let done = self.makes == Makes::End && body.get("end").is_some();
        Ok(Some(Made { events, done }))
    }
}

/// What goes to the client, and why it was no more.
fn relayed<'a>(
    mut edit: impl Edit,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Bytes, Option<String>) {
    let mut out = Vec::new();
    for piece in pieces {
        if let Err(fault) = edit.push(Bytes::copy_from_slice(piece), &mut out) {
            return (out.into(), Some(fault.to_string()));
        }
    }
    let end = edit.finish(&mut out);
    (out.into(), end.err().map(|fault| fault.to_string()))
}

/// An event as it is read: its name and its data.
type Read = (Option<String>, Bytes);

fn cut(framing: Framing, stream: &[u8]) -> Vec<Read> {
    let (mut frames, mut all) = (Frames::new(framing), Vec::new());
    let mut keep = |frame: Frame<'_>| {
        all.push((
            frame.name.map(str::to_owned),
            Bytes::copy_from_slice(frame.data),
        ));
        Ok::<(), Uncut>(())
    };
    let pushed = frames.push(Bytes::copy_from_slice(stream), &mut keep);
    pushed
        .and_then(|_| frames.finish(&mut keep))
        .expect("it is cut");
    all
}

/// A stream of events or lines. A backend of dialect Custom is read as events, whatever it sends.
///
/// # Panics
/// Where a promise is broken.
pub fn events(makes: Makes, custom: bool, framing: Framing, sent: &[u8], sizes: &[u8]) {
    let mapped = Mapped { makes, custom };
    let written = if custom { Framing::Sse } else { framing };
    let edit = || Events::new(mapped, framing, written);
    let (out, fault) = relayed(edit(), [sent]);
    assert_eq!(
        relayed(edit(), chunks(sent, sizes)),
        (out.clone(), fault.clone()),
        "splits show"
    );
    let (expected, fails) = expected(mapped, written, &cut(framing, sent));
    assert_eq!(cut(written, &out), expected);
    assert_eq!(fault.is_some(), fails, "{fault:?}");
    // Whatever is complete has gone on.
    let end: &[u8] = if framing == Framing::Sse {
        b"\n\n"
    } else {
        b"\n"
    };
    if let Some(at) = memchr::memmem::rfind(sent, end) {
        let (mut edit, mut out) = (edit(), Vec::new());
        let start = Bytes::copy_from_slice(&sent[..at + end.len()]);
        if edit.push(start, &mut out).is_ok() {
            out.clear();
            assert!(
                edit.finish(&mut out).is_ok() && out.is_empty(),
                "held though complete"
            );
        }
    }
}

/// The events that the client is to read, and whether a fault follows.
fn expected(mapped: Mapped, written: Framing, sent: &[Read]) -> (Vec<Read>, bool) {
    let mut all = Vec::new();
    let done = (None, Bytes::from_static(b"[DONE]"));
    let is_sse = written == Framing::Sse;
    let shown = |name: &Option<String>| name.clone().filter(|_| is_sse && !mapped.custom);
    for (name, data) in sent {
        let said = data.trim_ascii();
        if said.is_empty() {
            continue;
        }
        let mut ends = said == b"[DONE]";
        if !ends {
            let body = json_or_text(data);
            match mapped.events(&body) {
                Err(_) => return (all, true),
                // A line is passed on as a line is read.
                Ok(None) if !is_sse => all.extend(cut(written, data)),
                // Between words of JSON, one end of a line is as good as another.
                Ok(None) => {
                    let line = |byte: &u8| if *byte == b'\r' { b'\n' } else { *byte };
                    all.push((shown(name), data.iter().map(line).collect()));
                }
                Ok(Some(made)) => {
                    for event in made.events {
                        let kind = event["type"]
                            .as_str()
                            .filter(|kind| !kind.contains(['\r', '\n']));
                        let is_type = name.as_deref().is_some_and(|name| body["type"] == name);
                        let new = kind.filter(|_| is_type).map(str::to_owned);
                        all.push((shown(&new.or(name.clone())), event.to_string().into()));
                    }
                    ends = made.done;
                }
            }
        }
        if ends {
            all.extend(is_sse.then_some(done));
            break;
        }
    }
    (all, false)
}

/// A stream that is one array.
///
/// # Panics
/// Where a promise is broken.
pub fn elements(makes: Makes, sent: &[u8], sizes: &[u8]) {
    let mapped = Mapped {
        makes,
        custom: false,
    };
    let (out, fault) = relayed(Elements::new(mapped), [sent]);
    assert_eq!(
        relayed(Elements::new(mapped), chunks(sent, sizes)),
        (out.clone(), fault.clone()),
        "splits show"
    );
    let Ok(array) = serde_json::from_slice::<Vec<&RawValue>>(sent) else {
        return;
    };
    if is_deep(sent) {
        return;
    }
    let (mut expected, mut fails) = (Vec::new(), false);
    for element in array {
        let raw = element.get().to_owned();
        // Numbers that no `f64` holds are JSON and no tree.
        let Ok(body) = serde_json::from_str(&raw) else {
            expected.push(raw);
            continue;
        };
        match mapped.events(&body) {
            Ok(None) => expected.push(raw),
            Ok(Some(made)) => {
                expected.extend(made.events.iter().map(Value::to_string));
                if made.done {
                    break;
                }
            }
            Err(_) => {
                fails = true;
                break;
            }
        }
    }
    assert_eq!(fault.is_some(), fails, "{fault:?}");
    if !fails {
        let read: Vec<&RawValue> = serde_json::from_slice(&out).expect("an array is written");
        let read: Vec<&str> = read.into_iter().map(RawValue::get).collect();
        assert_eq!(read, expected);
    }
}
