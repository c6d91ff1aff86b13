//! How a simulator is set up and started.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use http::StatusCode;
use parking_lot::RwLock;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{Simulator, listen};
use crate::{bedrock::AwsKey, control, record::Recorder, shared::Shared};

/// Models that are listed unless others are named.
const MODELS: [&str; 5] = ["echo", "say", "think", "reasoning", "tools"];

/// Sets up a [`Simulator`].
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    listen: SocketAddr,
    name: String,
    models: Vec<Value>,
    only_listed: bool,
    strict: bool,
    api_keys: Vec<String>,
    entra_tokens: Vec<String>,
    aws_keys: Vec<AwsKey>,
    record: bool,
    tls: Option<(String, String)>,
}

/// Why a simulator did not start. The caller's fault; a retry helps only if the address was taken.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The certificate or key is not readable PEM.
    #[error("the certificate or key is not PEM: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// The certificate and key do not serve TLS.
    #[error("the certificate and key do not serve TLS: {0}")]
    Tls(#[from] rustls::Error),
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            name: "simulator".into(),
            models: MODELS.map(Value::from).into(),
            only_listed: false,
            strict: false,
            api_keys: vec![],
            entra_tokens: vec![],
            aws_keys: vec![],
            record: true,
            tls: None,
        }
    }
}

impl Builder {
    /// The address to listen on; default `127.0.0.1:0`, a free port.
    pub fn listen(mut self, addr: SocketAddr) -> Self {
        self.listen = addr;
        self
    }

    /// What replies carry in `x-simulator` and `system_fingerprint`; default `simulator`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// What is listed: names, or whole entries.
    pub fn models<M: Into<Value>>(mut self, models: impl IntoIterator<Item = M>) -> Self {
        self.models = models.into_iter().map(Into::into).collect();
        self
    }

    /// Refuses models that are not listed with 404; default: any model answers.
    pub fn only_listed(mut self, only: bool) -> Self {
        self.only_listed = only;
        self
    }

    /// Refuses unknown fields whatever the model is called, as the word `strict` does, and those too that
    /// Ollama and TGI leave unread; default: as the model's name says.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Accepts this key too; default: none is asked for.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_keys.push(key.into());
        self
    }

    /// Accepts this token of Entra ID as a bearer's at Azure's paths; default: none.
    pub fn entra_token(mut self, token: impl Into<String>) -> Self {
        self.entra_tokens.push(token.into());
        self
    }

    /// Accepts signatures by this key of AWS at Bedrock's paths; default: none is asked for. A key
    /// that was lent has a session token, which each request must carry.
    pub fn aws_key(
        mut self,
        id: impl Into<String>,
        secret: impl Into<String>,
        session_token: Option<String>,
    ) -> Self {
        self.aws_keys.push(AwsKey {
            id: id.into(),
            secret: secret.into(),
            session_token,
        });
        self
    }

    /// Whether requests are kept; default true. Off, they are only counted.
    pub fn record(mut self, record: bool) -> Self {
        self.record = record;
        self
    }

    /// Serves TLS (HTTP/1.1 and HTTP/2 by ALPN) with this chain and key, both PEM.
    pub fn tls(mut self, chain: impl Into<String>, key: impl Into<String>) -> Self {
        self.tls = Some((chain.into(), key.into()));
        self
    }

    /// Starts listening.
    ///
    /// # Errors
    /// [`StartError`] when the address is taken or the TLS files do not serve.
    pub async fn start(self) -> Result<Simulator, StartError> {
        let tls = self
            .tls
            .as_ref()
            .map(|(chain, key)| acceptor(chain, key))
            .transpose()?;
        let refused = |error| StartError::Listen(self.listen, error);
        let listener = TcpListener::bind(self.listen).await.map_err(refused)?;
        let addr = listener.local_addr().map_err(refused)?;
        let shared = Arc::new(Shared {
            name: self.name,
            api_keys: RwLock::new(self.api_keys),
            entra_tokens: self.entra_tokens,
            aws_keys: self.aws_keys,
            models: RwLock::new(self.models.iter().map(control::listed).collect()),
            only_listed: self.only_listed,
            strict: self.strict,
            health: RwLock::new(StatusCode::OK),
            recorder: Arc::new(Recorder::new(self.record)),
            calls: parking_lot::Mutex::default(),
        });
        let is_tls = tls.is_some();
        let task = tokio::spawn(listen::accept(listener, tls, shared.clone()));
        Ok(Simulator {
            addr,
            tls: is_tls,
            shared,
            task,
        })
    }
}

fn acceptor(chain: &str, key: &str) -> Result<TlsAcceptor, StartError> {
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
