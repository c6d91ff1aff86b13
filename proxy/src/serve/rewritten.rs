//! A whole reply of a backend of another dialect that is rewritten for the client at once: vectors, counts.

use dragoman_dialects::form::Garbage;
use http::{HeaderMap, HeaderValue, Response, header};

use super::body::Body;
use super::dispatch::Asked;
use super::error::Refusal;
use super::reply::respond;
use super::translation::Ends;
use super::unreadable::Whose;
use super::{headers, mirror};
use crate::state::backend::Backend;
use crate::upstream::Reply;

/// Passes on what a backend answered, of at most `longest` bytes: an error in the client's words, anything else as `write` makes it.
///
/// # Errors
/// 502 when the reply cannot be read.
pub(super) async fn answer(
    reply: Reply,
    ends: Ends,
    longest: usize,
    asked: &Asked,
    (name, backend): (&str, &Backend),
    write: impl FnOnce(&[u8], &mut HeaderMap) -> Result<Vec<u8>, Garbage>,
) -> Result<Response<Body>, Refusal> {
    if reply.status.as_u16() >= 400 {
        return Ok(mirror::in_dialect(reply, backend, ends, &asked.id.to_string()).await);
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
    headers::downstream(&mut headers);
    for name in [
        header::CONTENT_LENGTH,
        header::CONTENT_ENCODING,
        header::ETAG,
    ] {
        headers.remove(name);
    }
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    let said = body.collect(longest).await;
    let said = said.map_err(|fault| whose.fault(&fault))?;
    let said = said.ok_or_else(|| whose.did("sent a reply that is too long"))?;
    let written = write(&said, &mut headers).map_err(|garbage| whose.garbage(&garbage))?;
    Ok(respond(status, headers, Body::whole(written.into())))
}
