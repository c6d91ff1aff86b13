//! A network between a store and its server that can swallow everything, as when a machine vanishes.

use crate::server::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// Listens on loopback, and passes connections on to a server while it is told to.
pub(crate) struct Relay {
    port: u16,
    passes: watch::Sender<bool>,
}

impl Relay {
    pub(crate) fn start(server: &Server) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let listener = TcpListener::from_std(listener).unwrap();
        let (passes, passing) = watch::channel(true);
        let socket = server.socket();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&socket).await.unwrap();
                tokio::spawn(relay(client, server, passing.clone()));
            }
        });
        Self { port, passes }
    }

    /// The address of a database as seen from behind the relay.
    pub(crate) fn address(&self, database: &str) -> String {
        let name = database
            .strip_prefix("postgres:///")
            .unwrap()
            .split('?')
            .next()
            .unwrap();
        format!(
            "postgres://log@127.0.0.1:{}/{name}?sslmode=disable",
            self.port
        )
    }

    /// From now on nothing passes, and nobody is told.
    pub(crate) fn swallow(&self) {
        self.passes.send_replace(false);
    }

    /// New connections pass; those that were open when it swallowed stay as they are.
    pub(crate) fn pass(&self) {
        self.passes.send_replace(true);
    }
}

async fn relay(mut client: TcpStream, mut server: UnixStream, mut passing: watch::Receiver<bool>) {
    let (mut up, mut down) = ([0; 8192], [0; 8192]);
    loop {
        tokio::select! {
            biased;
            swallows = swallowing(&mut passing) => {
                // Keeps both ends open, and moves nothing, until the test is over.
                if swallows {
                    std::future::pending::<()>().await;
                }
                return;
            }
            read = client.read(&mut up) => match read {
                Ok(n) if n > 0 => server.write_all(&up[..n]).await.unwrap(),
                _ => return,
            },
            read = server.read(&mut down) => match read {
                Ok(n) if n > 0 => client.write_all(&down[..n]).await.unwrap(),
                _ => return,
            },
        }
    }
}

/// Waits until nothing is to pass; false when the test is over.
async fn swallowing(passing: &mut watch::Receiver<bool>) -> bool {
    passing.wait_for(|passes| !passes).await.is_ok()
}
