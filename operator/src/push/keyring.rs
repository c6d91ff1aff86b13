//! The cluster's keys, fetched when a token needs one that is not known.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dragoman_config::wire;
use futures::future::BoxFuture;
use jiff::Timestamp;
use kube::Client;
use parking_lot::Mutex;
use serde_json::Value;

use super::{Claims, Keys, Rejection};

/// How often keys are fetched at most: a flood of bad tokens is not the API server's problem.
const INTERVAL: Duration = Duration::from_secs(5);

/// Why a token was not verified.
#[derive(Debug, thiserror::Error)]
pub enum Unverified {
    /// The token is no good. The proxy's fault.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The cluster's keys could not be had. Nobody's fault; later it may work.
    #[error("the cluster's keys for ServiceAccount tokens cannot be fetched: {0}")]
    NoKeys(String),
}

type Fetch = dyn Fn() -> BoxFuture<'static, Result<Keys, String>> + Send + Sync;

/// The keys of a cluster.
pub struct Keyring {
    fetch: Box<Fetch>,
    keys: Mutex<Option<Arc<Keys>>>,
    fetched: tokio::sync::Mutex<Option<Instant>>,
}

impl Keyring {
    /// Keys from the API server, by [its discovery of issuers](https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery).
    #[must_use]
    pub fn of_cluster(client: Client) -> Self {
        Self::new(move || {
            let client = client.clone();
            Box::pin(async move { fetch(&client).await })
        })
    }

    /// Keys from wherever `fetch` has them.
    pub fn new(
        fetch: impl Fn() -> BoxFuture<'static, Result<Keys, String>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            fetch: Box::new(fetch),
            keys: Mutex::default(),
            fetched: tokio::sync::Mutex::default(),
        }
    }

    /// Verifies a proxy's token.
    ///
    /// # Errors
    /// [`Unverified`].
    pub async fn verify(&self, token: &str) -> Result<Claims, Unverified> {
        let now = Timestamp::now().as_second();
        let known = self.keys.lock().clone();
        if let Some(keys) = &known {
            match keys.verify(token, wire::AUDIENCE, now) {
                Err(Rejection::UnknownKey) => {}
                verdict => return Ok(verdict?),
            }
        }
        let keys = self.refresh(known).await?;
        Ok(keys.verify(token, wire::AUDIENCE, now)?)
    }

    /// Fetches keys, once for all who wait, and not again for a while.
    async fn refresh(&self, known: Option<Arc<Keys>>) -> Result<Arc<Keys>, Unverified> {
        let mut fetched = self.fetched.lock().await;
        let current = self.keys.lock().clone();
        match (current, known) {
            (Some(current), Some(known)) if !Arc::ptr_eq(&current, &known) => return Ok(current),
            (Some(current), None) => return Ok(current),
            (Some(current), Some(_)) if fetched.is_some_and(|at| at.elapsed() < INTERVAL) => {
                return Ok(current);
            }
            _ => {}
        }
        let keys = Arc::new((self.fetch)().await.map_err(Unverified::NoKeys)?);
        *fetched = Some(Instant::now());
        *self.keys.lock() = Some(Arc::clone(&keys));
        Ok(keys)
    }
}

async fn fetch(client: &Client) -> Result<Keys, String> {
    let get = async |path: &str| -> Result<Value, String> {
        let request = http::Request::get(path)
            .body(Vec::new())
            .map_err(|fault| fault.to_string())?;
        client
            .request(request)
            .await
            .map_err(|fault: kube::Error| format!("{path}: {fault}"))
    };
    let configuration = get("/.well-known/openid-configuration").await?;
    let issuer = configuration["issuer"]
        .as_str()
        .ok_or("the issuer has no name")?;
    Keys::read(issuer, get("/openid/v1/jwks").await?).map_err(|fault| fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::token::tests::{Cluster, claims};
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn a_key_that_came_by_rotation_is_fetched() {
        let old = Cluster::new("old");
        let new = Cluster::new("new");
        let token = new.sign(&claims(Timestamp::now().as_second()));
        let ring = Keyring::new(move || {
            let keys = new.keys();
            Box::pin(async move { Ok(keys) })
        });
        *ring.keys.lock() = Some(Arc::new(old.keys()));
        assert_eq!(ring.verify(&token).await.unwrap().pod, "edge-1");
    }

    #[tokio::test]
    async fn bad_tokens_do_not_make_us_ask_again_and_again() {
        let asked = Arc::new(AtomicUsize::new(0));
        let cluster = Cluster::new("k1");
        let counter = Arc::clone(&asked);
        let ring = Keyring::new(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            let keys = cluster.keys();
            Box::pin(async move { Ok(keys) })
        });
        let token = Cluster::new("other").sign(&claims(Timestamp::now().as_second()));
        for _ in 0..10 {
            assert!(matches!(
                ring.verify(&token).await,
                Err(Unverified::Rejected(_))
            ));
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_token_that_cannot_be_checked_is_not_called_wrong() {
        let ring = Keyring::new(|| Box::pin(async { Err("the API server is away".to_owned()) }));
        assert!(matches!(
            ring.verify("a.b.c").await,
            Err(Unverified::NoKeys(_))
        ));
    }
}
