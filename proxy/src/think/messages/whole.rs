//! Messages that are not streamed.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::THOUGHT;
use crate::json::{Edit, Malformed, ObjectEdit, elements, scan, splice, string};
use crate::think::parts::{object, removals};
use crate::think::rules::Rules;
use crate::think::stripper::Stripper;

/// A reply as segments that share its memory. A body that is no message comes back as it is. `shown`: what is extracted reaches the client.
pub(in crate::think) fn whole(rules: &Arc<Rules>, shown: bool, body: &Bytes) -> Vec<Bytes> {
    match edits(rules, shown, body) {
        Ok(edits) => splice(body, edits),
        Err(_) => vec![body.clone()],
    }
}

fn edits(rules: &Arc<Rules>, shown: bool, body: &[u8]) -> Result<Vec<Edit>, Malformed> {
    let reply = scan(body, &["content"])?;
    let json = std::str::from_utf8(body).unwrap_or_default();
    let mut edits = Vec::new();
    let Some(list) = reply
        .get("content")
        .filter(|at| json[at.clone()].starts_with('['))
    else {
        return Ok(edits);
    };
    let places: Vec<Range<usize>> = elements(json, &list)?.collect::<Result<_, _>>()?;
    let mut removed = Vec::new();
    let mut texts = 0;
    for (number, at) in places.iter().enumerate() {
        let Some(block) = object(json, at, &["type", "text"]) else {
            continue;
        };
        let kind = block.text(body, "type").unwrap_or_default();
        if rules.drop_fields && THOUGHT.contains(&&*kind) {
            removed.push(number);
        }
        let text = block.some(json, "text").filter(|_| kind == "text");
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
            let mut thinking = b"{\"type\":\"thinking\",\"thinking\":".to_vec();
            string::encode(&pieces.reasoning, &mut thinking);
            thinking.extend_from_slice(b",\"signature\":\"\"},");
            edits.push(Edit {
                at: at.start..at.start,
                with: thinking.into(),
            });
        }
    }
    edits.extend(removals(&places, &removed));
    Ok(edits)
}
