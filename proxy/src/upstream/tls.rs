//! TLS towards an upstream: whom to trust, under which name, and which HTTP comes out of it.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::fault::Fault;

/// How many sessions are kept for resumption, per upstream and thread.
const SESSIONS: usize = 8;

/// What is particular about an upstream's TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// The only authorities to trust, in PEM; `None` for the system's.
    pub ca_pem: Option<Bytes>,
    /// The name that the certificate must bear and that is sent as SNI; `None` for the URL's host.
    pub server_name: Option<String>,
}

/// Why TLS cannot be set up. The configuration's fault.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTls {
    /// The authorities are unreadable, or none.
    #[error("the CA certificates cannot be used: {0}")]
    Ca(String),
    /// A name that no certificate can bear.
    #[error("{0:?} is neither a DNS name nor an address")]
    ServerName(String),
}

/// Makes TLS sessions with one upstream.
pub(crate) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// `host` is the URL's; `http2` says whether HTTP/2 is offered.
    pub(crate) fn new(settings: &TlsSettings, host: &str, http2: bool) -> Result<Self, BadTls> {
        let name = settings.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| BadTls::ServerName(name.to_owned()))?;
        let roots = match &settings.ca_pem {
            Some(pem) => Arc::new(authorities(pem)?),
            None => system_roots(),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| BadTls::Ca(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if http2 {
            config.alpn_protocols.insert(0, b"h2".to_vec());
        }
        Ok(Tls {
            connector: TlsConnector::from(Arc::new(config)),
            name,
        })
    }

    /// Makes a session on a new connection.
    ///
    /// # Errors
    /// [`Fault::Tls`].
    pub(crate) async fn handshake(
        &self,
        stream: TcpStream,
        address: SocketAddr,
    ) -> Result<TlsStream<TcpStream>, Fault> {
        let session = self.connector.connect(self.name.clone(), stream).await;
        session.map_err(|error| Fault::Tls {
            host: self.name.to_str().into_owned(),
            address,
            reason: error.to_string(),
        })
    }
}

/// Whether HTTP/2 was agreed upon.
pub(crate) fn chose_http2(session: &TlsStream<TcpStream>) -> bool {
    session.get_ref().1.alpn_protocol() == Some(b"h2")
}

fn authorities(pem: &[u8]) -> Result<RootCertStore, BadTls> {
    let mut roots = RootCertStore::empty();
    for each in CertificateDer::pem_slice_iter(pem) {
        let certificate = each.map_err(|error| BadTls::Ca(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| BadTls::Ca(error.to_string()))?;
    }
    if roots.is_empty() {
        Err(BadTls::Ca("there is none in it".into()))
    } else {
        Ok(roots)
    }
}

/// The system's authorities, read once; where it has none, Mozilla's as they were when this program was built.
fn system_roots() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let read = || {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        for error in found.errors {
            tracing::warn!(%error, "some of the system's CA certificates cannot be read");
        }
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            tracing::warn!("the system has no CA certificates: Mozilla's, built in, are used");
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        Arc::new(roots)
    };
    Arc::clone(ROOTS.get_or_init(read))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(ca: &'static str, name: &str) -> BadTls {
        let settings = TlsSettings {
            ca_pem: Some(Bytes::from_static(ca.as_bytes())),
            server_name: Some(name.into()),
        };
        Tls::new(&settings, "llm", true).err().unwrap()
    }

    #[test]
    fn authorities_that_are_none_are_refused() {
        assert!(matches!(fault("", "a.b"), BadTls::Ca(_)));
        assert!(matches!(fault("no pem", "a.b"), BadTls::Ca(_)));
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(fault(broken, "a.b"), BadTls::Ca(_)));
    }

    #[test]
    fn a_name_that_no_certificate_can_bear_is_refused() {
        assert_eq!(fault("", "a b"), BadTls::ServerName("a b".into()));
    }

    #[test]
    fn without_an_authority_the_systems_are_trusted() {
        assert!(!system_roots().is_empty());
        assert!(Tls::new(&TlsSettings::default(), "10.0.0.1", false).is_ok());
    }
}
