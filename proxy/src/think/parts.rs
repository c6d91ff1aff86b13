//! The edits that a stripped text makes in the JSON of a choice, streamed or not, and those that take elements out of a list.

use std::ops::Range;

use bytes::Bytes;

use super::rules::{Rules, Text};
use super::stripper::Pieces;
use crate::json::{Edit, Malformed, Members, ObjectEdit, elements, read, string};

/// Where upstreams put their thinking when it is not in the text.
pub(super) const FIELDS: [&str; 4] = [
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "thinking",
];

/// The members of a choice that are looked at. Those of a text completion stand in the choice itself.
pub(super) const CHOICE: [&str; 10] = [
    "index",
    "delta",
    "message",
    "text",
    "finish_reason",
    "logprobs",
    FIELDS[0],
    FIELDS[1],
    FIELDS[2],
    FIELDS[3],
];

/// The members of a delta or message that are looked at.
pub(super) const MESSAGE: [&str; 5] = ["content", FIELDS[0], FIELDS[1], FIELDS[2], FIELDS[3]];

type Object<'a> = Members<'static, &'a str>;

/// The choices of a reply or chunk, as byte ranges. None if there is no such array.
pub(super) fn choices(
    json: &str,
    at: Option<Range<usize>>,
) -> Result<Vec<Range<usize>>, Malformed> {
    match at {
        Some(at) if json[at.clone()].starts_with('[') => elements(json, &at)?.collect(),
        _ => Ok(Vec::new()),
    }
}

/// Edits one object that holds a text under the name `key`: its text, its thinking fields.
/// Says whether the object still has something to tell.
pub(super) fn rewrite(
    json: &str,
    object: &Object<'_>,
    key: &str,
    pieces: &Pieces<'_>,
    rules: &Rules,
    edits: &mut Vec<Edit>,
) -> bool {
    let mut edit = ObjectEdit::new(object);
    let old = object.some(json, key);
    let text = old.clone().and_then(|at| string::read(json, at));
    let unreadable = old.is_some() && text.is_none();
    if !unreadable && text.unwrap_or_default() != pieces.visible {
        edit.set(key, string::literal(&pieces.visible).into());
    }
    let mut tells = unreadable || !pieces.visible.is_empty() || !object.rest_is_null();
    let drop = drop_fields(object, rules, &mut edit);
    tells |= !drop
        && FIELDS
            .iter()
            .any(|field| object.some(json, field).is_some());
    if !pieces.reasoning.is_empty() {
        tells = true;
        add_reasoning(json, object, &pieces.reasoning, drop, &mut edit);
    }
    edits.extend(edit.finish());
    tells
}

/// Removes the thinking fields if the rules say so.
pub(super) fn drop_fields(
    object: &Object<'_>,
    rules: &Rules,
    edit: &mut ObjectEdit<'_, '_, &str>,
) -> bool {
    if rules.drop_fields {
        FIELDS
            .iter()
            .filter(|field| object.get(field).is_some())
            .for_each(|field| edit.remove(field));
    }
    rules.drop_fields
}

/// Adds what was extracted to the object's own reasoning, unless that is dropped.
pub(super) fn add_reasoning(
    json: &str,
    object: &Object<'_>,
    reasoning: &str,
    drop: bool,
    edit: &mut ObjectEdit<'_, '_, &str>,
) {
    let own = object.some(json, FIELDS[0]).filter(|_| !drop);
    let own = own
        .and_then(|at| string::read(json, at))
        .unwrap_or_default();
    edit.set(FIELDS[0], string::literal(&(own + reasoning)).into());
}

/// Takes a choice's logprobs away if its text lost something for good: they would spell it out. What is
/// extracted is not lost. Says whether logprobs remain.
pub(super) fn hide_logprobs(
    json: &str,
    choice: &Object<'_>,
    removed: bool,
    rules: &Rules,
    edits: &mut Vec<Edit>,
) -> bool {
    let there = choice.some(json, "logprobs").is_some();
    if !there || !removed || rules.text != Text::Strip {
        return there;
    }
    let null = Bytes::from_static(b"null");
    edits.extend(choice.all("logprobs").map(|m| Edit {
        at: m.value.clone(),
        with: null.clone(),
    }));
    false
}

/// Reads a choice, a delta or a message. None if it is no object.
pub(super) fn object<const N: usize>(
    json: &str,
    at: &Range<usize>,
    names: &'static [&'static str; N],
) -> Option<Object<'static>> {
    read(json, at, names).ok()
}

/// The edits that take elements out of a list: each with the comma before it, unless all before it go as well.
pub(super) fn removals<'a>(
    places: &'a [Range<usize>],
    removed: &'a [usize],
) -> impl Iterator<Item = Edit> + 'a {
    removed.iter().enumerate().map(|(rank, number)| {
        let at = &places[*number];
        let leading = *number == rank;
        let at = match places.get(number + 1) {
            Some(next) if leading => at.start..next.start,
            None if leading => at.clone(),
            _ => places[number - 1].end..at.end,
        };
        Edit {
            at,
            with: Bytes::new(),
        }
    })
}
