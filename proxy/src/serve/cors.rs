//! Requests of pages of other origins: preflights answered here, replies marked for whom they are.
//!
//! Source: [the CORS protocol](https://fetch.spec.whatwg.org/#http-cors-protocol).

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use super::body::Body;
use crate::state::cors::Cors;

/// What the reply to a request of a route with CORS says of it.
pub(crate) struct Cross {
    /// The origin whose pages may read it.
    origin: Option<HeaderValue>,
    varies: bool,
}

impl Cross {
    pub(crate) fn new(cors: &Cors, headers: &HeaderMap) -> Self {
        Self {
            origin: cors.admits(headers.get(header::ORIGIN)),
            varies: cors.varies(),
        }
    }

    /// Says it. An upstream's own headers of that kind are gone by then.
    pub(crate) fn mark(&self, headers: &mut HeaderMap) {
        if self.varies {
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        if let Some(origin) = &self.origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            // All of them: request ids, limits, waits, whatever the upstream tells. Nothing that a browser adds by itself is allowed, so that the star holds.
            let all = HeaderValue::from_static("*");
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, all);
        }
    }
}

/// The answer to a preflight; `None` for any other request. No policy is asked: a preflight carries no credential, and says nothing that the policies guard.
pub(crate) fn preflight(cors: &Cors, method: &Method, asked: &HeaderMap) -> Option<Response<Body>> {
    let is_preflight = *method == Method::OPTIONS
        && asked.contains_key(header::ORIGIN)
        && asked.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if !is_preflight {
        return None;
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let vary = "origin, access-control-request-method, access-control-request-headers";
    headers.insert(header::VARY, HeaderValue::from_static(vary));
    if let Some(origin) = cors.admits(asked.get(header::ORIGIN)) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, cors.methods.clone());
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, cors.max_age.clone());
        let wanted = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
        if let Some(allowed) = cors.headers.as_ref().or(wanted) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed.clone());
        }
    }
    Some(response)
}
