//! The blocks that are open in a stream of Converse's, and the numbers that the client knows them by.

use bytes::Bytes;
use dragoman_dialects::framing::event_stream::write;

use crate::json::string;
use crate::think::messages::{Numbers, Shown};
use crate::think::stripper::{Pieces, Stripper};

/// A block that is open upstream.
#[derive(Debug)]
pub(super) struct Block {
    /// The upstream's number.
    pub(super) index: u64,
    /// The client's.
    pub(super) at: u64,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Text(Box<Text>),
    /// The client is not told of it.
    Dropped,
    /// It passes.
    Other,
}

/// A text block.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) stripper: Stripper,
    pub(super) shown: Shown,
}

impl Block {
    /// Tells the client what was thought, and gets its text ready for what is visible.
    pub(super) fn prepare(
        &mut self,
        pieces: &Pieces<'_>,
        extracts: bool,
        numbers: &mut Numbers,
        out: &mut Vec<Bytes>,
    ) {
        let Kind::Text(text) = &mut self.kind else {
            return;
        };
        if extracts && !pieces.reasoning.is_empty() {
            if text.shown == Shown::Text {
                out.push(stop(self.at));
            }
            if text.shown != Shown::Thinking {
                self.at = numbers.take(self.index);
                text.shown = Shown::Thinking;
            }
            out.push(delta(
                self.at,
                "{\"reasoningContent\":{\"text\":",
                &pieces.reasoning,
                "}}",
            ));
        }
        if !pieces.visible.is_empty() {
            self.show_text(numbers, out);
        }
    }

    /// Starts the text if the client does not stand in it.
    pub(super) fn show_text(&mut self, numbers: &mut Numbers, out: &mut Vec<Bytes>) {
        let Kind::Text(text) = &mut self.kind else {
            return;
        };
        match text.shown {
            Shown::Text => return,
            Shown::Thinking => out.push(stop(self.at)),
            Shown::Nothing => {}
        }
        self.at = numbers.take(self.index);
        text.shown = Shown::Text;
    }

    /// Passes on what is held back, as messages of our own.
    pub(super) fn flush(&mut self, extracts: bool, numbers: &mut Numbers, out: &mut Vec<Bytes>) {
        let Kind::Text(text) = &mut self.kind else {
            return;
        };
        let pieces = text.stripper.finish();
        self.prepare(&pieces, extracts, numbers, out);
        if !pieces.visible.is_empty() {
            out.push(said(self.at, &pieces.visible));
        }
    }

    /// Whether the client knows nothing of a text.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(&self.kind, Kind::Text(text) if text.shown == Shown::Nothing)
    }
}

/// A piece of text of our own.
pub(super) fn said(at: u64, text: &str) -> Bytes {
    delta(at, "{\"text\":", text, "}")
}

fn delta(at: u64, before: &str, text: &str, after: &str) -> Bytes {
    let mut out = Vec::new();
    write::event("contentBlockDelta", &mut out, |out| {
        let start = format!("{{\"contentBlockIndex\":{at},\"delta\":{before}");
        out.extend_from_slice(start.as_bytes());
        string::encode(text, out);
        out.extend_from_slice(after.as_bytes());
        out.push(b'}');
    });
    out.into()
}

fn stop(at: u64) -> Bytes {
    let mut out = Vec::new();
    write::event("contentBlockStop", &mut out, |out| {
        out.extend_from_slice(format!("{{\"contentBlockIndex\":{at}}}").as_bytes());
    });
    out.into()
}
