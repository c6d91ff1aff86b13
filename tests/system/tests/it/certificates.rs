//! Certificates of authorities that tests make, as Secrets.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// An authority that a test trusts.
pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

/// A new one.
pub(crate) fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A Secret of type `kubernetes.io/tls` with a certificate for these names.
pub(crate) fn tls_secret(secret: &str, names: &[&str], issuer: &Authority) -> String {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>(),
    )
    .unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    as_secret(secret, &certificate.pem(), &key.serialize_pem())
}

fn as_secret(secret: &str, chain: &str, key: &str) -> String {
    let [chain, key] = [chain, key].map(|pem| pem.trim().replace('\n', "\n    "));
    format!(
        "---\napiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\nmetadata: {{name: {secret}}}\nstringData:\n  tls.crt: |\n    {chain}\n  tls.key: |\n    {key}\n"
    )
}
