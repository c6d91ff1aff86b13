//! What a backend lists: its models, kept for a while, fetched once for all who ask at the same time.
//!
//! Lists that a client's own credential opens are kept by its SHA-256, so that no client sees another's. A failed fetch is not kept.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use dragoman_config::names::Entry;
use dragoman_crds::Dialect;
use http::StatusCode;
use parking_lot::Mutex;
use tokio::sync::watch;

/// Whose list: everyone's (the backend's own credential or none), or that of a client's credential.
pub type Whose = Option<[u8; 32]>;

/// The tag that Ollama adds to a name that has none.
pub const LATEST: &str = ":latest";
/// The most clients whose lists are kept at once.
const CLIENTS: usize = 1024;

/// One upstream's list.
#[derive(Debug)]
pub struct Listing {
    /// Each model as the upstream describes it, unknown fields included, in its order.
    pub entries: Vec<Entry>,
    ids: HashSet<String>,
    /// Whether it lists models at all: some upstreams have no such path.
    pub lists: bool,
    /// When it was fetched.
    pub fetched: Instant,
}

impl Listing {
    /// A list that has just been fetched.
    pub fn new(entries: Vec<Entry>) -> Self {
        let ids = entries
            .iter()
            .filter_map(|entry| entry.get("id")?.as_str().map(str::to_owned));
        Self {
            ids: ids.collect(),
            entries,
            lists: true,
            fetched: Instant::now(),
        }
    }

    /// The same of an upstream of this dialect: Ollama knows a model without a tag as its `latest`.
    pub fn of(dialect: Dialect, entries: Vec<Entry>) -> Self {
        let mut listing = Self::new(entries);
        if dialect == Dialect::Ollama {
            let untagged = listing.ids.iter().filter_map(|id| id.strip_suffix(LATEST));
            let untagged: Vec<_> = untagged.map(str::to_owned).collect();
            listing.ids.extend(untagged);
        }
        listing
    }

    /// Of an upstream that has no list.
    pub fn none() -> Self {
        Self {
            lists: false,
            ..Self::new(Vec::new())
        }
    }

    /// Whether a model is missing on it.
    pub fn lacks(&self, id: &str) -> bool {
        self.lists && !self.ids.contains(id)
    }
}

/// Why a list could not be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// In words.
    pub message: Arc<str>,
    /// What a client is told, should no list be left.
    pub status: StatusCode,
    /// Whether the upstream refuses the key that is configured for it: neither its fault nor the client's, and no retry helps.
    pub of_our_key: bool,
}

impl Failure {
    /// A failure that is told as `status`.
    pub fn new(status: StatusCode, message: impl Into<Arc<str>>) -> Self {
        Self {
            message: message.into(),
            status,
            of_our_key: false,
        }
    }

    fn abandoned() -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "the fetch was given up")
    }
}

/// What times are counted from.
fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

/// What came of a fetch.
pub type Outcome = Result<Arc<Listing>, Failure>;

/// The lists of one backend.
#[derive(Debug, Default)]
pub struct Listings {
    own: ArcSwapOption<Listing>,
    clients: Mutex<HashMap<[u8; 32], Arc<Listing>>>,
    flights: Mutex<HashMap<Whose, watch::Receiver<Option<Outcome>>>>,
    /// When a list was last looked after without anybody having asked for it, in milliseconds of [`epoch`]; 0: never.
    looked: AtomicU64,
}

/// What to do for a list.
#[derive(Debug)]
pub enum Turn {
    /// Nothing: here it is.
    Kept(Arc<Listing>),
    /// Wait: another is fetching it.
    Wait(Flight),
    /// Fetch it, say so with [`Listings::landed`], and wait like the others.
    Fetch(watch::Sender<Option<Outcome>>, Flight),
}

/// A fetch that another has begun.
#[derive(Debug)]
pub struct Flight(watch::Receiver<Option<Outcome>>);

impl Flight {
    /// Waits for it.
    ///
    /// # Errors
    /// The [`Failure`] of the fetch.
    pub async fn outcome(mut self) -> Outcome {
        match self.0.wait_for(Option::is_some).await {
            Ok(outcome) => match &*outcome {
                Some(outcome) => outcome.clone(),
                None => Err(Failure::abandoned()),
            },
            Err(_) => Err(Failure::abandoned()),
        }
    }
}

impl Listings {
    fn known(&self, whose: Whose) -> Option<Arc<Listing>> {
        match whose {
            None => self.own.load_full(),
            Some(client) => self.clients.lock().get(&client).cloned(),
        }
    }

    /// Whether the list that is known, whatever its age, lacks a model.
    pub fn lack(&self, whose: Whose, id: &str) -> bool {
        match whose {
            None => self
                .own
                .load()
                .as_ref()
                .is_some_and(|listing| listing.lacks(id)),
            Some(client) => self
                .clients
                .lock()
                .get(&client)
                .is_some_and(|listing| listing.lacks(id)),
        }
    }

