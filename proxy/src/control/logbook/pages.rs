//! What people see: the dashboard and the APIs are mounted here.

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use super::answer::{Body, text};

/// Answers whatever is neither a batch nor for a machine. `secure` says that the request came over TLS.
pub(super) async fn answer(_request: Request<Incoming>, _secure: bool) -> Response<Body> {
    let nothing = "try /healthz, /readyz or /metrics on the admin port\n";
    text(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", nothing)
}
