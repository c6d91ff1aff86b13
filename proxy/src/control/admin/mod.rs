//! The admin server: `/healthz`, `/readyz` and `/metrics`, which need no token and hold no secret, and the APIs, which need the admin token.
//!
//! - `access`: who may use the APIs
//! - `bans`: the list of banned addresses

mod access;
mod bans;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use dragoman_logbook::store::Store;
use dragoman_logbook::web::{self, AdminToken, Attempts, Entrance, Peer, Web};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use serde::Serialize;
use tokio::net::TcpListener;

pub use access::ADMIN_TOKEN;
use access::{Access, Refused};

use super::readiness::Readiness;
use crate::state::Shared;

/// How long a client may take for its headers, or stay silent between requests.
const HEADERS: Duration = Duration::from_secs(60);
/// What needs no token.
const PLAIN: [&str; 3] = ["/healthz", "/readyz", "/metrics"];
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
    access: Access,
    /// Refused tokens, of the APIs and of the request log.
    attempts: Arc<Attempts>,
    /// The request log, where this process keeps one.
    web: Option<Web>,
}

impl Admin {
    /// Binds `address`. The APIs need `token` unless only this machine reaches it.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn bind(
        address: SocketAddr,
        shared: Arc<Shared>,
        readiness: Arc<Readiness>,
        token: Option<&str>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self {
            access: Access::new(listener.local_addr()?, token),
            attempts: Arc::default(),
            listener,
            shared,
            readiness,
            web: None,
        })
    }

    /// Shows a request log as well. It is open to whom the APIs are: `token` as for [`Admin::bind`].
    ///
    /// # Errors
    /// When the system does not tell where it listens.
    pub fn showing(mut self, store: Store, token: Option<&str>) -> io::Result<Self> {
        let loopback = self.local_addr()?.ip().to_canonical().is_loopback();
        let entrance = if loopback {
            Entrance::open()
        } else {
            let door = token.and_then(AdminToken::new);
            Entrance::behind(door.into_iter().map(|door| Arc::new(door) as _).collect())
                .counting(Arc::clone(&self.attempts))
        };
        let live = self.shared.threads_that_serve().clone();
        self.web = Some(Web::new(store, Arc::new(live), entrance));
        Ok(self)
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
                Ok((connection, peer)) => {
                    let (admin, io) = (Arc::clone(&admin), TokioIo::new(connection));
                    tokio::spawn(async move { admin.connection(io, peer.ip()).await });
                }
                Err(fault) => {
                    // Out of files, most likely: it passes, and until then there is no use in trying at once.
                    tracing::warn!(%fault, "the admin server cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn connection(&self, io: TokioIo<tokio::net::TcpStream>, peer: IpAddr) {
        let answer = service_fn(|mut request: Request<Incoming>| async move {
            request.extensions_mut().insert(Peer(peer));
            Ok::<_, Infallible>(match &self.web {
                Some(web) if !is_own(request.uri().path()) => of_the_log(web, request).await,
                _ => {
                    let (method, path) = (request.method(), request.uri().path());
                    self.answer(method, path, request.headers(), peer)
                        .map(Either::Left)
                }
            })
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEADERS);
        if let Err(fault) = http.serve_connection(io, answer).await {
            tracing::debug!(%fault, "an admin connection ended early");
        }
    }

    fn answer(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        peer: IpAddr,
    ) -> Response<Full<Bytes>> {
        if let Some(rest) = path.strip_prefix("/api/") {
            return match self.refuse(headers, peer) {
                Some(refused) => refuse(refused),
                None => self.api(method, rest),
            };
        }
        if !PLAIN.contains(&path) {
            return reply(
                StatusCode::NOT_FOUND,
                TEXT,
                "try /healthz, /readyz, /metrics or /api/bans\n",
            );
        }
        if method != Method::GET && method != Method::HEAD {
            return not_allowed("GET, HEAD");
        }
        match path {
            "/readyz" => {
                let answer = self.readiness.answer();
                let status = if answer.ready {
                    StatusCode::OK
                } else {
                    StatusCode::SERVICE_UNAVAILABLE
                };
                json(status, &answer)
            }
            "/metrics" => reply(StatusCode::OK, METRICS, self.shared.metrics_text()),
            _ => reply(StatusCode::OK, TEXT, "ok\n"),
        }
    }
}

/// Whether a path is answered here, whoever keeps the request log.
fn is_own(path: &str) -> bool {
    PLAIN.contains(&path) || path == "/api/bans" || path.starts_with("/api/bans/")
}

async fn of_the_log(
    web: &Web,
    request: Request<Incoming>,
) -> Response<Either<Full<Bytes>, web::Body>> {
    let (head, body) = request.into_parts();
    match Limited::new(body, web::LONGEST_BODY).collect().await {
        Ok(body) => {
            let request = Request::from_parts(head, body.to_bytes());
            web.serve(request, false).await.map(Either::Right)
        }
        Err(_) => {
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            reply(status, TEXT, "the body is too long\n").map(Either::Left)
        }
    }
}

impl Admin {
    /// Why a request is refused. Whoever brought too many wrong tokens waits.
    fn refuse(&self, headers: &HeaderMap, peer: IpAddr) -> Option<Refused> {
        let now = Instant::now();
        if !self.access.takes_a_token(headers) {
            return self.access.refuse(headers);
        }
        if let Some(wait) = self.attempts.wait(peer, now) {
            return Some(Refused::Wait(wait));
        }
        let refused = self.access.refuse(headers);
        match refused {
            None => self.attempts.opened(peer, now),
            Some(_) => self.attempts.refused(peer, now),
        }
        refused
    }

    /// Answers at a path below `/api/`.
    fn api(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        let (known, now) = (self.shared.bans(), Instant::now());
        let mut answer = match (path, path.strip_prefix("bans/")) {
            ("bans", _) if method == Method::GET || method == Method::HEAD => {
                json(StatusCode::OK, &bans::list(known, now, Timestamp::now()))
            }
            ("bans", _) => not_allowed("GET, HEAD"),
            (_, Some(address)) if method == Method::DELETE => {
                match bans::lift(self.shared.memory(), address, now) {
                    Some(lifted) if lifted.lifted.is_empty() => {
                        json(StatusCode::NOT_FOUND, &lifted)
                    }
                    Some(lifted) => json(StatusCode::OK, &lifted),
                    None => reply(
                        StatusCode::BAD_REQUEST,
                        TEXT,
                        "write one address, such as 192.0.2.1 or 2001:db8::1\n",
                    ),
                }
            }
            (_, Some(_)) => not_allowed("DELETE"),
            _ => reply(StatusCode::NOT_FOUND, TEXT, "try /api/bans\n"),
        };
        let headers = answer.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer
    }
}

fn refuse(refused: Refused) -> Response<Full<Bytes>> {
    let status = match refused {
        Refused::Token => StatusCode::UNAUTHORIZED,
        Refused::Closed | Refused::Name => StatusCode::FORBIDDEN,
        Refused::Wait(_) => StatusCode::TOO_MANY_REQUESTS,
    };
    let mut answer = reply(status, TEXT, refused.words());
    let headers = answer.headers_mut();
    match refused {
        Refused::Token => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Refused::Wait(wait) => {
            headers.insert(RETRY_AFTER, wait.as_secs().max(1).into());
        }
        Refused::Closed | Refused::Name => {}
    }
    answer
}

fn not_allowed(allowed: &'static str) -> Response<Full<Bytes>> {
    let text = format!("only {allowed}\n");
    let mut refused = reply(StatusCode::METHOD_NOT_ALLOWED, TEXT, text);
    let allowed = HeaderValue::from_static(allowed);
    refused.headers_mut().insert(ALLOW, allowed);
    refused
}

fn json(status: StatusCode, answer: &impl Serialize) -> Response<Full<Bytes>> {
    reply(status, JSON, serde_json::to_vec(answer).unwrap_or_default())
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

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    async fn admin(shared: &Arc<Shared>, host: [u8; 4], token: Option<&str>) -> Admin {
        let readiness = Arc::new(Readiness::new(Arc::clone(shared), "config"));
        let bound = Admin::bind((host, 0).into(), Arc::clone(shared), readiness, token);
        bound.await.unwrap()
    }

    async fn get(ready: bool, method: Method, path: &str) -> (u16, String) {
        let shared = Shared::new(1);
        shared.set_ready(ready);
        let admin = admin(&shared, [127, 0, 0, 1], None).await;
        told(admin.answer(&method, path, &HeaderMap::new(), PEER)).await
    }

    async fn told(reply: Response<Full<Bytes>>) -> (u16, String) {
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

    #[tokio::test]
    async fn bans_are_listed_and_lifted() {
        let shared = Shared::new(1);
        let policy = dragoman_config::ObjectKey::new("team", "callers");
        let address = ([192, 0, 2, 1]).into();
        let lasts = Duration::from_secs(60);
        shared.bans().begin(&policy, address, lasts, Instant::now());
        let admin = admin(&shared, [127, 0, 0, 1], None).await;
        let ask = |method, path| told(admin.answer(&method, path, &HeaderMap::new(), PEER));
        let (status, body) = ask(Method::GET, "/api/bans").await;
        assert_eq!(status, 200);
        assert!(
            body.contains("\"192.0.2.1\"") && body.contains("team/callers"),
            "{body}"
        );
        let lifted = ask(Method::DELETE, "/api/bans/192.0.2.1").await;
        assert_eq!(lifted, (200, "{\"lifted\":[\"team/callers\"]}".into()));
        let again = ask(Method::DELETE, "/api/bans/192.0.2.1").await;
        assert_eq!(again, (404, "{\"lifted\":[]}".into()));
        assert_eq!(ask(Method::DELETE, "/api/bans/all").await.0, 400);
        assert_eq!(ask(Method::DELETE, "/api/bans").await.0, 405);
        assert_eq!(ask(Method::GET, "/api/bans/192.0.2.1").await.0, 405);
        assert_eq!(ask(Method::GET, "/api/other").await.0, 404);
        let (status, body) = ask(Method::GET, "/api/bans").await;
        assert_eq!((status, body.as_str()), (200, "{\"bans\":[]}"));
    }

    #[tokio::test]
    async fn beyond_loopback_the_apis_need_the_token_and_the_rest_does_not() {
        let shared = Shared::new(1);
        for (token, refused) in [(Some("s3cret"), 401), (None, 403)] {
            let admin = admin(&shared, [0, 0, 0, 0], token).await;
            let none = HeaderMap::new();
            for path in ["/api/bans", "/api/other", "/api/bans/192.0.2.1"] {
                let answer = admin.answer(&Method::DELETE, path, &none, PEER);
                assert_eq!(answer.status(), refused, "{path}");
            }
            assert_eq!(
                admin.answer(&Method::GET, "/healthz", &none, PEER).status(),
                200
            );
            assert_eq!(
                admin.answer(&Method::GET, "/metrics", &none, PEER).status(),
                200
            );
            let bearer = HeaderValue::from_static("Bearer s3cret");
            let right = HeaderMap::from_iter([(http::header::AUTHORIZATION, bearer)]);
            let answer = admin.answer(&Method::GET, "/api/bans", &right, PEER);
            assert_eq!(answer.status().is_success(), token.is_some());
        }
    }

    #[tokio::test]
    async fn whoever_brings_too_many_wrong_tokens_waits_and_is_told_how_long() {
        let admin = admin(&Shared::new(1), [0, 0, 0, 0], Some("s3cret")).await;
        let ask = |token: &'static str, peer| {
            let bearer = HeaderValue::from_static(token);
            let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, bearer)]);
            admin.answer(&Method::GET, "/api/bans", &headers, peer)
        };
        let guesses = (0..100).map(|_| ask("Bearer guess", PEER).status());
        assert_eq!(guesses.filter(|status| *status == 401).count(), 20);
        let waits = ask("Bearer s3cret", PEER);
        assert_eq!(waits.status(), 429);
        assert!(waits.headers().contains_key(RETRY_AFTER));
        let other = ask("Bearer s3cret", [192, 0, 2, 2].into());
        assert_eq!(other.status(), 200);
        // Whoever brings none only forgot it.
        let none = HeaderMap::new();
        let asks = |_| admin.answer(&Method::GET, "/api/bans", &none, [192, 0, 2, 3].into());
        assert!((0..50).map(asks).all(|reply| reply.status() == 401));
    }
}
