//! `replyModel: Requested`: the `model` of a reply becomes the one that the client asked for. All other bytes stay.

use bytes::Bytes;

use dragoman_dialects::Wire;

use crate::json::{self, Edit, ObjectEdit, splice::splice_into};
use crate::ndjson::Lines;
use crate::sse::{Framer, Relay};
use crate::think::Unreadable;

const MEMBERS: [&str; 1] = ["model"];

/// A reply with `model` (a JSON literal) in place of the upstream's. One that has none, or is no object, comes back as it is.
pub(crate) fn whole(body: &Bytes, model: &Bytes) -> Vec<Bytes> {
    match json::scan(body, &MEMBERS) {
        Ok(members) if members.get("model").is_some() => {
            let mut edit = ObjectEdit::new(&members);
            edit.set("model", model.clone());
            json::splice(body, edit.finish())
        }
        _ => vec![body.clone()],
    }
}

/// The same for each event or line of a stream: Anthropic names the model in `message` of the first event alone.
pub(crate) struct Renamer {
    model: Bytes,
    cutter: Cutter,
}

enum Cutter {
    Events(Framer),
    Message(Framer),
    Lines(Lines),
}

impl Renamer {
    pub(crate) fn new(dialect: Wire, model: Bytes) -> Self {
        let cutter = match dialect {
            Wire::Messages => Cutter::Message(Framer::default()),
            Wire::OllamaChat | Wire::OllamaGenerate => Cutter::Lines(Lines::default()),
            _ => Cutter::Events(Framer::default()),
        };
        Self { model, cutter }
    }

    /// Takes the next chunk and appends what goes to the client.
    pub(crate) fn push(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), Unreadable> {
        let mut relay = Relay::new(chunk.clone(), out);
        let (framer, place): (_, Place) = match &mut self.cutter {
            Cutter::Events(framer) => (framer, at_top),
            Cutter::Message(framer) => (framer, in_message),
            Cutter::Lines(lines) => {
                lines.feed(chunk);
                while let Some(line) = lines.next_line()? {
                    relay.pass(renamed_line(line, &self.model));
                }
                return Ok(());
            }
        };
        framer.feed(chunk);
        while let Some(event) = framer.next_event()? {
            let edited = event
                .data()
                .and_then(|data| renamed(data, &self.model, place));
            relay.pass(match edited {
                Some(data) => event.with_data(&data).into(),
                None => event.raw,
            });
        }
        Ok(())
    }

    /// What is left when the stream has ended.
    pub(crate) fn finish(&mut self, out: &mut Vec<Bytes>) {
        match &mut self.cutter {
            Cutter::Events(framer) | Cutter::Message(framer) => {
                out.extend(framer.finish().map(|event| event.raw));
            }
            Cutter::Lines(lines) => {
                let line = lines.finish();
                out.extend(line.map(|line| renamed_line(line, &self.model)));
            }
        }
    }
}

/// The edits that give a text another model.
type Place = fn(&[u8], &Bytes) -> Option<Vec<Edit>>;

fn at_top(data: &[u8], model: &Bytes) -> Option<Vec<Edit>> {
    let members = json::scan(data, &MEMBERS).ok()?;
    members.get("model")?;
    let mut edit = ObjectEdit::new(&members);
    edit.set("model", model.clone());
    Some(edit.finish())
}

fn in_message(data: &[u8], model: &Bytes) -> Option<Vec<Edit>> {
    // Most events are deltas, which are not worth a scan.
    memchr::memmem::find(data, b"\"message\"")?;
    let at = json::scan(data, &["message"]).ok()?.get("message")?;
    let text = std::str::from_utf8(data).ok()?;
    let members = json::read(text, &at, &MEMBERS).ok()?;
    members.get("model")?;
    let mut edit = ObjectEdit::new(&members);
    edit.set("model", model.clone());
    Some(edit.finish())
}

fn renamed(data: &[u8], model: &Bytes, place: Place) -> Option<Vec<u8>> {
    let edits = place(data, model)?;
    let mut out = Vec::with_capacity(data.len() + model.len());
    splice_into(data, edits, &mut out);
    Some(out)
}

/// A line with its end, renamed.
fn renamed_line(line: Bytes, model: &Bytes) -> Bytes {
    renamed(&line, model, at_top).map_or(line, Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Bytes = Bytes::from_static(b"\"asked\"");

    #[test]
    fn only_the_model_of_a_reply_changes() {
        let body = Bytes::from_static(br#"{"id":1, "model" : "sent", "x":{"model":"y"}}"#);
        assert_eq!(
            whole(&body, &ASKED).concat(),
            br#"{"id":1, "model" : "asked", "x":{"model":"y"}}"#
        );
        for other in ["[]", "{}", "not json"] {
            let body = Bytes::from(other);
            assert_eq!(whole(&body, &ASKED).concat(), other.as_bytes());
        }
    }

    #[test]
    fn a_stream_split_at_any_byte_is_renamed_too() {
        let stream = "data: {\"model\":\"sent\"}\n\n: note\n\ndata: {\"model\":\"sent\",\"a\":1}\n\ndata: [DONE]\n\n";
        becomes_asked(Wire::Chat, stream);
        let stream = "event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"sent\", \"x\":1},\"model\":7}\r\n\r\nevent: ping\ndata: {\"model\":\"its\"}\n\n";
        becomes_asked(Wire::Messages, stream);
        for end in ["", "\n", "\r\n"] {
            let stream = format!(
                "{{\"model\":\"sent\",\"done\":false}}\r\n\n[]\n{{ \"model\" : \"sent\"}}{end}"
            );
            becomes_asked(Wire::OllamaChat, &stream);
        }
    }

    /// Asserts that a stream becomes itself with `asked` for `sent`, split at any byte.
    fn becomes_asked(dialect: Wire, stream: &str) {
        for at in 0..stream.len() {
            let mut renamer = Renamer::new(dialect, ASKED);
            let mut out = Vec::new();
            renamer
                .push(Bytes::copy_from_slice(&stream.as_bytes()[..at]), &mut out)
                .unwrap();
            renamer
                .push(Bytes::copy_from_slice(&stream.as_bytes()[at..]), &mut out)
                .unwrap();
            renamer.finish(&mut out);
            assert_eq!(
                String::from_utf8(out.concat()).unwrap(),
                stream.replace("sent", "asked")
            );
        }
    }
}
