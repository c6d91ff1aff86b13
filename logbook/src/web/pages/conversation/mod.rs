//! Request bodies of any dialect as a conversation, as far as one can be seen in them.
//!
//! This reads for people who look: by shape, not by dialect, so that a body that is odd, refused or of an unknown dialect is shown too. What it does not know it
//! passes over; the raw body stands beside it.

use serde_json::Value;

/// What somebody said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turn {
    /// Who, in the dialect's own word.
    pub(super) role: String,
    pub(super) parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Thinking(String),
    /// A picture, a sound or a file: what it is.
    Attachment(String),
    /// A call of a tool, with its arguments.
    Call(String, String),
    /// What a tool gave.
    Outcome(String),
}

use Part::{Attachment, Call, Outcome, Text, Thinking};

/// What was said in a request's body, in order; nothing where no conversation is seen.
pub(super) fn of_request(body: &Value) -> Vec<Turn> {
    let mut turns = Vec::new();
    for name in [
        "system",
        "instructions",
        "systemInstruction",
        "system_instruction",
    ] {
        if let Some(system) = body.get(name) {
            push(&mut turns, "system", content(system));
        }
    }
    for name in ["messages", "contents", "history", "input"] {
        let items = body.get(name).and_then(Value::as_array);
        for item in items.into_iter().flatten().filter(|item| item.is_object()) {
            let (role, parts) = message(item);
            push(&mut turns, &role, parts);
        }
    }
    for name in ["prompt", "inputs", "input", "inputText", "message", "query"] {
        let texts = match body.get(name) {
            Some(Value::String(text)) => vec![text.clone()],
            Some(Value::Array(items)) => items
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            _ => continue,
        };
        for text in texts {
            let mut parts = vec![Text(text)];
            parts.extend(images(body));
            push(&mut turns, "user", parts);
        }
    }
    turns
}

/// The reply, of the text as it was delivered and the tool calls.
pub(super) fn of_reply(content: Option<&str>, calls: Option<&Value>) -> Option<Turn> {
    let text = content.filter(|text| !text.is_empty());
    let mut parts: Vec<_> = text.map(|text| Text(text.to_owned())).into_iter().collect();
    match calls {
        Some(Value::Array(calls)) => parts.extend(calls.iter().map(call)),
        Some(one @ Value::Object(_)) => parts.push(call(one)),
        _ => {}
    }
    (!parts.is_empty()).then(|| Turn {
        role: "assistant".into(),
        parts,
    })
}

/// The names of the tools that a request offers.
pub(super) fn tools(body: &Value) -> Vec<String> {
    let lists = [
        body.get("tools"),
        body.get("functions"),
        body.pointer("/toolConfig/tools"),
    ];
    let mut names = Vec::new();
    for tool in lists
        .into_iter()
        .flatten()
        .filter_map(Value::as_array)
        .flatten()
    {
        let declared = tool
            .get("functionDeclarations")
            .or_else(|| tool.get("function_declarations"));
        let several = declared.and_then(Value::as_array).into_iter().flatten();
        let one = [tool.get("function"), tool.get("toolSpec"), Some(tool)];
        let one = one
            .into_iter()
            .flatten()
            .find(|tool| tool.get("name").is_some());
        let found = several
            .chain(one)
            .filter_map(|tool| tool.get("name")?.as_str());
        names.extend(found.map(str::to_owned));
    }
    names
}

fn push(turns: &mut Vec<Turn>, role: &str, parts: Vec<Part>) {
    if !parts.is_empty() {
        turns.push(Turn {
            role: role.to_owned(),
            parts,
        });
    }
}

/// A message of a list, or an item of the Responses API, which may be no message.
fn message(item: &Value) -> (String, Vec<Part>) {
    let word = |name| item.get(name).and_then(Value::as_str);
    let role = match (word("role"), word("type")) {
        (Some(role), _) => role,
        (None, Some(kind)) if kind.ends_with("_output") => "tool",
        (None, Some("message") | None) => "user",
        (None, Some(_)) => "assistant",
    };
    let mut parts = Vec::new();
    for name in ["reasoning_content", "reasoning", "thinking"] {
        if let Some(text) = word(name) {
            parts.push(Thinking(text.to_owned()));
        }
    }
    let said = item.get("content").or_else(|| item.get("parts"));
    match said {
        Some(said) if role == "tool" || role == "function" => {
            parts.extend(content(said).into_iter().map(as_outcome));
        }
        Some(said) => parts.extend(content(said)),
        None => parts.extend(block(item)),
    }
    parts.extend(images(item));
    let calls = item.get("tool_calls").and_then(Value::as_array);
    parts.extend(calls.into_iter().flatten().map(call));
    parts.extend(
        item.get("function_call")
            .filter(|call| call.is_object())
            .map(call),
    );
    (role.to_owned(), parts)
}

