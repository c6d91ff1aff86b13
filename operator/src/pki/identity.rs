//! What the push server shows to proxies, replaced while it runs.

use std::sync::Arc;

use dragoman_config::ObjectKey;
use dragoman_ticket::Signer;
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::RwLock;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::Sha256;
use tokio::sync::watch;

/// The certificate that is served at present, the authorities that proxies trust, and the key of item hashes.
#[derive(Debug)]
pub struct Identity {
    leaf: RwLock<Arc<CertifiedKey>>,
    bundle: watch::Sender<Arc<str>>,
    hash_key: [u8; 32],
    /// Signs tickets for the logbook.
    signer: RwLock<Option<Arc<Signer>>>,
}

impl Identity {
    /// An identity that shows `leaf`.
    #[must_use]
    pub fn new(leaf: Arc<CertifiedKey>, bundle: &str, hash_key: [u8; 32]) -> Arc<Self> {
        let (bundle, _) = watch::channel(bundle.into());
        Arc::new(Self {
            leaf: RwLock::new(leaf),
            bundle,
            hash_key,
            signer: RwLock::default(),
        })
    }

    /// Shows `leaf` to whoever connects from now on.
    pub(super) fn show(&self, leaf: Arc<CertifiedKey>) {
        *self.leaf.write() = leaf;
    }

    /// Signs tickets with `signer` from now on.
    pub fn sign_with(&self, signer: Signer) {
        *self.signer.write() = Some(Arc::new(signer));
    }

    /// What signs tickets, once there is something.
    #[must_use]
    pub fn signer(&self) -> Option<Arc<Signer>> {
        self.signer.read().clone()
    }

    /// What whoever connects now is shown.
    #[cfg(test)]
    pub(super) fn shown(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.leaf.read())
    }

    /// Makes `bundle` known.
    pub(super) fn announce(&self, bundle: &str) {
        self.bundle.send_if_modified(|known| {
            let changed = **known != *bundle;
            if changed {
                *known = bundle.into();
            }
            changed
        });
    }

    /// The authorities that proxies trust, as PEM, now and whenever they change.
    #[must_use]
    pub fn bundle(&self) -> watch::Receiver<Arc<str>> {
        self.bundle.subscribe()
    }

    /// The key with which items of an LLMProxy are hashed; no two LLMProxies see the same hashes.
    #[must_use]
    pub fn hash_key_of(&self, proxy: &ObjectKey) -> [u8; 32] {
        // HMAC's block size: a shorter key is padded with zeros anyway.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.hash_key);
        let mut mac = <Hmac<Sha256> as KeyInit>::new((&block).into());
        mac.update(proxy.to_string().as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// How TLS is served: HTTP/2 alone, with the certificate that is shown at the time.
    ///
    /// # Errors
    /// When the crypto provider has no protocol version; never with ring.
    pub fn server_config(self: &Arc<Self>) -> Result<rustls::ServerConfig, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Shown(Arc::clone(self))));
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }
}

#[derive(Debug)]
struct Shown(Arc<Identity>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.leaf.read()))
    }
}
