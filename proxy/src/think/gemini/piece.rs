//! One piece of a stream, or a whole reply, which is the same.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::json::{Edit, Malformed, Members, ObjectEdit, elements, scan, splice, string};
use crate::think::choices::CHOICES;
use crate::think::parts::{choices, object, removals};
use crate::think::rules::{Rules, Text};
use crate::think::stream::Unreadable;
use crate::think::stripper::{Pieces, Stripper};

/// The members of a piece that are looked at: what it tells, and then what every piece repeats.
const PIECE: [&str; 6] = [
    "candidates",
    "error",
    "modelVersion",
    "responseId",
    "usageMetadata",
    "createTime",
];
const CANDIDATE: [&str; 3] = ["index", "content", "logprobsResult"];
const CONTENT: [&str; 2] = ["parts", "role"];
const PART: [&str; 2] = ["text", "thought"];

type Object = Members<'static, &'static str>;

/// The candidates of one reply.
#[derive(Debug)]
pub(super) struct Candidates {
    rules: Arc<Rules>,
    /// Whether thoughts reach the client.
    shown: bool,
    list: Vec<Candidate>,
    /// What a piece of our own repeats, each member with its comma; known while text is held back.
    envelope: Vec<u8>,
}

#[derive(Debug)]
struct Candidate {
    index: u64,
    stripper: Stripper,
}

/// What comes of a piece.
#[derive(Debug, Default)]
pub(super) struct Edited {
    pub(super) edits: Vec<Edit>,
    /// Whether it still has something to tell.
    pub(super) tells: bool,
    /// Whether it ends the answer, badly.
    pub(super) fails: bool,
}

/// A part of a candidate's content.
enum Part<'a> {
    Text {
        members: Object,
        at: usize,
        text: Cow<'a, str>,
    },
    /// It is told apart from the text around it.
    Other(usize),
}

/// Where edits are gathered.
struct Out<'r> {
    rules: &'r Rules,
    shown: bool,
    edits: Vec<Edit>,
    tells: bool,
    removed: bool,
}

impl Candidates {
    pub(super) fn new(rules: Arc<Rules>, shown: bool) -> Self {
        Self {
            rules,
            shown,
            list: Vec::new(),
            envelope: Vec::new(),
        }
    }

    /// Whether a text stands inside of a block, or may.
    pub(super) fn think(&self) -> bool {
        self.list.iter().any(|it| it.stripper.is_thinking())
    }

    /// Puts a piece's texts through their strippers. `last`: no text of this reply follows. None if it is no piece.
    ///
    /// # Errors
    /// [`Unreadable::Choices`].
    pub(super) fn strip(&mut self, data: &[u8], last: bool) -> Result<Option<Edited>, Unreadable> {
        let (Ok(piece), Ok(json)) = (scan(data, &PIECE), std::str::from_utf8(data)) else {
            return Ok(None);
        };
        let mut out = Out {
            rules: &Arc::clone(&self.rules),
            shown: self.shown,
            edits: Vec::new(),
            tells: !piece.rest_is_null(),
            removed: false,
        };
        let fails = piece.some(json, "error").is_some();
        out.tells |= fails;
        let Ok(places) = choices(json, piece.get("candidates")) else {
            return Ok(None);
        };
        out.tells |= places.is_empty();
        for (number, at) in places.iter().enumerate() {
            self.candidate(json, number, at, last, &mut out)?;
        }
        let holds = self.list.iter().any(|it| it.stripper.holds());
        if holds {
            self.remember(json, &piece);
        }
        let Out { edits, tells, .. } = out;
        Ok(Some(Edited {
            // A piece that had nothing to tell when it came is not judged for it.
            tells: tells || edits.is_empty(),
            edits,
            fails,
        }))
    }

    fn candidate(
        &mut self,
        json: &str,
        number: usize,
        at: &Range<usize>,
        last: bool,
        out: &mut Out<'_>,
    ) -> Result<(), Unreadable> {
        let Some(candidate) = object(json, at, &CANDIDATE) else {
            out.tells = true;
            return Ok(());
        };
        out.tells |= !candidate.rest_is_null();
        let index = candidate.some(json, "index");
        let index = index.and_then(|at| json[at].parse().ok());
        let index = index.unwrap_or(number as u64);
        let content = candidate.some(json, "content");
        let content = content.and_then(|at| object(json, &at, &CONTENT));
        let parts = content.as_ref().and_then(|content| {
            out.tells |= !content.rest_is_null();
            content.some(json, "parts")
        });
        let stripper = self.stripper(index)?;
        out.removed = false;
        // What a scan has found is sound.
        if out.parts(json, parts, stripper, last).is_err() {
            out.tells = true;
        }
        let logprobs = candidate.some(json, "logprobsResult").is_some();
        if logprobs && out.removed && out.rules.text == Text::Strip {
            let mut edit = ObjectEdit::new(&candidate);
            edit.remove("logprobsResult");
            out.edits.extend(edit.finish());
        } else {
            out.tells |= logprobs;
        }
        Ok(())
    }

    fn stripper(&mut self, index: u64) -> Result<&mut Stripper, Unreadable> {
        let place = self.list.iter().position(|it| it.index == index);
        let place = place.unwrap_or(self.list.len());
        if place == CHOICES {
            return Err(Unreadable::Choices);
        }
        if place == self.list.len() {
            let stripper = Stripper::new(Arc::clone(&self.rules));
            self.list.push(Candidate { index, stripper });
        }
        Ok(&mut self.list[place].stripper)
    }

