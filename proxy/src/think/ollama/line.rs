//! One line of a stream, or a whole reply, which is the same.

use std::sync::Arc;

use bytes::Bytes;

use crate::json::{Edit, Members, ObjectEdit, scan, splice, string};
use crate::think::parts::object;
use crate::think::rules::{Rules, Text};
use crate::think::stripper::{Pieces, Stripper};

/// The members of a line that are looked at. Those of generate stand in the line itself.
const LINE: [&str; 8] = [
    "model",
    "created_at",
    "message",
    "response",
    THINKING,
    "done",
    "logprobs",
    "error",
];
const MESSAGE: [&str; 3] = ["role", "content", THINKING];
const THINKING: &str = "thinking";

type Object = Members<'static, &'static str>;

/// A line that was read.
pub(super) struct Line<'a> {
    json: &'a str,
    members: Object,
    message: Option<Object>,
}

/// What comes of a line.
pub(super) struct Edited {
    pub(super) edits: Vec<Edit>,
    /// Whether it still has something to tell.
    pub(super) tells: bool,
}

impl<'a> Line<'a> {
    /// Reads a line; none if it is no JSON object.
    pub(super) fn read(data: &'a [u8]) -> Option<Self> {
        let members = scan(data, &LINE).ok()?;
        let json = std::str::from_utf8(data).ok()?;
        let message = members
            .some(json, "message")
            .and_then(|at| object(json, &at, &MESSAGE));
        Some(Self {
            json,
            members,
            message,
        })
    }

    pub(super) fn is_chat(&self) -> bool {
        self.message.is_some()
    }

    /// Whether it has a place for text.
    pub(super) fn has_text(&self) -> bool {
        let (holder, key) = self.holder();
        holder.some(self.json, key).is_some()
    }

    pub(super) fn is_done(&self) -> bool {
        self.members.is_true(self.json.as_bytes(), "done")
    }

    pub(super) fn is_error(&self) -> bool {
        self.members.some(self.json, "error").is_some()
    }

    /// The members that all lines share, each with its comma.
    pub(super) fn envelope(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for name in ["model", "created_at"] {
            if let Some(value) = self.members.get(name) {
                string::encode(name, &mut out);
                out.push(b':');
                out.extend_from_slice(&self.json.as_bytes()[value]);
                out.push(b',');
            }
        }
        out
    }

    /// Puts the line's text through the stripper. `last`: no text of this reply follows.
    pub(super) fn strip(&self, rules: &Rules, stripper: &mut Stripper, last: bool) -> Edited {
        let (holder, key) = self.holder();
        let place = holder.some(self.json, key);
        let text = place.clone().and_then(|at| string::read(self.json, at));
        let mut pieces = match &text {
            Some(text) => stripper.push(text),
            None => Pieces::default(),
        };
        if last {
            pieces.append(stripper.finish());
        }
        let removed = pieces.removed && rules.text == Text::Strip;
        let hides = removed && self.members.some(self.json, "logprobs").is_some();
        let drops = rules.drop_fields && holder.get(THINKING).is_some();
        let unreadable = place.is_some() && text.is_none();
        let changed = !unreadable && text.as_deref().unwrap_or_default() != pieces.visible;
        let mut tells = last
            || unreadable
            || !pieces.visible.is_empty()
            || !pieces.reasoning.is_empty()
            || self.tells_more(holder, drops, hides);
        if !changed && !drops && !hides && pieces.reasoning.is_empty() {
            // A line that had nothing to tell when it came is not judged for it.
            tells |= !pieces.removed;
            let edits = Vec::new();
            return Edited { edits, tells };
        }
        let mut top = ObjectEdit::new(&self.members);
        let mut inner = self.message.as_ref().map(ObjectEdit::new);
        let edit = inner.as_mut().unwrap_or(&mut top);
        if changed {
            edit.set(key, string::literal(&pieces.visible).into());
        }
        if drops {
            edit.remove(THINKING);
        }
        if !pieces.reasoning.is_empty() {
            let own = holder.some(self.json, THINKING).filter(|_| !drops);
            let own = own.and_then(|at| string::read(self.json, at));
            let whole = own.unwrap_or_default() + &*pieces.reasoning;
            edit.set(THINKING, string::literal(&whole).into());
        }
        if hides {
            top.remove("logprobs");
        }
        let mut edits = top.finish();
        edits.extend(inner.map(ObjectEdit::finish).unwrap_or_default());
        Edited { edits, tells }
    }

    /// The object that holds the text, and the text's name there.
    fn holder(&self) -> (&Object, &'static str) {
        match &self.message {
            Some(message) => (message, "content"),
            None => (&self.members, "response"),
        }
    }

    fn tells_more(&self, holder: &Object, drops: bool, hides: bool) -> bool {
        !self.members.rest_is_null()
            || !holder.rest_is_null()
            || self.is_error()
            || (!drops
                && holder
                    .some(self.json, THINKING)
                    .is_some_and(|at| &self.json[at] != "\"\""))
            || (!hides && self.members.some(self.json, "logprobs").is_some())
    }
}

/// A reply that is not streamed, as segments that share its memory. A body that is no such reply comes back as it is.
pub(in crate::think) fn whole(rules: &Arc<Rules>, body: &Bytes) -> Vec<Bytes> {
    let Some(line) = Line::read(body).filter(Line::has_anything) else {
        return vec![body.clone()];
    };
    let mut stripper = Stripper::new(Arc::clone(rules));
    splice(body, line.strip(rules, &mut stripper, true).edits)
}

impl Line<'_> {
    fn has_anything(&self) -> bool {
        self.has_text() || self.holder().0.get(THINKING).is_some()
    }
}
