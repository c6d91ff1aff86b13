//! What is asked of an upstream.

use std::{fmt, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Method, uri::PathAndQuery};

/// Any error, of a body that somebody else produces.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body that arrives while it is sent.
pub type BodyStream = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BoxError>>>;

/// A request, complete but for what belongs to the connection: `Content-Length`, `Transfer-Encoding`,
/// `Connection` and, where `headers` has none, `Host` are added by the client, which ignores whatever `headers` says of the first three.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The whole path as sent, the backend's base path included (see [`Endpoint::join`](super::Endpoint::join)).
    pub path: PathAndQuery,
    /// End-to-end headers, credential included.
    pub headers: HeaderMap,
    /// The body.
    pub body: RequestBody,
}

/// The body of a [`Request`].
pub enum RequestBody {
    /// None.
    Empty,
    /// In one piece.
    Bytes(Bytes),
    /// In pieces that are written one after another without being joined: a body with edited spans. Shared, since every request is ready to be sent again.
    Segments(Arc<[Bytes]>),
    /// Relayed while it arrives. Its exact size hint becomes the `Content-Length`; without one it is sent chunked. Cannot be sent twice.
    Stream(BodyStream),
}

impl RequestBody {
    /// Its length in bytes, where known beforehand.
    pub fn length(&self) -> Option<u64> {
        match self {
            RequestBody::Empty => Some(0),
            RequestBody::Bytes(bytes) => Some(bytes.len() as u64),
            RequestBody::Segments(all) => Some(all.iter().map(|bytes| bytes.len() as u64).sum()),
            RequestBody::Stream(stream) => stream.size_hint().exact(),
        }
    }

    /// The same body once more, sharing its bytes; `None` for a stream.
    pub fn replay(&self) -> Option<RequestBody> {
        match self {
            RequestBody::Empty => Some(RequestBody::Empty),
            RequestBody::Bytes(bytes) => Some(RequestBody::Bytes(bytes.clone())),
            RequestBody::Segments(all) => Some(RequestBody::Segments(Arc::clone(all))),
            RequestBody::Stream(_) => None,
        }
    }

    /// The bytes, where they are there in one piece.
    pub fn whole(&self) -> Option<&Bytes> {
        match self {
            RequestBody::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Whether [`RequestBody::replay`] gives one.
    pub fn replayable(&self) -> bool {
        !matches!(self, RequestBody::Stream(_))
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.length() {
            Some(length) => write!(f, "RequestBody({length} bytes)"),
            None => f.write_str("RequestBody(stream)"),
        }
    }
}
