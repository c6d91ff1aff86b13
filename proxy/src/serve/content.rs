//! Bodies that name a model.

use std::cell::Cell;
use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use hyper::body::Incoming;

use super::error::Refusal;
use super::kept::Suspect;
use crate::json::Members;

/// A body that names a model.
pub(crate) enum Content<'a> {
    /// JSON, whose members were scanned for `model` at least.
    Json {
        body: &'a Bytes,
        members: &'a Members<'a, &'static str>,
        /// Whether it may lead to what a key keeps.
        suspect: Suspect,
    },
    /// A multipart form: what was read of it, where its model stands, and the rest, which can be sent once.
    Form {
        start: &'a Bytes,
        at: Range<usize>,
        rest: Option<&'a Cell<Option<Incoming>>>,
    },
}

impl Content<'_> {
    /// The body, where it is JSON.
    pub(crate) fn json(&self) -> Option<&Bytes> {
        match self {
            Self::Json { body, .. } => Some(body),
            Self::Form { .. } => None,
        }
    }

    /// Whether it was sent and cannot be sent again.
    pub(crate) fn is_spent(&self) -> bool {
        let Self::Form {
            rest: Some(rest), ..
        } = self
        else {
            return false;
        };
        let left = rest.take();
        let spent = left.is_none();
        rest.set(left);
        spent
    }
}

/// A compressed body cannot be judged.
pub(crate) fn refuse_encoded(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    if encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    let message = "Request bodies are read here and must not be compressed; send it without Content-Encoding.";
    Err(Refusal::client(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "encoded_body",
        message,
    ))
}
