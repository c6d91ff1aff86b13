//! What the client gets of an upstream's reply.

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use std::sync::Arc;

use bytes::Bytes;
use dragoman_dialects::Wire;

use super::body::Body;
use super::dispatch::Asked;
use super::error::Refusal;
use super::masked::Masked;
use super::reply_model::{self, Renamer};
use super::stream::Stream;
use super::translation::Ends;
use super::unreadable::Whose;
use super::{headers, mirror};
use crate::state::backend::Backend;
use crate::think::{self, ReplyStream, Rules};
use crate::upstream::Reply;

/// The longest reply that is read whole, because something in it is to be edited.
const LONGEST: usize = 64 << 20;

/// What is done to a reply.
pub(crate) struct Edits<'a> {
    /// What client and backend speak, both.
    pub(crate) dialect: Wire,
    /// Whether JSON is a stream: Gemini's, where no events are asked for.
    pub(crate) array: bool,
    /// What counts as thinking; none where replies have no text, or nothing happens to it.
    pub(crate) think: Option<&'a Arc<Rules>>,
    /// Whether the client asked to be shown thinking, where that stands in its way otherwise.
    pub(crate) shown: bool,
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
        return Ok(match edits.dialect {
            Wire::Chat | Wire::Completions | Wire::Responses => {
                Box::pin(mirror::error(reply, backend)).await
            }
            dialect => {
                let (client, upstream) = (dialect, dialect);
                let ends = Ends { client, upstream };
                let id = asked.id.to_string();
                Box::pin(mirror::in_dialect(reply, backend, ends, &id)).await
            }
        });
    }
    let array = edits.array && is_json(&reply.headers);
    let streamed = array || is_stream(edits.dialect, &reply.headers);
    if edits.are_none() || (!streamed && !is_json(&reply.headers)) {
        return Ok(pass(reply, edits.dialect, asked, name));
    }
    let Reply {
        status,
        mut headers,
        body,
        ..
    } = reply;
    let whose = Whose {
        backend,
        name,
        id: asked.id,
    };
    if is_encoded(&headers) {
        return Err(whose.did("sent an encoded reply, though it was asked not to"));
    }
    headers::downstream(&mut headers);
    headers.remove(header::CONTENT_LENGTH);
    if streamed {
        let think = match edits.think {
            None if !array => whole_lines(edits.dialect, asked),
            // Only whole elements pass, so that an error can follow them.
            rules => {
                let rules = Arc::clone(rules.unwrap_or_else(|| &asked.route().rules));
                Some(if array {
                    ReplyStream::array(rules, edits.shown)
                } else {
                    ReplyStream::new(edits.dialect, rules, edits.shown)
                })
            }
        };
        let renamer = edits.model.map(|model| {
            if array {
                Renamer::array(model)
            } else {
                Renamer::new(edits.dialect, model)
            }
        });
        let stream = Stream::new(body, edits.dialect, asked.id, name)
            .masked(Masked::of(asked, name))
            .edited(think, renamer);
        return Ok(respond(status, headers, Body::stream(stream)));
    }
    let whole = body
        .collect(LONGEST)
        .await
        .map_err(|fault| whose.fault(&fault))?;
    let whole = whole.ok_or_else(|| whose.did("sent a reply that is too long to be edited"))?;
    let mut segments = match edits.think {
        Some(rules) => think::whole(edits.dialect, rules, edits.shown, whole),
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
        segments = reply_model::whole(edits.dialect, &joined, model);
    }
    Ok(respond(status, headers, Body::segments(segments)))
}

/// Whether headers announce a stream of this dialect.
fn is_stream(dialect: Wire, headers: &HeaderMap) -> bool {
    match dialect {
        Wire::OllamaChat | Wire::OllamaGenerate => has_type(headers, "application/x-ndjson"),
        Wire::BedrockConverse | Wire::BedrockInvoke | Wire::BedrockText => {
            has_type(headers, "application/vnd.amazon.eventstream")
        }
        _ => is_event_stream(headers),
    }
}

/// What sees to it that no line or message is passed on in part where nothing else does: an error could not follow it.
fn whole_lines(dialect: Wire, asked: &Asked) -> Option<ReplyStream> {
    let rules = || Arc::clone(&asked.route().rules);
    let whole = matches!(
        dialect,
        Wire::OllamaChat
            | Wire::OllamaGenerate
            | Wire::BedrockConverse
            | Wire::BedrockInvoke
            | Wire::BedrockText
    );
    whole.then(|| ReplyStream::new(dialect, rules(), false))
}

/// Whether headers announce an event stream.
pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    has_type(headers, "text/event-stream")
}

/// Whether headers announce JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    has_type(headers, "application/json")
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity")
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

/// Passes a reply on as it is. An event stream that breaks gets an error event, anything else that breaks is cut off.
pub(crate) fn relay(reply: Reply, asked: &Asked, backend: &str) -> Response<Body> {
    pass(reply, Wire::Chat, asked, backend)
}

/// The same for a client of this dialect.
fn pass(reply: Reply, dialect: Wire, asked: &Asked, backend: &str) -> Response<Body> {
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
    } else if is_stream(dialect, &headers) {
        // An error event at the end would exceed a length that the upstream has announced.
        headers.remove(header::CONTENT_LENGTH);
        let lines = whole_lines(dialect, asked).filter(|_| !is_encoded(&headers));
        let stream = Stream::new(body, dialect, asked.id, backend)
            .masked(Masked::of(asked, backend))
            .edited(lines, None);
        Body::stream(stream)
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
