//! Parts of a content, to be written: borrowed, so that an image is copied once, into the body.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::parts::{is_public, media_type_of_url};
use crate::anthropic::request::turns::object;
use crate::form::{Source, ToolCall};

/// A part.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Out<'a> {
    /// Text.
    Text {
        /// It.
        text: &'a str,
    },
    /// Reasoning.
    Thought {
        /// What may be read of it.
        text: &'a str,
        /// That it is reasoning.
        thought: bool,
        /// The signature over it.
        #[serde(skip_serializing_if = "Option::is_none")]
        thought_signature: Option<String>,
    },
    /// Bytes.
    Inline {
        /// They.
        inline_data: Blob<'a>,
    },
    /// Something elsewhere.
    File {
        /// Where.
        file_data: FileData<'a>,
    },
    /// A call.
    Call {
        /// It.
        function_call: Call<'a>,
        /// The signature over it.
        #[serde(skip_serializing_if = "Option::is_none")]
        thought_signature: Option<&'a str>,
    },
    /// What a function gave.
    Response {
        /// It.
        function_response: Box<Response<'a>>,
    },
    /// What the form does not know, as it stood.
    Own(&'a Value),
}

/// Bytes.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Blob<'a> {
    mime_type: Cow<'a, str>,
    data: Cow<'a, str>,
}

/// Something elsewhere.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<&'static str>,
    file_uri: &'a str,
}

/// A call.
#[derive(Clone, Debug, Serialize)]
pub struct Call<'a> {
    id: &'a str,
    name: &'a str,
    args: Cow<'a, RawValue>,
}

/// What a function gave.
#[derive(Clone, Debug, Serialize)]
pub struct Response<'a> {
    /// The call's id.
    pub id: &'a str,
    /// The function's name.
    pub name: &'a str,
    /// What it gave.
    pub response: Given<'a>,
    /// Images and documents that it gave.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Out<'a>>,
}

/// What a function gave, which must be an object.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Given<'a> {
    /// An object.
    Object(Cow<'a, RawValue>),
    /// Something else.
    Output {
        /// It.
        output: Cow<'a, str>,
    },
    /// The function failed.
    Error {
        /// How.
        error: Cow<'a, str>,
    },
}

impl<'a> Given<'a> {
    /// What a text says.
    #[must_use]
    pub fn of(text: Cow<'a, str>, is_error: bool) -> Self {
        if is_error {
            return Self::Error { error: text };
        }
        match text {
            Cow::Borrowed(text) => match object(text) {
                Some(raw) => Self::Object(Cow::Borrowed(raw)),
                None => Self::Output {
                    output: Cow::Borrowed(text),
                },
            },
            Cow::Owned(text) => match object(&text) {
                Some(raw) => Self::Object(Cow::Owned(raw.to_owned())),
                None => Self::Output {
                    output: Cow::Owned(text),
                },
            },
        }
    }
}

/// A call; none if its arguments are no JSON object.
#[must_use]
pub fn call<'a>(call: &'a ToolCall, signature: Option<&'a str>) -> Option<Out<'a>> {
    Some(Out::Call {
        function_call: Call {
            id: &call.id,
            name: &call.name,
            args: Cow::Borrowed(object(call.arguments.as_text())?),
        },
        thought_signature: signature,
    })
}

/// A call, in which arguments that are no JSON object stand as `unparsed_arguments`.
#[must_use]
pub fn mended_call(of: &ToolCall) -> Option<Out<'_>> {
    if let Some(call) = call(of, of.signature.as_deref()) {
        return Some(call);
    }
    let mended = serde_json::json!({"unparsed_arguments": of.arguments.as_text()});
    Some(Out::Call {
        function_call: Call {
            id: &of.id,
            name: &of.name,
            args: Cow::Owned(serde_json::value::to_raw_value(&mended).ok()?),
        },
        thought_signature: None,
    })
}

/// An image, sound or a document: where it is.
///
/// # Errors
/// What to do about it, if Gemini cannot take it so.
pub fn media(source: &Source) -> Result<Out<'_>, &'static str> {
    Ok(match source {
        Source::Inline { media_type, data } => {
            let media_type = media_type.as_deref().or_else(|| data.sniff());
            let mime_type = match media_type.ok_or("say its media type.")? {
                "image/jpg" => "image/jpeg",
                "audio/mpeg" => "audio/mp3",
                other => other,
            };
            Out::Inline {
                inline_data: Blob {
                    mime_type: Cow::Borrowed(mime_type),
                    data: Cow::Borrowed(data.as_str()),
                },
            }
        }
        Source::Text(text) => Out::Inline {
            inline_data: Blob {
                mime_type: Cow::Borrowed("text/plain"),
                data: Cow::Owned(STANDARD.encode(text)),
            },
        },
        Source::Url(uri) if is_public(uri) => Out::File {
            file_data: FileData {
                mime_type: media_type_of_url(uri),
                file_uri: uri,
            },
        },
        Source::Url(_) => return Err("send its bytes instead of a URL that is not public."),
        Source::File { .. } => {
            return Err("send its bytes instead of a file that was uploaded to another vendor.");
        }
    })
}
