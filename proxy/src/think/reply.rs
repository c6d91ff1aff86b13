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

/// Strips the text parts of a content list. A block may reach over several of them, a tag may not.
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
    for at in texts {
        let text = string::read(json, at.clone()).unwrap_or_default();
        let mut pieces = stripper.push(&text);
        pieces.append(stripper.finish());
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

#[cfg(test)]
mod tests {
    use super::super::{Tag, Text};
    use super::*;

    fn becomes(text: Text, drop: bool, body: &str) -> String {
        let rules = Arc::new(Rules::new(text, vec![Tag::default()], false, drop));
        let segments = reply(&rules, Bytes::copy_from_slice(body.as_bytes()));
        String::from_utf8(segments.concat()).unwrap()
    }

    fn stripped(body: &str) -> String {
        becomes(Text::Strip, false, body)
    }

    #[test]
    fn a_chat_is_stripped_and_keeps_all_else() {
        let body = r#"{ "id":"x", "choices":[{"index":0,"message":{"role":"assistant","content":"<think>a\nb</think>\n\n\u00e9 \"c\"","tool_calls":[{"function":{"arguments":"<think>"}}]},"finish_reason":"stop"}, {"index":1,"message":{"content":"plain \u00e9"}}],"usage":{"total_tokens":3.0}}"#;
        let expected = body.replace(r"<think>a\nb</think>\n\n\u00e9", "\u{e9}");
        assert_eq!(stripped(body), expected);
    }

    #[test]
    fn a_completion_is_stripped() {
        assert_eq!(
            stripped(
                r#"{"choices":[{"text":"<think>a</think>b <","index":0},{"text":"<think>c","index":1}]}"#
            ),
            r#"{"choices":[{"text":"b <","index":0},{"text":"","index":1}]}"#
        );
    }

    #[test]
    fn extracted_text_stands_beside_the_content() {
        let extracted = |body: &str| becomes(Text::Extract, false, body);
        assert_eq!(
            extracted(r#"{"choices":[{"message":{"content":"\u003cthink>a\n</think>b"}}]}"#),
            r#"{"choices":[{"message":{"content":"b","reasoning_content":"a\n"}}]}"#
        );
        assert_eq!(
            extracted(
                r#"{"choices":[{"message":{"reasoning_content":null,"content":"<think>a</think>"}}]}"#
            ),
            r#"{"choices":[{"message":{"reasoning_content":"a","content":""}}]}"#
        );
    }

    #[test]
    fn a_block_may_reach_over_text_parts() {
        let body = r#"{"choices":[{"message":{"content":[{"type":"text","text":"a<think>b"},{"type":"image_url","image_url":{}},{"type":"text","text":"c</think>d<"}]}}]}"#;
        let expected = body.replace("<think>b", "").replace("c</think>", "");
        assert_eq!(stripped(body), expected);
        let reasoning = r#"],"reasoning_content":"bc"}}]}"#;
        assert_eq!(
            becomes(Text::Extract, false, body),
            expected.replace("]}}]}", reasoning)
        );
    }

    #[test]
    fn fields_are_dropped_only_if_asked() {
        let body =
            r#"{"choices":[{"message":{"reasoning_content":"x","content":"y","reasoning":"x"}}]}"#;
        assert_eq!(stripped(body), body);
        assert_eq!(
            becomes(Text::Keep, true, body),
            r#"{"choices":[{"message":{"content":"y"}}]}"#
        );
    }

    #[test]
    fn logprobs_do_not_spell_out_what_was_stripped() {
        let body = r#"{"choices":[{"logprobs":{"content":[]},"message":{"content":"<think>"}},{"logprobs":{},"text":"a"}]}"#;
        let expected = r#"{"choices":[{"logprobs":null,"message":{"content":""}},{"logprobs":{},"text":"a"}]}"#;
        assert_eq!(stripped(body), expected);
    }

    #[test]
    fn what_has_nothing_to_strip_is_the_same_memory() {
        for body in [
            r#"{"choices":[{"message":{"content":"a < b \n"}}]}"#,
            r#"{"choices":[{"message":{"content":null,"refusal":"<think>"}}]}"#,
            r#"{"choices":[{"message":{"content":"```\n<think>\n"}}, 1, {"message":7}, {}]}"#,
            r#"{"error":"<think>"}"#,
            r#"["<think>"]"#,
            "<html><think>",
        ] {
            let body = Bytes::copy_from_slice(body.as_bytes());
            let segments = reply(&Arc::new(Rules::default()), body.clone());
            assert_eq!(segments.concat(), body);
            assert_eq!(segments.len(), 1);
            assert_eq!(segments[0].as_ptr(), body.as_ptr());
        }
    }
}
