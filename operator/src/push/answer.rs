//! Answers other than a stream: what is wrong, as JSON, and whose fault it is.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::combinators::UnsyncBoxBody;
use serde_json::json;
use std::convert::Infallible;

/// Every answer's body.
pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

fn refusal(
    status: StatusCode,
    header: Option<(HeaderName, &str)>,
    message: &str,
) -> Response<Body> {
    let body = json!({"error": {"code": status.as_u16(), "message": message}}).to_string();
    let mut response = Response::new(Full::new(Bytes::from(body)).boxed_unsync());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    if let Some((name, value)) = header
        && let Ok(value) = value.parse()
    {
        headers.insert(name, value);
    }
    response
}

/// The proxy is at fault: it must change something.
pub(super) fn refused(status: StatusCode, message: &str) -> Response<Body> {
    refusal(status, None, message)
}

/// We are not ready: the proxy may come again in `seconds`.
pub(super) fn unavailable(seconds: &str, message: &str) -> Response<Body> {
    refusal(
        StatusCode::SERVICE_UNAVAILABLE,
        Some((RETRY_AFTER, seconds)),
        message,
    )
}

/// Another replica leads.
pub(super) fn elsewhere(url: &str) -> Response<Body> {
    let message = format!("another replica leads; dial {url}");
    refusal(
        StatusCode::TEMPORARY_REDIRECT,
        Some((LOCATION, url)),
        &message,
    )
}
