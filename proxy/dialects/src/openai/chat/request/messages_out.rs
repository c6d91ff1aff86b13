//! Messages, written.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::FunctionOut;
use super::messages::WITHIN;
use super::out::{CallOut, Content, FileOut, ImageUrl, InputAudio, MessageOut, PartOut, Url};
use super::reasoning;
use crate::form::{Field, Message, Part, Refused, Role, Source, Vendor};
use crate::json::DataUrl;

/// Where OpenAI says what a message may hold.
pub(super) const MESSAGES: &str =
    "https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages";

/// Writes one message: one of OpenAI's, or, of a tool's results, one each.
pub(super) fn message<'a>(
    message: &'a Message,
    developer: bool,
    out: &mut Vec<MessageOut<'a>>,
) -> Result<(), Refused> {
    let role = match message.role {
        Role::Developer if developer => "developer",
        Role::System | Role::Developer => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => return results(message, out),
    };
    let mut written = MessageOut {
        role,
        name: message.name.as_deref(),
        content: None,
        refusal: None,
        tool_calls: Vec::new(),
        tool_call_id: None,
        rest: Map::new(),
    };
    let assistant = message.role == Role::Assistant;
    let mut parts = Vec::with_capacity(message.parts.len());
    for part in &message.parts {
        match part {
            Part::Reasoning { .. } => {}
            Part::Refusal(text) if assistant => {
                written.refusal.get_or_insert_default().push_str(text);
            }
            Part::ToolCall(call) if assistant => written.tool_calls.push(CallOut::Function {
                id: &call.id,
                kind: "function",
                function: FunctionOut {
                    name: &call.name,
                    arguments: call.arguments.as_text(),
                },
            }),
            Part::Other { value, .. } => match belongs(value) {
                Some(Place::Parts) => parts.push(PartOut::Other(value)),
                Some(Place::Calls) => written.tool_calls.push(CallOut::Other(value)),
                Some(Place::Message(map)) => written.rest.extend(map.clone()),
                None => return Err(foreign(message, part)),
            },
            Part::Text { .. } => parts.push(content(message, part)?),
            _ if assistant => return Err(misplaced(message, part)),
            _ => parts.push(content(message, part)?),
        }
    }
    written.content = content_of(parts, if assistant { "" } else { "\n" });
    if written.content.is_none()
        && written.tool_calls.is_empty()
        && written.refusal.is_none()
        && written.rest.keys().all(|name| name == reasoning::FIELD)
    {
        // Whatever it was, nothing of it can be said here; servers refuse null.
        written.content = Some(Content::Text(Cow::Borrowed("")));
    }
    match out.last_mut() {
        // OpenAI wants the results right behind the calls, and a turn's text may follow its calls elsewhere.
        Some(last) if assistant && !last.tool_calls.is_empty() => join(last, written),
        _ => out.push(written),
    }
    Ok(())
}

/// Adds what the assistant said behind its calls to the message that holds them.
fn join<'a>(last: &mut MessageOut<'a>, more: MessageOut<'a>) {
    last.content = match (last.content.take(), more.content) {
        (Some(Content::Text(said)), Some(Content::Text(more))) => {
            Some(Content::Text(Cow::Owned([said, more].concat())))
        }
        (Some(said), Some(more)) => Some(Content::Parts(
            [said, more].into_iter().flat_map(parts_of).collect(),
        )),
        (said, more) => said.or(more),
    };
    last.refusal = match (last.refusal.take(), more.refusal) {
        (Some(said), Some(more)) => Some(said + &more),
        (said, more) => said.or(more),
    };
    last.name = last.name.or(more.name);
    last.tool_calls.extend(more.tool_calls);
    last.rest.extend(more.rest);
}

fn parts_of(content: Content<'_>) -> Vec<PartOut<'_>> {
    match content {
        Content::Text(text) => vec![PartOut::Text { text }],
        Content::Parts(parts) => parts,
    }
}

fn results<'a>(message: &'a Message, out: &mut Vec<MessageOut<'a>>) -> Result<(), Refused> {
    for part in &message.parts {
        let Part::ToolResult(result) = part else {
            return Err(misplaced(message, part));
        };
        let mut rest = Map::new();
        let mut parts = Vec::with_capacity(result.parts.len());
        for part in &result.parts {
            match part {
                Part::Other { value, .. } => match belongs(value) {
                    Some(Place::Parts) => parts.push(PartOut::Other(value)),
                    Some(Place::Message(map)) => rest.extend(map.clone()),
                    _ => return Err(foreign(message, part)),
                },
                Part::Text { .. } => parts.push(content(message, part)?),
                Part::Document {
                    source: Source::Text(_),
                    ..
                } => parts.push(content(message, part)?),
                _ => {
                    let message_text = format!(
                        "A tool's result can hold text only in OpenAI's chat completions, not {}; send it in a user message after the result.",
                        part.described()
                    );
                    let place = Field::At(message.at.clone());
                    return Err(Refused::new(place, message_text, MESSAGES));
                }
            }
        }
        out.push(MessageOut {
            role: "tool",
            name: result.name.as_deref(),
            content: content_of(parts, "\n").or(Some(Content::Text(Cow::Borrowed("")))),
            refusal: None,
            tool_calls: Vec::new(),
            tool_call_id: Some(&result.call),
            rest,
        });
    }
    Ok(())
}

