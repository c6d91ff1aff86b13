//! Bytes on a socket, for what no HTTP client would send.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest that an exchange may take before the test says that it never ends.
const PATIENCE: Duration = Duration::from_secs(20);

/// Writes `bytes` on a new connection, and gives everything that comes until the other side closes it.
pub(super) async fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The other side may close before it has read everything: what it said then counts.
    let _ = stream.write_all(bytes.as_ref()).await;
    to_its_end(&mut stream).await
}

/// Everything that still comes until the other side closes.
pub(super) async fn to_its_end(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut piece)).await;
        match read
            .unwrap_or_else(|_| panic!("it stays open after {:?}", String::from_utf8_lossy(&said)))
        {
            Ok(0) | Err(_) => return String::from_utf8_lossy(&said).into_owned(),
            Ok(length) => said.extend_from_slice(&piece[..length]),
        }
    }
}

/// The statuses of the replies in what was read.
pub(super) fn statuses(said: &str) -> Vec<u16> {
    let heads = said.split("HTTP/1.1 ").skip(1);
    heads.map(|head| head[..3].parse().unwrap()).collect()
}
