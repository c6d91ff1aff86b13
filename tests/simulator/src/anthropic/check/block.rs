//! The blocks of a message's content.
//!
//! Source: `content_block_param.py` of the SDK, and [vision](https://platform.claude.com/docs/en/build-with-claude/vision).

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;

use super::{Checked, object::Object, refused};
use crate::{anthropic::reply::signed, refusal::Refusal};

const TAGS: [&str; 16] = [
    "bash_code_execution_tool_result",
    "code_execution_tool_result",
    "container_upload",
    "document",
    "image",
    "redacted_thinking",
    "search_result",
    "server_tool_use",
    "text",
    "text_editor_code_execution_tool_result",
    "thinking",
    "tool_result",
    "tool_search_tool_result",
    "tool_use",
    "web_fetch_tool_result",
    "web_search_tool_result",
];
/// What a tool's result may hold.
const RESULT: [&str; 5] = [
    "document",
    "image",
    "search_result",
    "text",
    "tool_reference",
];
const IMAGES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];
/// What only an assistant says, and what only a user.
const ASSISTANT: [&str; 4] = [
    "redacted_thinking",
    "server_tool_use",
    "thinking",
    "tool_use",
];
const USER: [&str; 2] = ["image", "tool_result"];

/// Checks one block of a message by what the version of 2026-10-21 no longer takes.
///
/// Source: [its migration guide](https://platform.claude.com/docs/en/api/migration-2026-10-21).
pub(super) fn newest(at: &str, role: &str, block: &Value) -> Checked {
    if role == "assistant" && block["type"] == "document" {
        let message = "`document` blocks can only be in `user` messages";
        return Err(refused(at, message));
    }
    let blocks = match block["type"].as_str() {
        Some("search_result") => block["content"].as_array(),
        _ => None,
    };
    let cites = |block: &Value| {
        let citations = block["citations"].as_array();
        block["type"] == "text" && citations.is_some_and(|citations| !citations.is_empty())
    };
    if role == "user" && (cites(block) || blocks.into_iter().flatten().any(cites)) {
        let message = "`citations` are not permitted in `user` messages";
        return Err(refused(at, message));
    }
    Ok(())
}

/// Checks one block of a message.
pub(super) fn check(at: &str, role: &str, value: &Value) -> Checked {
    let block = Object::of(at, value)?;
    let tag = block.tag(&TAGS)?;
    for (tags, wanted) in [(&ASSISTANT[..], "assistant"), (&USER[..], "user")] {
        if tags.contains(&tag) && role != wanted {
            let message = format!("`{tag}` blocks can only be in `{wanted}` messages");
            return Err(refused(at, &message));
        }
    }
    match tag {
        "thinking" => {
            let block = inside(&block, tag);
            block.only(&["type", "thinking", "signature"])?;
            if !signed(block.text("thinking")?, block.text("signature")?) {
                return Err(refused(at, "Invalid `signature` in `thinking` block"));
            }
            Ok(())
        }
        "redacted_thinking" => {
            let block = inside(&block, tag);
            block.only(&["type", "data"])?;
            block.text("data").map(drop)
        }
        "tool_use" => {
            let block = inside(&block, tag);
            block.only(&[
                "type",
                "id",
                "name",
                "input",
                "cache_control",
                "caller",
                "toolset_name",
            ])?;
            pattern(&block, "id", usize::MAX)?;
            pattern(&block, "name", 200)?;
            Object::of(block.place("input"), block.required("input")?)?;
            block.cache()
        }
        "tool_result" => {
            let block = inside(&block, tag);
            block.only(&[
                "type",
                "tool_use_id",
                "content",
                "is_error",
                "cache_control",
                "toolset_name",
            ])?;
            pattern(&block, "tool_use_id", usize::MAX)?;
            block.boolean("is_error")?;
            block.cache()?;
            result(&block)
        }
        _ => content(&block, tag),
    }
}

/// Checks a text block; `whole` is what its refusal names.
pub(super) fn text(whole: &str, block: &Object) -> Checked {
    let block = inside(block, "text");
    block.only(&["type", "text", "cache_control", "citations"])?;
    block.cache()?;
    match block.text("text")? {
        "" => Err(refused(whole, "text content blocks must be non-empty")),
        text if text.trim().is_empty() => Err(refused(
            whole,
            "text content blocks must contain non-whitespace text",
        )),
        _ => Ok(()),
    }
}

/// A name or an id: letters, digits, `_` and `-`.
pub(super) fn pattern(object: &Object, name: &str, most: usize) -> Checked {
    let text = object.text(name)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !text.is_empty() && text.len() <= most && text.bytes().all(fits) {
        return Ok(());
    }
    let times = if most == usize::MAX {
        "+".to_owned()
    } else {
        format!("{{1,{most}}}")
    };
    let message = format!("String should match pattern '^[a-zA-Z0-9_-]{times}$'");
    Err(object.refused(name, &message))
}

/// The same object, as its tag's own place.
fn inside<'a>(block: &Object<'a>, tag: &str) -> Object<'a> {
    Object {
        at: block.place(tag),
        fields: block.fields,
    }
}

fn result(block: &Object) -> Checked {
    match block.given("content") {
        None | Some(Value::String(_)) => Ok(()),
        Some(Value::Array(blocks)) => blocks.iter().enumerate().try_for_each(|(at, value)| {
            let inner = Object::of(format!("{}.content.{at}", block.at), value)?;
            let tag = inner.tag(&RESULT)?;
            content(&inner, tag)
        }),
        Some(_) => Err(block.refused("content", "Input should be a valid list")),
    }
}

fn content(block: &Object, tag: &str) -> Checked {
    match tag {
        "text" => text("messages", block),
        "image" => {
            let image = inside(block, tag);
            image.only(&["type", "source", "cache_control", "transformations"])?;
            image.cache()?;
            source(&image, &IMAGES, &["base64", "file", "url"])
        }
        "document" => {
            let document = inside(block, tag);
            document.only(&[
                "type",
                "source",
                "cache_control",
                "citations",
                "context",
                "title",
            ])?;
            document.cache()?;
            document.nullable("context")?;
            document.nullable("title")?;
            let tags = ["base64", "content", "file", "text", "url"];
            source(&document, &["application/pdf"], &tags)
        }
        _ => Ok(()),
    }
}

fn source(block: &Object, media: &[&str], tags: &[&str]) -> Checked {
    let source = Object::of(block.place("source"), block.required("source")?)?;
    let tag = source.tag(tags)?;
    let source = inside(&source, tag);
    match tag {
        "base64" => {
            source.only(&["type", "media_type", "data"])?;
            source.required("media_type")?;
            source.word("media_type", media)?;
            let data = source.text("data")?;
            if data.is_empty() || BASE64_STANDARD.decode(data).is_err() {
                return Err(refused(&source.at, "invalid base64 data"));
            }
            Ok(())
        }
        "url" => {
            source.only(&["type", "url"])?;
            if source.text("url")?.starts_with("https://") {
                return Ok(());
            }
            let refusal: Refusal = refused(&source.place("url"), "Only HTTPS URLs are supported.");
            Err(refusal)
        }
        "text" => {
            source.only(&["type", "media_type", "data"])?;
            source.required("media_type")?;
            source.word("media_type", &["text/plain"])?;
            source.text("data").map(drop)
        }
        "file" => {
            source.only(&["type", "file_id"])?;
            source.text("file_id").map(drop)
        }
        _ => source.only(&["type", "content"]),
    }
}
