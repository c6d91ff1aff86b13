//! Which path is whose.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use dragoman_logbook::ship::receive::Receiver;
use dragoman_logbook::ship::{RECORDS_PATH, REPLIES_PATH};
use dragoman_logbook::store::Store;
use dragoman_logbook::web::Web;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

use super::metrics;
use super::pages;

/// Every answer's body.
pub(super) type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

const TEXT: &str = "text/plain; charset=utf-8";
/// [Prometheus' text format](https://prometheus.io/docs/instrumenting/exposition_formats/).
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What answers.
#[derive(Debug)]
pub(super) struct Logbook {
    pub(super) receiver: Arc<Receiver>,
    pub(super) store: Store,
    pub(super) web: Web,
    /// Whether the schema is up to date, and the end has not begun.
    pub(super) ready: AtomicBool,
}

impl Logbook {
    /// On the port for proxies.
    pub(super) async fn secure(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let answer = match request.uri().path() {
            RECORDS_PATH => self.receiver.answer(request).await,
            REPLIES_PATH => self.receiver.reply(&self.store, request).await,
            _ => return pages::answer(&self.web, request, true).await,
        };
        answer.map(|body| body.map_err(|never| match never {}).boxed_unsync())
    }

    /// On the admin port.
    pub(super) async fn admin(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        if !["/healthz", "/readyz", "/metrics"].contains(&path) {
            return pages::answer(&self.web, request, false).await;
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET, HEAD\n");
            let allowed = HeaderValue::from_static("GET, HEAD");
            refused.headers_mut().insert(ALLOW, allowed);
            return refused;
        }
        match path {
            "/readyz" if !self.ready.load(Ordering::Relaxed) => {
                let missing =
                    "the database has not answered yet, or this process is about to end\n";
                text(StatusCode::SERVICE_UNAVAILABLE, TEXT, missing)
            }
            "/metrics" => text(
                StatusCode::OK,
                METRICS,
                metrics::text(self.receiver.counts()),
            ),
            _ => text(StatusCode::OK, TEXT, "ok\n"),
        }
    }
}

fn whole(body: impl Into<Bytes>) -> Body {
    let body = Full::new(body.into());
    body.map_err(|never| match never {}).boxed_unsync()
}

pub(super) fn text(
    status: StatusCode,
    kind: &'static str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::new(whole(body));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
