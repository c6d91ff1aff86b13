//! The conversation, to be written: system prompts apart, roles that alternate, no empty text.
//!
//! Rules of ours, for what other dialects say and this one does not:
//! - System and developer messages go to `system`, in their order, those from the middle of a conversation too: only the newest models take
//!   them [in their place](https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages). Alone they are asked as the user's turn.
//! - Neighbouring messages of one role become one; in it, results of tools come first.
//! - Texts without a visible character, which the vendor refuses, and messages without content are left out; so is white space at the end of
//!   an answer that the model is to continue.
//! - Left out are: speakers' names, an image's `detail`, reasoning without a signature, what another vendor encrypted, sources in other shapes than its own, and signatures over tool calls, which are Gemini's.
//! - A refusal in the model's own words is text.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::value::RawValue;

use super::PAGE;
use super::block::{Block, Content, Source, Turn};
use crate::anthropic::ids;
use crate::form::{
    self, Encrypted, Field, Message, Part, Refused, Role, ToolCall, ToolResult, Vendor,
};

const VISION: &str = "https://platform.claude.com/docs/en/build-with-claude/vision";
const DOCUMENTS: &str = "https://platform.claude.com/docs/en/build-with-claude/pdf-support";
const FILES: &str = "https://platform.claude.com/docs/en/build-with-claude/files";

/// The conversation.
#[derive(Debug)]
pub struct Conversation<'a> {
    /// The system prompt.
    pub system: Option<Content<'a>>,
    /// The turns.
    pub turns: Vec<Turn<'a>>,
}

/// Writes a conversation.
///
/// # Errors
/// [`Refused`] for what the dialect cannot say, naming the place.
pub fn write(messages: &[Message]) -> Result<Conversation<'_>, Refused> {
    let mut system = Vec::new();
    let mut turns: Vec<(&'static str, Vec<Block<'_>>)> = Vec::new();
    for message in messages {
        let role = match message.role {
            Role::System | Role::Developer => {
                push_system(message, &mut system)?;
                continue;
            }
            Role::User | Role::Tool => "user",
            Role::Assistant => "assistant",
        };
        let blocks = blocks(&message.parts, &message.at)?;
        match turns.last_mut() {
            _ if blocks.is_empty() => {}
            Some((last, content)) if *last == role => content.extend(blocks),
            _ => turns.push((role, blocks)),
        }
    }
    if turns.is_empty() && !system.is_empty() {
        turns.push(("user", std::mem::take(&mut system)));
    }
    if turns.is_empty() {
        let message = "Anthropic needs a message that holds something; send one.";
        return Err(Refused::new(Field::At("messages".into()), message, PAGE));
    }
    if let Some(("assistant", content)) = turns.last_mut() {
        trim_end(content);
    }
    let turns = turns.into_iter().map(|(role, mut content)| {
        // A stable sort: each kind keeps its order.
        content.sort_by_key(|block| role == "user" && !matches!(block, Block::ToolResult { .. }));
        Turn {
            role,
            content: Content::of(content),
        }
    });
    Ok(Conversation {
        turns: turns.collect(),
        system: (!system.is_empty()).then(|| Content::of(system)),
    })
}

fn trim_end(content: &mut Vec<Block<'_>>) {
    if let Some(Block::Text { text, .. }) = content.last_mut() {
        *text = text.trim_end();
    }
}

fn push_system<'a>(message: &'a Message, system: &mut Vec<Block<'a>>) -> Result<(), Refused> {
    for part in &message.parts {
        match part {
            Part::Text { .. } => system.extend(block(part, &message.at)?),
            other => {
                let message_ = format!(
                    "Anthropic's system prompt cannot hold {}; put it into a user's message.",
                    other.described()
                );
                return Err(Refused::new(Field::At(message.at.clone()), message_, PAGE));
            }
        }
    }
    Ok(())
}

/// Writes parts as blocks, without those that say nothing.
///
/// # Errors
/// [`Refused`] for what the dialect cannot say; `at` is the place of the message.
pub fn blocks<'a>(parts: &'a [Part], at: &str) -> Result<Vec<Block<'a>>, Refused> {
    let each = parts.iter().map(|part| block(part, at));
    each.filter_map(Result::transpose).collect()
}

fn block<'a>(part: &'a Part, at: &str) -> Result<Option<Block<'a>>, Refused> {
    let refused =
        |message: String, page| Err(Refused::new(Field::At(at.to_owned()), message, page));
    Ok(Some(match part {
        Part::Text { text, .. } if text.trim().is_empty() => return Ok(None),
        Part::Text {
            text,
            citations,
            cache,
        } => Block::Text {
            text,
            citations: self::citations(citations.as_ref()),
            cache_control: cache.as_ref(),
        },
        Part::Refusal(text) if text.trim().is_empty() => return Ok(None),
        Part::Refusal(text) => Block::Text {
            text,
            citations: None,
            cache_control: None,
        },
        Part::Image { source, cache, .. } => Block::Image {
            source: image(source, at)?,
            cache_control: cache.as_ref(),
        },
        Part::Document {
            source,
            name,
            cache,
        } => Block::Document {
            source: document(source, at)?,
            title: name.as_deref(),
            cache_control: cache.as_ref(),
        },
        Part::Reasoning {
            text,
            signature: Some(signature),
            ..
        } => Block::Thinking {
            thinking: text,
            signature,
        },
        Part::Reasoning {
            encrypted:
                Some(Encrypted {
                    vendor: Vendor::Anthropic,
                    data,
                }),
            ..
        } => Block::RedactedThinking { data },
        Part::Reasoning { .. } => return Ok(None),
        Part::ToolCall(call) => tool_use(call, at)?,
        Part::ToolResult(result) => tool_result(result, at)?,
        Part::Other { kind, value } if is_own(kind, value) => Block::Own(value),
        Part::Audio { .. } => {
            let message = "Anthropic takes no audio; send its transcript, or choose another model.";
            return refused(message.into(), PAGE);
        }
        Part::Other { kind, .. } => {
            let message = format!(
                "Anthropic has no part of type {kind:?}; remove it, or call a model whose backend speaks your dialect."
            );
            return refused(message, PAGE);
        }
    }))
}

