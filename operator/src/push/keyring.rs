//! The cluster's keys: fetched again and again, and at once when a token needs one that is not known.
//!
//! A key that the cluster withdraws is believed for [`REFRESH`] at most, while the API server answers. While it does not,
//! the keys that are known stay good for [`LONGEST`]: an outage locks nobody out, and no key is believed for ever.

use std::sync::Arc;
use std::time::Duration;

use dragoman_config::wire;
use futures::future::BoxFuture;
use jiff::Timestamp;
use kube::Client;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::Instant;

use super::{Claims, Keys, Rejection};
use crate::watch::backoff::Backoff;

/// How often keys are fetched at most, because of tokens: a flood of bad ones is not the API server's problem.
const INTERVAL: Duration = Duration::from_secs(5);
/// The same after a fetch that failed: proxies wait for it.
const RETRY: Duration = Duration::from_secs(1);
/// How often keys are fetched whatever happens.
const REFRESH: Duration = Duration::from_mins(5);
/// The longest wait between two attempts while they fail.
const LONGEST_RETRY: Duration = Duration::from_mins(1);
/// How long keys are believed that could not be fetched again.
const LONGEST: Duration = Duration::from_hours(1);

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

/// Keys, and when they were fetched.
#[derive(Clone)]
struct Known {
    keys: Arc<Keys>,
    since: Instant,
}

/// The last fetch: when, and what was wrong.
struct Attempt {
    at: Instant,
    fault: Option<String>,
}

