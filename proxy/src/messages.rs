//! Cuts an AWS event stream into messages with all their bytes, wherever its chunks are split.
//!
//! Source: [the encoding of event streams](https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html): each message begins with its
//! length, four bytes in network order. Nothing else of a message is looked at: it passes as it came.

use bytes::{Bytes, BytesMut};
use dragoman_dialects::framing::event_stream::cut::LONGEST;

/// Two lengths and two checksums: what a message without headers and payload has.
const SHORTEST: usize = 16;

/// A message that cannot be one. The upstream's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of an event stream has {SHORTEST} to {LONGEST} bytes, and this one says {0}")]
pub struct BadLength(usize);

/// Cuts chunks into messages. At most one incomplete message is held.
#[derive(Debug, Default)]
pub struct Messages {
    held: BytesMut,
}

impl Messages {
    /// Takes the next chunk and appends the messages that are whole to `out`.
    ///
    /// # Errors
    /// [`BadLength`]: where the next message begins is not known.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<Bytes>) -> Result<(), BadLength> {
        self.held.extend_from_slice(chunk);
        while let Some(length) = self.held.first_chunk::<4>() {
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            if !(SHORTEST..=LONGEST).contains(&length) {
                return Err(BadLength(length));
            }
            if self.held.len() < length {
                break;
            }
            out.push(self.held.split_to(length).freeze());
        }
        Ok(())
    }

    /// What is left when the stream has ended as it should: nothing, unless the upstream ended it within a message.
    pub fn rest(&mut self) -> Bytes {
        self.held.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use dragoman_dialects::framing::event_stream::write;

    use super::*;

    #[test]
    fn messages_pass_as_they_came_wherever_they_are_split() {
        let mut stream = Vec::new();
        for text in ["{}", "", r#"{"text":"hello"}"#] {
            write::event("contentBlockDelta", &mut stream, |out| {
                out.extend_from_slice(text.as_bytes());
            });
        }
        for at in 0..=stream.len() {
            let (mut messages, mut got) = (Messages::default(), Vec::new());
            for piece in [&stream[..at], &stream[at..]] {
                messages.push(piece, &mut got).unwrap();
            }
            assert_eq!((got.len(), got.concat()), (3, stream.clone()), "{at}");
            assert!(messages.rest().is_empty());
        }
    }

    #[test]
    fn half_a_message_is_held_and_a_length_that_none_has_is_refused() {
        let mut stream = Vec::new();
        write::event("a", &mut stream, |_| {});
        let (mut messages, mut got) = (Messages::default(), Vec::new());
        messages
            .push(&stream[..stream.len() - 1], &mut got)
            .unwrap();
        assert!(got.is_empty());
        assert_eq!(messages.rest(), stream[..stream.len() - 1]);
        for bad in [&b"\0\0\0\x0f"[..], b"data: {}", b"\xff\xff\xff\xff"] {
            assert!(Messages::default().push(bad, &mut got).is_err(), "{bad:?}");
        }
    }
}
