//! The conversation, to be written.
//!
//! The rules are those of [Anthropic's](crate::anthropic::request::turns): system prompts apart, roles that alternate with tools' results first, nothing blank. And of
//! Converse's own: a document is named in letters, digits and hyphens, and `document` where it has no name, with a number where the name is taken; plain text is a document in base64.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::blocks::{Block, Source, Thought, Turn, cache_point};
use super::media::{DOCUMENTS, IMAGES, SOUNDS, format};
use super::{LONGEST_ID, PAGE, parts};
use crate::anthropic::ids;
use crate::anthropic::request::turns::object;
use crate::form::{
    self, Encrypted, Field, Message, Part, Refused, Role, ToolCall, ToolResult, Vendor,
};

/// The conversation.
#[derive(Debug, Default)]
pub struct Conversation<'a> {
    /// The system prompt.
    pub system: Vec<Block<'a>>,
    /// The turns.
    pub turns: Vec<Turn<'a>>,
    names: Vec<String>,
}

/// Writes a conversation.
///
/// # Errors
/// [`Refused`] for what the dialect cannot say, naming the place.
pub fn write(messages: &[Message]) -> Result<Conversation<'_>, Refused> {
    let mut conversation = Conversation::default();
    for message in messages {
        conversation.push(message)?;
    }
    let Conversation { system, turns, .. } = &mut conversation;
    if turns.is_empty() && !system.is_empty() {
        let content = std::mem::take(system);
        turns.push(Turn {
            role: "user",
            content,
        });
    }
    for turn in turns.iter_mut().filter(|turn| turn.role == "user") {
        // A stable sort: each kind keeps its order.
        turn.content
            .sort_by_key(|block| !matches!(block, Block::ToolResult { .. }));
    }
    let place = || Field::At("messages".into());
    match turns.first() {
        Some(turn) if turn.role == "user" => Ok(conversation),
        Some(_) => {
            let message = "Bedrock's Converse wants the user to speak first; send a user's message before the model's.";
            Err(Refused::new(place(), message, PAGE))
        }
        None => {
            let message = "Bedrock's Converse needs a message that holds something; send one.";
            Err(Refused::new(place(), message, PAGE))
        }
    }
}

impl<'a> Conversation<'a> {
    fn push(&mut self, message: &'a Message) -> Result<(), Refused> {
        let blocks = self.blocks(&message.parts, &message.at)?;
        let role = match message.role {
            Role::System | Role::Developer => {
                let other = message
                    .parts
                    .iter()
                    .find(|part| !matches!(part, Part::Text { .. } | Part::Other { .. }));
                if let Some(other) = other {
                    let what = other.described();
                    let fault = format!(
                        "A system prompt cannot hold {what}; put it into a user's message."
                    );
                    return Err(Refused::new(Field::At(message.at.clone()), fault, PAGE));
                }
                self.system.extend(blocks);
                return Ok(());
            }
            Role::User | Role::Tool => "user",
            Role::Assistant => "assistant",
        };
        match self.turns.last_mut() {
            _ if blocks.is_empty() => {}
            Some(turn) if turn.role == role => turn.content.extend(blocks),
            _ => self.turns.push(Turn {
                role,
                content: blocks,
            }),
        }
        Ok(())
    }

