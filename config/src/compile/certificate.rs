//! Certificates from Secrets of type `kubernetes.io/tls`.

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::secret::Missing;
use crate::world::InputContent;
use crate::{CertificateItem, Secret, reason};

const CHAIN: &str = "tls.crt";
const KEY: &str = "tls.key";

/// The certificate that the Secret `name` holds, with the key that belongs to it.
///
/// # Errors
/// [`Missing`].
pub(super) fn certificate(name: &str, content: &InputContent) -> Result<CertificateItem, Missing> {
    let invalid = |fault: String| (reason::SECRET_INVALID, format!("Secret {name}: {fault}"));
    let text = |key: &str| {
        let value = content.values.get(key).ok_or_else(|| {
            let fault = format!("Secret {name} has no key {key:?}; make it of type kubernetes.io/tls, with {CHAIN} and {KEY}");
            (reason::SECRET_KEY_MISSING, fault)
        })?;
        std::str::from_utf8(value).map_err(|_| invalid(format!("the value of {key:?} is not text")))
    };
    let (chain, key) = (text(CHAIN)?, text(KEY)?);
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|fault| invalid(format!("{CHAIN} is no PEM: {fault}")))?;
    if certificates.is_empty() {
        return Err(invalid(format!("{CHAIN} holds no PEM certificate")));
    }
    // What a parser says of a key might quote it.
    let private = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|_| invalid(format!("{KEY} holds no private key as PEM")))?;
    CertifiedKey::from_der(certificates, private, &default_provider()).map_err(|fault| {
        let fault = match fault {
            rustls::Error::InconsistentKeys(_) => {
                format!("{KEY} is not the key of the first certificate of {CHAIN}")
            }
            fault => format!("{CHAIN} and {KEY} cannot be served: {fault}"),
        };
        invalid(fault)
    })?;
    Ok(CertificateItem {
        name: name.to_owned(),
        chain: chain.to_owned(),
        key: Secret::new(key),
    })
}
