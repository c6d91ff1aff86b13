//! Whom we take for the operator: the authorities of the CA file, and the successors that the stream announced.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Why the operator cannot be verified. The pod's mounts are at fault; they may come right by themselves.
#[derive(Debug, thiserror::Error)]
pub(super) enum TrustFault {
    /// The CA file cannot be read.
    #[error("cannot read the CA file {}: {source}", path.display())]
    File {
        /// Which one.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It holds no authority.
    #[error("the CA file {} holds no certificate", .0.display())]
    Empty(std::path::PathBuf),
    /// This build of the TLS library cannot do what we ask of it.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// Authorities besides those of the file.
#[derive(Debug, Default)]
pub(super) struct Trust {
    successors: Option<String>,
}

impl Trust {
    /// The stream announced who signs the operator's next certificates. The stream itself was verified, so this may
    /// be believed, and it is sooner here than in a mounted file.
    pub(super) fn announce(&mut self, pem: String) {
        self.successors = Some(pem);
    }

    /// How a connection to the operator is made: HTTP/2 over TLS.
    ///
    /// # Errors
    /// [`TrustFault`].
    pub(super) fn client(&self, ca_file: &Path) -> Result<Arc<ClientConfig>, TrustFault> {
        let file = std::fs::read(ca_file).map_err(|source| TrustFault::File {
            path: ca_file.to_owned(),
            source,
        })?;
        let mut roots = RootCertStore::empty();
        let announced = self.successors.as_deref().unwrap_or_default();
        for pem in [file.as_slice(), announced.as_bytes()] {
            let certificates = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok);
            roots.add_parsable_certificates(certificates);
        }
        if roots.is_empty() {
            return Err(TrustFault::Empty(ca_file.to_owned()));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }
}
