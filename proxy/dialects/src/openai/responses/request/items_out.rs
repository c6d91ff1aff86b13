//! Turns, written as items.

use serde_json::Value;

use super::out::{Content, InputAudio, ItemOut, PartOut, Url};
use crate::form::{Encrypted, Field, Message, Part, Refused, Role, Source, ToolResult, Vendor};
use crate::json::DataUrl;

pub(super) const PAGE: &str = "https://platform.openai.com/docs/api-reference/responses/create";
const FILES: &str = "https://platform.openai.com/docs/api-reference/files";

/// Items that only this dialect has, by their type.
const OWN: [&str; 22] = [
    "apply_patch_call",
    "apply_patch_call_output",
    "code_interpreter_call",
    "compaction",
    "computer_call",
    "computer_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "file_search_call",
    "image_generation_call",
    "local_shell_call",
    "local_shell_call_output",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "mcp_list_tools",
    "program",
    "shell_call",
    "shell_call_output",
    "tool_search_call",
    "tool_search_output",
    "web_search_call",
];

/// Writes one turn as its items.
pub(super) fn items<'a>(message: &'a Message, out: &mut Vec<ItemOut<'a>>) -> Result<(), Refused> {
    let role = match message.role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => return results(message, out),
    };
    let mut parts = Vec::new();
    for part in &message.parts {
        match part {
            Part::Reasoning {
                text,
                encrypted:
                    Some(Encrypted {
                        vendor: Vendor::OpenAi,
                        data: encrypted,
                    }),
                id: Some(id),
                ..
            } => {
                flush(role, &mut parts, out);
                let summary = (!text.is_empty()).then_some(PartOut::SummaryText { text });
                out.push(ItemOut::Reasoning {
                    id,
                    summary: summary.into_iter().collect(),
                    encrypted_content: encrypted,
                });
            }
            // Of another vendor, or only to be read.
            Part::Reasoning { .. } => {}
            Part::ToolCall(call) => {
                flush(role, &mut parts, out);
                out.push(ItemOut::FunctionCall {
                    call_id: &call.id,
                    name: &call.name,
                    arguments: call.arguments.as_text(),
                });
            }
            Part::Other { kind, value } if own(kind, value) => {
                flush(role, &mut parts, out);
                out.push(ItemOut::Other(value));
            }
            Part::Text { text, .. } if role == "assistant" => parts.push(PartOut::OutputText {
                text,
                annotations: [],
            }),
            Part::Refusal(refusal) if role == "assistant" => {
                parts.push(PartOut::Refusal { refusal });
            }
            part => parts.push(input(message, part)?),
        }
    }
    flush(role, &mut parts, out);
    Ok(())
}

fn own(kind: &str, value: &Value) -> bool {
    OWN.contains(&kind) && value.get("type").is_some_and(|of| of == kind)
}

/// Ends a message item. One text alone is sent as a string.
fn flush<'a>(role: &'static str, parts: &mut Vec<PartOut<'a>>, out: &mut Vec<ItemOut<'a>>) {
    if parts.is_empty() {
        return;
    }
    let content = content(std::mem::take(parts));
    out.push(ItemOut::Message { role, content });
}

fn content(mut parts: Vec<PartOut<'_>>) -> Content<'_> {
    if parts.len() == 1 {
        return match parts.remove(0) {
            PartOut::InputText { text } => Content::Text(text),
            PartOut::OutputText { text, .. } => Content::Text(text.into()),
            other => Content::Parts(vec![other]),
        };
    }
    Content::Parts(parts)
}

fn results<'a>(message: &'a Message, out: &mut Vec<ItemOut<'a>>) -> Result<(), Refused> {
    for part in &message.parts {
        let Part::ToolResult(ToolResult { call, parts, .. }) = part else {
            return Err(refused(message, part));
        };
        let parts = parts.iter().map(|part| input(message, part));
        let parts: Vec<_> = parts.collect::<Result<_, _>>()?;
        let output = if parts.is_empty() {
            Content::Text("".into())
        } else {
            content(parts)
        };
        out.push(ItemOut::FunctionCallOutput {
            call_id: call,
            output,
        });
    }
    Ok(())
}