/// The keys of a cluster.
pub struct Keyring {
    fetch: Box<Fetch>,
    known: Mutex<Option<Known>>,
    last: tokio::sync::Mutex<Option<Attempt>>,
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
            known: Mutex::default(),
            last: tokio::sync::Mutex::default(),
        }
    }

    /// Keeps the keys current for ever: every [`REFRESH`], and sooner after a failure.
    pub async fn keep(&self) {
        let mut backoff = Backoff::new(RETRY, LONGEST_RETRY);
        let mut failing = false;
        loop {
            let wait = match self.ask(&mut *self.last.lock().await).await {
                Ok(_) => {
                    if std::mem::take(&mut failing) {
                        tracing::info!("the cluster's keys are fetched again");
                    }
                    backoff.reset();
                    REFRESH
                }
                Err(fault) => {
                    // Once an outage, not once an attempt.
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(%fault, believed = ?LONGEST, "the keys that are known stay for a while; it is tried again");
                    }
                    backoff.wait()
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Verifies a proxy's token.
    ///
    /// # Errors
    /// [`Unverified`].
    pub async fn verify(&self, token: &str) -> Result<Claims, Unverified> {
        let now = Timestamp::now().as_second();
        let known = self.believed();
        if let Some(keys) = &known {
            match keys.verify(token, wire::AUDIENCE, now) {
                Err(Rejection::UnknownKey) => {}
                verdict => return Ok(verdict?),
            }
        }
        let keys = self.refresh(known).await?;
        Ok(keys.verify(token, wire::AUDIENCE, now)?)
    }

    /// The keys that are known, unless they are too old.
    fn believed(&self) -> Option<Arc<Keys>> {
        let known = self.known.lock();
        let fresh = known
            .as_ref()
            .filter(|known| known.since.elapsed() < LONGEST);
        fresh.map(|known| Arc::clone(&known.keys))
    }

    /// Fetches keys because `known` did not do, once for all who wait, and not again for a while.
    async fn refresh(&self, known: Option<Arc<Keys>>) -> Result<Arc<Keys>, Unverified> {
        let mut last = self.last.lock().await;
        match (self.believed(), known) {
            (Some(current), Some(known)) if !Arc::ptr_eq(&current, &known) => return Ok(current),
            (Some(current), None) => return Ok(current),
            (current, _) => match (&*last, current) {
                (
                    Some(Attempt {
                        at,
                        fault: Some(fault),
                    }),
                    _,
                ) if at.elapsed() < RETRY => {
                    return Err(Unverified::NoKeys(fault.clone()));
                }
                (Some(Attempt { at, fault: None }), Some(current)) if at.elapsed() < INTERVAL => {
                    return Ok(current);
                }
                _ => {}
            },
        }
        self.ask(&mut last).await
    }

    async fn ask(&self, last: &mut Option<Attempt>) -> Result<Arc<Keys>, Unverified> {
        let fetched = (self.fetch)().await;
        let at = Instant::now();
        *last = Some(Attempt {
            at,
            fault: fetched.as_ref().err().cloned(),
        });
        let keys = Arc::new(fetched.map_err(Unverified::NoKeys)?);
        *self.known.lock() = Some(Known {
            keys: Arc::clone(&keys),
            since: at,
        });
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
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    fn token_of(cluster: &Cluster) -> String {
        cluster.sign(&claims(Timestamp::now().as_second()))
    }

    /// A ring of `cluster`'s keys, how often it was asked, and a switch that makes it fail.
    fn ring(cluster: Cluster) -> (Arc<Keyring>, Arc<AtomicUsize>, Arc<AtomicBool>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let away = Arc::new(AtomicBool::new(false));
        let (counter, switch) = (Arc::clone(&asked), Arc::clone(&away));
        let ring = Keyring::new(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            let keys = match switch.load(Ordering::SeqCst) {
                true => Err("the API server is away".to_owned()),
                false => Ok(cluster.keys()),
            };
            Box::pin(async move { keys })
        });
        (Arc::new(ring), asked, away)
    }

    /// Lets `time` pass, doing what becomes due.
    async fn pass(time: Duration) {
        tokio::time::sleep(time).await;
    }

    #[tokio::test]
    async fn a_key_that_came_by_rotation_is_fetched() {
        let old = Cluster::new("old");
        let new = Cluster::new("new");
        let token = token_of(&new);
        let (ring, ..) = ring(new);
        *ring.known.lock() = Some(Known {
            keys: Arc::new(old.keys()),
            since: Instant::now(),
        });
        assert_eq!(ring.verify(&token).await.unwrap().pod, "edge-1");
    }

    #[tokio::test]
    async fn bad_tokens_do_not_make_us_ask_again_and_again() {
        let (ring, asked, away) = ring(Cluster::new("k1"));
        let token = token_of(&Cluster::new("other"));
        for _ in 0..10 {
            assert!(matches!(
                ring.verify(&token).await,
                Err(Unverified::Rejected(_))
            ));
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        away.store(true, Ordering::SeqCst);
        *ring.known.lock() = None;
        for _ in 0..10 {
            assert!(matches!(
                ring.verify(&token).await,
                Err(Unverified::NoKeys(_))
            ));
        }
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_token_that_cannot_be_checked_is_not_called_wrong() {
        let (ring, _, away) = ring(Cluster::new("k1"));
        away.store(true, Ordering::SeqCst);
        assert!(matches!(
            ring.verify("a.b.c").await,
            Err(Unverified::NoKeys(_))
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_the_cluster_withdrew_is_not_believed_after_the_next_refresh() {
        let withdrawn = Cluster::new("old");
        let token = token_of(&withdrawn);
        let (ring, ..) = ring(Cluster::new("new"));
        *ring.known.lock() = Some(Known {
            keys: Arc::new(withdrawn.keys()),
            since: Instant::now(),
        });
        assert!(ring.verify(&token).await.is_ok());
        let keeper = Arc::clone(&ring);
        let keeping = tokio::spawn(async move { keeper.keep().await });
        pass(REFRESH + Duration::from_secs(1)).await;
        assert!(matches!(
            ring.verify(&token).await,
            Err(Unverified::Rejected(_))
        ));
        keeping.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn keys_stay_while_the_api_server_is_away_and_not_for_ever() {
        let cluster = Cluster::new("k1");
        let token = token_of(&cluster);
        let (ring, asked, away) = ring(cluster);
        let keeper = Arc::clone(&ring);
        let keeping = tokio::spawn(async move { keeper.keep().await });
        // Never at the very moment of a fetch.
        let moment = Duration::from_secs(1);
        pass(REFRESH * 2 + moment).await;
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        away.store(true, Ordering::SeqCst);
        pass(LONGEST - moment * 2).await;
        assert!(ring.verify(&token).await.is_ok());
        let attempts = asked.load(Ordering::SeqCst);
        assert!((30..200).contains(&attempts), "{attempts} attempts");
        pass(moment * 2).await;
        assert!(matches!(
            ring.verify(&token).await,
            Err(Unverified::NoKeys(_))
        ));
        away.store(false, Ordering::SeqCst);
        pass(LONGEST_RETRY + moment).await;
        assert!(ring.verify(&token).await.is_ok());
        keeping.abort();
    }
}
