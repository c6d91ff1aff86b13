//! The stylesheet, the script and the icon, within the program.

use crate::web::body::Body;
use crate::web::reply::reply;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, Method, Request, Response, StatusCode};

const ALL: [(&str, &str, &str); 3] = [
    (
        "/assets/style.css",
        "text/css; charset=utf-8",
        include_str!("../assets/style.css"),
    ),
    (
        "/assets/script.js",
        "text/javascript; charset=utf-8",
        include_str!("../assets/script.js"),
    ),
    (
        "/assets/icon.svg",
        "image/svg+xml",
        include_str!("../assets/icon.svg"),
    ),
];

/// One of them, if a path leads to one. They hold nothing secret, and need no token: the sign-in page has them too.
pub(in crate::web) fn answer<B>(request: &Request<B>) -> Option<Response<Body>> {
    let path = request.uri().path();
    let (_, kind, text) = ALL.into_iter().find(|(name, ..)| *name == path)?;
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return None;
    }
    let tag = format!("\"{:08x}\"", crc32fast::hash(text.as_bytes()));
    let known = request.headers().get(IF_NONE_MATCH);
    let mut reply = if known.is_some_and(|known| known == tag.as_str()) {
        reply(StatusCode::NOT_MODIFIED, kind, "")
    } else {
        reply(StatusCode::OK, kind, text)
    };
    let headers = reply.headers_mut();
    // Asked about each time, so that a new program's pages never meet an old one's style.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(ETAG, tag);
    }
    Some(reply)
}
