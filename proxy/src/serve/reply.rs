//! What the client gets of an upstream's reply.

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use super::body::Body;
use super::headers;
use super::stream::Stream;
use crate::upstream::Reply;

/// Whether headers announce an event stream.
pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    has_type(headers, "text/event-stream")
}

/// Whether headers announce JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    has_type(headers, "application/json")
}

fn has_type(headers: &HeaderMap, wanted: &str) -> bool {
    let value = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    value.get(..wanted.len()).is_some_and(|start| start.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// Passes a reply on as it is. A stream that breaks gets an error event, anything else that breaks is cut off.
pub(crate) fn relay(reply: Reply, method: &Method, backend: &str) -> Response<Body> {
    let Reply { status, mut headers, body, .. } = reply;
    headers::downstream(&mut headers);
    let empty = *method == Method::HEAD
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    let body = if empty {
        Body::empty()
    } else if is_event_stream(&headers) {
        // An error event at the end would exceed a length that the upstream has announced.
        headers.remove(header::CONTENT_LENGTH);
        Body::stream(Stream::new(body, backend))
    } else {
        Body::relay(body)
    };
    respond(status, headers, body)
}

pub(crate) fn respond(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
