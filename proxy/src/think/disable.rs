//! Requests that ask the model not to think at all.
//!
//! In OpenAI's dialect two ways at once, since it depends on the model and its server which one is understood:
//!
//! - ` /no_think` ends the last user message, or every text prompt: the
//!   [soft switch](https://qwen.readthedocs.io/en/latest/getting_started/quickstart.html#thinking-non-thinking-mode)
//!   of Qwen3 and its kin. Whitespace at the text's end gives way to it. Where it stands already nothing is
//!   added. A chat without a user message and a prompt of tokens stay as they are.
//! - `chat_template_kwargs.enable_thinking` becomes false: the
//!   [template's own switch](https://docs.vllm.ai/en/latest/features/reasoning_outputs.html) in vLLM and SGLang
//!   (chat only). Other template arguments stay.
//!
//! Anthropic's [`thinking`](https://platform.claude.com/docs/en/build-with-claude/extended-thinking) becomes
//! `{"type":"disabled"}`, but for models that cannot think at all; Ollama's
//! [`think`](https://docs.ollama.com/capabilities/thinking) becomes false.
//!
//! All other bytes stay identical.

use std::ops::Range;

use bytes::Bytes;
use dragoman_dialects::Wire;
use dragoman_dialects::anthropic::request::thinking::can_think;

use super::parts::object;
use crate::json::splice::{splice, splice_into};
use crate::json::{Edit, Malformed, Members, ObjectEdit, elements, scan, string};

/// The members of a request that these edits need to know of.
pub const NAMES: [&str; 5] = ["messages", "prompt", KWARGS, THINKING, THINK];

const KWARGS: &str = "chat_template_kwargs";
const SWITCH: &str = "enable_thinking";
/// Anthropic's.
const THINKING: &str = "thinking";
/// Ollama's.
const THINK: &str = "think";
const MARK: &str = " /no_think";
const OFF: &str = "{\"enable_thinking\":false}";

/// A chat completion's request with thinking switched off, as segments that share the body's memory.
///
/// ```
/// # use bytes::Bytes;
/// let body = Bytes::from_static(br#"{"messages":[{"role":"user","content":"Hi"}]}"#);
/// assert_eq!(
///     dragoman_proxy::think::disable::chat_body(&body)?.concat(),
///     br#"{"messages":[{"role":"user","content":"Hi /no_think"}],"chat_template_kwargs":{"enable_thinking":false}}"#,
/// );
/// # Ok::<(), dragoman_proxy::json::Malformed>(())
/// ```
///
/// # Errors
/// [`Malformed`] if the body is no JSON object.
pub fn chat_body(body: &Bytes) -> Result<Vec<Bytes>, Malformed> {
    let members = scan(body, &NAMES)?;
    let mut edit = ObjectEdit::new(&members);
    let mut edits = chat(body, &members, &mut edit)?;
    edits.extend(edit.finish());
    Ok(splice(body, edits))
}

/// A completion's request with thinking switched off, as segments that share the body's memory.
///
/// # Errors
/// [`Malformed`] if the body is no JSON object.
pub fn completions_body(body: &Bytes) -> Result<Vec<Bytes>, Malformed> {
    let members = scan(body, &NAMES)?;
    Ok(splice(body, completions(body, &members)?))
}

/// The edits of a request in the dialect of its upstream, which knows the model as `model`: as for [`chat`].
///
/// # Errors
/// [`Malformed`] if `members` are not those of `body`.
pub fn request<K: AsRef<str>>(
    wire: Wire,
    model: &str,
    body: &[u8],
    members: &Members<'_, K>,
    edit: &mut ObjectEdit<'_, '_, K>,
) -> Result<Vec<Edit>, Malformed> {
    match wire {
        Wire::Chat => return chat(body, members, edit),
        Wire::Completions => return completions(body, members),
        Wire::Messages => messages(edit, model),
        Wire::OllamaChat | Wire::OllamaGenerate => ollama(edit),
        _ => {}
    }
    Ok(Vec::new())
}

