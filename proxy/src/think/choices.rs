//! A streamed chunk's choices, each with its stripper.

use std::sync::Arc;

use super::parts::{CHOICE, FIELDS, MESSAGE, choices, hide_logprobs, object, rewrite};
use super::rules::Rules;
use super::shape::Shape;
use super::stripper::{Pieces, Stripper};
use crate::json::{Edit, Members, ObjectEdit, scan, splice::splice_into, string};

/// How many choices a stream may have, which is OpenAI's own bound on `n`.
pub const CHOICES: usize = 128;

/// The members of a chunk that are looked at: what it tells, and then what every chunk repeats.
pub(super) const CHUNK: [&str; 9] = [
    "choices",
    "usage",
    "id",
    "object",
    "created",
    "model",
    "system_fingerprint",
    "service_tier",
    "obfuscation",
];

/// The state of all choices of one stream.
#[derive(Debug)]
pub(super) struct Choices {
    rules: Arc<Rules>,
    slots: Vec<Slot>,
    shape: Shape,
}

/// One choice of the stream.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) index: u64,
    pub(super) stripper: Stripper,
    /// Whether its text is `delta.content`, not `text`.
    pub(super) chat: bool,
}

/// What becomes of a chunk.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It goes on as it came.
    Untouched,
    /// It goes on with this JSON.
    Edited(Vec<u8>),
    /// It has nothing left to tell.
    Silent,
    /// It is no JSON object.
    Malformed,
}

/// More than [`CHOICES`] choices.
#[derive(Debug)]
pub(super) struct TooMany;

impl Choices {
    pub(super) fn new(rules: Arc<Rules>) -> Self {
        Self {
            rules,
            slots: Vec::new(),
            shape: Shape::default(),
        }
    }

    /// All choices so far, in order of appearance.
    pub(super) fn slots(&mut self) -> &mut [Slot] {
        &mut self.slots
    }

    /// Whether any choice holds text back.
    pub(super) fn hold(&self) -> bool {
        self.slots.iter().any(|slot| slot.stripper.holds())
    }

    /// Whether any choice stands inside of a block.
    pub(super) fn think(&self) -> bool {
        self.slots.iter().any(|slot| slot.stripper.is_thinking())
    }

    /// Reads the next chunk.
    pub(super) fn judge(&mut self, data: &[u8]) -> Result<Verdict, TooMany> {
        let Some(inside) = self.shape.text(data) else {
            return self.parse(data, None);
        };
        let text = string::decode(inside);
        let pieces = self.slots[self.shape.slot].stripper.push(&text);
        let thought = pieces.removed || !pieces.reasoning.is_empty();
        if pieces.visible == text && !thought {
            Ok(Verdict::Untouched)
        } else if self.shape.only_text && pieces.visible.is_empty() && pieces.reasoning.is_empty() {
            Ok(Verdict::Silent)
        } else {
            self.parse(data, Some(pieces))
        }
    }

    /// Parses a chunk and edits it. `known` is what came of its only text if that was pushed already.
    fn parse(&mut self, data: &[u8], mut known: Option<Pieces<'_>>) -> Result<Verdict, TooMany> {
        let (Ok(chunk), Ok(json)) = (scan(data, &CHUNK), std::str::from_utf8(data)) else {
            return Ok(Verdict::Malformed);
        };
        let Ok(found) = choices(json, chunk.get("choices")) else {
            return Ok(Verdict::Malformed);
        };
        let alone = found.len() == 1;
        let more = !chunk.rest_is_null() || chunk.some(json, "usage").is_some();
        let mut tells = more;
        let mut edits = Vec::new();
        for at in &found {
            let Some(choice) = object(json, at, &CHOICE) else {
                tells = true;
                continue;
            };
            let choice = Choice::read(json, choice);
            let slot = self.slot(choice.index)?;
            tells |= self.edit(&choice, slot, known.take(), &mut edits);
            if alone {
                self.learn(&choice, slot, more);
            }
        }
        if edits.is_empty() {
            return Ok(Verdict::Untouched);
        }
        if !tells {
            return Ok(Verdict::Silent);
        }
        let mut edited = Vec::with_capacity(data.len());
        splice_into(data, edits, &mut edited);
        Ok(Verdict::Edited(edited))
    }

