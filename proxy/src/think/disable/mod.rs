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
//! [`think`](https://docs.ollama.com/capabilities/thinking) becomes false. [`vendors`]: Gemini's and Bedrock's own words.
//!
//! All other bytes stay identical.

mod vendors;

use std::ops::Range;

use bytes::Bytes;
use dragoman_dialects::Wire;
use dragoman_dialects::anthropic::request::thinking::can_think;

use super::parts::object;
use crate::json::splice::{splice, splice_into};
use crate::json::{Edit, Malformed, Members, ObjectEdit, elements, scan, string};

/// The members of a request that these edits need to know of.
pub const NAMES: [&str; 9] = [
    "messages",
    "prompt",
    KWARGS,
    THINKING,
    THINK,
    vendors::CONFIG[0],
    vendors::CONFIG[1],
    vendors::ADDITIONAL,
    vendors::VERSION,
];

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
        Wire::Gemini => vendors::gemini(body, members, edit, model),
        Wire::BedrockConverse => vendors::converse(body, members, edit, model),
        // Other makers' bodies have other words, and no such mark.
        Wire::BedrockInvoke if members.get(vendors::VERSION).is_some() => messages(edit, model),
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
mod tests;
