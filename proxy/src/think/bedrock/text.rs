//! The chunks of `invoke` with the text of Claude 2: each holds a piece of one text.

use std::sync::Arc;

use bytes::Bytes;

use crate::chunk::{self, Chunk};
use crate::json::{Edit, Members, ObjectEdit, scan, splice::splice_into, string};
use crate::messages::Messages;
use crate::think::rules::Rules;
use crate::think::stream::Unreadable;
use crate::think::stripper::{Pieces, Stripper};

/// The members of a completion that are looked at: what it tells, and then what every chunk repeats.
pub(super) const COMPLETION: [&str; 3] = ["completion", "stop_reason", "type"];

/// The thinking taken out of one streamed completion of Claude 2's. Rules that change nothing still see to it that only whole messages pass.
#[derive(Debug)]
pub struct TextStream {
    inert: bool,
    messages: Messages,
    stripper: Stripper,
}

impl TextStream {
    /// A stream at its start.
    #[must_use]
    pub fn new(rules: Arc<Rules>) -> Self {
        Self {
            inert: rules.is_inert(),
            messages: Messages::default(),
            stripper: Stripper::new(rules),
        }
    }

    /// Takes the next chunk of the upstream's body and appends what goes to the client to `out`.
    ///
    /// # Errors
    /// [`Unreadable`]: the stream is to be ended with an exception.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<Bytes>) -> Result<(), Unreadable> {
        if self.inert {
            return Ok(self.messages.push(chunk, out)?);
        }
        let mut messages = Vec::new();
        let cut = self.messages.push(chunk, &mut messages);
        for raw in messages {
            match Chunk::read(raw) {
                Ok(chunk) => self.chunk(chunk, out),
                Err(other) => {
                    self.cut(out);
                    out.push(other);
                }
            }
        }
        Ok(cut?)
    }

    /// Ends the stream as the upstream has ended it: appends all that was held back, of an unfinished message too where nothing is looked for.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) {
        self.cut(out);
        if self.inert {
            out.extend(Some(self.messages.rest()).filter(|rest| !rest.is_empty()));
        }
    }

    /// Ends a stream that broke off: nothing can follow half a message.
    pub fn cut(&mut self, out: &mut Vec<Bytes>) {
        let rest = self.stripper.finish();
        if rest.visible.is_empty() {
            return;
        }
        let mut event = b"{\"type\":\"completion\",\"completion\":".to_vec();
        string::encode(&rest.visible, &mut event);
        event.extend_from_slice(b",\"stop_reason\":null,\"stop\":null}");
        out.push(chunk::own(&event));
    }

    fn chunk(&mut self, chunk: Chunk, out: &mut Vec<Bytes>) {
        let event = chunk.event();
        let json = std::str::from_utf8(event).unwrap_or_default();
        let Ok(members) = scan(event, &COMPLETION) else {
            out.push(chunk.into_raw());
            return;
        };
        let last = members.some(json, "stop_reason").is_some();
        let text = members.some(json, "completion");
        let Some(text) = text.and_then(|at| string::read(json, at)) else {
            if last {
                self.cut(out);
            }
            out.push(chunk.into_raw());
            return;
        };
        let mut pieces = self.stripper.push(&text);
        if last {
            pieces.append(self.stripper.finish());
        }
        let edits = edits(&members, &text, &pieces);
        if edits.is_empty() {
            out.push(chunk.into_raw());
            return;
        }
        if pieces.visible.is_empty() && !last && members.rest_is_null() {
            return;
        }
        let mut edited = Vec::with_capacity(event.len());
        splice_into(event, edits, &mut edited);
        out.push(chunk.with_event(&edited));
    }
}

/// The edits that give a completion what is left of its text; none if that is all of it.
pub(super) fn edits(
    members: &Members<'_, &'static str>,
    text: &str,
    pieces: &Pieces<'_>,
) -> Vec<Edit> {
    if pieces.visible == text {
        return Vec::new();
    }
    let mut edit = ObjectEdit::new(members);
    edit.set("completion", string::literal(&pieces.visible).into());
    edit.finish()
}
