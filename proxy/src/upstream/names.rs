//! An upstream's name as addresses, kept as long as they hold, and longer when no name server answers.

use std::{
    cell::{Cell, RefCell},
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use tokio::{sync::Mutex, time::Instant};

use super::{
    address::Address,
    endpoint::Endpoint,
    fault::Fault,
    guard::Denied,
    lookup::{Answer, Failure, Lookup},
};

/// Answers hold at least so long, so that a TTL of zero does not cost a lookup per request…
const SHORTEST: Duration = Duration::from_secs(1);
/// …and at most so long: pods come and go.
const LONGEST: Duration = Duration::from_secs(30);
/// How long an answer may still be used while a new one is fetched in the background.
const STALE: Duration = Duration::from_secs(30);
/// How long addresses serve after a name server said that the name has none: long enough for a Service that is replaced, no longer,
/// since what is at the address may be somebody else's by then.
const GONE: Duration = Duration::from_secs(30);
/// When a failed lookup is tried again while an old answer serves.
const AGAIN: Duration = Duration::from_secs(2);

pub(crate) type Addresses = Rc<[Rc<Address>]>;

/// The addresses of one upstream.
pub(crate) struct Names {
    host: String,
    port: u16,
    denied: Denied,
    lookup: Lookup,
    /// How long one lookup may take.
    patience: Duration,
    current: RefCell<Option<Current>>,
    refreshing: Cell<bool>,
    /// One lookup at a time; its result serves all who waited meanwhile.
    turn: Mutex<()>,
    finished: Cell<u64>,
    /// Why the last lookup failed, and when.
    failure: RefCell<Option<(String, Instant)>>,
}

struct Current {
    /// Those that may be called: empty only if all are denied.
    addresses: Addresses,
    /// The first that is denied, and by which rule.
    denied: Option<(IpAddr, String)>,
    /// When they were found.
    since: Instant,
    /// Until when they need not be looked up again.
    fresh_until: Instant,
    /// Whether the URL holds an address, which never changes, and no name.
    literal: bool,
    /// Since when name servers say that the name has no address.
    gone: Option<Instant>,
}

impl Current {
    /// Whether it may be used, however old.
    fn serves(&self) -> bool {
        self.gone.is_none_or(|since| since.elapsed() < GONE)
    }
}

impl Names {
    pub(crate) fn new(
        endpoint: &Endpoint,
        denied: Denied,
        lookup: Lookup,
        patience: Duration,
    ) -> Rc<Self> {
        let names = Names {
            host: endpoint.host().into(),
            port: endpoint.port(),
            denied,
            lookup,
            patience,
            current: RefCell::default(),
            refreshing: Cell::default(),
            turn: Mutex::default(),
            finished: Cell::default(),
            failure: RefCell::default(),
        };
        if let Ok(literal) = endpoint.host().parse() {
            names.install(
                &Answer {
                    addresses: vec![literal],
                    ttl: LONGEST,
                },
                true,
            );
        }
        Rc::new(names)
    }

    /// The addresses that may be called, as far as they are known; `None` if they have to be waited for.
    ///
    /// # Errors
    /// [`Fault::DeniedAddress`] if all are denied.
    pub(crate) fn at_hand(self: &Rc<Self>) -> Result<Option<Addresses>, Fault> {
        let now = Instant::now();
        let current = self.current.borrow();
        let age = current.as_ref().filter(|current| current.serves());
        let age = age.map(|current| {
            let past = now.saturating_duration_since(current.fresh_until);
            if current.literal {
                Duration::ZERO
            } else {
                past
            }
        });
        drop(current);
        match age {
            Some(Duration::ZERO) => {}
            Some(age) if age < STALE => self.refresh_in_background(),
            _ => return Ok(None),
        }
        self.known().map(Some)
    }

    /// Looks the name up, or waits for whoever is doing so.
    ///
    /// # Errors
    /// [`Fault::Dns`] if there never was an answer, or none with an address for a while, [`Fault::DeniedAddress`] if all are denied.
    pub(crate) async fn wait(&self) -> Result<Addresses, Fault> {
        let before = self.finished.get();
        let _turn = self.turn.lock().await;
        let failed = self.failure.borrow().as_ref().map(|(_, at)| at.elapsed());
        if self.finished.get() == before && failed.is_none_or(|ago| ago >= SHORTEST) {
            self.refresh().await;
        }
        self.known()
    }

    /// What is known has proved wrong: the next request waits for a new answer, unless this one is new itself.
    pub(crate) fn doubt(&self) {
        if let Some(current) = &mut *self.current.borrow_mut() {
            let now = Instant::now();
            if now.saturating_duration_since(current.since) >= SHORTEST {
                current.fresh_until = now - STALE;
            }
        }
    }

    fn known(&self) -> Result<Addresses, Fault> {
        let current = self.current.borrow();
        let Some(current) = current.as_ref().filter(|current| current.serves()) else {
            let reason = self
                .failure
                .borrow()
                .as_ref()
                .map(|(reason, _)| reason.clone());
            let reason = reason.unwrap_or_default();
            return Err(Fault::Dns {
                host: self.host.clone(),
                reason,
            });
        };
        match (&current.denied, current.addresses.is_empty()) {
            (Some((address, rule)), true) => Err(Fault::DeniedAddress {
                host: self.host.clone(),
                address: *address,
                rule: rule.clone(),
            }),
            _ => Ok(Rc::clone(&current.addresses)),
        }
    }

    fn refresh_in_background(self: &Rc<Self>) {
        if self.refreshing.replace(true) {
            return;
        }
        let names = Rc::downgrade(self);
        tokio::task::spawn_local(async move {
            if let Some(names) = names.upgrade() {
                let _turn = names.turn.lock().await;
                names.refresh().await;
                names.refreshing.set(false);
            }
        });
    }

    async fn refresh(&self) {
        let found = tokio::time::timeout(self.patience, self.lookup.find(&self.host)).await;
        let found = found.unwrap_or_else(|_| {
            Err(Failure::Unanswered(format!(
                "no answer within {:?}",
                self.patience
            )))
        });
        match found {
            Ok(answer) => {
                self.install(&answer, false);
                *self.failure.borrow_mut() = None;
            }
            Err(failure) => {
                let now = Instant::now();
                let (reason, gone) = match failure {
                    Failure::NoAddress(reason) => (reason, Some(now)),
                    Failure::Unanswered(reason) => (reason, None),
                };
                if let Some(current) = &mut *self.current.borrow_mut() {
                    current.gone = current.gone.or(gone);
                    tracing::warn!(host = %self.host, %reason, "name lookup failed: the last answer is used");
                    current.fresh_until = now + AGAIN;
                }
                *self.failure.borrow_mut() = Some((reason, now));
            }
        }
        self.finished.set(self.finished.get() + 1);
    }

    /// Takes an answer. Addresses that stay keep their connections and health.
    fn install(&self, answer: &Answer, literal: bool) {
        let mut current = self.current.borrow_mut();
        let before = current.take().map(|current| current.addresses);
        let mut denied = None;
        let mut addresses: Vec<Rc<Address>> = Vec::with_capacity(answer.addresses.len());
        for ip in &answer.addresses {
            if let Some(rule) = self.denied.rule(*ip) {
                denied.get_or_insert((*ip, rule));
                continue;
            }
            let socket = SocketAddr::new(*ip, self.port);
            if addresses.iter().all(|known| known.socket != socket) {
                let kept = before.iter().flat_map(|before| before.iter());
                let kept = kept.into_iter().find(|known| known.socket == socket);
                addresses.push(kept.map_or_else(|| Address::new(socket), Rc::clone));
            }
        }
        *current = Some(Current {
            addresses: addresses.into(),
            denied,
            since: Instant::now(),
            fresh_until: Instant::now() + answer.ttl.clamp(SHORTEST, LONGEST),
            literal,
            gone: None,
        });
    }
}
