//! What tests ask of every stream: the same bytes however it is split.

use std::sync::Arc;

use bytes::Bytes;
use dragoman_dialects::Wire;

use super::{ReplyStream, Rules, Tag, Text};

pub(super) fn rules(text: Text, drop_fields: bool) -> Arc<Rules> {
    Arc::new(Rules::new(text, vec![Tag::default()], false, drop_fields))
}

/// A kind of stream, as it starts.
#[derive(Clone)]
pub(super) struct Start {
    pub(super) wire: Wire,
    pub(super) rules: Arc<Rules>,
    pub(super) shown: bool,
}

impl Start {
    pub(super) fn stream(&self) -> ReplyStream {
        ReplyStream::new(self.wire, Arc::clone(&self.rules), self.shown)
    }

    /// What comes of these chunks.
    pub(super) fn relay<'a>(&self, chunks: impl IntoIterator<Item = &'a [u8]>) -> String {
        let mut stream = self.stream();
        let mut out = Vec::new();
        for chunk in chunks {
            stream
                .push(Bytes::copy_from_slice(chunk), &mut out)
                .unwrap();
        }
        stream.finish(&mut out).unwrap();
        String::from_utf8(out.concat()).unwrap()
    }

    /// What comes of a stream that the upstream breaks off after these bytes.
    pub(super) fn broken(&self, bytes: &[u8]) -> String {
        let mut stream = self.stream();
        let mut out = Vec::new();
        stream
            .push(Bytes::copy_from_slice(bytes), &mut out)
            .unwrap();
        stream.cut(&mut out).unwrap();
        String::from_utf8(out.concat()).unwrap()
    }

    /// Asserts what comes of a stream, in one piece, byte by byte, and split in two at every byte.
    pub(super) fn becomes(&self, stream: &str, expected: &str) {
        let stream = stream.as_bytes();
        assert_eq!(self.relay([stream]), expected);
        assert_eq!(self.relay(stream.chunks(1)), expected);
        for at in 0..stream.len() {
            let (head, tail) = stream.split_at(at);
            assert_eq!(self.relay([head, tail]), expected, "split at {at}");
        }
    }

    /// Asserts that a chunk in which nothing changes leaves as the same memory in one piece.
    pub(super) fn passes_in_one_piece(&self, chunk: &str) {
        let chunk = Bytes::copy_from_slice(chunk.as_bytes());
        let mut stream = self.stream();
        let mut out = Vec::new();
        stream.push(chunk.clone(), &mut out).unwrap();
        assert_eq!(out.len(), 1, "{out:?}");
        assert_eq!(
            (out[0].as_ptr(), out[0].len()),
            (chunk.as_ptr(), chunk.len())
        );
    }
}
