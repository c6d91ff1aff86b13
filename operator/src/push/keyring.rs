//! The cluster's keys: fetched again and again, and at once when a token needs one that is not known.
//!
//! A key that the cluster withdraws is believed for [`REFRESH`] at most, while the API server answers. While it does not,
//! the keys that are known stay good for [`LONGEST`]: an outage locks nobody out, and no key is believed for ever. One that
//! hangs is as good as away: a fetch is given up, and nobody waits for it longer than that.
//!
//! Proxies verify tokens of callers with the same keys: [`Keyring::told`] says what they are.

use std::sync::Arc;
use std::time::Duration;

use dragoman_config::{ClusterKeys, wire};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use jiff::Timestamp;
use kube::Client;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Claims, Keys, Rejection};
use crate::patience::PATIENCE;
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

/// A fetch that is under way: whoever needs keys waits for the same one.
type UnderWay = Shared<BoxFuture<'static, Result<Arc<Keys>, String>>>;

/// What is known at a moment.
#[derive(Default)]
struct State {
    known: Option<Known>,
    last: Option<Attempt>,
    under_way: Option<UnderWay>,
    /// What proxies are to know; nothing before the first fetch ended.
    told: watch::Sender<Option<ClusterKeys>>,
}

/// The keys of a cluster.
pub struct Keyring {
    fetch: Box<Fetch>,
    /// Never locked while somebody waits.
    state: Arc<Mutex<State>>,
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
            state: Arc::default(),
        }
    }

    /// The keys for proxies, as they change; nothing before the first fetch ended.
    #[must_use]
    pub fn told(&self) -> watch::Receiver<Option<ClusterKeys>> {
        self.state.lock().told.subscribe()
    }

    /// Keeps the keys current for ever: every [`REFRESH`], and sooner after a failure.
    pub async fn keep(&self) {
        let mut backoff = Backoff::new(RETRY, LONGEST_RETRY);
        let mut failing = false;
        loop {
            let wait = match self.ask().await {
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

    /// Verifies a proxy's token; it takes no longer than one fetch of keys may.
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
        self.state.lock().believed()
    }

    /// Fetches keys because `known` did not do, once for all who wait, and not again for a while.
    async fn refresh(&self, known: Option<Arc<Keys>>) -> Result<Arc<Keys>, Unverified> {
        if let Some(settled) = self.state.lock().settled(known.as_ref()) {
            return settled.map_err(Unverified::NoKeys);
        }
        self.ask().await
    }

    /// Fetches keys, or joins who does.
    async fn ask(&self) -> Result<Arc<Keys>, Unverified> {
        let fetched = {
            let mut state = self.state.lock();
            let under_way = state.under_way.take();
            // One that ended without a word, which no fetch should, is not waited for.
            let under_way = under_way.filter(|fetch| fetch.peek().is_none());
            let under_way = under_way.unwrap_or_else(|| self.begin());
            state.under_way = Some(under_way.clone());
            under_way
        };
        fetched.await.map_err(Unverified::NoKeys)
    }

    /// Begins a fetch. It goes on although nobody waits for it any more: what it brings is news all the same.
    fn begin(&self) -> UnderWay {
        let fetch = tokio::time::timeout(PATIENCE, (self.fetch)());
        let state = Arc::clone(&self.state);
        let fetching = tokio::spawn(async move {
            let fetched = fetch.await.unwrap_or_else(|_| {
                Err(format!("the API server did not answer within {PATIENCE:?}"))
            });
            state.lock().fetched(fetched.map(Arc::new))
        });
        fetching
            .map(|ended| ended.unwrap_or_else(|fault| Err(fault.to_string())))
            .boxed()
            .shared()
    }
}

impl State {
    fn believed(&self) -> Option<Arc<Keys>> {
        let fresh = self
            .known
            .as_ref()
            .filter(|known| known.since.elapsed() < LONGEST);
        fresh.map(|known| Arc::clone(&known.keys))
    }

    /// What to tell who finds that `known` does not do, if nothing is to be fetched for that.
    fn settled(&self, known: Option<&Arc<Keys>>) -> Option<Result<Arc<Keys>, String>> {
        match (self.believed(), known) {
            (Some(current), Some(known)) if !Arc::ptr_eq(&current, known) => Some(Ok(current)),
            (Some(current), None) => Some(Ok(current)),
            (current, _) => {
                let last = self.last.as_ref()?;
                match (&last.fault, current) {
                    (Some(fault), _) if last.at.elapsed() < RETRY => Some(Err(fault.clone())),
                    (None, Some(current)) if last.at.elapsed() < INTERVAL => Some(Ok(current)),
                    _ => None,
                }
            }
        }
    }

    /// Takes in what a fetch brought.
    fn fetched(&mut self, fetched: Result<Arc<Keys>, String>) -> Result<Arc<Keys>, String> {
        let at = Instant::now();
        self.under_way = None;
        self.last = Some(Attempt {
            at,
            fault: fetched.as_ref().err().cloned(),
        });
        if let Ok(keys) = &fetched {
            self.known = Some(Known {
                keys: Arc::clone(keys),
                since: at,
            });
        }
        self.tell(fetched.as_deref().ok());
        fetched
    }

    /// Tells what a fetch brought. Of one that failed only that it did, and only while nothing else was told.
    fn tell(&self, keys: Option<&Keys>) {
        self.told.send_if_modified(|told| {
            let news = match keys {
                Some(keys) => ClusterKeys::Known(keys.item()),
                None if told.is_some() => return false,
                None => ClusterKeys::Unreadable,
            };
            let news = Some(news);
            let changed = *told != news;
            *told = news;
            changed
        });
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
        ring.state.lock().known = Some(Known {
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
        ring.state.lock().known = None;
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
        ring.state.lock().known = Some(Known {
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

    /// A ring whose API server hangs while the switch is on.
    fn hanging(cluster: Cluster) -> (Arc<Keyring>, Arc<AtomicBool>) {
        let hangs = Arc::new(AtomicBool::new(true));
        let switch = Arc::clone(&hangs);
        let ring = Keyring::new(move || match switch.load(Ordering::SeqCst) {
            true => std::future::pending().boxed(),
            false => std::future::ready(Ok(cluster.keys())).boxed(),
        });
        (Arc::new(ring), hangs)
    }

    #[tokio::test(start_paused = true)]
    async fn a_hung_api_server_keeps_no_proxy_waiting_and_does_not_stop_the_refresh() {
        let cluster = Cluster::new("k1");
        let token = token_of(&cluster);
        let (ring, hangs) = hanging(cluster);
        let keeper = Arc::clone(&ring);
        let keeping = tokio::spawn(async move { keeper.keep().await });
        let begun = Instant::now();
        let verdicts = (0..50).map(|_| ring.verify(&token));
        for verdict in futures::future::join_all(verdicts).await {
            assert!(matches!(verdict, Err(Unverified::NoKeys(_))), "{verdict:?}");
        }
        assert!(begun.elapsed() <= PATIENCE, "{:?}", begun.elapsed());
        hangs.store(false, Ordering::SeqCst);
        pass(PATIENCE + LONGEST_RETRY).await;
        assert!(ring.believed().is_some());
        assert!(ring.verify(&token).await.is_ok());
        keeping.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_proxy_that_goes_does_not_take_the_fetch_with_it() {
        let (ring, hangs) = hanging(Cluster::new("k1"));
        hangs.store(false, Ordering::SeqCst);
        let asking = ring.verify("a.b.c");
        assert!(tokio::time::timeout(Duration::ZERO, asking).await.is_err());
        pass(Duration::from_secs(1)).await;
        assert!(ring.believed().is_some());
    }
}
