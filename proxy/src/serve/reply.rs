//! What the client gets of an upstream's reply.

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use std::sync::Arc;

use bytes::Bytes;

use super::body::Body;
use super::dispatch::Asked;
use super::error::{Blame, Refusal};
use super::masked::Masked;
use super::reply_model::{self, Renamer};
use super::stream::Stream;
use super::{headers, mirror};
use crate::state::backend::Backend;
use crate::think::{self, OpenAiStream, Rules};
use crate::upstream::Reply;

/// The longest reply that is read whole, because something in it is to be edited.
const LONGEST: usize = 64 << 20;

/// What is done to a reply.
pub(crate) struct Edits<'a> {
    /// What counts as thinking; none where replies have no text, or nothing happens to it.
    pub(crate) think: Option<&'a Arc<Rules>>,
    /// The model that the reply shall name, as a JSON literal.
    pub(crate) model: Option<Bytes>,
}

impl Edits<'_> {
    pub(crate) fn are_none(&self) -> bool {
        self.think.is_none() && self.model.is_none()
    }
}

/// Passes on what a backend answered to a call.
///
/// # Errors
/// 502 when the reply has to be edited and cannot be read.
pub(crate) async fn answer(
    reply: Reply,
    edits: Edits<'_>,
    asked: &Asked,
    backend: &Backend,
    name: &str,
) -> Result<Response<Body>, Refusal> {
    if reply.status.as_u16() >= 400 {
        return Ok(Box::pin(mirror::error(reply, backend)).await);
    }
    if edits.are_none() {
        return Ok(relay(reply, asked, name));
    }
    let streamed = is_event_stream(&reply.headers);
    if !streamed && !is_json(&reply.headers) {
        return Ok(relay(reply, asked, name));
    }
    let Reply {
        status,
        mut headers,
        body,
        ..
    } = reply;
    if headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity")
    {
        return Err(unreadable(
            name,
            "sent an encoded reply, though it was asked not to",
        ));
    }
    headers::downstream(&mut headers);
    headers.remove(header::CONTENT_LENGTH);
    if streamed {
        let think = edits
            .think
            .map(|rules| OpenAiStream::new(Arc::clone(rules)));
        let stream = Stream::new(body, asked.id, name)
            .masked(Masked::of(asked, name))
            .edited(think, edits.model.map(Renamer::new));
        return Ok(respond(status, headers, Body::stream(stream)));
    }
    let whole = body
        .collect(LONGEST)
        .await
        .map_err(|fault| Refusal::upstream(name, &fault))?;
    let whole =
        whole.ok_or_else(|| unreadable(name, "sent a reply that is too long to be edited"))?;
    let mut segments = match edits.think {
        Some(rules) => think::reply(rules, whole),
        None => vec![whole],
    };
    if let Some(model) = &edits.model {
        let joined = match segments.pop() {
            Some(only) if segments.is_empty() => only,
            last => segments
                .into_iter()
                .chain(last)
                .collect::<Vec<_>>()
                .concat()
                .into(),
        };
        segments = reply_model::whole(&joined, model);
    }
    Ok(respond(status, headers, Body::segments(segments)))
}

fn unreadable(backend: &str, what: &str) -> Refusal {
    let message = format!("Backend {backend:?} {what}.");
    let status = StatusCode::BAD_GATEWAY;
    Refusal {
        blame: Blame::Upstream,
        ..Refusal::client(status, "upstream_failed", message)
    }
}

/// Whether headers announce an event stream.
pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    has_type(headers, "text/event-stream")
}

/// Whether headers announce JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    has_type(headers, "application/json")
}

fn has_type(headers: &HeaderMap, wanted: &str) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    value
        .get(..wanted.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// Passes a reply on as it is. A stream that breaks gets an error event, anything else that breaks is cut off.
pub(crate) fn relay(reply: Reply, asked: &Asked, backend: &str) -> Response<Body> {
    let Reply {
        status,
        mut headers,
        body,
        ..
    } = reply;
    headers::downstream(&mut headers);
    let empty = asked.method == Method::HEAD
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    let body = if empty {
        Body::empty()
    } else if is_event_stream(&headers) {
        // An error event at the end would exceed a length that the upstream has announced.
        headers.remove(header::CONTENT_LENGTH);
        Body::stream(Stream::new(body, asked.id, backend).masked(Masked::of(asked, backend)))
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
