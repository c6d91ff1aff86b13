//! What HTTPS is served with: each certificate made ready with its key, and which of them a client is shown.

use std::sync::Arc;

use dragoman_config::CertificateItem;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use webpki::EndEntityCert;

/// Why a certificate cannot be served with. The Secret's fault; it is the same until the Secret changes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCertificate {
    /// The chain is not PEM, holds nothing, or begins with what is no certificate.
    #[error("tls.crt of Secret {secret} is no certificate chain in PEM: {why}")]
    Chain {
        /// The Secret's name.
        secret: String,
        /// What is wrong with it.
        why: String,
    },
    /// The key is not PEM or of a kind that TLS has no use for. What it says is told to nobody.
    #[error("tls.key of Secret {secret} is no private key in PEM that can be used: {why}")]
    Key {
        /// The Secret's name.
        secret: String,
        /// What is wrong with it.
        why: String,
    },
    /// The key is another certificate's.
    #[error("tls.key of Secret {secret} is not the key of the first certificate in its tls.crt")]
    Pair {
        /// The Secret's name.
        secret: String,
    },
    /// TLS cannot be set up at all. Ours.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// What connections are encrypted with: TLS 1.2 and 1.3, HTTP/2 where the client offers it.
///
/// # Errors
/// [`BadCertificate`] names the Secret.
pub fn server(items: &[CertificateItem]) -> Result<Arc<ServerConfig>, BadCertificate> {
    let tls = |fault: rustls::Error| BadCertificate::Tls(fault.to_string());
    let shown = items
        .iter()
        .map(Shown::new)
        .collect::<Result<Vec<_>, _>>()?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(tls)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Certificates(shown)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Sessions are resumed from what the client keeps: nothing is kept here, and threads share nothing.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = ring::Ticketer::new().map_err(tls)?;
    Ok(Arc::new(config))
}

/// The certificates, in the order of the manifest.
#[derive(Debug)]
struct Certificates(Vec<Shown>);

/// A certificate, and whom it is for.
#[derive(Debug)]
struct Shown {
    /// The names that it bears, in lower case; `*.` stands for one label.
    names: Vec<String>,
    key: Arc<CertifiedKey>,
}

impl Shown {
    fn new(item: &CertificateItem) -> Result<Self, BadCertificate> {
        let secret = || item.name.clone();
        let bad_chain = |why: String| BadCertificate::Chain {
            secret: secret(),
            why,
        };
        let bad_key = |why: &str| BadCertificate::Key {
            secret: secret(),
            why: why.to_owned(),
        };
        let chain = CertificateDer::pem_slice_iter(item.chain.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|fault| bad_chain(fault.to_string()))?;
        let first = chain
            .first()
            .ok_or_else(|| bad_chain("there is none in it".into()))?;
        let first = EndEntityCert::try_from(first).map_err(|fault| bad_chain(fault.to_string()))?;
        let names = first.valid_dns_names().map(str::to_ascii_lowercase);
        let names = names.collect();
        // A fault of the parser may quote what it read.
        let key = PrivateKeyDer::from_pem_slice(item.key.expose().as_bytes())
            .map_err(|_| bad_key("it holds no PKCS#8, PKCS#1 or SEC1 section"))?;
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider());
        let key = key.map_err(|fault| match fault {
            rustls::Error::InconsistentKeys(_) => BadCertificate::Pair { secret: secret() },
            _ => bad_key("RSA of 2048 bits or more, ECDSA on P-256 or P-384, and Ed25519 can"),
        })?;
        Ok(Self {
            names,
            key: Arc::new(key),
        })
    }

    fn names_exactly(&self, host: &str) -> bool {
        self.names
            .iter()
            .any(|name| name.eq_ignore_ascii_case(host))
    }

    /// Whether a wildcard of it stands for the host: for one whole label ([RFC 9525 §6.3](https://www.rfc-editor.org/rfc/rfc9525#section-6.3)).
    fn covers(&self, host: &str) -> bool {
        let Some((_, domain)) = host.split_once('.') else {
            return false;
        };
        let names = self.names.iter();
        let mut wildcards = names.filter_map(|name| name.strip_prefix("*."));
        wildcards.any(|of| of.eq_ignore_ascii_case(domain))
    }
}

impl Certificates {
    /// The first that bears the host's very name, else the first whose wildcard stands for it, else the first; of those that the
    /// client can verify, where there is one.
    fn choose(&self, host: Option<&str>, usable: impl Fn(&Shown) -> bool) -> Option<&Shown> {
        let find = |fits: &dyn Fn(&Shown) -> bool| {
            let mut all = self.0.iter();
            all.find(|shown| fits(shown) && usable(shown))
        };
        let named = host.and_then(|host| {
            find(&|shown| shown.names_exactly(host)).or_else(|| find(&|shown| shown.covers(host)))
        });
        named.or_else(|| find(&|_| true)).or(self.0.first())
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let usable = |shown: &Shown| shown.key.key.choose_scheme(schemes).is_some();
        let shown = self.choose(hello.server_name(), usable)?;
        Some(Arc::clone(&shown.key))
    }
}

#[cfg(test)]
#[path = "certificates_tests.rs"]
mod tests;
