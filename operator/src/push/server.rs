//! The push server: HTTP/2 over TLS, one path, one stream a proxy.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use dragoman_config::wire::{self, Up};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Sender;
use tokio::sync::{oneshot, watch};
use tokio_rustls::TlsAcceptor;

use super::answer::{self, Body};
use super::body::Lines;
use super::hello::LinesIn;
use super::stream::{FromStream, Refused, Stream};
use super::{Keyring, Unverified};
use crate::lease::Role;
use crate::metrics::Metrics;
use crate::pki::Identity;

/// How often a silent peer is asked whether it is still there.
const PING: Duration = Duration::from_secs(10);
/// How long a handshake, or a hello, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a connection needs to know.
pub struct Server {
    /// Whether this replica leads, or who does.
    pub role: watch::Receiver<Role>,
    /// The cluster's keys.
    pub keyring: Keyring,
    /// Our certificates.
    pub identity: Arc<Identity>,
    /// Where proxies are admitted and reports go.
    pub core: Sender<FromStream>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where proxies send the rows of the request log, if there is a logbook.
    pub logbook: Option<Arc<str>>,
}

/// Accepts connections for ever.
///
/// # Errors
/// When TLS cannot be set up; a connection's faults end that connection alone.
pub async fn serve(listener: TcpListener, server: Arc<Server>) -> io::Result<()> {
    let config = server.identity.server_config().map_err(io::Error::other)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                let (server, acceptor) = (Arc::clone(&server), acceptor.clone());
                tokio::spawn(async move {
                    if let Err(fault) = connection(socket, acceptor, server).await {
                        tracing::debug!(%peer, %fault, "a proxy's connection ended");
                    }
                });
            }
            Err(fault) => {
                tracing::warn!(%fault, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

type Fault = Box<dyn std::error::Error + Send + Sync>;

async fn connection(
    socket: TcpStream,
    acceptor: TlsAcceptor,
    server: Arc<Server>,
) -> Result<(), Fault> {
    socket.set_nodelay(true)?;
    let secured = tokio::time::timeout(PATIENCE, acceptor.accept(socket)).await??;
    let service = service_fn(move |request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(server.answer(request).await) }
    });
    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(4)
        .serve_connection(TokioIo::new(secured), service)
        .await?;
    Ok(())
}

impl Server {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        match self.admit(request).await {
            Ok(response) | Err(response) => response,
        }
    }

    async fn admit(&self, request: Request<Incoming>) -> Result<Response<Body>, Response<Body>> {
        if request.uri().path() != wire::STREAM_PATH {
            return Err(answer::refused(
                StatusCode::NOT_FOUND,
                "there is nothing but /v1/stream here",
            ));
        }
        if request.method() != Method::POST {
            return Err(answer::refused(
                StatusCode::METHOD_NOT_ALLOWED,
                "/v1/stream takes POST",
            ));
        }
        match &*self.role.borrow() {
            Role::Leading(_) => {}
            Role::Following(Some(address)) => {
                return Err(answer::elsewhere(&format!(
                    "https://{address}{}",
                    wire::STREAM_PATH
                )));
            }
            Role::Following(None) => {
                return Err(answer::unavailable("1", "no replica leads at present"));
            }
        }
        let token = request
            .headers()
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
            .ok_or_else(|| {
                answer::refused(
                    StatusCode::UNAUTHORIZED,
                    "a ServiceAccount token is needed as Bearer",
                )
            })?;
        let claims = self
            .keyring
            .verify(token.trim())
            .await
            .map_err(|fault| match fault {
                Unverified::Rejected(rejection) => {
                    answer::refused(StatusCode::UNAUTHORIZED, &rejection.to_string())
                }
                Unverified::NoKeys(_) => answer::unavailable("2", &fault.to_string()),
            })?;
        // Nobody's hello is read before it is clear that a proxy of ours says it.
        let (sender, answered) = oneshot::channel();
        let knock = FromStream::Knock {
            claims: claims.clone(),
            answer: sender,
        };
        self.ask(knock, answered).await?;
        let mut lines = LinesIn::new(request.into_body(), wire::LONGEST_HELLO);
        let hello = match tokio::time::timeout(PATIENCE, lines.next()).await {
            Ok(Ok(Up::Hello(hello))) => hello,
            Ok(Ok(Up::Report(_))) => {
                return Err(answer::refused(
                    StatusCode::BAD_REQUEST,
                    "the first line is a hello",
                ));
            }
            Ok(Err(fault)) => {
                return Err(answer::refused(StatusCode::BAD_REQUEST, &fault.to_string()));
            }
            Err(_) => {
                return Err(answer::refused(
                    StatusCode::REQUEST_TIMEOUT,
                    "no hello came",
                ));
            }
        };
        let hello = Box::new(hello);
        // The core looks at it too: what a proxy has may be what it must keep.
        let have = hello.items.clone();
        let pod = claims.pod.clone();
        let (sender, answered) = oneshot::channel();
        let connect = FromStream::Connect {
            claims,
            hello,
            answer: sender,
        };
        let admitted = self.ask(connect, answered).await?;
        lines.allow(wire::LONGEST_LINE);
        let (out, body) = Lines::new();
        let stream = Stream {
            admitted,
            have,
            lines,
            out,
            core: self.core.clone(),
            identity: Arc::clone(&self.identity),
            metrics: Arc::clone(&self.metrics),
            pod,
            logbook: self.logbook.clone(),
        };
        tokio::spawn(stream.drive());
        let mut response = Response::new(body.boxed_unsync());
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(wire::CONTENT_TYPE));
        Ok(response)
    }

    /// Asks the core; a refusal as the answer that it makes.
    async fn ask<T>(
        &self,
        question: FromStream,
        answered: oneshot::Receiver<Result<T, Refused>>,
    ) -> Result<T, Response<Body>> {
        let starting = || answer::unavailable("1", "the operator is starting or stopping");
        self.core.send(question).await.map_err(|_| starting())?;
        match answered.await.map_err(|_| starting())? {
            Ok(answer) => Ok(answer),
            Err(Refused::NotYours(message)) => {
                Err(answer::refused(StatusCode::FORBIDDEN, &message))
            }
            Err(Refused::NotReady(message)) => Err(answer::unavailable("1", message)),
        }
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