    /// Whether it is time to look after the list although nobody asks: at most once in `every`, whatever comes of it.
    pub fn is_due(&self, every: Duration) -> bool {
        let now = u64::try_from(epoch().elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        let looked = self.looked.load(Ordering::Relaxed);
        let every = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
        let due = looked == 0 || now.saturating_sub(looked) >= every;
        due && self
            .looked
            .compare_exchange(looked, now, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Whose turn it is to get a list that is no older than `ttl`.
    pub fn turn(&self, whose: Whose, ttl: Duration) -> Turn {
        let fresh = |listing: &Arc<Listing>| listing.fetched.elapsed() < ttl;
        if let Some(listing) = self.known(whose).filter(fresh) {
            return Turn::Kept(listing);
        }
        let mut flights = self.flights.lock();
        if let Some(flight) = flights.get(&whose)
            // One whose sender is gone without a word was abandoned with its thread.
            && (flight.has_changed().is_ok() || flight.borrow().is_some())
        {
            return Turn::Wait(Flight(flight.clone()));
        }
        // It may have landed between the look above and the lock.
        if let Some(listing) = self.known(whose).filter(fresh) {
            return Turn::Kept(listing);
        }
        let (sender, receiver) = watch::channel(None);
        flights.insert(whose, receiver.clone());
        Turn::Fetch(sender, Flight(receiver))
    }

    /// Ends a fetch: keeps its result if it is one, and tells those who wait.
    pub fn landed(&self, whose: Whose, sender: &watch::Sender<Option<Outcome>>, outcome: Outcome) {
        if let Ok(listing) = &outcome {
            match whose {
                None => self.own.store(Some(Arc::clone(listing))),
                Some(client) => {
                    let mut clients = self.clients.lock();
                    if clients.len() >= CLIENTS && !clients.contains_key(&client) {
                        let oldest = clients.iter().min_by_key(|(_, listing)| listing.fetched);
                        if let Some(oldest) = oldest.map(|(client, _)| *client) {
                            clients.remove(&oldest);
                        }
                    }
                    clients.insert(client, Arc::clone(listing));
                }
            }
        }
        self.flights.lock().remove(&whose);
        sender.send_replace(Some(outcome));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn listing() -> Arc<Listing> {
        Arc::new(Listing::new(Vec::new()))
    }

    #[test]
    fn a_name_without_a_tag_is_not_missing_on_an_ollamas_list() {
        let entry = |id: &str| Entry::from_iter([("id".to_owned(), id.into())]);
        let entries = vec![entry("llama3:latest"), entry("qwen3:8b")];
        let listing = Listing::of(Dialect::Ollama, entries.clone());
        assert!(!listing.lacks("llama3") && !listing.lacks("llama3:latest"));
        assert!(listing.lacks("qwen3"));
        assert!(Listing::of(Dialect::OpenAI, entries).lacks("llama3"));
        assert!(!Listing::none().lacks("anything"));
    }

    #[tokio::test]
    async fn one_fetches_and_the_others_wait_for_it() {
        let listings = Listings::default();
        let Turn::Fetch(sender, _) = listings.turn(None, MINUTE) else {
            panic!()
        };
        let Turn::Wait(flight) = listings.turn(None, MINUTE) else {
            panic!()
        };
        listings.landed(None, &sender, Ok(listing()));
        assert!(flight.outcome().await.is_ok());
        assert!(matches!(listings.turn(None, MINUTE), Turn::Kept(_)));
        assert!(matches!(
            listings.turn(None, Duration::ZERO),
            Turn::Fetch(..)
        ));
    }

    #[tokio::test]
    async fn a_failure_is_told_and_not_kept() {
        let listings = Listings::default();
        let Turn::Fetch(sender, _) = listings.turn(None, MINUTE) else {
            panic!()
        };
        let Turn::Wait(flight) = listings.turn(None, MINUTE) else {
            panic!()
        };
        let down = Failure::new(StatusCode::BAD_GATEWAY, "down");
        listings.landed(None, &sender, Err(down.clone()));
        assert_eq!(flight.outcome().await.unwrap_err(), down);
        assert!(matches!(listings.turn(None, MINUTE), Turn::Fetch(..)));
    }

    #[test]
    fn an_abandoned_fetch_blocks_nobody() {
        let listings = Listings::default();
        drop(listings.turn(None, MINUTE));
        assert!(matches!(listings.turn(None, MINUTE), Turn::Fetch(..)));
    }

    #[test]
    fn two_clients_never_share_and_their_number_is_bounded() {
        let listings = Listings::default();
        for client in 0..=CLIENTS {
            let mut whose = [0; 32];
            whose[..8].copy_from_slice(&client.to_le_bytes());
            let Turn::Fetch(sender, _) = listings.turn(Some(whose), MINUTE) else {
                panic!()
            };
            listings.landed(Some(whose), &sender, Ok(listing()));
        }
        assert_eq!(listings.clients.lock().len(), CLIENTS);
        assert!(listings.known(None).is_none());
    }
}
