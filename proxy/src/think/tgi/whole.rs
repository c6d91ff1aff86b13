//! Whole replies: an object, or for `/` a list of one.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::text::{TEXT, TOKENS, hide_tokens, sequence, strip};
use crate::json::{Edit, Malformed, ObjectEdit, elements, scan, splice};
use crate::think::parts::object;
use crate::think::rules::Rules;

const REPLY: [&str; 2] = [TEXT, DETAILS];
const DETAILS: &str = "details";
const OTHERS: &str = "best_of_sequences";
const OF_DETAILS: [&str; 3] = [OTHERS, TOKENS[0], TOKENS[1]];
const OF_OTHERS: [&str; 3] = [TEXT, TOKENS[0], TOKENS[1]];

/// A reply that is not streamed, as segments that share its memory. A body that is no such reply comes back as it is.
pub(in crate::think) fn whole(rules: &Arc<Rules>, body: &Bytes) -> Vec<Bytes> {
    match edits(rules, body) {
        Some(edits) => splice(body, edits),
        None => vec![body.clone()],
    }
}

fn edits(rules: &Arc<Rules>, body: &[u8]) -> Option<Vec<Edit>> {
    let json = std::str::from_utf8(body).ok()?;
    let mut edits = Vec::new();
    let list = json.trim_ascii_start();
    if list.starts_with('[') {
        let start = json.len() - list.len();
        let replies = elements(json, &(start..json.len())).ok()?;
        for reply in replies.collect::<Result<Vec<_>, Malformed>>().ok()? {
            edits.extend(reply_at(json, &reply, rules)?);
        }
        return Some(edits);
    }
    scan(body, &REPLY).ok()?;
    reply_at(json, &(0..json.len()), rules)
}

fn reply_at(json: &str, at: &Range<usize>, rules: &Arc<Rules>) -> Option<Vec<Edit>> {
    let reply = object(json, at, &REPLY)?;
    let mut edit = ObjectEdit::new(&reply);
    let lost = strip(json, &reply, rules, &mut edit);
    let mut edits = edit.finish();
    let details = reply.some(json, DETAILS);
    let Some(details) = details.and_then(|at| object(json, &at, &OF_DETAILS)) else {
        return Some(edits);
    };
    let mut edit = ObjectEdit::new(&details);
    if lost {
        hide_tokens(json, &details, &mut edit);
    }
    edits.extend(edit.finish());
    let others = details.some(json, OTHERS);
    for other in others
        .and_then(|at| elements(json, &at).ok())
        .into_iter()
        .flatten()
    {
        if let Some(other) = object(json, &other.ok()?, &OF_OTHERS) {
            edits.extend(sequence(json, &other, rules));
        }
    }
    Some(edits)
}
