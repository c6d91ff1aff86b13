//! When two requests mean the same: what the form holds besides the meaning is taken away.

use std::collections::HashMap;

use dragoman_dialects::form::{Message, Part, Request, Source, ToolChoice};

/// The request without places in bodies, ids, names that follow from others, and bounds between messages of one speaker.
pub(crate) fn meaning(mut request: Request) -> Request {
    request.model.clear();
    request.stream = false;
    request.stream_usage = false;
    // Automatic everywhere.
    request.tool_choice = request
        .tool_choice
        .filter(|choice| *choice != ToolChoice::Auto);
    let mut messages: Vec<Message> = Vec::new();
    for mut message in request.messages {
        message.at.clear();
        match messages.last_mut() {
            Some(last) if last.role == message.role => last.parts.append(&mut message.parts),
            _ => messages.push(message),
        }
    }
    let mut ids = HashMap::new();
    for part in messages.iter_mut().flat_map(|message| &mut message.parts) {
        part_of(part, &mut ids);
    }
    request.messages = messages;
    request
}

fn part_of(part: &mut Part, ids: &mut HashMap<String, String>) {
    match part {
        Part::ToolCall(call) => renamed(&mut call.id, ids),
        Part::ToolResult(result) => {
            renamed(&mut result.call, ids);
            result.name = None;
            for part in &mut result.parts {
                part_of(part, ids);
            }
        }
        Part::Image {
            source: Source::Inline { media_type, data },
            ..
        } => {
            let sniffed = data.sniff().map(str::to_owned);
            *media_type = media_type.take().or(sniffed);
        }
        _ => {}
    }
}

fn renamed(id: &mut String, ids: &mut HashMap<String, String>) {
    let next = format!("call {}", ids.len());
    *id = ids.entry(std::mem::take(id)).or_insert(next).clone();
}
