//! A new connection to one address.

use std::{net::SocketAddr, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use super::{fault::Fault, io::Io};

/// After so long a silence the system asks whether the other side is still there: a model may think for minutes, and a NAT forgets.
const KEEPALIVE: Duration = Duration::from_secs(45);

/// Opens a TCP connection that sends at once what it is given.
async fn tcp(address: SocketAddr) -> Result<TcpStream, Fault> {
    let failed = |source| Fault::Connect { address, source };
    let stream = TcpStream::connect(address).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    // Only a comfort, so that a system that refuses it loses nothing else.
    let _ = SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE));
    Ok(stream)
}

/// How connections to one upstream are made.
#[derive(Default)]
pub(crate) struct Dialer {
    /// In a test: the other end of each connection, or none if nobody answers.
    #[cfg(test)]
    pub(crate) memory: Option<Memory>,
}

/// What stands for the network in a test.
#[cfg(test)]
pub(crate) type Memory =
    std::rc::Rc<dyn Fn(SocketAddr) -> std::io::Result<Option<tokio::io::DuplexStream>>>;

impl Dialer {
    /// Opens a connection.
    ///
    /// # Errors
    /// [`Fault::Connect`].
    pub(crate) async fn dial(&self, address: SocketAddr) -> Result<Io, Fault> {
        #[cfg(test)]
        if let Some(memory) = &self.memory {
            return match memory(address) {
                Ok(Some(stream)) => Ok(Io::Memory(stream)),
                Ok(None) => std::future::pending().await,
                Err(source) => Err(Fault::Connect { address, source }),
            };
        }
        tcp(address).await.map(Io::Tcp)
    }
}
