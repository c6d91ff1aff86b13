//! Takes the thinking out of an OpenAI reply that is not streamed: a chat completion or a completion.
//!
//! `choices[].message.content` (a string, or text parts) and `choices[].text` are edited in place; every
//! other byte stays, except that stripped text takes its choice's logprobs with it.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::parts::{
    CHOICE, MESSAGE, add_reasoning, choices, drop_fields, hide_logprobs, object, rewrite,
};
use super::rules::Rules;
use super::stripper::{Pieces, Stripper};
use crate::json::{Edit, Malformed, Members, ObjectEdit, elements, scan, splice, string};

/// The reply as segments to be written one after another, which share its memory. A body that is no such
/// reply comes back as it is.
#[must_use]
pub fn reply(rules: &Arc<Rules>, body: Bytes) -> Vec<Bytes> {
    if rules.spares(&body) {
        return vec![body];
    }
    match edits(rules, &body) {
        Ok(edits) => splice(&body, edits),
        Err(_) => vec![body],
    }
}

fn edits(rules: &Arc<Rules>, body: &[u8]) -> Result<Vec<Edit>, Malformed> {
    let reply = scan(body, &["choices"])?;
    let json = std::str::from_utf8(body).unwrap_or_default();
    let mut edits = Vec::new();
    for at in choices(json, reply.get("choices"))? {
        let Some(choice) = object(json, &at, &CHOICE) else {
            continue;
        };
        let message = choice
            .some(json, "message")
            .and_then(|at| object(json, &at, &MESSAGE));
        let (holder, key) = match &message {
            Some(message) => (message, "content"),
            None => (&choice, "text"),
        };
        let stripper = Stripper::new(Arc::clone(rules));
        let removed = match holder.some(json, key) {
            Some(list) if json[list.clone()].starts_with('[') => {
                strip_parts(json, holder, &list, rules, stripper, &mut edits)?
            }
            place => {
                let text = place
                    .and_then(|at| string::read(json, at))
                    .unwrap_or_default();
                let pieces = strip(stripper, &text);
                rewrite(json, holder, key, &pieces, rules, &mut edits);
                pieces.removed
            }
        };
        hide_logprobs(json, &choice, removed, rules, &mut edits);
    }
    Ok(edits)
}

fn strip(mut stripper: Stripper, text: &str) -> Pieces<'_> {
    let mut pieces = stripper.push(text);
    pieces.append(stripper.finish());
    pieces
}

/// Strips the text parts of a content list as one text.
fn strip_parts(
    json: &str,
    holder: &Members<'static, &'static str>,
    list: &Range<usize>,
    rules: &Rules,
    mut stripper: Stripper,
    edits: &mut Vec<Edit>,
) -> Result<bool, Malformed> {
    let mut texts = Vec::new();
    for part in elements(json, list)? {
        let part = object(json, &part?, &["type", "text"]);
        texts.extend(
            part.and_then(|part| part.some(json, "text"))
                .filter(|at| json[at.clone()].starts_with('"')),
        );
    }
    let mut whole = Pieces::default();
    for (number, at) in texts.iter().enumerate() {
        let text = string::read(json, at.clone()).unwrap_or_default();
        let mut pieces = stripper.push(&text);
        if number + 1 == texts.len() {
            pieces.append(stripper.finish());
        }
        if pieces.visible != text {
            edits.push(Edit {
                at: at.clone(),
                with: string::literal(&pieces.visible).into(),
            });
        }
        pieces.visible = "".into();
        whole.append(pieces);
    }
    let mut edit = ObjectEdit::new(holder);
    let drop = drop_fields(holder, rules, &mut edit);
    if !whole.reasoning.is_empty() {
        add_reasoning(json, holder, &whole.reasoning, drop, &mut edit);
    }
    edits.extend(edit.finish());
    Ok(whole.removed)
}