fn as_outcome(part: Part) -> Part {
    match part {
        Text(text) => Outcome(text),
        other => other,
    }
}

/// A text, a list of blocks, one block, or what holds them.
fn content(value: &Value) -> Vec<Part> {
    match value {
        Value::String(text) if text.is_empty() => Vec::new(),
        Value::String(text) => vec![Text(text.clone())],
        Value::Array(blocks) => blocks.iter().flat_map(content).collect(),
        Value::Object(object) => match object.get("parts") {
            Some(parts) => content(parts),
            None => block(value),
        },
        _ => Vec::new(),
    }
}

fn block(block: &Value) -> Vec<Part> {
    let word = |name: &str| block.get(name).and_then(Value::as_str);
    let kind = word("type").unwrap_or_default();
    for name in ["toolUse", "functionCall"] {
        if let Some(made) = block.get(name) {
            return vec![call(made)];
        }
    }
    if [
        "tool_use",
        "function_call",
        "custom_tool_call",
        "server_tool_use",
    ]
    .contains(&kind)
    {
        return vec![call(block)];
    }
    let outcome = [
        block.pointer("/toolResult/content"),
        block.pointer("/functionResponse/response"),
        block.get("output").filter(|_| kind.ends_with("_output")),
        block
            .get("content")
            .filter(|_| kind.ends_with("tool_result")),
    ];
    if let Some(outcome) = outcome.into_iter().flatten().next() {
        let parts: Vec<_> = content(outcome).into_iter().map(as_outcome).collect();
        return if parts.is_empty() {
            vec![Outcome(pretty(outcome))]
        } else {
            parts
        };
    }
    let thought = [
        word("thinking"),
        block
            .pointer("/reasoningContent/reasoningText/text")
            .and_then(Value::as_str),
        word("text").filter(|_| {
            block.get("thought") == Some(&Value::Bool(true)) || kind.contains("summary_text")
        }),
    ];
    if let Some(thought) = thought.into_iter().flatten().next() {
        return vec![Thinking(thought.to_owned())];
    }
    if kind == "reasoning" {
        return block.get("summary").map(content).unwrap_or_default();
    }
    if let Some(text) = word("text").or_else(|| word("refusal")) {
        return vec![Text(text.to_owned())];
    }
    if let Some(json) = block.get("json") {
        return vec![Text(pretty(json))];
    }
    attachment(block, kind).into_iter().collect()
}

/// What holds no text: named by its kind, and its address or media type, never shown itself.
fn attachment(block: &Value, kind: &str) -> Option<Part> {
    const KINDS: [&str; 9] = [
        "image",
        "image_url",
        "input_audio",
        "audio",
        "file",
        "document",
        "video",
        "inlineData",
        "fileData",
    ];
    let key = KINDS.into_iter().find(|key| block.get(key).is_some());
    let known = KINDS.contains(&kind) || kind.starts_with("input_");
    let name = match key {
        Some(key) => key,
        None if known => kind,
        None => return None,
    };
    let inner = key.and_then(|key| block.get(key)).unwrap_or(block);
    let told = [
        "/url",
        "/image_url",
        "/file_url",
        "/source/url",
        "/fileUri",
        "/media_type",
        "/source/media_type",
        "/mimeType",
        "/format",
        "/filename",
        "/name",
        "/file_id",
    ];
    let detail = told
        .into_iter()
        .filter_map(|path| inner.pointer(path)?.as_str())
        .chain(inner.as_str())
        .next()
        .map(without_data);
    Some(Attachment(match detail {
        Some(detail) => format!("{name}: {detail}"),
        None => name.to_owned(),
    }))
}

/// An address, without what a `data:` URL carries.
fn without_data(text: &str) -> String {
    match text.split_once(',') {
        Some((head, data)) if head.starts_with("data:") => {
            format!("{head}, {} characters", data.len())
        }
        _ => text.to_owned(),
    }
}

/// Ollama's pictures, which stand beside the text.
fn images(item: &Value) -> impl Iterator<Item = Part> {
    let images = item.get("images").and_then(Value::as_array);
    let count = images.map_or(0, Vec::len);
    std::iter::repeat_n(Attachment("image".into()), count)
}

fn call(call: &Value) -> Part {
    let inner = call
        .get("function")
        .filter(|inner| inner.is_object())
        .unwrap_or(call);
    let name = inner.get("name").and_then(Value::as_str).unwrap_or("?");
    let arguments = ["arguments", "input", "args"]
        .into_iter()
        .find_map(|name| inner.get(name));
    let arguments = match arguments {
        // Arguments that are JSON within a string are laid out as such.
        Some(Value::String(text)) => serde_json::from_str::<Value>(text)
            .map_or_else(|_| text.clone(), |value| pretty(&value)),
        Some(value) => pretty(value),
        None => String::new(),
    };
    Call(name.to_owned(), arguments)
}

pub(super) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
