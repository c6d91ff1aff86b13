//! The blocks that are open, and the numbers that the client knows them by.

use bytes::Bytes;

use super::own::{Out, renumbered};
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
    /// The start as the upstream sent it, until it is passed on.
    pub(super) start: Option<Bytes>,
}

/// What the client has been told of a text block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::think) enum Shown {
    Nothing,
    Thinking,
    Text,
}

/// The client's numbers.
#[derive(Debug)]
pub(in crate::think) struct Numbers {
    next: u64,
    /// Whether they are the upstream's, because no block comes or goes.
    kept: bool,
}

impl Numbers {
    pub(in crate::think) fn new(kept: bool) -> Self {
        Self { next: 0, kept }
    }

    /// The number of a block that the upstream knows as `index`.
    pub(in crate::think) fn take(&mut self, index: u64) -> u64 {
        if self.kept {
            return index;
        }
        let taken = self.next;
        self.next += 1;
        taken
    }
}

impl Block {
    /// Tells the client what was thought, and gets its text ready for what is visible. Says whether there is any of that.
    pub(super) fn prepare(
        &mut self,
        pieces: &Pieces<'_>,
        extracts: bool,
        numbers: &mut Numbers,
        out: &mut Out<'_, '_>,
    ) -> bool {
        let Kind::Text(text) = &mut self.kind else {
            return false;
        };
        if extracts && !pieces.reasoning.is_empty() {
            if text.shown == Shown::Text {
                out.stop(self.at);
            }
            if text.shown != Shown::Thinking {
                self.at = numbers.take(self.index);
                text.shown = Shown::Thinking;
                out.start_thinking(self.at);
            }
            out.thinking(self.at, &pieces.reasoning);
        }
        let visible = !pieces.visible.is_empty();
        if visible {
            self.show_text(numbers, out);
        }
        visible
    }

    /// Starts the text if the client does not stand in it.
    pub(super) fn show_text(&mut self, numbers: &mut Numbers, out: &mut Out<'_, '_>) {
        let Kind::Text(text) = &mut self.kind else {
            return;
        };
        if text.shown == Shown::Text {
            return;
        }
        if text.shown == Shown::Thinking {
            out.stop(self.at);
        }
        self.at = numbers.take(self.index);
        text.shown = Shown::Text;
        match text.start.take() {
            Some(start) => out.pass(renumbered(start, self.at)),
            None => out.start_text(self.at),
        }
    }

    /// Passes on what is held back, as events of our own.
    pub(super) fn flush(&mut self, extracts: bool, numbers: &mut Numbers, out: &mut Out<'_, '_>) {
        let Kind::Text(text) = &mut self.kind else {
            return;
        };
        let pieces = text.stripper.finish();
        if self.prepare(&pieces, extracts, numbers, out) {
            out.text(self.at, &pieces.visible);
        }
    }

    /// The text put through the stripper; none for blocks without one.
    pub(super) fn push<'a>(&mut self, said: &'a str) -> Option<Pieces<'a>> {
        match &mut self.kind {
            Kind::Text(text) => Some(text.stripper.push(said)),
            Kind::Dropped | Kind::Other => None,
        }
    }

    /// Whether the client stands in the block's text, under the upstream's number.
    pub(super) fn is_plain(&self) -> bool {
        self.at == self.index && matches!(&self.kind, Kind::Text(text) if text.shown == Shown::Text)
    }
}

/// What is visible of an unchanged text.
pub(super) fn is_whole(pieces: &Pieces<'_>, said: &str) -> bool {
    pieces.visible == said && pieces.reasoning.is_empty()
}
