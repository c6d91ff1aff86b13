//! One certificate authority, and the leaves that it signs. ECDSA on P-256 throughout.

use std::sync::Arc;

use dragoman_ticket::Signer;
use jiff::{Timestamp, ToSpan, Unit, tz::TimeZone};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;

/// How long an authority lasts.
const AUTHORITY_DAYS: i64 = 365;
/// How long a leaf lasts.
const LEAF_DAYS: i64 = 30;
/// How far other machines' clocks may be behind.
const SKEW_DAYS: i64 = 1;

/// A certificate or key that cannot be made or read. Ours, or of whoever edited the Secret; a retry does not help.
#[derive(Debug, thiserror::Error)]
pub enum BadAuthority {
    /// rcgen refused.
    #[error("the certificate cannot be made: {0}")]
    Generate(#[from] rcgen::Error),
    /// The PEM does not hold a certificate.
    #[error("the certificate does not parse: {0}")]
    Parse(String),
    /// No key for tickets follows from the authority's.
    #[error(transparent)]
    Ticket(#[from] dragoman_ticket::Unusable),
    /// The key does not fit.
    #[error("the key cannot be used: {0}")]
    Key(#[from] rustls::Error),
}

/// A CA certificate and its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Authority {
    /// The certificate, public.
    pub certificate_pem: String,
    /// The key, secret.
    pub key_pem: String,
    /// When it began.
    pub begins: Timestamp,
    /// When it ends.
    pub ends: Timestamp,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({} to {}, [secret])", self.begins, self.ends)
    }
}

fn day(at: Timestamp, days: i64) -> rcgen::CertificateParams {
    let date = |days: i64| {
        let date = at
            .to_zoned(TimeZone::UTC)
            .date()
            .saturating_add(days.days());
        rcgen::date_time_ymd(
            date.year().into(),
            date.month().unsigned_abs(),
            date.day().unsigned_abs(),
        )
    };
    let mut parameters = CertificateParams::default();
    parameters.not_before = date(-SKEW_DAYS);
    parameters.not_after = date(days);
    parameters
}

impl Authority {
    /// A new authority.
    ///
    /// # Errors
    /// [`BadAuthority::Generate`] when there is no randomness.
    pub fn generate(now: Timestamp) -> Result<Self, BadAuthority> {
        let mut parameters = day(now, AUTHORITY_DAYS);
        let mut name = DistinguishedName::new();
        // Of its own name, so that nobody takes it for its predecessor.
        name.push(
            DnType::CommonName,
            format!("dragoman operator CA {}", now.as_second()),
        );
        parameters.distinguished_name = name;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = parameters.self_signed(&key)?;
        Self::read(certificate.pem(), key.serialize_pem())
    }

    /// Reads an authority from PEM.
    ///
    /// # Errors
    /// [`BadAuthority::Parse`] when it holds no certificate.
    pub fn read(certificate_pem: String, key_pem: String) -> Result<Self, BadAuthority> {
        let parse = |fault: String| BadAuthority::Parse(fault);
        let (_, pem) = x509_parser::pem::parse_x509_pem(certificate_pem.as_bytes())
            .map_err(|fault| parse(fault.to_string()))?;
        let certificate = pem.parse_x509().map_err(|fault| parse(fault.to_string()))?;
        let time = |time: x509_parser::time::ASN1Time| {
            Timestamp::from_second(time.timestamp()).map_err(|fault| parse(fault.to_string()))
        };
        let begins = time(certificate.validity().not_before)?;
        let ends = time(certificate.validity().not_after)?;
        Ok(Self {
            certificate_pem,
            key_pem,
            begins,
            ends,
        })
    }

    /// Whether two thirds of its time are over.
    #[must_use]
    pub fn is_old(&self, now: Timestamp) -> bool {
        is_old(self.begins, self.ends, now)
    }

    /// Signs a server certificate for these names and addresses, and when to replace it.
    ///
    /// # Errors
    /// [`BadAuthority`] when the key does not fit the certificate.
    pub fn leaf(
        &self,
        names: &[String],
        now: Timestamp,
    ) -> Result<(Arc<CertifiedKey>, Timestamp), BadAuthority> {
        let (certificate, key) = self.sign(names, now)?;
        let secret = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let signing = rustls::crypto::ring::sign::any_supported_type(&secret)?;
        let renewal = now
            .saturating_add((LEAF_DAYS * 24 * 2 / 3).hours())
            .unwrap_or(now);
        Ok((
            Arc::new(CertifiedKey::new(vec![certificate.der().clone()], signing)),
            renewal,
        ))
    }

