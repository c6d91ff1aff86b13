//! The keys of one issuer, as they were fetched last: what is known, what may be believed, and when they are fetched again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use dragoman_config::UpstreamUrl;
use parking_lot::Mutex;
use rand::Rng as _;
use tokio::sync::{Notify, watch};

use super::fetch::Fetched;
use super::jwk::Keys;

/// How long after the beginning of a fetch nobody may ask for another.
const PAUSE: Duration = Duration::from_secs(10);
/// How long a request waits for one.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long keys that should have been fetched anew are believed while that fails.
const GRACE: Duration = Duration::from_hours(24);
/// The first wait after a fetch that failed, doubled by each further one…
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// …up to this.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// The keys behind one URL.
#[derive(Debug)]
pub(super) struct KeySet {
    pub(super) url: UpstreamUrl,
    current: ArcSwapOption<Current>,
    progress: Mutex<Progress>,
    /// Wakes who fetches.
    pub(super) wake: Arc<Notify>,
    /// Counted up by each fetch that ends.
    ended: watch::Sender<u64>,
}

#[derive(Debug)]
struct Current {
    keys: Arc<Keys>,
    /// When they are believed no more.
    until: Instant,
}

#[derive(Debug, Default)]
struct Progress {
    /// When the last fetch began.
    began: Option<Instant>,
    /// Whether one was asked for, or is on its way.
    pending: bool,
    /// Fetches in vain since the last that was not.
    failures: u32,
    /// Why the last one failed; none: it did not, or there was none.
    why: Option<Arc<str>>,
}

impl KeySet {
    /// A set that nothing is known of, and whose first fetch somebody is about to begin.
    pub(super) fn new(url: UpstreamUrl) -> Self {
        Self {
            url,
            current: ArcSwapOption::empty(),
            progress: Mutex::new(Progress {
                pending: true,
                ..Progress::default()
            }),
            wake: Arc::default(),
            ended: watch::Sender::new(0),
        }
    }

    /// The keys that may be believed at `now`.
    pub(super) fn keys(&self, now: Instant) -> Option<Arc<Keys>> {
        let current = self.current.load();
        let current = current.as_ref().filter(|current| now < current.until)?;
        Some(Arc::clone(&current.keys))
    }

    /// Whether a fetch is on its way; one is asked for if the last is long enough ago.
    pub(super) fn awaits_news(&self, now: Instant) -> bool {
        let mut progress = self.progress.lock();
        let rests = progress.began.is_some_and(|began| now < began + PAUSE);
        if !progress.pending && !rests {
            progress.pending = true;
            self.wake.notify_one();
        }
        progress.pending
    }

    /// Waits until the fetch that is on its way has ended, but not for long.
    pub(super) async fn news(&self) {
        let mut ended = self.ended.subscribe();
        let before = *ended.borrow_and_update();
        // Asked after the count was read: an end in between is seen by the one or the other.
        if !self.progress.lock().pending {
            return;
        }
        let next = ended.wait_for(|count| *count > before);
        // Late or never is the same to the caller, who looks at what there is.
        let _ = tokio::time::timeout(PATIENCE, next).await;
    }

    /// Why it cannot be said to a request that came at `came` that the issuer does not have a key; none: it said so itself since then. Before that it
    /// may have had another set: an issuer that changes its keys signs with the new one at once.
    pub(super) fn doubt(&self, came: Instant) -> Option<Arc<str>> {
        let progress = self.progress.lock();
        if progress.pending {
            return Some("its keys are being fetched".into());
        }
        if let Some(why) = &progress.why {
            return Some(Arc::clone(why));
        }
        let before = progress.began.is_none_or(|began| began < came);
        before.then(|| "they were fetched a moment ago, without the one that is named".into())
    }

    /// A fetch begins.
    pub(super) fn begins(&self, now: Instant) {
        let mut progress = self.progress.lock();
        progress.began = Some(now);
        progress.pending = true;
    }

    /// A fetch ended; how long until the next.
    pub(super) fn ends(&self, fetched: Result<Fetched, String>, now: Instant) -> Duration {
        let mut progress = self.progress.lock();
        progress.pending = false;
        let wait = match fetched {
            Ok(Fetched { keys, lasts }) => {
                progress.failures = 0;
                progress.why = None;
                self.believe(keys, now + lasts + GRACE);
                // Ahead of the time at which they should be fetched again.
                lasts.mul_f64(rand::rng().random_range(0.8..0.9))
            }
            Err(why) => {
                let wait = FIRST_WAIT.saturating_mul(1 << progress.failures.min(16));
                progress.failures = progress.failures.saturating_add(1);
                self.tell(&why, progress.why.as_deref());
                progress.why = Some(why.into());
                wait.min(LONGEST_WAIT)
                    .mul_f64(rand::rng().random_range(0.9..1.1))
            }
        };
        drop(progress);
        self.ended.send_modify(|count| *count += 1);
        wait
    }

