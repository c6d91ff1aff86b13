//! A network before Postgres that takes its time.

use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;

/// Listens on loopback, and passes on whatever comes after a while.
pub(super) struct Slow {
    pub(super) port: u16,
    delay: watch::Sender<Duration>,
}

impl Slow {
    pub(super) async fn before(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (delay, delays) = watch::channel(Duration::ZERO);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = UnixStream::connect(&socket).await else {
                    continue;
                };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(pass(from_client, to_server, delays.clone()));
                tokio::spawn(pass(from_server, to_client, delays.clone()));
            }
        });
        Self { port, delay }
    }

    /// From now on each piece waits so long.
    pub(super) fn delay(&self, delay: Duration) {
        self.delay.send_replace(delay);
    }
}

async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    delay: watch::Receiver<Duration>,
) {
    let mut piece = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        let wait = *delay.borrow();
        tokio::time::sleep(wait).await;
        if to.write_all(&piece[..read]).await.is_err() {
            return;
        }
    }
}
