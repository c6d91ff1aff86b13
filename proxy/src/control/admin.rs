//! The admin server: `/healthz`, `/readyz` and `/metrics`, which need no token and hold no secret.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use super::readiness::Readiness;
use crate::state::Shared;

/// How long a client may take for its headers, or stay silent between requests.
const HEADERS: Duration = Duration::from_secs(60);
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
/// [Prometheus' text format](https://prometheus.io/docs/instrumenting/exposition_formats/).
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// An admin server that is bound.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
    shared: Arc<Shared>,
    readiness: Arc<Readiness>,
}

impl Admin {
    /// Binds `address`.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn bind(
        address: SocketAddr,
        shared: Arc<Shared>,
        readiness: Arc<Readiness>,
    ) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            shared,
            readiness,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves for ever.
    pub async fn run(self) {
        let admin = Arc::new(self);
        loop {
            match admin.listener.accept().await {
                Ok((connection, _)) => {
                    let admin = Arc::clone(&admin);
                    tokio::spawn(async move { admin.connection(TokioIo::new(connection)).await });
                }
                Err(fault) => {
                    // Out of files, most likely: it passes, and until then there is no use in trying at once.
                    tracing::warn!(%fault, "the admin server cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn connection(&self, io: TokioIo<tokio::net::TcpStream>) {
        let answer = service_fn(|request: Request<Incoming>| async move {
            Ok::<_, Infallible>(self.answer(request.method(), request.uri().path()))
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEADERS);
        if let Err(fault) = http.serve_connection(io, answer).await {
            tracing::debug!(%fault, "an admin connection ended early");
        }
    }

    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if !["/healthz", "/readyz", "/metrics"].contains(&path) {
            return reply(
                StatusCode::NOT_FOUND,
                TEXT,
                "try /healthz, /readyz or /metrics\n",
            );
        }
        if method != Method::GET && method != Method::HEAD {
            let mut refused = reply(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n");
            refused
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match path {
            "/readyz" => {
                let answer = self.readiness.answer();
                let status = if answer.ready {
                    StatusCode::OK
                } else {
                    StatusCode::SERVICE_UNAVAILABLE
                };
                reply(
                    status,
                    JSON,
                    serde_json::to_vec(&answer).unwrap_or_default(),
                )
            }
            "/metrics" => reply(StatusCode::OK, METRICS, self.shared.metrics_text()),
            _ => reply(StatusCode::OK, TEXT, "ok\n"),
        }
    }
}

fn reply(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn get(ready: bool, method: Method, path: &str) -> (u16, String) {
        let shared = Shared::new(1);
        shared.set_ready(ready);
        let readiness = Arc::new(Readiness::new(Arc::clone(&shared), "config"));
        let admin = Admin::bind(([127, 0, 0, 1], 0).into(), shared, readiness)
            .await
            .unwrap();
        let reply = admin.answer(&method, path);
        let status = reply.status().as_u16();
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_says_what_is_missing() {
        let (status, body) = get(false, Method::GET, "/readyz").await;
        assert_eq!(
            (status, body.as_str()),
            (503, r#"{"ready":false,"missing":["config"]}"#)
        );
        assert_eq!(get(true, Method::GET, "/readyz").await.0, 200);
    }

    #[tokio::test]
    async fn a_process_is_alive_whether_ready_or_not() {
        assert_eq!(
            get(false, Method::GET, "/healthz").await,
            (200, "ok\n".into())
        );
    }

    #[tokio::test]
    async fn there_is_nothing_else() {
        assert_eq!(get(true, Method::GET, "/").await.0, 404);
        assert_eq!(get(true, Method::POST, "/readyz").await.0, 405);
        assert_eq!(get(true, Method::GET, "/metrics").await.0, 200);
    }
}