    /// Keeps what a piece of our own will need, if this one has it.
    fn remember(&mut self, json: &str, piece: &Object) {
        let mut out = Vec::new();
        for name in ["modelVersion", "responseId"] {
            if let Some(value) = piece.get(name) {
                out.push(b',');
                string::encode(name, &mut out);
                out.push(b':');
                out.extend_from_slice(&json.as_bytes()[value]);
            }
        }
        if !out.is_empty() {
            self.envelope = out;
        }
    }

    /// What is held back, as a piece of our own.
    pub(super) fn rest(&mut self) -> Option<Vec<u8>> {
        let mut piece = b"{\"candidates\":[".to_vec();
        let start = piece.len();
        for candidate in &mut self.list {
            let pieces = candidate.stripper.finish();
            let parts = own(&pieces, self.shown);
            let Some(parts) = parts.strip_suffix(b",") else {
                continue;
            };
            if piece.len() > start {
                piece.push(b',');
            }
            piece.extend_from_slice(b"{\"content\":{\"parts\":[");
            piece.extend_from_slice(parts);
            let index = candidate.index;
            let end = format!("],\"role\":\"model\"}},\"index\":{index}}}");
            piece.extend_from_slice(end.as_bytes());
        }
        if piece.len() == start {
            return None;
        }
        piece.push(b']');
        piece.extend_from_slice(&self.envelope);
        piece.push(b'}');
        Some(piece)
    }
}

impl Out<'_> {
    fn parts(
        &mut self,
        json: &str,
        list: Option<Range<usize>>,
        stripper: &mut Stripper,
        last: bool,
    ) -> Result<(), Malformed> {
        let list = list.filter(|at| json[at.clone()].starts_with('['));
        let places: Vec<Range<usize>> = match &list {
            Some(list) => elements(json, list)?.collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        let (mut dropped, mut parts) = (Vec::new(), Vec::new());
        for (number, at) in places.iter().enumerate() {
            let members = object(json, at, &PART);
            let thought = |part: &Object| part.is_true(json.as_bytes(), "thought");
            match members {
                Some(part) if thought(&part) && self.rules.drop_fields => dropped.push(number),
                Some(part) if thought(&part) => self.tells = true,
                Some(members) => {
                    let text = members.some(json, "text");
                    let text = text.and_then(|at| string::read(json, at));
                    parts.push(match text {
                        Some(text) => Part::Text {
                            members,
                            at: at.start,
                            text,
                        },
                        None => Part::Other(at.start),
                    });
                }
                None => parts.push(Part::Other(at.start)),
            }
        }
        self.edits.extend(removals(&places, &dropped));
        let mut before = None;
        for part in &parts {
            match part {
                Part::Text { members, at, text } => {
                    self.write(before.take());
                    before = Some((members, *at, text, stripper.push(text)));
                }
                Part::Other(at) => {
                    self.tells = true;
                    let rest = stripper.finish();
                    match &mut before {
                        Some((.., pieces)) => pieces.append(rest),
                        None => self.insert(*at, own(&rest, self.shown)),
                    }
                }
            }
        }
        if let (true, Some((.., pieces))) = (last, &mut before) {
            pieces.append(stripper.finish());
        }
        self.write(before);
        Ok(())
    }

    /// Edits a part with the text that came of its own.
    fn write(&mut self, part: Option<(&Object, usize, &Cow<'_, str>, Pieces<'_>)>) {
        let Some((members, at, text, pieces)) = part else {
            return;
        };
        self.removed |= pieces.removed;
        self.tells |= !pieces.visible.is_empty() || !members.rest_is_null();
        if pieces.visible != *text {
            let mut edit = ObjectEdit::new(members);
            edit.set("text", string::literal(&pieces.visible).into());
            self.edits.extend(edit.finish());
        }
        if self.shown && !pieces.reasoning.is_empty() {
            self.insert(at, thought(&pieces.reasoning));
        }
    }

    /// Inserts parts, each with its comma, before one that stays.
    fn insert(&mut self, at: usize, parts: Vec<u8>) {
        if parts.is_empty() {
            return;
        }
        self.tells = true;
        self.edits.push(Edit {
            at: at..at,
            with: parts.into(),
        });
    }
}

/// Parts of our own, each with its comma.
fn own(pieces: &Pieces<'_>, shown: bool) -> Vec<u8> {
    let mut parts = Vec::new();
    if shown && !pieces.reasoning.is_empty() {
        parts = thought(&pieces.reasoning);
    }
    if !pieces.visible.is_empty() {
        parts.extend_from_slice(b"{\"text\":");
        string::encode(&pieces.visible, &mut parts);
        parts.extend_from_slice(b"},");
    }
    parts
}

fn thought(text: &str) -> Vec<u8> {
    let mut part = b"{\"text\":".to_vec();
    string::encode(text, &mut part);
    part.extend_from_slice(b",\"thought\":true},");
    part
}

/// A reply that is not streamed, as segments that share its memory. A body that is no such reply comes back as it is.
pub(in crate::think) fn whole(rules: &Arc<Rules>, shown: bool, body: &Bytes) -> Vec<Bytes> {
    let mut candidates = Candidates::new(Arc::clone(rules), shown);
    match candidates.strip(body, true) {
        Ok(Some(edited)) => splice(body, edited.edits),
        Ok(None) | Err(_) => vec![body.clone()],
    }
}