/// Whether it is a block of the vendor's: of a kind that it documents, or a call or a result of one of its tools. Other dialects have parts of the same
/// names, and other shapes.
#[must_use]
pub fn is_own(kind: &str, value: &Value) -> bool {
    const KINDS: [&str; 7] = [
        "document",
        "image",
        "text",
        "search_result",
        "container_upload",
        "tool_reference",
        "tool_use",
    ];
    let known =
        kind.ends_with("_tool_use") || kind.ends_with("_tool_result") || KINDS.contains(&kind);
    known && value.get("type").and_then(Value::as_str) == Some(kind)
}

/// The sources of a text, if they are in the vendor's shape: each is at a location of some kind. Other dialects' are left out.
#[must_use]
pub fn citations(citations: Option<&Value>) -> Option<&Value> {
    let own = |citation: &Value| {
        let kind = citation.get("type").and_then(Value::as_str);
        kind.is_some_and(|kind| kind.ends_with("_location"))
    };
    citations.filter(|list| list.as_array().is_some_and(|list| list.iter().all(own)))
}

fn tool_use<'a>(call: &'a ToolCall, at: &str) -> Result<Block<'a>, Refused> {
    let Some(input) = object(call.arguments.as_text()) else {
        let message = format!(
            "The arguments of the call {:?} are not a JSON object, and Anthropic takes nothing else; mend them.",
            call.name
        );
        return Err(Refused::new(Field::At(at.to_owned()), message, PAGE));
    };
    Ok(Block::ToolUse {
        id: ids::plain(&call.id),
        name: &call.name,
        input,
    })
}

/// The text of a JSON object, checked and not copied.
#[must_use]
pub fn object(text: &str) -> Option<&RawValue> {
    text.trim_start()
        .starts_with('{')
        .then(|| serde_json::from_str(text).ok())
        .flatten()
}

fn tool_result<'a>(result: &'a ToolResult, at: &str) -> Result<Block<'a>, Refused> {
    Ok(Block::ToolResult {
        tool_use_id: ids::plain(&result.call),
        content: Content::of(blocks(&result.parts, at)?),
        is_error: result.is_error,
        cache_control: result.cache.as_ref(),
    })
}

fn image<'a>(source: &'a form::Source, at: &str) -> Result<Source<'a>, Refused> {
    match source {
        form::Source::Url(url) => Ok(Source::Url { url }),
        form::Source::File { vendor, id } => file(*vendor, id, at),
        form::Source::Inline { media_type, data } => {
            let media_type = match media_type.as_deref().or_else(|| data.sniff()) {
                Some("image/jpg") => "image/jpeg",
                Some(kind @ ("image/jpeg" | "image/png" | "image/gif" | "image/webp")) => kind,
                other => {
                    let message = format!(
                        "Anthropic takes JPEG, PNG, GIF and WebP images, not {}; convert it.",
                        other.unwrap_or("one of an unknown type")
                    );
                    return Err(Refused::new(Field::At(at.to_owned()), message, VISION));
                }
            };
            Ok(Source::Base64 {
                media_type,
                data: data.as_str(),
            })
        }
        form::Source::Text(_) => Err(Refused::new(
            Field::At(at.to_owned()),
            "An image cannot be plain text; send its bytes or its URL.",
            VISION,
        )),
    }
}

/// An uploaded file, which no other vendor has under this id.
fn file<'a>(vendor: Vendor, file_id: &'a str, at: &str) -> Result<Source<'a>, Refused> {
    match vendor {
        Vendor::Anthropic => Ok(Source::File { file_id }),
        Vendor::OpenAi => Err(Refused::new(
            Field::At(at.to_owned()),
            "Anthropic has no file that was uploaded to another vendor; send its bytes.",
            FILES,
        )),
    }
}

fn document<'a>(source: &'a form::Source, at: &str) -> Result<Source<'a>, Refused> {
    match source {
        form::Source::Url(url) => Ok(Source::Url { url }),
        form::Source::File { vendor, id } => file(*vendor, id, at),
        form::Source::Text(text) => Ok(Source::Text {
            media_type: "text/plain",
            data: Cow::Borrowed(text),
        }),
        form::Source::Inline { media_type, data } => {
            match media_type.as_deref().or_else(|| data.sniff()) {
                Some("application/pdf") => Ok(Source::Base64 {
                    media_type: "application/pdf",
                    data: data.as_str(),
                }),
                Some(kind) if kind.starts_with("text/") || kind == "application/json" => {
                    let bytes = STANDARD.decode(data.as_str()).ok();
                    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
                    let text = text.ok_or_else(|| {
                        let message =
                            "The document is said to be text and is not UTF-8 in base64; mend it.";
                        Refused::new(Field::At(at.to_owned()), message, DOCUMENTS)
                    })?;
                    Ok(Source::Text {
                        media_type: "text/plain",
                        data: Cow::Owned(text),
                    })
                }
                other => {
                    let message = format!(
                        "Anthropic takes PDF and text documents, not {}; convert it.",
                        other.unwrap_or("one of an unknown type")
                    );
                    Err(Refused::new(Field::At(at.to_owned()), message, DOCUMENTS))
                }
            }
        }
    }
}
