//! One connection: HTTP/2 over TLS, so that a refusal is heard before the batch was sent, and a peer that vanished is noticed.

use super::destination::{Destination, Endpoint};
use crate::fault::Fault;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long each step may take: name, connection, TLS.
const STEP: Duration = Duration::from_secs(5);
/// How often a logbook that is asked something is asked whether it is there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(10);

/// Cheap to clone; it is closed when the last clone is gone and what is under way has ended.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    requests: SendRequest<Full<Bytes>>,
    endpoint: Arc<Endpoint>,
    /// What tells it from others.
    this: Arc<()>,
}

impl Connection {
    pub(super) async fn open(destination: &Destination) -> Result<Self, Fault> {
        let endpoint = destination.endpoint();
        let address = (endpoint.host.as_str(), endpoint.port);
        let tcp = step(destination, TcpStream::connect(address)).await?;
        tcp.set_nodelay(true)
            .map_err(|fault| destination.away(&fault))?;
        let connector = TlsConnector::from(Arc::clone(&endpoint.tls));
        let tls = step(destination, connector.connect(endpoint.name.clone(), tcp)).await?;
        let mut http = Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING);
        let (requests, connection) = step(destination, http.handshake(TokioIo::new(tls))).await?;
        // It ends when nobody can send any more; its faults show where something is sent.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self {
            requests,
            endpoint: Arc::clone(endpoint),
            this: Arc::default(),
        })
    }

    /// Whether this is a connection to there, and still open as far as is known.
    pub(super) fn leads_to(&self, destination: &Destination) -> bool {
        Arc::ptr_eq(&self.endpoint, destination.endpoint()) && !self.requests.is_closed()
    }

    /// Whether both are the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.this, &other.this)
    }

    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        self.requests.ready().await?;
        self.requests.send_request(request).await
    }
}

async fn step<T, E: Display>(
    destination: &Destination,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Fault> {
    match timeout(STEP, work).await {
        Ok(done) => done.map_err(|fault| destination.away(&fault)),
        Err(_) => Err(destination.away(&"it takes too long to connect")),
    }
}