/// The edits of a chat completion's request, for a caller who has more to edit: that of the template's
/// arguments goes to `edit`, those inside of `messages` are given back. `members` were scanned for [`NAMES`]
/// at least. What `edit` sets under these names afterwards stands instead.
///
/// # Errors
/// [`Malformed`] if `members` are not those of `body`.
pub fn chat<K: AsRef<str>>(
    body: &[u8],
    members: &Members<'_, K>,
    edit: &mut ObjectEdit<'_, '_, K>,
) -> Result<Vec<Edit>, Malformed> {
    let json = std::str::from_utf8(body).unwrap_or_default();
    let mut edits = Vec::new();
    for messages in members.all("messages") {
        if let Some(content) = last_user_content(json, &messages.value)? {
            mark_content(json, &content, &mut edits)?;
        }
    }
    edit.set(KWARGS, switched_off(json, members.get(KWARGS)));
    Ok(edits)
}

/// The edits of a completion's request. `members` were scanned for [`NAMES`] at least.
///
/// # Errors
/// [`Malformed`] if `members` are not those of `body`.
pub fn completions<K: AsRef<str>>(
    body: &[u8],
    members: &Members<'_, K>,
) -> Result<Vec<Edit>, Malformed> {
    let json = std::str::from_utf8(body).unwrap_or_default();
    let mut edits = Vec::new();
    for prompt in members.all("prompt") {
        if json[prompt.value.clone()].starts_with('[') {
            for element in elements(json, &prompt.value)? {
                edits.extend(mark(json, &element?));
            }
        } else {
            edits.extend(mark(json, &prompt.value));
        }
    }
    Ok(edits)
}

/// Anthropic's request for a message.
fn messages<K: AsRef<str>>(edit: &mut ObjectEdit<'_, '_, K>, model: &str) {
    if can_think(model) {
        edit.set(THINKING, Bytes::from_static(b"{\"type\":\"disabled\"}"));
    }
}

/// Ollama's request for a chat or text.
fn ollama<K: AsRef<str>>(edit: &mut ObjectEdit<'_, '_, K>) {
    edit.set(THINK, Bytes::from_static(b"false"));
}

/// The template's arguments with its switch off.
fn switched_off(json: &str, arguments: Option<Range<usize>>) -> Bytes {
    let value = arguments.map_or(OFF, |at| &json[at]);
    let Ok(arguments) = scan(value.as_bytes(), &[SWITCH]) else {
        return Bytes::from_static(OFF.as_bytes());
    };
    let mut edit = ObjectEdit::new(&arguments);
    edit.set(SWITCH, Bytes::from_static(b"false"));
    let mut whole = Vec::with_capacity(value.len() + OFF.len());
    splice_into(value.as_bytes(), edit.finish(), &mut whole);
    whole.into()
}

fn last_user_content(
    json: &str,
    messages: &Range<usize>,
) -> Result<Option<Range<usize>>, Malformed> {
    let mut last = None;
    if json[messages.clone()].starts_with('[') {
        for message in elements(json, messages)? {
            let Some(message) = object(json, &message?, &["role", "content"]) else {
                continue;
            };
            if message.text(json.as_bytes(), "role").as_deref() == Some("user") {
                last = message.some(json, "content");
            }
        }
    }
    Ok(last)
}

/// Marks a message's content: a string, or the last text of a list of parts.
fn mark_content(
    json: &str,
    content: &Range<usize>,
    edits: &mut Vec<Edit>,
) -> Result<(), Malformed> {
    if !json[content.clone()].starts_with('[') {
        edits.extend(mark(json, content));
        return Ok(());
    }
    let mut parts = 0;
    let mut texts = Vec::new();
    for part in elements(json, content)? {
        parts += 1;
        let text = object(json, &part?, &["text"]).and_then(|part| part.some(json, "text"));
        texts.extend(text.filter(|at| json[at.clone()].starts_with('"')));
    }
    if texts.iter().any(|at| is_marked(json, at)) {
        return Ok(());
    }
    if let Some(text) = texts.last() {
        edits.extend(mark(json, text));
    } else {
        let comma = if parts == 0 { "" } else { "," };
        let part = format!("{comma}{{\"type\":\"text\",\"text\":\"/no_think\"}}");
        let end = content.end - 1;
        edits.push(Edit {
            at: end..end,
            with: part.into(),
        });
    }
    Ok(())
}

