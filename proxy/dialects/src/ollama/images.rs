//! `images`: bare base64, beside a message's text.
//!
//! Source: [vision](https://docs.ollama.com/capabilities/vision). Ollama puts a message's images before its text
//! ([`prompt.go`](https://github.com/ollama/ollama/blob/main/server/prompt.go)); so does the reader, and a writer loses no order
//! that the model would have seen. A `data:` URL, which some clients send, is taken apart.

use crate::fields::Fields;
use crate::form::{Base64, Field, Malformed, Part, Refused, Source};

/// Takes a message's images.
pub(super) fn read(fields: &mut Fields) -> Result<Vec<Part>, Malformed> {
    if fields.peek("images").is_some_and(|value| !value.is_array()) {
        return Err(fields.fault("images", "The field must be a list of base64 strings."));
    }
    let images = fields.strings("images")?.unwrap_or_default();
    Ok(images.into_iter().map(of_base64).collect())
}

fn of_base64(text: String) -> Part {
    let (media_type, data) = match Base64::of_data_url(text) {
        Ok(taken) => taken,
        Err(text) => (None, Base64::new(text)),
    };
    Part::Image {
        source: Source::Inline { media_type, data },
        detail: None,
        cache: None,
    }
}

/// The base64 of an image, if it is one that can be sent.
pub(super) fn written<'a>(source: &'a Source, at: &str) -> Result<&'a str, Refused> {
    match source {
        Source::Inline { data, .. } => Ok(data.as_str()),
        Source::Url(_) | Source::File { .. } | Source::Text(_) => Err(Refused::new(
            Field::At(at.to_owned()),
            "Ollama takes images as base64 only and fetches none; send the image's bytes inline.",
            "https://docs.ollama.com/capabilities/vision",
        )),
    }
}
