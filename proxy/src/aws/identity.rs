//! The keys of the proxy itself, found as AWS's SDKs find them: environment, shared files, web identity (IRSA), pod identity and containers,
//! instance metadata.
//!
//! Source: [the order of AWS's SDKs](https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html). What starts programs or needs
//! a person (`credential_process`, SSO) is left out.
//!
//! The first of them that is there gives keys, or there are none: to go on after a fault would be to sign as somebody else, such as the machine.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use reqsign_aws_v4::{
    AssumeRoleWithWebIdentityCredentialProvider, Credential, ECSCredentialProvider,
    EnvCredentialProvider, IMDSv2CredentialProvider, ProfileCredentialProvider,
};
use reqsign_core::time::Timestamp;
use reqsign_core::{
    Context, Env, Error, FileRead, HttpSend, OsEnv, ProvideCredentialDyn, SigningCredential as _,
};

use crate::serve::error::bounded;
use crate::state::backend::SECURITY_TOKEN;
use crate::state::secrets::Secrets;

/// Keys are fetched anew when they have less than this to live.
const EARLY: Duration = Duration::from_mins(5);
/// The longest that one fetch may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest reply that is read.
const LONGEST: usize = 1 << 20;
/// The most that is told of a fault, in bytes.
const TOLD: usize = 512;
/// How long after a fetch in vain the next one is tried.
const PAUSE: Duration = Duration::from_secs(5);

static OF_PROCESS: LazyLock<Identity> = LazyLock::new(|| Identity::new(OsEnv));

/// There are no keys to sign with. Whoever runs the proxy can cure it; another try may help.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "the proxy has no identity of AWS's to sign with ({0}); give its ServiceAccount a role, or set credential.aws.secretRef"
)]
pub struct Unavailable(Arc<str>);

/// Keys that are fetched when they are needed, and kept as long as they live.
#[derive(Debug)]
pub struct Identity {
    context: Context,
    /// Who may have keys, in the order in which they are asked.
    providers: [Box<dyn ProvideCredentialDyn<Credential = Credential>>; 5],
    current: ArcSwapOption<Credential>,
    /// Why there are none, and since when. Who holds the lock fetches.
    failed: tokio::sync::Mutex<Option<(Instant, Unavailable)>>,
}

impl Identity {
    /// The identity of this process.
    pub fn of_process() -> &'static Self {
        &OF_PROCESS
    }

    /// The identity that an environment says.
    fn new(env: impl Env) -> Self {
        let context = Context::new()
            .with_env(env)
            .with_file_read(Files)
            .with_http_send(Http);
        Self {
            context,
            providers: [
                Box::new(EnvCredentialProvider::new()),
                Box::new(ProfileCredentialProvider::new()),
                Box::new(AssumeRoleWithWebIdentityCredentialProvider::new()),
                Box::new(ECSCredentialProvider::new()),
                Box::new(IMDSv2CredentialProvider::new()),
            ],
            current: ArcSwapOption::empty(),
            failed: tokio::sync::Mutex::default(),
        }
    }

    /// Keys that hold for a request that is made now.
    ///
    /// # Errors
    /// [`Unavailable`], if there are none and none could be fetched.
    pub async fn get(&self) -> Result<Arc<Credential>, Unavailable> {
        let current = self.current.load_full();
        if let Some(keys) = current.as_ref().filter(|keys| lives(keys, EARLY)) {
            return Ok(Arc::clone(keys));
        }
        // Those that still hold serve while one request fetches the next ones.
        let serving = current.filter(|keys| lives(keys, Duration::from_secs(10)));
        let mut failed = match (self.failed.try_lock(), &serving) {
            (Ok(held), _) => held,
            (Err(_), Some(keys)) => return Ok(Arc::clone(keys)),
            (Err(_), None) => self.failed.lock().await,
        };
        // Somebody may have fetched them while this one waited.
        if let Some(keys) = self.current.load_full().filter(|keys| lives(keys, EARLY)) {
            return Ok(keys);
        }
        if let Some((since, fault)) = &*failed
            && since.elapsed() < PAUSE
        {
            return serving.ok_or_else(|| fault.clone());
        }
        match self.fetch().await {
            Ok(keys) => {
                let keys = Arc::new(keys);
                self.current.store(Some(Arc::clone(&keys)));
                *failed = None;
                Ok(keys)
            }
            Err(fault) => {
                tracing::warn!("{fault}");
                *failed = Some((Instant::now(), fault.clone()));
                serving.ok_or(fault)
            }
        }
    }

    /// What is not to be told of these keys.
    pub fn secrets(&self) -> Option<Secrets> {
        let keys = self.current.load_full()?;
        let secrets = [Some(&keys.secret_access_key), keys.session_token.as_ref()];
        let secrets = secrets.into_iter().flatten();
        Some(Secrets::of(
            secrets.map(|secret| (&SECURITY_TOKEN, secret.as_bytes())),
        ))
    }

    async fn find(&self) -> reqsign_core::Result<Option<Credential>> {
        for provider in &self.providers {
            let found = provider.provide_credential_dyn(&self.context).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    async fn fetch(&self) -> Result<Credential, Unavailable> {
        let why = match tokio::time::timeout(PATIENCE, self.find()).await {
            Ok(Ok(Some(keys))) if lives(&keys, Duration::ZERO) => return Ok(keys),
            Ok(Ok(Some(_))) => "the keys that were found have expired".into(),
            Ok(Ok(None)) => "none was found".into(),
            Ok(Err(fault)) => told(&fault),
            Err(_) => format!("it was not found within {PATIENCE:?}"),
        };
        Err(Unavailable(why.into()))
    }
}

/// A fault with what it came of. What agents say may be of any length.
fn told(fault: &Error) -> String {
    let mut told = fault.to_string();
    let mut source = std::error::Error::source(fault);
    while let Some(cause) = source {
        told = format!("{told}: {cause}");
        source = cause.source();
    }
    bounded(&told, TOLD).into()
}

fn lives(keys: &Credential, longer_than: Duration) -> bool {
    keys.is_valid_at(Timestamp::now() + longer_than)
}

/// Files of the container.
#[derive(Debug)]
struct Files;

impl FileRead for Files {
    async fn file_read(&self, path: &str) -> reqsign_core::Result<Vec<u8>> {
        let read = tokio::fs::read(path).await;
        read.map_err(|fault| Error::unexpected(format!("cannot read {path}")).with_source(fault))
    }
}

/// Requests to AWS's token service and to the agents beside the proxy.
#[derive(Debug)]
struct Http;

impl HttpSend for Http {
    async fn http_send(
        &self,
        request: http::Request<Bytes>,
    ) -> reqsign_core::Result<http::Response<Bytes>> {
        // One client a fetch: fetches are an hour apart, and each thread has a runtime of its own.
        let mut client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(2))
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none());
        // What is asked in the clear is asked of this very host, and is nothing for a forward proxy to read.
        if request.uri().scheme_str() == Some("http") {
            client = client.no_proxy();
        }
        let client = client.build();
        let failed = |fault: reqwest::Error| {
            // What was asked may hold a token.
            Error::unexpected("a request for keys failed").with_source(fault.without_url())
        };
        let request = request.try_into().map_err(failed)?;
        let sent = client.map_err(failed)?.execute(request).await;
        let mut reply = sent.map_err(failed)?;
        let (status, headers) = (reply.status(), reply.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = reply.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST {
                return Err(Error::unexpected("a reply with keys is too long"));
            }
        }
        let mut response = http::Response::new(Bytes::from(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}
