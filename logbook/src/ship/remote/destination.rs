//! Where a logbook is, whom it must prove to be, and what we show it.

use crate::fault::Fault;
use http::{HeaderValue, Uri};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fmt::Display;
use std::sync::Arc;

/// A logbook that cannot be sent to. Of whoever told us of it; no message holds the ticket.
#[derive(Debug, thiserror::Error)]
pub enum BadDestination {
    /// The URL is not of the kind `https://HOST:PORT`.
    #[error("the logbook's URL is to be https://HOST:PORT, not {0:?}")]
    Url(String),
    /// There is no certificate among the authorities.
    #[error("there is no authority to verify the logbook by")]
    Authorities,
    /// The ticket is no header's value.
    #[error("the ticket for the logbook is not one")]
    Ticket,
    /// This build of the TLS library cannot do what we ask of it.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

#[derive(Debug, Clone)]
pub(super) struct Destination {
    endpoint: Arc<Endpoint>,
    /// Marked as secret.
    ticket: HeaderValue,
}

/// What a connection belongs to.
#[derive(Debug)]
pub(super) struct Endpoint {
    url: String,
    authorities: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) name: ServerName<'static>,
    pub(super) tls: Arc<ClientConfig>,
}

impl Destination {
    /// The endpoint is that of `before` if nothing about it changed, so that its connection stays.
    pub(super) fn new(
        url: &str,
        authorities: &str,
        ticket: &str,
        before: Option<&Self>,
    ) -> Result<Self, BadDestination> {
        let mut ticket = HeaderValue::try_from(format!("Bearer {ticket}"))
            .map_err(|_| BadDestination::Ticket)?;
        ticket.set_sensitive(true);
        let same =
            |endpoint: &&Arc<Endpoint>| endpoint.url == url && endpoint.authorities == authorities;
        let endpoint = match before.map(|before| &before.endpoint).filter(same) {
            Some(endpoint) => Arc::clone(endpoint),
            None => Arc::new(Endpoint::new(url, authorities)?),
        };
        Ok(Self { endpoint, ticket })
    }

    pub(super) const fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    pub(super) fn url(&self) -> &str {
        &self.endpoint.url
    }

    pub(super) const fn ticket(&self) -> &HeaderValue {
        &self.ticket
    }

    /// A fault on the way there.
    pub(super) fn away(&self, why: &dyn Display) -> Fault {
        Fault::Away(format!("{}: {why}", self.endpoint.url))
    }
}

impl Endpoint {
    fn new(url: &str, authorities: &str) -> Result<Self, BadDestination> {
        let bad = || BadDestination::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let plain = uri.path() == "/" && uri.query().is_none() && !url.ends_with('/');
        let host = uri
            .host()
            .filter(|_| uri.scheme_str() == Some("https") && plain);
        let host = host.ok_or_else(bad)?.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| bad())?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(
            CertificateDer::pem_slice_iter(authorities.as_bytes()).filter_map(Result::ok),
        );
        if roots.is_empty() {
            return Err(BadDestination::Authorities);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self {
            url: url.to_owned(),
            authorities: authorities.to_owned(),
            port: uri.port_u16().unwrap_or(443),
            host,
            name,
            tls: Arc::new(tls),
        })
    }
}