/// Texts alone become one string.
fn content_of<'a>(mut parts: Vec<PartOut<'a>>, between: &str) -> Option<Content<'a>> {
    let texts: Option<Vec<&str>> = parts
        .iter()
        .map(|part| match part {
            PartOut::Text { text } => Some(text.as_ref()),
            _ => None,
        })
        .collect();
    match (texts, parts.len()) {
        (_, 0) => None,
        (Some(_), 1) => match parts.pop() {
            Some(PartOut::Text { text }) => Some(Content::Text(text)),
            _ => None,
        },
        (Some(texts), _) => Some(Content::Text(texts.join(between).into())),
        (None, _) => Some(Content::Parts(parts)),
    }
}

/// Where in a message something that only this dialect knows belongs.
enum Place<'a> {
    Parts,
    Calls,
    Message(&'a Map<String, Value>),
}

/// Parts say their type, custom calls hold an object of that name, and fields of the message are marked as such.
fn belongs(value: &Value) -> Option<Place<'_>> {
    let object = value.as_object()?;
    match object.get("type").and_then(Value::as_str) {
        Some("custom") if object.contains_key("custom") => Some(Place::Calls),
        Some("video_url" | "audio_url" | "image_embeds" | "input_image" | "reference") => {
            Some(Place::Parts)
        }
        Some(_) => None,
        None => object.get(WITHIN)?.as_object().map(Place::Message),
    }
}

fn content<'a>(message: &'a Message, part: &'a Part) -> Result<PartOut<'a>, Refused> {
    match part {
        Part::Text { text, .. } => Ok(PartOut::Text {
            text: text.as_str().into(),
        }),
        Part::Image { source, detail, .. } => {
            let url = match source {
                Source::Url(url) => Url::There(url),
                Source::Inline { media_type, data } => Url::Here(DataUrl {
                    media_type: media_type
                        .as_deref()
                        .or_else(|| data.sniff())
                        .ok_or_else(|| unknown_kind(message))?,
                    data: data.as_str(),
                }),
                Source::File { .. } | Source::Text(_) => return Err(misplaced(message, part)),
            };
            let detail = detail.as_deref();
            Ok(PartOut::ImageUrl {
                image_url: ImageUrl { url, detail },
            })
        }
        Part::Document { source, name, .. } => document(message, part, source, name.as_deref()),
        Part::Audio {
            source: Source::Inline { media_type, data },
        } => Ok(PartOut::InputAudio {
            input_audio: InputAudio {
                data: data.as_str(),
                format: audio_format(media_type.as_deref().unwrap_or("audio/wav")),
            },
        }),
        Part::Refusal(refusal) => Ok(PartOut::Refusal { refusal }),
        _ => Err(misplaced(message, part)),
    }
}

fn audio_format(media_type: &str) -> &str {
    let format = media_type.split('/').next_back().unwrap_or_default();
    match format {
        "mpeg" => "mp3",
        "x-wav" | "wave" => "wav",
        other => other,
    }
}

fn document<'a>(
    message: &'a Message,
    part: &'a Part,
    source: &'a Source,
    name: Option<&'a str>,
) -> Result<PartOut<'a>, Refused> {
    let file = match source {
        Source::File {
            vendor: Vendor::OpenAi,
            id,
        } => FileOut {
            file_id: Some(id),
            filename: name,
            file_data: None,
        },
        Source::Inline { media_type, data } => FileOut {
            file_id: None,
            // OpenAI wants a name beside the data.
            filename: name.or(Some("document.pdf")),
            file_data: Some(DataUrl {
                media_type: media_type
                    .as_deref()
                    .or_else(|| data.sniff())
                    .ok_or_else(|| unknown_kind(message))?,
                data: data.as_str(),
            }),
        },
        // A document that is text is text, after its title.
        Source::Text(text) => {
            let text = match name {
                Some(name) => format!("{name}\n\n{text}").into(),
                None => text.as_str().into(),
            };
            return Ok(PartOut::Text { text });
        }
        Source::Url(_) | Source::File { .. } => return Err(misplaced(message, part)),
    };
    Ok(PartOut::File { file })
}

fn unknown_kind(message: &Message) -> Refused {
    let place = Field::At(message.at.clone());
    let text = "OpenAI must be told the media type of what is sent inline, and it cannot be told from the first bytes; send a PNG, JPEG, GIF, WebP or PDF, or a data: URL with its type.";
    Refused::new(place, text, MESSAGES)
}

fn misplaced(message: &Message, part: &Part) -> Refused {
    let how = match part {
        Part::Document {
            source: Source::Url(_),
            ..
        } => " at a URL: send it as base64, or as a link in the text",
        Part::Image {
            source: Source::File { .. },
            ..
        } => " that was uploaded: send it as base64 or at a URL",
        Part::Document {
            source: Source::File { .. },
            ..
        } => " that was uploaded to another vendor: send it as base64",
        Part::Audio { .. } => " at a URL or outside a user's turn: send it as base64",
        _ => " here: leave it out, or send it in a user message",
    };
    let text = format!(
        "OpenAI's chat completions cannot take {}{how}.",
        part.described()
    );
    Refused::new(Field::At(message.at.clone()), text, MESSAGES)
}

fn foreign(message: &Message, part: &Part) -> Refused {
    let kind = match part {
        Part::Other { kind, .. } => kind.as_str(),
        part => part.described(),
    };
    let text = format!(
        "OpenAI's chat completions have nothing like {kind:?}; leave it out, or call a model whose backend speaks your dialect."
    );
    Refused::new(Field::At(message.at.clone()), text, MESSAGES)
}
