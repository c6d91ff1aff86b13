//! The admin server: whether the operator lives, whether it is ready, what it counts. It holds no secret.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::metrics::Metrics;

/// What the admin server tells.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Whether everything was listed.
    pub ready: Arc<AtomicBool>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl Admin {
    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let (status, body) = match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/healthz") => (StatusCode::OK, "ok\n".to_owned()),
            (&Method::GET | &Method::HEAD, "/readyz") => {
                if self.ready.load(Ordering::Acquire) {
                    (StatusCode::OK, "ok\n".to_owned())
                } else {
                    (
                        StatusCode::SERVICE_UNAVAILABLE,
                        "not everything is listed yet\n".to_owned(),
                    )
                }
            }
            (&Method::GET, "/metrics") => (StatusCode::OK, self.metrics.text()),
            _ => (
                StatusCode::NOT_FOUND,
                "there are /healthz, /readyz and /metrics\n".to_owned(),
            ),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        let text = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, text);
        response
    }
}

/// Serves for ever; a connection's faults end that connection alone.
pub async fn serve(listener: TcpListener, admin: Admin) {
    loop {
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            Err(fault) => {
                tracing::warn!(%fault, "an admin connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let admin = admin.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let response = admin.answer(&request);
                async move { Ok::<_, Infallible>(response) }
            });
            let mut server = hyper::server::conn::http1::Builder::new();
            server
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(10));
            if let Err(fault) = server.serve_connection(TokioIo::new(socket), service).await {
                tracing::debug!(%fault, "an admin connection ended");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(admin: &Admin, path: &str) -> StatusCode {
        admin.answer(&Request::get(path).body(()).unwrap()).status()
    }

    #[test]
    fn readiness_waits_for_the_lists_and_health_does_not() {
        let admin = Admin {
            ready: Arc::default(),
            metrics: Arc::new(Metrics::new()),
        };
        assert_eq!(get(&admin, "/healthz"), StatusCode::OK);
        assert_eq!(get(&admin, "/readyz"), StatusCode::SERVICE_UNAVAILABLE);
        admin.ready.store(true, Ordering::Release);
        assert_eq!(get(&admin, "/readyz"), StatusCode::OK);
        assert_eq!(get(&admin, "/other"), StatusCode::NOT_FOUND);
    }

    #[test]
    fn metrics_are_prometheus_text() {
        let metrics = Metrics::new();
        metrics.streams.inc();
        metrics.push_seconds.observe(0.001);
        let text = metrics.text();
        assert!(text.contains("dragoman_operator_streams 1"), "{text}");
        assert!(
            text.contains("dragoman_operator_push_seconds_bucket"),
            "{text}"
        );
    }
}
