//! What a message or a function's output holds.

use serde_json::Value;

use crate::fields::Fields;
use crate::form::{Base64, Malformed, Part, Source, Vendor};
use crate::openai::chat::request::content::{at_url, file_data};

/// Reads a field that is a string or a list of parts.
pub(super) fn content(fields: &mut Fields, name: &str) -> Result<Vec<Part>, Malformed> {
    match fields.peek(name) {
        None | Some(Value::String(_)) => {
            let text = fields.string(name)?;
            Ok(text.into_iter().map(Part::text).collect())
        }
        Some(_) => {
            let list = fields.objects(name)?.unwrap_or_default();
            list.into_iter().map(part).collect()
        }
    }
}

/// Reads a part, of input or of output.
pub(crate) fn part(mut fields: Fields) -> Result<Part, Malformed> {
    let kind = fields.required_string("type")?;
    Ok(match kind.as_str() {
        "input_text" | "output_text" | "text" => {
            fields.ignore(&["logprobs", "parsed"]);
            let citations = fields.list("annotations")?;
            Part::Text {
                text: fields.required_string("text")?,
                citations: citations.filter(|list| !list.is_empty()).map(Value::from),
                cache: None,
            }
        }
        "refusal" => Part::Refusal(fields.required_string("refusal")?),
        "input_image" => {
            let source = match (fields.string("image_url")?, fields.string("file_id")?) {
                (Some(url), None) => at_url(url),
                (None, Some(id)) => Source::File {
                    vendor: Vendor::OpenAi,
                    id,
                },
                _ => {
                    let message = "The image must have either image_url or file_id.";
                    return Err(Malformed::new(fields.at(), message));
                }
            };
            // `auto` is the default, which SDKs always send.
            let detail = fields.string("detail")?.filter(|detail| detail != "auto");
            Part::Image {
                source,
                detail,
                cache: None,
            }
        }
        "input_file" => file(&mut fields)?,
        "input_audio" => {
            let inner = fields.object("input_audio")?;
            let mut inner = inner.ok_or_else(|| fields.missing("input_audio"))?;
            let format = inner.required_string("format")?;
            let source = Source::Inline {
                media_type: Some(format!("audio/{format}")),
                data: Base64::new(inner.required_string("data")?),
            };
            Part::Audio { source }
        }
        _ => {
            let mut value = fields.rest();
            value.shift_insert(0, "type".into(), kind.clone().into());
            let value = value.into();
            Part::Other { kind, value }
        }
    })
}

fn file(fields: &mut Fields) -> Result<Part, Malformed> {
    let data = fields.string("file_data")?;
    let (id, url) = (fields.string("file_id")?, fields.string("file_url")?);
    let source = match (data, id, url) {
        (Some(data), None, None) => file_data(data),
        (None, Some(id), None) => Source::File {
            vendor: Vendor::OpenAi,
            id,
        },
        (None, None, Some(url)) => at_url(url),
        _ => {
            let message = "The file must have one of file_data, file_id and file_url.";
            return Err(Malformed::new(fields.at(), message));
        }
    };
    Ok(Part::Document {
        source,
        name: fields.string("filename")?,
        cache: None,
    })
}