    fn blocks(&mut self, parts: &'a [Part], at: &str) -> Result<Vec<Block<'a>>, Refused> {
        let mut blocks = Vec::with_capacity(parts.len());
        for part in parts {
            let Some(block) = self.block(part, at)? else {
                continue;
            };
            blocks.push(block);
            let cache = match part {
                Part::Text { cache, .. }
                | Part::Image { cache, .. }
                | Part::Document { cache, .. } => cache,
                Part::ToolResult(result) => &result.cache,
                _ => &None,
            };
            blocks.extend(
                cache
                    .as_ref()
                    .map(|mark| Block::CachePoint(cache_point(mark))),
            );
        }
        Ok(blocks)
    }

    fn block(&mut self, part: &'a Part, at: &str) -> Result<Option<Block<'a>>, Refused> {
        let refused = |message: String| Refused::new(Field::At(at.to_owned()), message, PAGE);
        Ok(Some(match part {
            Part::Text { text, .. } | Part::Refusal(text) if text.trim().is_empty() => return Ok(None),
            Part::Text { text, .. } | Part::Refusal(text) => Block::Text(text),
            Part::Image { source, .. } => {
                let (format, source) = media(source, &IMAGES).map_err(|fault| refused(format!("Bedrock's Converse takes PNG, JPEG, GIF and WebP images, inline or at s3://; {fault}")))?;
                Block::Image { format, source }
            }
            Part::Audio { source } => {
                let (format, source) = media(source, &SOUNDS).map_err(|fault| refused(format!("Bedrock's Converse takes sound inline or at s3://; {fault}")))?;
                Block::Audio { format, source }
            }
            Part::Document { source, name, .. } => {
                let (format, source) = document(source).map_err(|fault| refused(format!("Bedrock's Converse takes PDF, text and office documents, inline or at s3://; {fault}")))?;
                let name = self.name(name.as_deref());
                Block::Document { format, name, source }
            }
            Part::Reasoning { text, signature: Some(signature), .. } => {
                Block::ReasoningContent(Thought::ReasoningText { text, signature: Some(signature) })
            }
            Part::Reasoning { encrypted: Some(Encrypted { vendor: Vendor::Anthropic, data }), .. } => Block::ReasoningContent(Thought::RedactedContent(data)),
            Part::Reasoning { .. } => return Ok(None),
            Part::ToolCall(call) => tool_use(call).ok_or_else(|| {
                refused(format!("The arguments of the call {:?} are not a JSON object, and Bedrock takes nothing else; mend them.", call.name))
            })?,
            Part::ToolResult(result) => self.tool_result(result, at)?,
            Part::Other { kind, value } if parts::is_own(kind) && value.get(kind).is_some() => Block::Own(value),
            Part::Other { kind, .. } => {
                return Err(refused(format!("Bedrock's Converse has no part of type {kind:?}; remove it, or call a model whose backend speaks your dialect.")));
            }
        }))
    }

    fn tool_result(&mut self, result: &'a ToolResult, at: &str) -> Result<Block<'a>, Refused> {
        Ok(Block::ToolResult {
            tool_use_id: ids::short(&result.call, LONGEST_ID),
            content: self.blocks(&result.parts, at)?,
            status: result.is_error.then_some("error"),
        })
    }

    fn name(&mut self, name: Option<&str>) -> String {
        let plain: String = name
            .unwrap_or("document")
            .chars()
            .map(|letter| {
                if letter.is_ascii_alphanumeric() {
                    letter
                } else {
                    '-'
                }
            })
            .take(180)
            .collect();
        let mut unique = plain.clone();
        let mut number = 2;
        while self.names.contains(&unique) {
            unique = format!("{plain}-{number}");
            number += 1;
        }
        self.names.push(unique.clone());
        unique
    }
}

fn tool_use(call: &ToolCall) -> Option<Block<'_>> {
    Some(Block::ToolUse {
        tool_use_id: ids::short(&call.id, LONGEST_ID),
        name: &call.name,
        input: object(call.arguments.as_text())?,
    })
}

/// The format and the place of something; or what to do about it.
fn media<'a>(
    source: &'a form::Source,
    table: &[(&'static str, &str)],
) -> Result<(&'static str, Source<'a>), &'static str> {
    match source {
        form::Source::Inline { media_type, data } => {
            let kind = media_type.as_deref().or_else(|| data.sniff());
            let format = kind
                .and_then(|kind| format(table, kind))
                .ok_or("convert it.")?;
            Ok((format, Source::Bytes(Cow::Borrowed(data.as_str()))))
        }
        form::Source::Url(uri) if uri.starts_with("s3://") => {
            let end = uri
                .rsplit_once('.')
                .map(|(_, end)| end.to_ascii_lowercase());
            let end = end
                .as_deref()
                .map(|end| if end == "jpg" { "jpeg" } else { end });
            let found = table.iter().find(|(word, _)| Some(*word) == end);
            let (format, _) = found.ok_or("give it a name that ends in its format.")?;
            Ok((format, Source::S3Location { uri }))
        }
        form::Source::Url(_) => Err("send its bytes instead of its URL."),
        form::Source::File { .. } => Err("send its bytes instead of an uploaded file."),
        form::Source::Text(_) => Err("send its bytes."),
    }
}

fn document(source: &form::Source) -> Result<(&'static str, Source<'_>), &'static str> {
    match source {
        form::Source::Text(text) => Ok(("txt", Source::Bytes(Cow::Owned(STANDARD.encode(text))))),
        other => media(other, &DOCUMENTS),
    }
}
