//! Events of our own.

use bytes::Bytes;

use crate::json::{Edit, Members, scan, splice::splice_into, string};
use crate::sse::{Event, Relay};

/// Where events of our own go, and how they end their lines.
pub(super) struct Out<'r, 'o> {
    pub(super) relay: &'r mut Relay<'o>,
    pub(super) ending: &'static [u8],
}

impl Out<'_, '_> {
    pub(super) fn pass(&mut self, piece: Bytes) {
        self.relay.pass(piece);
    }

    /// The start of a block of thinking.
    pub(super) fn start_thinking(&mut self, at: u64) {
        let data = format!(
            r#"{{"type":"content_block_start","index":{at},"content_block":{{"type":"thinking","thinking":"","signature":""}}}}"#
        );
        self.event("content_block_start", data.as_bytes());
    }

    /// The start of a text block.
    pub(super) fn start_text(&mut self, at: u64) {
        let data = format!(
            r#"{{"type":"content_block_start","index":{at},"content_block":{{"type":"text","text":""}}}}"#
        );
        self.event("content_block_start", data.as_bytes());
    }

    /// A piece of thinking.
    pub(super) fn thinking(&mut self, at: u64, thinking: &str) {
        self.delta(at, r#""thinking_delta","thinking":"#, thinking);
    }

    /// A piece of text.
    pub(super) fn text(&mut self, at: u64, text: &str) {
        self.delta(at, r#""text_delta","text":"#, text);
    }

    /// The end of a block.
    pub(super) fn stop(&mut self, at: u64) {
        let data = format!(r#"{{"type":"content_block_stop","index":{at}}}"#);
        self.event("content_block_stop", data.as_bytes());
    }

    fn delta(&mut self, at: u64, named: &str, text: &str) {
        let mut data =
            format!(r#"{{"type":"content_block_delta","index":{at},"delta":{{"type":{named}"#)
                .into_bytes();
        string::encode(text, &mut data);
        data.extend_from_slice(b"}}");
        self.event("content_block_delta", &data);
    }

    fn event(&mut self, name: &str, data: &[u8]) {
        let ending = self.ending;
        let parts = [
            b"event: ",
            name.as_bytes(),
            ending,
            b"data: ",
            data,
            ending,
            ending,
        ];
        self.relay.pass(parts.concat().into());
    }
}

/// An event of the upstream's with another block's number.
pub(super) fn renumbered(raw: Bytes, at: u64) -> Bytes {
    let event = Event::read(raw, true);
    let data = event.data().unwrap_or_default();
    let Ok(members) = scan(data, &["index"]) else {
        return event.raw;
    };
    let edits = number(&members, data, at);
    if edits.is_empty() {
        return event.raw;
    }
    let mut edited = Vec::with_capacity(data.len());
    splice_into(data, edits, &mut edited);
    event.with_data(&edited).into()
}

/// The edits that give an event another block's number; none if it has that already.
pub(super) fn number(members: &Members<'_, &str>, data: &[u8], at: u64) -> Vec<Edit> {
    let number = at.to_string();
    let others = members
        .all("index")
        .filter(|index| data[index.value.clone()] != *number.as_bytes());
    let edit = |place| Edit {
        at: place,
        with: number.clone().into(),
    };
    others.map(|index| edit(index.value.clone())).collect()
}