fn input<'a>(message: &'a Message, part: &'a Part) -> Result<PartOut<'a>, Refused> {
    Ok(match part {
        Part::Text { text, .. } => PartOut::InputText {
            text: text.as_str().into(),
        },
        Part::Image { source, detail, .. } => {
            let (image_url, file_id) = match source {
                Source::Url(url) => (Some(Url::There(url)), None),
                Source::File {
                    vendor: Vendor::OpenAi,
                    id,
                } => (None, Some(id.as_str())),
                Source::File { .. } => return Err(elsewhere(message)),
                Source::Inline { media_type, data } => {
                    let media_type = media_type.as_deref().or_else(|| data.sniff());
                    let media_type = media_type.ok_or_else(|| untyped(message))?;
                    let data = data.as_str();
                    (Some(Url::Here(DataUrl { media_type, data })), None)
                }
                Source::Text(_) => return Err(refused(message, part)),
            };
            PartOut::InputImage {
                image_url,
                file_id,
                detail: detail.as_deref().unwrap_or("auto"),
            }
        }
        Part::Document { source, name, .. } => document(message, source, name.as_deref())?,
        Part::Audio {
            source: Source::Inline { media_type, data },
        } => {
            let media_type = media_type.as_deref().unwrap_or("audio/wav");
            let format = media_type.split('/').next_back().unwrap_or_default();
            PartOut::InputAudio {
                input_audio: InputAudio {
                    data: data.as_str(),
                    format: if format == "mpeg" { "mp3" } else { format },
                },
            }
        }
        part => return Err(refused(message, part)),
    })
}

fn document<'a>(
    message: &'a Message,
    source: &'a Source,
    name: Option<&'a str>,
) -> Result<PartOut<'a>, Refused> {
    let (mut file_data, mut file_id, mut file_url) = (None, None, None);
    let mut filename = name;
    match source {
        Source::Url(url) => file_url = Some(url.as_str()),
        Source::File {
            vendor: Vendor::OpenAi,
            id,
        } => file_id = Some(id.as_str()),
        Source::File { .. } => return Err(elsewhere(message)),
        Source::Inline { media_type, data } => {
            let media_type = media_type.as_deref().or_else(|| data.sniff());
            let media_type = media_type.ok_or_else(|| untyped(message))?;
            let data = data.as_str();
            // OpenAI wants a name beside the data.
            filename = name.or(Some("document.pdf"));
            file_data = Some(DataUrl { media_type, data });
        }
        // A document that is text is text, after its title.
        Source::Text(text) => {
            let text = match name {
                Some(name) => format!("{name}\n\n{text}").into(),
                None => text.as_str().into(),
            };
            return Ok(PartOut::InputText { text });
        }
    }
    Ok(PartOut::InputFile {
        filename,
        file_data,
        file_id,
        file_url,
    })
}

fn untyped(message: &Message) -> Refused {
    let text = "OpenAI must be told the media type of what is sent inline, and it cannot be told from the first bytes; send a PNG, JPEG, GIF, WebP or PDF, or a data: URL with its type.";
    Refused::new(Field::At(message.at.clone()), text, PAGE)
}

/// An uploaded file is known by its id to none but who has it.
fn elsewhere(message: &Message) -> Refused {
    let text = "OpenAI has no file that was uploaded to another vendor; send its bytes.";
    Refused::new(Field::At(message.at.clone()), text, FILES)
}

fn refused(message: &Message, part: &Part) -> Refused {
    let what = match part {
        Part::Other { kind, .. } => kind.as_str(),
        part => part.described(),
    };
    let text = format!(
        "OpenAI's Responses API has no place for {what} here; leave it out, or call a model whose backend speaks your dialect."
    );
    Refused::new(Field::At(message.at.clone()), text, PAGE)
}
