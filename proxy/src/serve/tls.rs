//! A client's TLS handshake: bounded in time, and no more of them at once than a thread can hold.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::AsyncBufRead;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long a handshake may take. An honest one takes some round trips.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many handshakes a thread has under way. One more ends the oldest, which is most likely to be nobody's who means to finish.
const MOST: usize = 1024;

/// The handshakes that are under way on one thread, by age.
#[derive(Default)]
pub(crate) struct Handshakes {
    next: Cell<u64>,
    /// Dropped, a handshake ends.
    running: RefCell<BTreeMap<u64, oneshot::Sender<()>>>,
}

impl Handshakes {
    fn begin(&self) -> (Running<'_>, oneshot::Receiver<()>) {
        let id = self.next.get();
        self.next.set(id + 1);
        let (ends, ended) = oneshot::channel();
        let mut running = self.running.borrow_mut();
        if running.len() >= MOST {
            running.pop_first();
        }
        running.insert(id, ends);
        (Running { all: self, id }, ended)
    }
}

/// A handshake's place among them.
struct Running<'a> {
    all: &'a Handshakes,
    id: u64,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.all.running.borrow_mut().remove(&self.id);
    }
}

/// Makes a session. `None` when the client speaks no TLS that we do, or takes too long.
pub(crate) async fn handshake(
    handshakes: &Handshakes,
    config: Arc<ServerConfig>,
    stream: TcpStream,
) -> Option<TlsStream<TcpStream>> {
    let (_running, ended) = handshakes.begin();
    let accepted = timeout(PATIENCE, TlsAcceptor::from(config).accept(stream));
    let fault = tokio::select! {
        accepted = accepted => match accepted {
            Ok(Ok(session)) => return Some(session),
            Ok(Err(fault)) => fault.to_string(),
            Err(_) => format!("it took longer than {PATIENCE:?}"),
        },
        _ = ended => "too many are under way".to_owned(),
    };
    // As with a client that speaks no HTTP: no event of ours.
    tracing::debug!(%fault, "a client's TLS handshake failed");
    None
}

/// Whether HTTP/2 was agreed upon.
pub(crate) fn chose_http2(session: &TlsStream<TcpStream>) -> bool {
    session.get_ref().1.alpn_protocol() == Some(b"h2")
}

/// Ready when the client has sent something within the session, or ended it. Nothing is taken.
pub(crate) fn poll_begins(
    session: &mut TlsStream<TcpStream>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    Pin::new(session).poll_fill_buf(cx).map_ok(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_handshake_too_many_ends_the_oldest() {
        let handshakes = Handshakes::default();
        let mut running: Vec<_> = (0..MOST).map(|_| handshakes.begin()).collect();
        let (second, _) = (running.remove(1), ());
        drop(second);
        let _fits = handshakes.begin();
        assert!(
            running
                .iter_mut()
                .all(|(_, ended)| ended.try_recv() == Err(oneshot::error::TryRecvError::Empty))
        );
        let _newest = handshakes.begin();
        let over = |ended: &mut oneshot::Receiver<()>| {
            ended.try_recv() == Err(oneshot::error::TryRecvError::Closed)
        };
        assert!(over(&mut running[0].1), "the oldest");
        assert!(!over(&mut running[1].1), "the next one goes on");
        assert_eq!(handshakes.running.borrow().len(), MOST);
    }
}
