//! A chunk of a stream of Bedrock's `invoke`: a message that holds, in base64, an event in the words of the model's vendor.
//!
//! Source: [ResponseStream](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ResponseStream.html).

use bytes::Bytes;
use dragoman_dialects::bedrock::invoke::stream::{decode, encode};
use dragoman_dialects::framing::event_stream::{Message, write};

use crate::json::{ObjectEdit, scan, splice::splice_into};

const BYTES: [&str; 1] = ["bytes"];

/// A chunk that was read.
#[derive(Debug)]
pub struct Chunk {
    raw: Bytes,
    payload: Bytes,
    event: Vec<u8>,
}

impl Chunk {
    /// Reads a whole message.
    ///
    /// # Errors
    /// The message itself, if it is no chunk, or is damaged.
    pub fn read(raw: Bytes) -> Result<Self, Bytes> {
        let mut event = Vec::new();
        match Message::read(&raw) {
            Ok(message)
                if !message.is_exception()
                    && decode(message.frame(), &mut event).is_ok_and(|is_chunk| is_chunk) =>
            {
                let payload = message.payload().clone();
                Ok(Self {
                    raw,
                    payload,
                    event,
                })
            }
            _ => Err(raw),
        }
    }

    /// The event, which is JSON.
    #[must_use]
    pub fn event(&self) -> &[u8] {
        &self.event
    }

    /// The message as it came.
    #[must_use]
    pub fn into_raw(self) -> Bytes {
        self.raw
    }

    /// The message with another event; its headers and what else it holds stay.
    #[must_use]
    pub fn with_event(&self, event: &[u8]) -> Bytes {
        let Ok(members) = scan(&self.payload, &BYTES) else {
            return self.raw.clone();
        };
        let mut edit = ObjectEdit::new(&members);
        let mut literal = Vec::new();
        encode(event, &mut literal);
        edit.set("bytes", literal.into());
        let mut payload = Vec::with_capacity(self.payload.len());
        splice_into(&self.payload, edit.finish(), &mut payload);
        let mut out = Vec::with_capacity(self.raw.len() + event.len());
        write::with_payload(&self.raw, &payload, &mut out);
        out.into()
    }
}

/// A chunk of our own.
#[must_use]
pub fn own(event: &[u8]) -> Bytes {
    let mut out = Vec::new();
    write::event("chunk", &mut out, |out| {
        out.extend_from_slice(b"{\"bytes\":");
        encode(event, out);
        out.push(b'}');
    });
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_event_leaves_headers_and_padding_as_they_were() {
        let mut raw = Vec::new();
        let headers = [
            (":event-type", "chunk"),
            ("x-theirs", "1"),
            (":message-type", "event"),
        ];
        write::message(&headers, &mut raw, |out| {
            out.extend_from_slice(br#"{"p":"abcd", "bytes":"e30="}"#);
        });
        let chunk = Chunk::read(raw.clone().into()).unwrap();
        assert_eq!(chunk.event(), b"{}");
        assert_eq!(chunk.with_event(b"{}"), raw);
        let other = chunk.with_event(br#"{"a":1}"#);
        let mut expected = Vec::new();
        write::message(&headers, &mut expected, |out| {
            out.extend_from_slice(br#"{"p":"abcd", "bytes":"eyJhIjoxfQ=="}"#);
        });
        assert_eq!(other, expected);
        assert_eq!(Chunk::read(other).unwrap().event(), br#"{"a":1}"#);
        assert_eq!(Chunk::read(own(b"[]")).unwrap().event(), b"[]");
    }

    #[test]
    fn what_is_no_chunk_comes_back() {
        let mut others = Vec::new();
        for (name, payload) in [("chunk", "{}"), ("chunk", "x"), ("metadata", "{}")] {
            let mut raw = Vec::new();
            write::event(name, &mut raw, |out| {
                out.extend_from_slice(payload.as_bytes())
            });
            others.push(raw);
        }
        let mut raw = Vec::new();
        write::exception("throttlingException", &mut raw, |_| {});
        others.push(raw);
        let mut damaged = own(b"{}").to_vec();
        *damaged.last_mut().unwrap() ^= 1;
        others.push(damaged);
        for raw in others {
            let raw = Bytes::from(raw);
            assert_eq!(Chunk::read(raw.clone()).unwrap_err(), raw);
        }
    }
}
