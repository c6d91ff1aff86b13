//! Replies that are not streamed. Those of `invoke` with Anthropic's bodies are [messages](crate::think::messages).

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::text::{COMPLETION, edits as completed};
use crate::json::{Edit, Malformed, ObjectEdit, elements, scan, splice, string};
use crate::think::parts::{object, removals};
use crate::think::rules::Rules;
use crate::think::stripper::Stripper;

/// A reply of Converse's as segments that share its memory. A body that is none comes back as it is. `shown`: what is extracted reaches the client.
pub(in crate::think) fn converse(rules: &Arc<Rules>, shown: bool, body: &Bytes) -> Vec<Bytes> {
    match edits(rules, shown, body) {
        Ok(Some(edits)) => splice(body, edits),
        Ok(None) | Err(_) => vec![body.clone()],
    }
}

/// The same of a completion of Claude 2's.
pub(in crate::think) fn text(rules: &Arc<Rules>, body: &Bytes) -> Vec<Bytes> {
    let json = std::str::from_utf8(body).unwrap_or_default();
    let Ok(members) = scan(body, &COMPLETION) else {
        return vec![body.clone()];
    };
    let text = members.some(json, "completion");
    let Some(text) = text.and_then(|at| string::read(json, at)) else {
        return vec![body.clone()];
    };
    let mut stripper = Stripper::new(Arc::clone(rules));
    let mut pieces = stripper.push(&text);
    pieces.append(stripper.finish());
    splice(body, completed(&members, &text, &pieces))
}

fn edits(rules: &Arc<Rules>, shown: bool, body: &[u8]) -> Result<Option<Vec<Edit>>, Malformed> {
    let reply = scan(body, &["output"])?;
    let json = std::str::from_utf8(body).unwrap_or_default();
    let list = || {
        let output = object(json, &reply.some(json, "output")?, &["message"])?;
        let message = object(json, &output.some(json, "message")?, &["content"])?;
        message.get("content")
    };
    let Some(list) = list().filter(|at| json[at.clone()].starts_with('[')) else {
        return Ok(None);
    };
    let places: Vec<Range<usize>> = elements(json, &list)?.collect::<Result<_, _>>()?;
    let (mut edits, mut removed) = (Vec::new(), Vec::new());
    let mut texts = 0;
    for (number, at) in places.iter().enumerate() {
        let Some(block) = object(json, at, &["text", "reasoningContent"]) else {
            continue;
        };
        if rules.drop_fields && block.some(json, "reasoningContent").is_some() {
            removed.push(number);
            continue;
        }
        let text = block.some(json, "text");
        let Some(text) = text.and_then(|at| string::read(json, at)) else {
            continue;
        };
        let mut stripper = match texts {
            0 => Stripper::new(Arc::clone(rules)),
            _ => Stripper::later(Arc::clone(rules)),
        };
        texts += 1;
        let mut pieces = stripper.push(&text);
        pieces.append(stripper.finish());
        if pieces.visible != text {
            let mut edit = ObjectEdit::new(&block);
            edit.set("text", string::literal(&pieces.visible).into());
            edits.extend(edit.finish());
        }
        if shown && !pieces.reasoning.is_empty() {
            let mut thought = b"{\"reasoningContent\":{\"reasoningText\":{\"text\":".to_vec();
            string::encode(&pieces.reasoning, &mut thought);
            thought.extend_from_slice(b"}}},");
            edits.push(Edit {
                at: at.start..at.start,
                with: thought.into(),
            });
        }
    }
    edits.extend(removals(&places, &removed));
    Ok(Some(edits))
}
