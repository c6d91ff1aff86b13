//! Content, read block by block.
//!
//! A block of a kind that the form does not know, or of a known kind with members that it does not know (`citations` on a
//! document, `caller` on a tool call), stays as it stood, for its own dialect only. Left out is a cache mark on a tool call: it
//! only costs.

use serde_json::{Map, Value};

use crate::fields::{Fields, says};
use crate::form::{
    Arguments, Base64, Encrypted, Malformed, Part, Source, ToolCall, ToolResult, Vendor,
};

/// The members that the form knows, by the block's type.
const KNOWN: [(&str, &[&str]); 7] = [
    ("text", &["text", "citations", "cache_control"]),
    ("image", &["source", "cache_control"]),
    ("document", &["source", "title", "cache_control"]),
    ("thinking", &["thinking", "signature"]),
    ("redacted_thinking", &["data"]),
    ("tool_use", &["id", "name", "input", "cache_control"]),
    (
        "tool_result",
        &["tool_use_id", "content", "is_error", "cache_control"],
    ),
];

/// The content of a message, a system prompt or a tool result: one text, or a list of blocks.
///
/// # Errors
/// [`Malformed`] if it is something else.
pub fn content(owner: &mut Fields, name: &str) -> Result<Option<Vec<Part>>, Malformed> {
    match owner.peek(name) {
        None => Ok(None),
        Some(Value::String(_)) => {
            let text = owner.string(name)?.filter(|text| !text.is_empty());
            Ok(Some(text.into_iter().map(Part::text).collect()))
        }
        Some(Value::Array(_)) => {
            let blocks = owner.objects(name)?.unwrap_or_default();
            let blocks: Result<_, _> = blocks.into_iter().map(block).collect();
            blocks.map(Some)
        }
        Some(_) => Err(owner.fault(name, "The field must be a string or a list of blocks.")),
    }
}

/// One block.
///
/// # Errors
/// [`Malformed`] if it has no type, or lacks what its type requires.
pub fn block(mut fields: Fields) -> Result<Part, Malformed> {
    let kind = match fields.peek("type") {
        Some(Value::String(kind)) => kind.clone(),
        _ => return Err(fields.missing("type")),
    };
    let Some((_, members)) = KNOWN.iter().find(|(name, _)| *name == kind) else {
        return Ok(other(kind, fields.rest()));
    };
    let strict = kind != "tool_result";
    fields.leave_out(|name, value| {
        says_nothing(name, value) || (!members.contains(&name) && !says(value))
    });
    let foreign = |name| name != "type" && !members.contains(&name);
    let of_source = fields.peek("source").and_then(|source| source.get("type"));
    let of_blocks = of_source == Some(&"content".into());
    if strict && (of_blocks || fields.names().any(foreign)) {
        return Ok(other(kind, fields.rest()));
    }
    fields.ignore(&["type"]);
    let cache = fields.value("cache_control");
    Ok(match kind.as_str() {
        "text" => Part::Text {
            text: fields.required_string("text")?,
            citations: fields.value("citations"),
            cache,
        },
        "image" => Part::Image {
            source: source(&mut fields)?,
            detail: None,
            cache,
        },
        "document" => Part::Document {
            source: source(&mut fields)?,
            name: fields.string("title")?,
            cache,
        },
        "thinking" => Part::Reasoning {
            text: fields.required_string("thinking")?,
            signature: fields.string("signature")?.filter(|text| !text.is_empty()),
            encrypted: None,
            id: None,
        },
        "redacted_thinking" => Part::Reasoning {
            text: String::new(),
            signature: None,
            encrypted: Some(Encrypted::by_anthropic(fields.required_string("data")?)),
            id: None,
        },
        "tool_use" => tool_use(fields)?,
        _ => Part::ToolResult(ToolResult {
            call: fields.required_string("tool_use_id")?,
            name: None,
            parts: content(&mut fields, "content")?.unwrap_or_default(),
            is_error: fields.bool("is_error")?.unwrap_or(false),
            cache,
        }),
    })
}

fn other(kind: String, map: Map<String, Value>) -> Part {
    Part::Other {
        kind,
        value: Value::Object(map),
    }
}

/// Members with the value that they have by default: `caller` of a call by the model itself, `citations` that are off.
fn says_nothing(name: &str, value: &Value) -> bool {
    match name {
        "caller" => value.get("type") == Some(&"direct".into()),
        "citations" => value.get("enabled") == Some(&false.into()),
        _ => false,
    }
}

fn tool_use(mut fields: Fields) -> Result<Part, Malformed> {
    let input = match fields.value("input") {
        Some(Value::Object(map)) => map,
        None => Map::new(),
        Some(_) => return Err(fields.fault("input", "The field must be an object.")),
    };
    Ok(Part::ToolCall(ToolCall {
        id: fields.required_string("id")?,
        name: fields.required_string("name")?,
        arguments: Arguments::from_object(&input),
        signature: None,
    }))
}

fn source(block: &mut Fields) -> Result<Source, Malformed> {
    let mut source = block
        .object("source")?
        .ok_or_else(|| block.missing("source"))?;
    match source.required_string("type")?.as_str() {
        "base64" => Ok(Source::Inline {
            media_type: source.string("media_type")?,
            data: Base64::new(source.required_string("data")?),
        }),
        "url" => {
            let url = source.required_string("url")?;
            Ok(match Base64::of_data_url(url) {
                Ok((media_type, data)) => Source::Inline { media_type, data },
                Err(url) => Source::Url(url),
            })
        }
        "file" => Ok(Source::File {
            vendor: Vendor::Anthropic,
            id: source.required_string("file_id")?,
        }),
        "text" => {
            source.ignore(&["media_type"]);
            Ok(Source::Text(source.required_string("data")?))
        }
        other => {
            let message = format!("The type must be base64, url, file or text, not {other:?}.");
            Err(source.fault("type", message))
        }
    }
}