fn is_marked(json: &str, literal: &Range<usize>) -> bool {
    string::read(json, literal.clone()).is_some_and(|text| text.contains(MARK.trim_start()))
}

/// The edit that marks a string literal; none if it is marked already, or no string.
fn mark(json: &str, literal: &Range<usize>) -> Option<Edit> {
    let text = string::read(json, literal.clone())?;
    if is_marked(json, literal) {
        return None;
    }
    let trimmed = text.trim_end();
    if trimmed.len() == text.len() {
        let end = literal.end - 1;
        return Some(Edit {
            at: end..end,
            with: Bytes::from_static(MARK.as_bytes()),
        });
    }
    let marked = string::literal(&[trimmed, MARK].concat());
    Some(Edit {
        at: literal.clone(),
        with: marked.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(segments: Vec<Bytes>) -> String {
        String::from_utf8(segments.concat()).unwrap()
    }

    fn chat_of(body: &'static str) -> String {
        whole(chat_body(&Bytes::from_static(body.as_bytes())).unwrap())
    }

    /// A chat's `messages` after the edit; the body is otherwise as short as it can be.
    fn messages(messages: &str) -> String {
        let body = format!("{{\"chat_template_kwargs\":{OFF},\"messages\":{messages}}}");
        let edited = whole(chat_body(&body.into()).unwrap());
        edited
            .split_once("\"messages\":")
            .unwrap()
            .1
            .strip_suffix('}')
            .unwrap()
            .to_owned()
    }

    fn prompt(prompt: &str) -> String {
        let body = format!("{{\"prompt\":{prompt}}}");
        let edited = whole(completions_body(&body.into()).unwrap());
        edited
            .strip_prefix("{\"prompt\":")
            .unwrap()
            .strip_suffix('}')
            .unwrap()
            .to_owned()
    }

    #[test]
    fn a_chat_is_marked_once_and_told_by_template_argument() {
        let body = r#"{"model":"q", "messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"\u00e9 c"},{"role":"tool","content":"t"}],"stream":true}"#;
        let marked = r#"{"model":"q", "messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"\u00e9 c /no_think"},{"role":"tool","content":"t"}],"stream":true,"chat_template_kwargs":{"enable_thinking":false}}"#;
        assert_eq!(chat_of(body), marked);
        assert_eq!(chat_of(marked), marked);
    }

    #[test]
    fn other_template_arguments_stay() {
        let kwargs = |kwargs: &str| {
            let body = format!("{{\"chat_template_kwargs\":{kwargs}}}");
            let edited = whole(chat_body(&body.into()).unwrap());
            edited
                .strip_prefix("{\"chat_template_kwargs\":")
                .unwrap()
                .strip_suffix('}')
                .unwrap()
                .to_owned()
        };
        assert_eq!(kwargs(r#"{"a": 1}"#), r#"{"a": 1,"enable_thinking":false}"#);
        assert_eq!(
            kwargs(r#"{"enable_thinking":true, "a":1}"#),
            r#"{"enable_thinking":false, "a":1}"#
        );
        assert_eq!(kwargs("{}"), r#"{"enable_thinking":false}"#);
        assert_eq!(kwargs("null"), r#"{"enable_thinking":false}"#);
        assert_eq!(
            chat_of(
                r#"{"chat_template_kwargs":{},"chat_template_kwargs":{"enable_thinking":true}}"#
            ),
            r#"{"chat_template_kwargs":{"enable_thinking":false},"chat_template_kwargs":{"enable_thinking":false}}"#
        );
    }

    #[test]
    fn the_last_text_part_is_marked() {
        assert_eq!(
            messages(
                r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"},{"type":"image_url","image_url":{"url":"x"}}]}]"#
            ),
            r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b /no_think"},{"type":"image_url","image_url":{"url":"x"}}]}]"#
        );
        assert_eq!(
            messages(r#"[{"role":"user","content":[{"type":"image_url"}]}]"#),
            r#"[{"role":"user","content":[{"type":"image_url"},{"type":"text","text":"/no_think"}]}]"#
        );
        let marked = r#"[{"role":"user","content":[{"type":"text","text":"/no_think a"},{"type":"text","text":"b"}]}]"#;
        assert_eq!(messages(marked), marked);
    }

    #[test]
    fn whoever_has_no_user_text_is_left_alone() {
        for unmarked in [
            "null",
            "[]",
            "[1,null]",
            r#"[{"role":"system","content":"s"}]"#,
            r#"[{"role":"user","content":null}]"#,
            r#"[{"role":"user"}]"#,
            r#"{"role":"user","content":"x"}"#,
        ] {
            assert_eq!(messages(unmarked), unmarked);
        }
    }

    #[test]
    fn every_text_prompt_is_marked() {
        assert_eq!(prompt(r#""Say \"hi\"""#), r#""Say \"hi\" /no_think""#);
        assert_eq!(prompt(r#""Hi \n""#), r#""Hi /no_think""#);
        assert_eq!(
            prompt(r#"["a", "b\t", "c /no_think"]"#),
            r#"["a /no_think", "b /no_think", "c /no_think"]"#
        );
        for unmarked in ["[1,2,3]", "[[1,2],[3]]", "null", "[]"] {
            assert_eq!(prompt(unmarked), unmarked);
        }
    }

    #[test]
    fn every_duplicate_is_marked() {
        let body = Bytes::from_static(br#"{"prompt":"a","\u0070rompt":"b"}"#);
        assert_eq!(
            whole(completions_body(&body).unwrap()),
            r#"{"prompt":"a /no_think","\u0070rompt":"b /no_think"}"#
        );
    }

    /// A body of another dialect's, edited in full.
    fn edited(
        body: &'static str,
        change: impl FnOnce(&mut ObjectEdit<'_, '_, &'static str>),
    ) -> String {
        let members = scan(body.as_bytes(), &NAMES).unwrap();
        let mut edit = ObjectEdit::new(&members);
        change(&mut edit);
        whole(splice(&Bytes::from_static(body.as_bytes()), edit.finish()))
    }

    #[test]
    fn anthropics_thinking_is_disabled_and_all_else_stays() {
        let disabled = |body, model| edited(body, |edit| super::messages(edit, model));
        assert_eq!(
            disabled(
                r#"{"thinking":{"type":"enabled","budget_tokens":1024}, "x":"\u00e9"}"#,
                "claude-opus-4-7"
            ),
            r#"{"thinking":{"type":"disabled"}, "x":"\u00e9"}"#
        );
        let body = r#"{"messages":[],"max_tokens":9}"#;
        assert_eq!(
            disabled(body, "kimi-k2"),
            r#"{"messages":[],"max_tokens":9,"thinking":{"type":"disabled"}}"#
        );
        assert_eq!(disabled(body, "claude-3-5-sonnet-20241022"), body);
    }

    #[test]
    fn ollama_is_told_not_to_think_whatever_the_client_asked() {
        for (body, told) in [
            (r#"{"prompt":"a"}"#, r#"{"prompt":"a","think":false}"#),
            (r#"{"think":"high", "x":1}"#, r#"{"think":false, "x":1}"#),
            (
                r#"{"think":true,"think":1}"#,
                r#"{"think":false,"think":false}"#,
            ),
        ] {
            assert_eq!(edited(body, ollama), told);
        }
    }

    #[test]
    fn a_malformed_body_is_refused() {
        assert!(chat_body(&Bytes::from_static(b"{\"messages\":[}")).is_err());
        assert!(completions_body(&Bytes::from_static(b"[]")).is_err());
    }
}
