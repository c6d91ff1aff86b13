//! A new connection to one address.

use std::{net::SocketAddr, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use super::{
    endpoint::Endpoint,
    fault::Fault,
    io::Io,
    tls::{self, BadTls, Tls, TlsSettings},
};

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

/// Which HTTP an upstream speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Http2 {
    /// In TLS what the upstream prefers (ALPN), in clear HTTP/1.1.
    #[default]
    Negotiated,
    /// HTTP/1.1 always.
    Never,
    /// HTTP/2 always, in clear too ("h2c with prior knowledge").
    Always,
}

/// A new connection, and whether HTTP/2 is spoken on it.
pub(crate) struct Dialled {
    pub(crate) io: Io,
    pub(crate) http2: bool,
}

/// How connections to one upstream are made.
#[derive(Default)]
pub(crate) struct Dialer {
    /// In clear if `None`.
    pub(crate) tls: Option<Tls>,
    /// Which HTTP is spoken.
    pub(crate) http2: Http2,
    /// In a test: the other end of each connection, or none if nobody answers.
    #[cfg(test)]
    pub(crate) memory: Option<Memory>,
}

/// What stands for the network in a test.
#[cfg(test)]
pub(crate) type Memory =
    std::rc::Rc<dyn Fn(SocketAddr) -> std::io::Result<Option<tokio::io::DuplexStream>>>;

impl Dialer {
    /// A way to an endpoint.
    ///
    /// # Errors
    /// [`BadTls`], where the settings for TLS cannot be used.
    pub(crate) fn new(
        endpoint: &Endpoint,
        settings: &TlsSettings,
        http2: Http2,
    ) -> Result<Self, BadTls> {
        let tls = if endpoint.tls() {
            Some(Tls::new(settings, endpoint.host(), http2 != Http2::Never)?)
        } else {
            None
        };
        Ok(Dialer {
            tls,
            http2,
            #[cfg(test)]
            memory: None,
        })
    }

    /// A way to another endpoint over the same network.
    ///
    /// # Errors
    /// As [`Dialer::new`].
    pub(crate) fn elsewhere(
        &self,
        endpoint: &Endpoint,
        settings: &TlsSettings,
    ) -> Result<Self, BadTls> {
        let dialer = Dialer::new(endpoint, settings, self.http2)?;
        #[cfg(test)]
        let dialer = Dialer {
            memory: self.memory.clone(),
            ..dialer
        };
        Ok(dialer)
    }

    /// Whether a connection may turn out to speak HTTP/2.
    pub(crate) fn may_be_http2(&self) -> bool {
        match self.http2 {
            Http2::Negotiated => self.tls.is_some(),
            Http2::Never => false,
            Http2::Always => true,
        }
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// [`Fault::Connect`], [`Fault::Tls`].
    pub(crate) async fn dial(&self, address: SocketAddr) -> Result<Dialled, Fault> {
        let always = self.http2 == Http2::Always;
        #[cfg(test)]
        if let Some(memory) = &self.memory {
            return match memory(address) {
                Ok(Some(stream)) => Ok(Dialled {
                    io: Io::Memory(stream),
                    http2: always,
                }),
                Ok(None) => std::future::pending().await,
                Err(source) => Err(Fault::Connect { address, source }),
            };
        }
        let stream = tcp(address).await?;
        let Some(tls) = &self.tls else {
            return Ok(Dialled {
                io: Io::Tcp(stream),
                http2: always,
            });
        };
        let session = tls.handshake(stream, address).await?;
        let http2 = always || tls::chose_http2(&session);
        Ok(Dialled {
            io: Io::Tls(Box::new(session)),
            http2,
        })
    }
}
