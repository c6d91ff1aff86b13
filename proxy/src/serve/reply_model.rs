//! `replyModel: Requested`: the `model` of a reply becomes the one that the client asked for. All other bytes stay.

use bytes::Bytes;

use dragoman_dialects::Wire;

use crate::array::{self, Array, Part};
use crate::chunk::Chunk;
use crate::json::{self, Edit, ObjectEdit, splice::splice_into};
use crate::messages::Messages;
use crate::ndjson::Lines;
use crate::sse::{Event, Framer, Relay};
use crate::think::Unreadable;

const MODEL: [&str; 1] = ["model"];
/// Gemini's name of it.
const VERSION: [&str; 1] = ["modelVersion"];

/// A reply with `model` (a JSON literal) in place of the upstream's. One that has none, or is no object, comes back as it is.
pub(crate) fn whole(dialect: Wire, body: &Bytes, model: &Bytes) -> Vec<Bytes> {
    let place = match dialect {
        Wire::Gemini => version,
        _ => at_top,
    };
    match place(body, model) {
        Some(edits) => json::splice(body, edits),
        None => vec![body.clone()],
    }
}

/// The same for each event, line, message or element of a stream: Anthropic names the model in `message` of the first event alone, and OpenAI's
/// Responses in `response` of the first ones and the last, which holds the whole answer.
pub(crate) struct Renamer {
    model: Bytes,
    cutter: Cutter,
    place: Place,
}

enum Cutter {
    Events(Framer),
    Lines(Lines),
    /// Bedrock's chunks.
    Messages(Messages),
    Array(Array),
}

impl Renamer {
    pub(crate) fn new(dialect: Wire, model: Bytes) -> Self {
        let (cutter, place): (_, Place) = match dialect {
            Wire::Messages => (Cutter::Events(Framer::default()), in_message),
            Wire::Responses => (Cutter::Events(Framer::new(array::LONGEST)), in_response),
            Wire::OllamaChat | Wire::OllamaGenerate => (Cutter::Lines(Lines::default()), at_top),
            Wire::BedrockInvoke => (Cutter::Messages(Messages::default()), in_message),
            Wire::BedrockText => (Cutter::Messages(Messages::default()), at_top),
            Wire::Gemini => (Cutter::Events(Framer::new(array::LONGEST)), version),
            _ => (Cutter::Events(Framer::default()), at_top),
        };
        Self {
            model,
            cutter,
            place,
        }
    }

    /// For a stream of Gemini's that is one array.
    pub(crate) fn array(model: Bytes) -> Self {
        Self {
            model,
            cutter: Cutter::Array(Array::default()),
            place: version,
        }
    }

    /// Takes the next chunk and appends what goes to the client.
    pub(crate) fn push(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), Unreadable> {
        let renamed = |text: &[u8]| renamed(text, &self.model, self.place);
        match &mut self.cutter {
            Cutter::Events(framer) => {
                let mut relay = Relay::new(chunk.clone(), out);
                framer.feed(chunk);
                while let Some(event) = framer.next_event()? {
                    relay.pass(of_event(event, renamed));
                }
            }
            Cutter::Lines(lines) => {
                let mut relay = Relay::new(chunk.clone(), out);
                lines.feed(chunk);
                while let Some(line) = lines.next_line()? {
                    relay.pass(renamed(&line).map_or(line, Bytes::from));
                }
            }
            Cutter::Messages(messages) => {
                let mut cut = Vec::new();
                let pushed = messages.push(&chunk, &mut cut);
                out.extend(cut.into_iter().map(|raw| match Chunk::read(raw) {
                    Ok(chunk) => match renamed(chunk.event()) {
                        Some(event) => chunk.with_event(&event),
                        None => chunk.into_raw(),
                    },
                    Err(other) => other,
                }));
                pushed?;
            }
            Cutter::Array(array) => {
                array.feed(&chunk);
                while let Some(part) = array.next_part()? {
                    out.push(match part {
                        Part::Element(raw) => renamed(&raw).map_or(raw, Bytes::from),
                        Part::Open(raw) | Part::Comma(raw) | Part::Close(raw) => raw,
                    });
                }
            }
        }
        Ok(())
    }

    /// What is left when the stream has ended: servers leave the last blank line or line end out.
    pub(crate) fn finish(&mut self, out: &mut Vec<Bytes>) {
        let renamed = |text: &[u8]| renamed(text, &self.model, self.place);
        let rest = match &mut self.cutter {
            Cutter::Events(framer) => framer.finish().map(|event| of_event(event, renamed)),
            Cutter::Lines(lines) => {
                let line = lines.finish();
                line.map(|line| renamed(&line).map_or(line, Bytes::from))
            }
            Cutter::Messages(messages) => Some(messages.rest()),
            Cutter::Array(array) => Some(array.finish()),
        };
        out.extend(rest.filter(|rest| !rest.is_empty()));
    }
}

