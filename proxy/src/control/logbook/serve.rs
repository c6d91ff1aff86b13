//! Connections: accepted, secured, bounded in number, and ended gracefully.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use dragoman_logbook::ship::ticket;
use dragoman_logbook::web::Peer;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer::Body;

/// The most connections of a listener: one of each proxy, and some of people. Whoever comes then waits to be accepted.
const CONNECTIONS: usize = 4096;
/// How long a handshake, or a request's head, may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a silent peer is asked whether it is there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);
/// What a stream may send before it is read: a batch that waits for its turn holds no more of us.
const WINDOW: u32 = 64 << 10;
/// A request's headers: a ticket, and some more.
const HEADERS: u32 = (ticket::LONGEST + (16 << 10)) as u32;

/// Serves a listener until `stop`, and returns when its connections have ended, or their time is up.
pub(super) async fn serve<F, A>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    answer: F,
    stop: CancellationToken,
    patience: Duration,
) where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((socket, peer, place)) = accepted else {
            continue;
        };
        let (tls, answer, stop) = (tls.clone(), answer.clone(), stop.clone());
        connections.spawn(async move {
            let _place = place;
            let io: Box<dyn Io> = match tls {
                None => Box::new(socket),
                Some(tls) => match tokio::time::timeout(PATIENCE, tls.accept(socket)).await {
                    Ok(Ok(secured)) => Box::new(secured),
                    _ => return,
                },
            };
            let service = service_fn(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(peer);
                let answered = answer(request);
                async move { Ok::<_, Infallible>(answered.await) }
            });
            let http = protocols();
            let connection = http.serve_connection(TokioIo::new(io), service);
            tokio::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = stop.cancelled() => {
                    // What is under way is answered; nothing more is taken.
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(fault) = ended {
                tracing::debug!(fault, "a connection ended early");
            }
        });
    }
    drop(listener);
    connections.close();
    let ended = tokio::time::timeout(patience, connections.wait()).await;
    if ended.is_err() {
        tracing::warn!("time is up; connections are cut off (--drain-timeout)");
    }
}

/// What a connection is made of.
trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, Peer, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((socket, peer)) => {
            let _ = socket.set_nodelay(true);
            Some((socket, Peer(peer.ip()), place))
        }
        Err(fault) => {
            // Out of files, most likely: it passes, and until then there is no use in trying at once.
            tracing::warn!(%fault, "a connection cannot be accepted");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

fn protocols() -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(16)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(4 * WINDOW)
        .max_header_list_size(HEADERS);
    http
}
