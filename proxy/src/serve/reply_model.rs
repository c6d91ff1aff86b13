//! `replyModel: Requested`: the `model` of a reply becomes the one that the client asked for. All other bytes stay.

use bytes::Bytes;

use crate::json::{self, ObjectEdit, splice::splice_into};
use crate::sse::{Framer, Relay, TooLong};

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

/// The same for each event of a stream.
pub(crate) struct Renamer {
    model: Bytes,
    framer: Framer,
}

impl Renamer {
    pub(crate) fn new(model: Bytes) -> Self {
        Self {
            model,
            framer: Framer::default(),
        }
    }

    /// Takes the next chunk and appends what goes to the client.
    pub(crate) fn push(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), TooLong> {
        let mut relay = Relay::new(chunk.clone(), out);
        self.framer.feed(chunk);
        while let Some(event) = self.framer.next_event()? {
            let edited = event.data().and_then(|data| self.event(data));
            relay.pass(match edited {
                Some(data) => event.with_data(&data).into(),
                None => event.raw,
            });
        }
        Ok(())
    }

    /// What is left when the stream has ended.
    pub(crate) fn finish(&mut self, out: &mut Vec<Bytes>) {
        out.extend(self.framer.finish().map(|event| event.raw));
    }

    fn event(&self, data: &[u8]) -> Option<Vec<u8>> {
        let members = json::scan(data, &MEMBERS).ok()?;
        members.get("model")?;
        let mut edit = ObjectEdit::new(&members);
        edit.set("model", self.model.clone());
        let mut out = Vec::with_capacity(data.len() + self.model.len());
        splice_into(data, edit.finish(), &mut out);
        Some(out)
    }
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
        for at in 0..stream.len() {
            let mut renamer = Renamer::new(ASKED);
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