fn of_event(event: Event, renamed: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Bytes {
    match event.data().and_then(renamed) {
        Some(data) => event.with_data(&data).into(),
        None => event.raw,
    }
}

/// The edits that give a text another model.
type Place = fn(&[u8], &Bytes) -> Option<Vec<Edit>>;

fn at_top(data: &[u8], model: &Bytes) -> Option<Vec<Edit>> {
    named(data, &MODEL, model)
}

fn version(data: &[u8], model: &Bytes) -> Option<Vec<Edit>> {
    named(data, &VERSION, model)
}

fn named(data: &[u8], name: &[&str; 1], model: &Bytes) -> Option<Vec<Edit>> {
    let members = json::scan(data, name).ok()?;
    members.get(name[0])?;
    let mut edit = ObjectEdit::new(&members);
    edit.set(name[0], model.clone());
    Some(edit.finish())
}

fn in_message(data: &[u8], model: &Bytes) -> Option<Vec<Edit>> {
    within("message", b"\"message\"", data, model)
}

fn in_response(data: &[u8], model: &Bytes) -> Option<Vec<Edit>> {
    within("response", b"\"response\"", data, model)
}

fn within(member: &str, quoted: &[u8], data: &[u8], model: &Bytes) -> Option<Vec<Edit>> {
    // Most events are deltas, which are not worth a scan.
    memchr::memmem::find(data, quoted)?;
    let at = json::scan(data, &[member]).ok()?.get(member)?;
    let text = std::str::from_utf8(data).ok()?;
    let members = json::read(text, &at, &MODEL).ok()?;
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

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Bytes = Bytes::from_static(b"\"asked\"");

    #[test]
    fn only_the_model_of_a_reply_changes() {
        let body = Bytes::from_static(br#"{"id":1, "model" : "sent", "x":{"model":"y"}}"#);
        assert_eq!(
            whole(Wire::Chat, &body, &ASKED).concat(),
            br#"{"id":1, "model" : "asked", "x":{"model":"y"}}"#
        );
        for other in ["[]", "{}", "not json"] {
            let body = Bytes::from(other);
            assert_eq!(whole(Wire::Chat, &body, &ASKED).concat(), other.as_bytes());
        }
    }

    #[test]
    fn a_stream_split_at_any_byte_is_renamed_too() {
        let stream = "data: {\"model\":\"sent\"}\n\n: note\n\ndata: {\"model\":\"sent\",\"a\":1}\n\ndata: [DONE]\n\n";
        becomes_asked(Wire::Chat, stream);
        let stream = "event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"sent\", \"x\":1},\"model\":7}\r\n\r\nevent: ping\ndata: {\"model\":\"its\"}\n\n";
        becomes_asked(Wire::Messages, stream);
        let stream = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"x\":1, \"model\" : \"sent\"}}\n\nevent: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"model\"}\n\n";
        becomes_asked(Wire::Responses, stream);
        for end in ["", "\n", "\r\r", "\n\n"] {
            becomes_asked(Wire::Chat, &format!("data: {{\"model\":\"sent\"}}{end}"));
        }
        for end in ["", "\n", "\r\n"] {
            let stream = format!(
                "{{\"model\":\"sent\",\"done\":false}}\r\n\n[]\n{{ \"model\" : \"sent\"}}{end}"
            );
            becomes_asked(Wire::OllamaChat, &stream);
        }
    }

    #[test]
    fn geminis_replies_name_it_otherwise_in_events_arrays_and_whole() {
        let piece = r#"{"model":"its","modelVersion" : "sent","candidates":[]}"#;
        let body = Bytes::from(piece);
        let renamed = piece.replace("sent", "asked");
        assert_eq!(
            whole(Wire::Gemini, &body, &ASKED).concat(),
            renamed.as_bytes()
        );
        becomes_asked(Wire::Gemini, &format!("data: {piece}\r\n\r\n: note\n\n"));
        let stream = format!("[{piece}\n,\r\n{piece},{{}}\n]\n");
        for at in 0..stream.len() {
            let mut renamer = Renamer::array(ASKED);
            let renamed = renamed_at(&mut renamer, stream.as_bytes(), at);
            assert_eq!(renamed, stream.replace("sent", "asked").as_bytes());
        }
    }

    #[test]
    fn a_model_within_a_chunk_is_renamed_too() {
        let first = r#"{"type":"message_start","message":{"model":"sent"}}"#;
        for (dialect, event) in [
            (Wire::BedrockInvoke, first),
            (Wire::BedrockText, r#"{"completion":"","model":"sent"}"#),
        ] {
            let chunk = |event: &str| crate::chunk::own(event.as_bytes());
            let stream = [chunk(event), chunk(r#"{"model":7}"#)].concat();
            let expected = [
                chunk(&event.replace("sent", "asked")),
                chunk(r#"{"model":7}"#),
            ];
            for at in 0..stream.len() {
                let mut renamer = Renamer::new(dialect, ASKED);
                let renamed = renamed_at(&mut renamer, &stream, at);
                if dialect == Wire::BedrockInvoke {
                    assert_eq!(renamed, expected.concat());
                } else {
                    assert_eq!(renamed[..expected[0].len()], expected[0]);
                }
            }
        }
    }

    #[test]
    fn what_came_before_a_damaged_message_is_passed_on() {
        let sound = crate::chunk::own(br#"{"model":"asked"}"#);
        let stream = [&sound[..], b"\0\0\0\0"].concat();
        let (mut renamer, mut out) = (Renamer::new(Wire::BedrockText, ASKED), Vec::new());
        assert!(renamer.push(stream.into(), &mut out).is_err());
        assert_eq!(out, [sound]);
    }

    /// What comes of a stream that is split there.
    fn renamed_at(renamer: &mut Renamer, stream: &[u8], at: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in [&stream[..at], &stream[at..]] {
            renamer
                .push(Bytes::copy_from_slice(piece), &mut out)
                .unwrap();
        }
        renamer.finish(&mut out);
        out.concat()
    }

    /// Asserts that a stream becomes itself with `asked` for `sent`, split at any byte.
    fn becomes_asked(dialect: Wire, stream: &str) {
        for at in 0..stream.len() {
            let mut renamer = Renamer::new(dialect, ASKED);
            let renamed = renamed_at(&mut renamer, stream.as_bytes(), at);
            assert_eq!(
                String::from_utf8(renamed).unwrap(),
                stream.replace("sent", "asked")
            );
        }
    }
}
