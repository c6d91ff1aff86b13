//! What a message holds: a string, or parts.

use serde_json::Value;

use crate::fields::Fields;
use crate::form::{Base64, Malformed, Part, Source, Vendor};

/// Reads `content`, which may be absent.
pub(crate) fn content(fields: &mut Fields) -> Result<Vec<Part>, Malformed> {
    match fields.peek("content") {
        None | Some(Value::String(_)) => {
            let text = fields.string("content")?;
            Ok(text.into_iter().map(Part::text).collect())
        }
        Some(_) => {
            let list = fields.objects("content")?.unwrap_or_default();
            let mut parts = Vec::with_capacity(list.len());
            for object in list {
                part(object, &mut parts)?;
            }
            Ok(parts)
        }
    }
}

fn part(mut fields: Fields, parts: &mut Vec<Part>) -> Result<(), Malformed> {
    let kind = fields.required_string("type")?;
    let read = match kind.as_str() {
        "text" => Part::Text {
            text: fields.required_string("text")?,
            citations: None,
            cache: fields.value("cache_control"),
        },
        "image_url" => image(&mut fields)?,
        "input_audio" => audio(&mut fields)?,
        "file" => file(&mut fields)?,
        "refusal" => Part::Refusal(fields.required_string("refusal")?),
        // Mistral's reasoning.
        "thinking" => {
            fields.ignore(&["closed", "signature"]);
            return thinking(&mut fields, parts);
        }
        _ => {
            let mut value = fields.rest();
            value.shift_insert(0, "type".into(), kind.clone().into());
            let value = value.into();
            Part::Other { kind, value }
        }
    };
    parts.push(read);
    Ok(())
}

fn image(fields: &mut Fields) -> Result<Part, Malformed> {
    let (url, detail) = match fields.peek("image_url") {
        // Some servers and applications leave the object out.
        Some(Value::String(_)) => (fields.required_string("image_url")?, None),
        _ => {
            let inner = fields.object("image_url")?;
            let mut inner = inner.ok_or_else(|| fields.missing("image_url"))?;
            (inner.required_string("url")?, inner.string("detail")?)
        }
    };
    Ok(Part::Image {
        source: at_url(url),
        detail,
        cache: fields.value("cache_control"),
    })
}

/// Where a URL leads: into itself, or elsewhere.
pub(crate) fn at_url(url: String) -> Source {
    match Base64::of_data_url(url) {
        Ok((media_type, data)) => Source::Inline { media_type, data },
        Err(url) => Source::Url(url),
    }
}

fn audio(fields: &mut Fields) -> Result<Part, Malformed> {
    let inner = fields.object("input_audio")?;
    let mut inner = inner.ok_or_else(|| fields.missing("input_audio"))?;
    let format = inner.required_string("format")?;
    let source = Source::Inline {
        media_type: Some(format!("audio/{format}")),
        data: Base64::new(inner.required_string("data")?),
    };
    Ok(Part::Audio { source })
}

fn file(fields: &mut Fields) -> Result<Part, Malformed> {
    let inner = fields.object("file")?;
    let mut inner = inner.ok_or_else(|| fields.missing("file"))?;
    let source = match (inner.string("file_data")?, inner.string("file_id")?) {
        (Some(data), None) => file_data(data),
        (None, Some(id)) => Source::File {
            vendor: Vendor::OpenAi,
            id,
        },
        _ => {
            let message = "The file must have either file_data or file_id.";
            return Err(fields.fault("file", message));
        }
    };
    Ok(Part::Document {
        source,
        name: inner.string("filename")?,
        cache: fields.value("cache_control"),
    })
}

/// A file's content: a `data:` URL, or, as it also was documented, bare base64. OpenRouter takes URLs here.
pub(crate) fn file_data(data: String) -> Source {
    match at_url(data) {
        Source::Url(url) if !url.starts_with("http://") && !url.starts_with("https://") => {
            let data = Base64::new(url);
            let media_type = data.sniff().map(str::to_owned);
            Source::Inline { media_type, data }
        }
        source => source,
    }
}

fn thinking(fields: &mut Fields, parts: &mut Vec<Part>) -> Result<(), Malformed> {
    let text = match fields.peek("thinking") {
        Some(Value::Array(_)) => {
            let list = fields.objects("thinking")?.unwrap_or_default();
            let texts = list.into_iter().map(|mut inner| {
                inner.ignore(&["type"]);
                inner.string("text")
            });
            texts
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .flatten()
                .collect()
        }
        _ => fields.string("thinking")?.unwrap_or_default(),
    };
    parts.push(reasoning(text));
    Ok(())
}

/// Reasoning in plain text.
pub(crate) fn reasoning(text: String) -> Part {
    Part::Reasoning {
        text,
        signature: None,
        encrypted: None,
        id: None,
    }
}
