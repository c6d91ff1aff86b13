//! A reply before it is tied to its request.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

use crate::{
    wire::{self, Content},
    words::Wire,
};

/// Status, headers and body.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content,
}

impl Reply {
    pub(crate) fn new(status: StatusCode, kind: &'static str, content: Content) -> Self {
        let headers =
            HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))]);
        Self {
            status,
            headers,
            content,
        }
    }

    pub(crate) fn json(status: StatusCode, value: &Value) -> Self {
        let body = Content::Whole(value.to_string().into());
        Self::new(status, "application/json", body)
    }

    pub(crate) fn ok(value: &Value) -> Self {
        Self::json(StatusCode::OK, value)
    }

    /// A known body, written as `wire` says.
    pub(crate) fn written(kind: &'static str, body: Bytes, wire: &Wire, gzip: bool) -> Self {
        let body = if wire.malformed {
            body.slice(..body.len() / 2)
        } else {
            body
        };
        let whole = wire.cut.is_none() && wire.stall.is_none();
        if whole && !gzip && !wire.split && !wire.chunked {
            return Self::new(StatusCode::OK, kind, Content::Whole(body));
        }
        let length = body.len();
        let steps = wire::plain(body, wire, gzip);
        let mut reply = Self::new(StatusCode::OK, kind, Content::steps(steps));
        if !gzip && !wire.chunked {
            reply.set(header::CONTENT_LENGTH, length);
        }
        reply.encoded(gzip)
    }

    /// Says that the body is compressed, if it is.
    pub(crate) fn encoded(mut self, gzip: bool) -> Self {
        if gzip {
            self.headers
                .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            self.headers
                .insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        self
    }

    /// Sets a header; a value that no header can hold is left out.
    pub(crate) fn set(&mut self, name: HeaderName, value: impl ToString) {
        if let Ok(value) = HeaderValue::try_from(value.to_string()) {
            self.headers.insert(name, value);
        }
    }
}
