//! When two requests mean the same: what the form holds besides the meaning is taken away.

use std::collections::HashMap;

use dragoman_dialects::form::{Message, Part, Request, Role, Source, ToolChoice};

/// The request without places in bodies, ids, names that follow from others, and bounds between messages of one speaker.
pub(crate) fn meaning(mut request: Request) -> Request {
    request.model.clear();
    request.stream = false;
    request.stream_usage = false;
    if request.tool_choice == Some(ToolChoice::None) {
        // None is none at a time.
        request.parallel_tool_calls = None;
    }
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
    for message in &mut messages {
        join(message);
    }
    request.messages = messages;
    request
}

/// Neighbouring texts are one, with a line's end between them, however many lines there were; the model's own stand as they are.
fn join(message: &mut Message) {
    let between = match message.role {
        Role::Assistant => "",
        _ => "\n",
    };
    let mut parts: Vec<Part> = Vec::new();
    for part in std::mem::take(&mut message.parts) {
        let Part::Text {
            text, cache: None, ..
        } = part
        else {
            parts.push(part);
            continue;
        };
        let text = text.replace("\n\n", "\n");
        match parts.last_mut() {
            Some(Part::Text {
                text: last,
                cache: None,
                ..
            }) => *last = format!("{last}{between}{text}"),
            _ => parts.push(Part::text(text)),
        }
    }
    message.parts = parts;
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
