//! The certificate that proxies and browsers are shown, replaced while it runs.

use std::sync::Arc;

use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// What whoever connects is shown.
#[derive(Debug)]
pub(super) struct Shown(RwLock<Arc<CertifiedKey>>);

impl Shown {
    pub(super) fn new(pair: CertifiedKey) -> Arc<Self> {
        Arc::new(Self(RwLock::new(Arc::new(pair))))
    }

    /// Shows another from now on.
    pub(super) fn show(&self, pair: CertifiedKey) {
        *self.0.write() = Arc::new(pair);
    }

    /// TLS 1.2 and 1.3, HTTP/2 where the client offers it.
    pub(super) fn server(self: &Arc<Self>) -> Result<Arc<ServerConfig>, rustls::Error> {
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Self>::clone(self));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read()))
    }
}

/// A certificate with its key, or what is wrong with them; of the key's content nothing is said.
pub(super) fn pair(chain: &[u8], key: &[u8]) -> Result<CertifiedKey, String> {
    let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|fault| format!("the certificate is no PEM: {fault}"))?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| "the key's file holds no PKCS#8, PKCS#1 or SEC1 section")?;
    CertifiedKey::from_der(chain, key, &ring::default_provider())
        .map_err(|fault| format!("certificate and key cannot be served with: {fault}"))
}
