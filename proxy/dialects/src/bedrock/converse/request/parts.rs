//! Content, read block by block: objects with one member, whose name is the block's kind.
//!
//! A `cachePoint` marks the block before it; one that comes first marks nothing and is left out. JSON that a tool gave is its text.
//! Blocks of kinds that the form does not know, or with members that it does not know, stay as they stood, for this dialect only.

use serde_json::{Map, Value, json};

use super::media::{DOCUMENTS, IMAGES, SOUNDS, media_type};
use crate::fields::Fields;
use crate::form::{Arguments, Base64, Encrypted, Malformed, Part, Source, ToolCall, ToolResult};

/// Whether it is a kind of this dialect's that the form does not know.
#[must_use]
pub fn is_own(kind: &str) -> bool {
    const KINDS: [&str; 8] = [
        "video",
        "guardContent",
        "citationsContent",
        "searchResult",
        "image",
        "document",
        "audio",
        "toolUse",
    ];
    KINDS.contains(&kind)
}

/// The content of a message, a system prompt or a tool result.
///
/// # Errors
/// [`Malformed`] if it is not a list of blocks.
pub fn content(owner: &mut Fields, name: &str) -> Result<Option<Vec<Part>>, Malformed> {
    let Some(blocks) = owner.objects(name)? else {
        return Ok(None);
    };
    let mut parts = Vec::with_capacity(blocks.len());
    for mut block in blocks {
        if let Some(point) = block.value("cachePoint") {
            mark(parts.last_mut(), &point);
        } else {
            parts.push(part(block)?);
        }
    }
    Ok(Some(parts))
}

/// Anthropic's mark for what a cache point says.
#[must_use]
pub fn cache_mark(point: &Value) -> Value {
    match point.get("ttl") {
        Some(ttl) => json!({"type": "ephemeral", "ttl": ttl}),
        None => json!({"type": "ephemeral"}),
    }
}

fn mark(last: Option<&mut Part>, point: &Value) {
    if let Some(
        Part::Text { cache, .. }
        | Part::Image { cache, .. }
        | Part::Document { cache, .. }
        | Part::ToolResult(ToolResult { cache, .. }),
    ) = last
    {
        *cache = Some(cache_mark(point));
    }
}

fn part(mut block: Fields) -> Result<Part, Malformed> {
    if let Some(text) = block.string("text")? {
        return Ok(Part::text(text));
    }
    if let Some(json) = block.value("json") {
        return Ok(Part::text(json.to_string()));
    }
    if let Some(thought) = block.object("reasoningContent")? {
        return reasoning(thought);
    }
    if let Some(result) = block.object("toolResult")? {
        return tool_result(result);
    }
    block.leave_out(|_, _| false);
    let Some(kind) = block.names().next().map(str::to_owned) else {
        return Err(Malformed::new(
            block.at(),
            "A block must have a member that says what it holds.",
        ));
    };
    let known: &[&str] = match kind.as_str() {
        "image" | "audio" => &["format", "source"],
        "document" => &["format", "name", "source"],
        "toolUse" => &["toolUseId", "name", "input"],
        _ => &[],
    };
    let members = block.peek(&kind).and_then(Value::as_object);
    let plain = members.is_some_and(|members| {
        let nothing =
            |value: &Value| value.is_null() || value.get("enabled") == Some(&false.into());
        let all_known = members
            .iter()
            .all(|(name, value)| known.contains(&name.as_str()) || nothing(value));
        all_known && members.get("source").is_none_or(is_plain_source)
    });
    if known.is_empty() || !plain {
        let value = block.rest().into();
        return Ok(Part::Other { kind, value });
    }
    let mut fields = block.object(&kind)?.ok_or_else(|| block.missing(&kind))?;
    // What says nothing, as was just seen.
    fields.leave_out(|name, _| !known.contains(&name));
    match kind.as_str() {
        "toolUse" => tool_use(fields),
        "image" => Ok(Part::Image {
            source: source(&mut fields, &IMAGES)?,
            detail: None,
            cache: None,
        }),
        "audio" => Ok(Part::Audio {
            source: source(&mut fields, &SOUNDS)?,
        }),
        _ => Ok(Part::Document {
            source: source(&mut fields, &DOCUMENTS)?,
            name: fields.string("name")?,
            cache: None,
        }),
    }
}

fn is_plain_source(source: &Value) -> bool {
    let bucket = source
        .get("s3Location")
        .and_then(|place| place.get("bucketOwner"));
    bucket.is_none() && source.get("content").is_none()
}

fn source(block: &mut Fields, table: &[(&str, &'static str)]) -> Result<Source, Malformed> {
    let format = block.string("format")?;
    let media_type = match format.as_deref() {
        None => None,
        Some(word) => Some(media_type(table, word).ok_or_else(|| {
            let words: Vec<&str> = table.iter().map(|(word, _)| *word).collect();
            block.fault(
                "format",
                format!(
                    "The format must be one of {}, not {word:?}.",
                    words.join(", ")
                ),
            )
        })?),
    };
    let mut source = block
        .object("source")?
        .ok_or_else(|| block.missing("source"))?;
    if let Some(data) = source.string("bytes")? {
        return Ok(Source::Inline {
            media_type: media_type.map(str::to_owned),
            data: Base64::new(data),
        });
    }
    if let Some(text) = source.string("text")? {
        return Ok(Source::Text(text));
    }
    let mut place = source
        .object("s3Location")?
        .ok_or_else(|| source.missing("bytes"))?;
    Ok(Source::Url(place.required_string("uri")?))
}

fn tool_use(mut call: Fields) -> Result<Part, Malformed> {
    let input = match call.value("input") {
        Some(Value::Object(map)) => map,
        None => Map::new(),
        Some(_) => return Err(call.fault("input", "The field must be an object.")),
    };
    Ok(Part::ToolCall(ToolCall {
        id: call.required_string("toolUseId")?,
        name: call.required_string("name")?,
        arguments: Arguments::from_object(&input),
        signature: None,
    }))
}

fn tool_result(mut result: Fields) -> Result<Part, Malformed> {
    let is_error = match result.string("status")?.as_deref() {
        None | Some("success") => false,
        Some("error") => true,
        Some(other) => {
            let message = format!("The status must be success or error, not {other:?}.");
            return Err(result.fault("status", message));
        }
    };
    Ok(Part::ToolResult(ToolResult {
        call: result.required_string("toolUseId")?,
        name: None,
        parts: content(&mut result, "content")?.unwrap_or_default(),
        is_error,
        cache: None,
    }))
}

fn reasoning(mut thought: Fields) -> Result<Part, Malformed> {
    let encrypted = thought.string("redactedContent")?;
    let text = thought.object("reasoningText")?;
    let (text, signature) = match text {
        Some(mut text) => (text.required_string("text")?, text.string("signature")?),
        None if encrypted.is_some() => (String::new(), None),
        None => return Err(thought.missing("reasoningText")),
    };
    Ok(Part::Reasoning {
        text,
        signature: signature.filter(|text| !text.is_empty()),
        encrypted: encrypted.map(Encrypted::by_anthropic),
        id: None,
    })
}