    /// Signs a server certificate for these names and addresses, as PEM with its key.
    ///
    /// # Errors
    /// [`BadAuthority`] when the key does not fit the certificate.
    pub fn leaf_pem(
        &self,
        names: &[String],
        now: Timestamp,
    ) -> Result<(String, String), BadAuthority> {
        let (certificate, key) = self.sign(names, now)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    /// What signs tickets for the logbook as long as this authority signs.
    ///
    /// # Errors
    /// [`BadAuthority::Ticket`]; with ring, never.
    pub fn signer(&self) -> Result<Signer, BadAuthority> {
        Ok(Signer::derive(self.key_pem.as_bytes())?)
    }

    fn sign(
        &self,
        names: &[String],
        now: Timestamp,
    ) -> Result<(Certificate, KeyPair), BadAuthority> {
        let issuer =
            Issuer::from_ca_cert_pem(&self.certificate_pem, KeyPair::from_pem(&self.key_pem)?)?;
        let mut parameters = CertificateParams::new(names.to_vec())?;
        let times = day(now, LEAF_DAYS);
        (parameters.not_before, parameters.not_after) = (times.not_before, times.not_after);
        parameters.distinguished_name = DistinguishedName::new();
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = parameters.signed_by(&key, &issuer)?;
        Ok((certificate, key))
    }
}

pub(super) fn is_old(begins: Timestamp, ends: Timestamp, now: Timestamp) -> bool {
    let seconds = |span: jiff::Span| span.total(Unit::Second).unwrap_or(0.0);
    seconds(now - begins) >= seconds(ends - begins) * 2.0 / 3.0
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

    fn noon() -> Timestamp {
        "2027-01-10T12:00:00Z".parse().unwrap()
    }

    fn verifies(authority: &Authority, leaf: &CertifiedKey, name: &str, at: Timestamp) -> bool {
        trusts(&authority.certificate_pem, leaf, name, at)
    }

    /// Whether somebody who trusts the authorities of `bundle` takes `leaf` for `name`.
    pub(crate) fn trusts(bundle: &str, leaf: &CertifiedKey, name: &str, at: Timestamp) -> bool {
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
            roots.add(authority.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .unwrap();
        let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(at.as_second() as u64));
        let name = ServerName::try_from(name.to_owned()).unwrap();
        verifier
            .verify_server_cert(&leaf.cert[0], &[], &name, &[], at)
            .is_ok()
    }

    #[test]
    fn a_leaf_is_trusted_for_its_names_and_no_others() {
        let authority = Authority::generate(noon()).unwrap();
        let names = ["operator.ns.svc".to_owned(), "10.0.0.7".to_owned()];
        let (leaf, _) = authority.leaf(&names, noon()).unwrap();
        assert!(verifies(&authority, &leaf, "operator.ns.svc", noon()));
        assert!(verifies(&authority, &leaf, "10.0.0.7", noon()));
        assert!(!verifies(&authority, &leaf, "other.ns.svc", noon()));
        let stranger = Authority::generate(noon()).unwrap();
        assert!(!verifies(&stranger, &leaf, "operator.ns.svc", noon()));
    }

    #[test]
    fn a_clock_that_is_hours_behind_still_trusts_a_new_leaf() {
        let authority = Authority::generate(noon()).unwrap();
        let (leaf, _) = authority.leaf(&["a.b".to_owned()], noon()).unwrap();
        assert!(verifies(&authority, &leaf, "a.b", noon() - 20.hours()));
    }

    #[test]
    fn a_leaf_is_replaced_well_before_it_ends() {
        let authority = Authority::generate(noon()).unwrap();
        let (leaf, renewal) = authority.leaf(&["a.b".to_owned()], noon()).unwrap();
        assert!(renewal > noon() && verifies(&authority, &leaf, "a.b", renewal + (24 * 8).hours()));
        assert!(!verifies(
            &authority,
            &leaf,
            "a.b",
            noon() + (24 * 31).hours()
        ));
    }

    #[test]
    fn an_authority_is_old_after_two_thirds_of_its_time() {
        let authority = Authority::generate(noon()).unwrap();
        assert!(!authority.is_old(noon() + (24 * 240).hours()));
        assert!(authority.is_old(noon() + (24 * 246).hours()));
    }

    #[test]
    fn a_key_is_never_shown() {
        let authority = Authority::generate(noon()).unwrap();
        assert!(!format!("{authority:?}").contains("BEGIN"));
    }
}