    /// Edits one choice, and says whether it has something to tell.
    fn edit(
        &mut self,
        choice: &Choice<'_>,
        slot: usize,
        known: Option<Pieces<'_>>,
        edits: &mut Vec<Edit>,
    ) -> bool {
        let slot = &mut self.slots[slot];
        let text = choice.text();
        let mut pieces = known.unwrap_or_else(|| slot.stripper.push(text.as_deref().unwrap_or("")));
        if choice.ends {
            pieces.append(slot.stripper.finish());
        }
        if choice.delta.is_some() || choice.place().is_some() {
            slot.chat = choice.delta.is_some();
        } else if slot.chat {
            // A chat's choice without a delta, mostly its end.
            if !pieces.visible.is_empty() || !pieces.reasoning.is_empty() {
                let mut edit = ObjectEdit::new(&choice.members);
                edit.set("delta", delta(&pieces).into());
                edits.extend(edit.finish());
            }
            return true;
        }
        let (holder, key) = choice.holder();
        let told = rewrite(choice.json, holder, key, &pieces, &self.rules, edits);
        let logprobs = hide_logprobs(
            choice.json,
            &choice.members,
            pieces.removed,
            &self.rules,
            edits,
        );
        told || logprobs || choice.ends || choice.tells_more()
    }

    /// Remembers a chunk's shape if only its text is expected to change in the next.
    fn learn(&mut self, choice: &Choice<'_>, slot: usize, more: bool) {
        let (holder, key) = choice.holder();
        let fields = |any: fn(&Choice<'_>, &str) -> bool| FIELDS.iter().any(|f| any(choice, f));
        let dropped =
            self.rules.drop_fields && fields(|c, field| c.holder().0.get(field).is_some());
        let (Some(place), Some(_)) = (choice.place(), choice.text()) else {
            return;
        };
        if choice.ends || dropped || holder.all(key).count() > 1 {
            return;
        }
        let only_text = !more
            && holder.rest_is_null()
            && !choice.tells_more()
            && choice.members.some(choice.json, "logprobs").is_none()
            && !fields(|c, field| c.holder().0.some(c.json, field).is_some());
        self.shape.learn(choice.json, &place, slot, only_text);
    }

    fn slot(&mut self, index: u64) -> Result<usize, TooMany> {
        if let Some(slot) = self.slots.iter().position(|slot| slot.index == index) {
            return Ok(slot);
        }
        if self.slots.len() == CHOICES {
            return Err(TooMany);
        }
        let stripper = Stripper::new(Arc::clone(&self.rules));
        self.slots.push(Slot {
            index,
            stripper,
            chat: true,
        });
        Ok(self.slots.len() - 1)
    }
}

/// One choice of one chunk.
struct Choice<'a> {
    json: &'a str,
    members: Members<'static, &'static str>,
    delta: Option<Members<'static, &'static str>>,
    index: u64,
    ends: bool,
}

impl<'a> Choice<'a> {
    fn read(json: &'a str, members: Members<'static, &'static str>) -> Self {
        let delta = members
            .some(json, "delta")
            .and_then(|at| object(json, &at, &MESSAGE));
        let index = members
            .get("index")
            .and_then(|at| json[at].parse().ok())
            .unwrap_or(0);
        let ends = members.some(json, "finish_reason").is_some();
        Self {
            json,
            members,
            delta,
            index,
            ends,
        }
    }

    /// The object that holds the text, and the text's name there.
    fn holder(&self) -> (&Members<'static, &'static str>, &'static str) {
        self.delta
            .as_ref()
            .map_or((&self.members, "text"), |delta| (delta, "content"))
    }

    fn place(&self) -> Option<std::ops::Range<usize>> {
        let (holder, key) = self.holder();
        holder.some(self.json, key)
    }

    fn text(&self) -> Option<std::borrow::Cow<'a, str>> {
        string::read(self.json, self.place()?)
    }

    /// Whether the choice has anything besides its text's holder, its logprobs and its end.
    fn tells_more(&self) -> bool {
        let there = |name: &&str| self.members.some(self.json, name).is_some();
        let beside_delta = || FIELDS.iter().chain(&["text"]).any(there);
        !self.members.rest_is_null()
            || there(&"message")
            || (self.delta.is_some() && beside_delta())
    }
}

/// A delta with this text.
pub(super) fn delta(pieces: &Pieces<'_>) -> Vec<u8> {
    let mut delta = b"{\"content\":".to_vec();
    string::encode(&pieces.visible, &mut delta);
    if !pieces.reasoning.is_empty() {
        delta.extend_from_slice(b",\"reasoning_content\":");
        string::encode(&pieces.reasoning, &mut delta);
    }
    delta.push(b'}');
    delta
}
