//! Which methods the paths take that are known here: [RFC 9110 §9.3](https://www.rfc-editor.org/rfc/rfc9110#section-9.3).

use http::{HeaderValue, Method, Response, StatusCode, header};

use super::body::Body;
use super::dispatch::Asked;
use super::error::{Refusal, bounded};
use crate::state::route::Route;

/// Paths that answer a POST alone.
const POST: [&str; 24] = [
    "api/chat",
    "api/embed",
    "api/embeddings",
    "api/generate",
    "api/show",
    "audio/speech",
    "audio/transcriptions",
    "audio/translations",
    "chat/completions",
    "classify",
    "completions",
    "detokenize",
    "embeddings",
    "images/edits",
    "images/generations",
    "images/variations",
    "messages",
    "messages/count_tokens",
    "moderations",
    "pooling",
    "rerank",
    "responses",
    "score",
    "tokenize",
];
/// Lists of models and their like, which are only read.
const READ: [&str; 6] = [
    "api/ping",
    "api/ps",
    "api/tags",
    "api/v0/models",
    "api/version",
    "models",
];
/// What is taken where nothing is known of a path.
const ANY: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// What is said to another method than POST where nothing else is taken.
///
/// # Errors
/// 405 to all but OPTIONS.
pub(crate) fn post_alone(asked: &Asked) -> Result<Response<Body>, Refusal> {
    let allow = "POST, OPTIONS";
    if asked.method == Method::OPTIONS {
        return Ok(options(allow));
    }
    Err(not_allowed(asked, allow))
}

/// Judges a request that nothing here answers: refuses a method that a known path does not take, answers OPTIONS of one, and
/// leaves everything else to be relayed. A backend's `relay` may list any method of any path.
///
/// # Errors
/// 405 that says which methods are taken.
pub(crate) fn judge(asked: &Asked) -> Result<Option<Response<Body>>, Refusal> {
    if asked.method == Method::TRACE {
        // It would show the client what was sent, our credential included.
        return Err(not_allowed(asked, ANY));
    }
    let allow = match asked.path.trim_matches('/') {
        path if READ.contains(&path) => "GET, HEAD, OPTIONS",
        path if POST.contains(&path) && asked.method != Method::POST => "POST, OPTIONS",
        _ => return Ok(None),
    };
    if lists(asked.route(), &asked.method, &asked.path) {
        return Ok(None);
    }
    if asked.method == Method::OPTIONS {
        return Ok(Some(options(allow)));
    }
    Err(not_allowed(asked, allow))
}

/// The answer to OPTIONS for the proxy as a whole.
pub(crate) fn options_of_all() -> Response<Body> {
    options(ANY)
}

fn options(allow: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let allow = HeaderValue::from_static(allow);
    response.headers_mut().insert(header::ALLOW, allow);
    response
}

/// Whether a backend's `relay` lists a method and path.
pub(crate) fn lists(route: &Route, method: &Method, path: &str) -> bool {
    let mut usable = route
        .backends
        .iter()
        .filter_map(|e| e.backend.as_ref().ok());
    usable.any(|backend| backend.lists(method, path))
}

fn not_allowed(asked: &Asked, allow: &'static str) -> Refusal {
    let message = format!(
        "{} does not take {}; it takes {allow}.",
        asked.shown_path(),
        bounded(asked.method.as_str(), 32)
    );
    Refusal {
        allow: Some(allow),
        ..Refusal::client(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            message,
        )
    }
}
