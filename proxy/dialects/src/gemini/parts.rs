//! Parts of a content, read: objects whose one field says what they hold.
//!
//! Images, sound and documents are told by their media type. Videos, files in Google's stores, code that the server ran, its own tools' calls, and
//! parts with fields that the form does not know stay as they stood, for this dialect only. Empty texts, names of parts (`partMetadata`) and of files of images and sound are left out.

use serde_json::{Map, Value, json};

use super::bytes::{standard, unmarked};
use super::calls::Calls;
use super::spelling::{camel, camel_name, object};
use crate::fields::Fields;
use crate::form::{Arguments, Base64, Malformed, Part, Source, ToolCall, ToolResult};

/// What a part of the form's is, by its media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    Image,
    Audio,
    Document,
}

/// Each end of a file's name, and its media type.
const ENDS: [(&str, &str); 21] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("heif", "image/heif"),
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("html", "text/html"),
    ("csv", "text/csv"),
    ("xml", "text/xml"),
    ("json", "application/json"),
    ("wav", "audio/wav"),
    ("mp3", "audio/mp3"),
    ("aac", "audio/aac"),
    ("ogg", "audio/ogg"),
    ("flac", "audio/flac"),
    ("m4a", "audio/m4a"),
    ("mp4", "video/mp4"),
];

/// The media type that the end of a URL's path speaks of.
#[must_use]
pub fn media_type_of_url(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let (_, end) = path.rsplit_once('.')?;
    let end = end.to_ascii_lowercase();
    let found = ENDS.iter().find(|(known, _)| *known == end);
    found.map(|(_, media_type)| *media_type)
}

/// Whether anybody can fetch what a URI names: not what was uploaded to the vendor.
#[must_use]
pub fn is_public(uri: &str) -> bool {
    let web = uri.starts_with("https://") || uri.starts_with("http://");
    web && !uri.contains("://generativelanguage.googleapis.com/")
}

/// Kinds of parts that the form does not know.
const OWN: [&str; 8] = [
    "inlineData",
    "fileData",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
    "audioTranscription",
    "text",
];

/// Where a part of this dialect's own stands within a [`Part::Other`]: other dialects have parts that are named the same.
const WITHIN: &str = "part";

/// The part that a [`Part::Other`] holds, if it is this dialect's.
#[must_use]
pub fn own<'a>(kind: &str, value: &'a Value) -> Option<&'a Value> {
    let part = value.get(WITHIN).filter(|_| kind != WITHIN)?;
    part.get(kind).map(|_| part)
}

/// Reads the `parts` of a content whose fields are respelled.
///
/// # Errors
/// [`Malformed`] if they are not what the dialect says.
pub fn read(content: &mut Fields, calls: &mut Calls) -> Result<Vec<Part>, Malformed> {
    let mut parts = Vec::new();
    for fields in content.objects("parts")?.unwrap_or_default() {
        parts.extend(part(camel(fields)?, calls)?);
    }
    Ok(parts)
}

fn part(mut fields: Fields, calls: &mut Calls) -> Result<Option<Part>, Malformed> {
    fields.value("partMetadata");
    let thought = fields.bool("thought")?.unwrap_or_default();
    let signature = fields
        .string("thoughtSignature")?
        .filter(|text| !text.is_empty());
    if fields.has("text") && fields.peek("speechMetadata").is_none() {
        let text = fields.string("text")?.unwrap_or_default();
        if thought {
            let signature = signature.and_then(unmarked);
            return Ok(
                (!text.is_empty() || signature.is_some()).then_some(Part::Reasoning {
                    text,
                    signature,
                    encrypted: None,
                    id: None,
                }),
            );
        }
        return Ok((!text.is_empty()).then(|| Part::text(text)));
    }
    if let Some(call) = fields.object("functionCall")? {
        return function_call(camel(call)?, signature, calls).map(Some);
    }
    if let Some(result) = fields.object("functionResponse")? {
        return function_response(camel(result)?, calls).map(Some);
    }
    media(fields, thought, signature).map(Some)
}

fn function_call(
    mut call: Fields,
    signature: Option<String>,
    calls: &mut Calls,
) -> Result<Part, Malformed> {
    // It is whole here.
    call.leave_out(|name, value| name == "willContinue" && *value == false);
    let name = call.required_string("name")?;
    let arguments = match call.value("args") {
        Some(Value::Object(map)) => map,
        None => Map::new(),
        Some(_) => return Err(call.fault("args", "The field must be an object.")),
    };
    Ok(Part::ToolCall(ToolCall {
        id: calls.made(call.string("id")?, &name),
        name,
        arguments: Arguments::from_object(&arguments),
        signature,
    }))
}

