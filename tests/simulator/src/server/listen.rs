//! Accepts connections and serves HTTP/1.1 and HTTP/2 on them.

use std::{sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{record::Connection, service::serve, shared::Shared};

/// Accepts until it is dropped; its connections end with it.
pub(super) async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = shared.recorder.connected(peer);
                connections.spawn(connected(stream, tls.clone(), shared.clone(), connection));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                // Out of file descriptors, most likely: others must close first.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

async fn connected(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    connection: Connection,
) {
    // Each write is to leave at once, as a model's tokens do.
    let _ = stream.set_nodelay(true);
    match tls {
        None => served(stream, shared, connection).await,
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => served(stream, shared, connection).await,
            Err(error) => tracing::debug!(%error, "no TLS handshake"),
        },
    }
}

async fn served<S>(stream: S, shared: Arc<Shared>, connection: Connection)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = Arc::new(connection);
    let service = service_fn(move |request| serve(shared.clone(), connection.clone(), request));
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http2().max_concurrent_streams(1000);
    if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(error, "a connection broke");
    }
}