    fn believe(&self, keys: Keys, until: Instant) {
        // The same ones stay the same, so that what was verified with them need not be verified again.
        let keys = match &*self.current.load() {
            Some(current) if *current.keys == keys => Arc::clone(&current.keys),
            _ => Arc::new(keys),
        };
        self.current.store(Some(Arc::new(Current { keys, until })));
    }

    fn tell(&self, why: &str, before: Option<&str>) {
        if before != Some(why) {
            // Without path and query, which may hold what is nobody's business.
            let issuer = self.url.authority();
            tracing::warn!(kind = "jwks_unavailable", %issuer, "the keys that JSON Web Tokens are signed with cannot be fetched: {why}");
        }
    }
}

impl Drop for KeySet {
    fn drop(&mut self) {
        // Who fetches finds that there is nothing left to fetch for.
        self.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> KeySet {
        KeySet::new(UpstreamUrl {
            tls: false,
            host: "issuer".into(),
            port: 80,
            path: "/jwks".into(),
        })
    }

    fn keys(id: &str) -> Keys {
        let x = "A".repeat(43);
        let set = format!(
            r#"{{"keys": [{{"kty": "OKP", "crv": "Ed25519", "kid": "{id}", "x": "{x}"}}]}}"#
        );
        Keys::read(set.as_bytes()).unwrap()
    }

    fn fetched(id: &str) -> Result<Fetched, String> {
        Ok(Fetched {
            keys: keys(id),
            lasts: Duration::from_mins(5),
        })
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_set_is_fetched_again_ahead_of_its_time() {
        let (set, now) = (set(), Instant::now());
        let wait = set.ends(fetched("a"), now);
        assert!((Duration::from_secs(240)..Duration::from_secs(270)).contains(&wait));
    }

    #[test]
    fn keys_are_believed_a_day_longer_than_they_last_and_then_no_more() {
        let (set, now) = (set(), Instant::now());
        assert_eq!(set.keys(now), None);
        set.ends(fetched("a"), now);
        set.ends(Err("gone".into()), now + SECOND);
        let end = now + Duration::from_mins(5) + Duration::from_hours(24);
        assert_eq!(set.keys(end - SECOND).as_deref(), Some(&keys("a")));
        assert_eq!(set.keys(end), None);
    }

    #[test]
    fn failures_are_backed_off_and_a_success_ends_that() {
        let (set, now) = (set(), Instant::now());
        let waits: Vec<f64> = (0..8)
            .map(|_| set.ends(Err("gone".into()), now).as_secs_f64())
            .collect();
        for (wait, about) in waits
            .iter()
            .zip([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0])
        {
            assert!(
                (0.89 * about..1.11 * about).contains(wait),
                "{wait} {about}"
            );
        }
        set.ends(fetched("a"), now);
        assert!(set.ends(Err("gone".into()), now) < 2 * SECOND);
    }

    #[test]
    fn unknown_keys_ask_for_one_fetch_in_ten_seconds() {
        let (set, now) = (set(), Instant::now());
        // The first is about to begin.
        assert!(set.awaits_news(now));
        set.begins(now);
        set.ends(fetched("a"), now);
        assert!(!set.awaits_news(now + PAUSE - SECOND));
        assert_eq!(set.doubt(now), None, "it was asked after the request came");
        assert!(
            set.doubt(now + SECOND).is_some(),
            "it may have a new one since"
        );
        assert!(set.awaits_news(now + PAUSE));
        assert!(set.awaits_news(now + PAUSE + SECOND));
        set.begins(now + PAUSE + SECOND);
        set.ends(Err("gone".into()), now + PAUSE + SECOND);
        assert!(!set.awaits_news(now + 2 * PAUSE));
        assert_eq!(set.doubt(now).as_deref(), Some("gone"));
    }

    #[test]
    fn the_same_keys_stay_the_same() {
        let (set, now) = (set(), Instant::now());
        set.ends(fetched("a"), now);
        let first = set.keys(now).unwrap();
        set.ends(fetched("a"), now);
        assert!(Arc::ptr_eq(&first, &set.keys(now).unwrap()));
        set.ends(fetched("b"), now);
        assert!(!Arc::ptr_eq(&first, &set.keys(now).unwrap()));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_two_seconds_for_a_fetch() {
        let set = set();
        let before = tokio::time::Instant::now();
        set.news().await;
        assert_eq!(before.elapsed(), PATIENCE);
        set.ends(fetched("a"), Instant::now());
        set.news().await;
        assert_eq!(before.elapsed(), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_goes_on_when_the_fetch_ends() {
        let set = Arc::new(set());
        let waiting = tokio::spawn({
            let set = Arc::clone(&set);
            async move { set.news().await }
        });
        tokio::task::yield_now().await;
        let before = tokio::time::Instant::now();
        set.ends(fetched("a"), Instant::now());
        waiting.await.unwrap();
        assert_eq!(before.elapsed(), Duration::ZERO);
    }
}