/// What a function gave: what it says under `output` or `result`, else all of it; under `error` alone, that it failed.
fn function_response(mut result: Fields, calls: &mut Calls) -> Result<Part, Malformed> {
    let name = result.required_string("name")?;
    let id = result.string("id")?;
    result.leave_out(|name, value| name == "willContinue" && *value == false);
    let Some(call) = calls.answered(id, &name) else {
        let message = "No call of this function before this part waits for a result.";
        return Err(result.fault("name", message));
    };
    let mut response = match result.value("response") {
        Some(Value::Object(map)) => map,
        None => Map::new(),
        Some(_) => return Err(result.fault("response", "The field must be an object.")),
    };
    let is_error = response.len() == 1 && response.contains_key("error");
    let alone = ["output", "result", "error"]
        .into_iter()
        .find(|name| response.len() == 1 && response.contains_key(*name))
        .and_then(|name| response.remove(name));
    let text = match alone {
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
        None if response.is_empty() => String::new(),
        None => Value::Object(response).to_string(),
    };
    let mut parts = Vec::new();
    if !text.is_empty() {
        parts.push(Part::text(text));
    }
    for fields in result.objects("parts")?.unwrap_or_default() {
        parts.push(media(camel(fields)?, false, None)?);
    }
    Ok(Part::ToolResult(ToolResult {
        call,
        name: Some(name),
        parts,
        is_error,
        cache: None,
    }))
}

/// An image, sound or a document, if it is one and says nothing more than the form knows.
///
/// # Errors
/// [`Malformed`] if it is not what the dialect says.
pub fn media(
    mut fields: Fields,
    thought: bool,
    signature: Option<String>,
) -> Result<Part, Malformed> {
    fields.leave_out(|_, _| false);
    let plain = fields.names().count() == 1 && !thought;
    for name in ["inlineData", "fileData"] {
        let Some((media, media_type)) = fields.peek(name).and_then(plain_media) else {
            continue;
        };
        let inner = if plain {
            object(&mut fields, name)?
        } else {
            None
        };
        let Some(mut inner) = inner else { break };
        inner.ignore(&["mimeType"]);
        let source = if name == "inlineData" {
            Source::Inline {
                media_type: Some(media_type),
                data: Base64::new(standard(inner.required_string("data")?)),
            }
        } else {
            Source::Url(inner.required_string("fileUri")?)
        };
        return Ok(of_media(media, source, inner.string("displayName")?));
    }
    other(fields, thought, signature)
}

/// What a blob or a file is, and its media type.
fn plain_media(value: &Value) -> Option<(Media, String)> {
    let known = ["mimeType", "data", "fileUri", "displayName"];
    let members = value.as_object()?.iter();
    let members = members.map(|(name, value)| (camel_name(name), value));
    let (mut media_type, mut uri) = (None, None);
    for (name, value) in members.filter(|(_, value)| !value.is_null()) {
        match name.as_str() {
            "mimeType" => media_type = value.as_str(),
            "fileUri" => uri = value.as_str(),
            name if known.contains(&name) => {}
            _ => return None,
        }
    }
    let media_type = media_type.or_else(|| uri.and_then(media_type_of_url))?;
    if !uri.is_none_or(is_public) {
        return None;
    }
    Some((media_of(media_type)?, media_type.to_owned()))
}

fn media_of(media_type: &str) -> Option<Media> {
    match media_type.split_once('/')?.0 {
        "image" => Some(Media::Image),
        "audio" => Some(Media::Audio),
        "video" => None,
        _ => Some(Media::Document),
    }
}

fn of_media(media: Media, source: Source, name: Option<String>) -> Part {
    match media {
        Media::Image => Part::Image {
            source,
            detail: None,
            cache: None,
        },
        Media::Audio => Part::Audio { source },
        Media::Document => Part::Document {
            source,
            name,
            cache: None,
        },
    }
}

/// What only this dialect can say, as it stood.
fn other(fields: Fields, thought: bool, signature: Option<String>) -> Result<Part, Malformed> {
    let at = fields.at().to_owned();
    let mut map = fields.rest();
    let kind = map
        .keys()
        .find(|name| OWN.contains(&name.as_str()))
        .or_else(|| map.keys().next());
    let Some(kind) = kind.cloned() else {
        let message = "A part must have a field that says what it holds.";
        return Err(Malformed::new(at, message));
    };
    if thought {
        map.insert("thought".into(), true.into());
    }
    map.extend(signature.map(|signature| ("thoughtSignature".to_owned(), signature.into())));
    Ok(Part::Other {
        kind,
        value: json!({ WITHIN: map }),
    })
}
