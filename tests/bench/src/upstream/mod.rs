//! The upstream: as few bytes looked at and as few system calls as an answer can do with.

mod connection;
mod replies;
mod request;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;

use crate::fault::Fault;
use replies::Replies;

/// How a request must arrive; any other gets status 400, so that nothing is measured that was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expectation {
    /// As the client sent it.
    AsSent,
    /// With the upstream's model name and the upstream's key.
    Rewritten,
}

/// A listening upstream; it ends with the runtime.
pub(crate) struct Upstream {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    streams: Arc<AtomicUsize>,
}

impl Upstream {
    /// Starts one on a free port of loopback.
    pub(crate) async fn start(expectation: Expectation) -> Result<Self, Fault> {
        let bound = async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = bound
            .await
            .map_err(|e| Fault::machine("listen on loopback", e))?;
        let streams = Arc::new(AtomicUsize::new(0));
        tokio::spawn(accept(listener, expectation, Arc::clone(&streams)));
        Ok(Self { address, streams })
    }

    /// Waits until no stream is being sent, so that one measure does not disturb the next.
    pub(crate) async fn quiet(&self) -> Result<(), Fault> {
        let silence = async {
            while self.streams.load(Ordering::Relaxed) > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), silence)
            .await
            .map_err(|_| {
                Fault::WrongReply("streams go on upstream 10 s after their clients left".into())
            })
    }
}

async fn accept(listener: TcpListener, expectation: Expectation, streams: Arc<AtomicUsize>) {
    let replies = Arc::new(Replies::new());
    // An error of `accept` concerns one connection, or passes.
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let (replies, streams) = (Arc::clone(&replies), Arc::clone(&streams));
            tokio::spawn(async move {
                // The client left, which is how most streams end here.
                let _ = connection::serve(stream, expectation, &replies, &streams).await;
            });
        }
    }
}
