//! What one thread has: its view of the state, its upstream connections.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use dragoman_config::ProxyItem;

use crate::access::service::Services;
use crate::log::Desk;
use crate::state::backend::Backend;
use crate::state::metrics::InFlight;
use crate::state::{Shared, State};
use crate::upstream::{BadTls, Cluster, Denied};

/// One request thread.
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    /// Its number, from 0.
    pub(crate) thread: usize,
    current: RefCell<Current>,
    clusters: RefCell<HashMap<u64, (Weak<Backend>, Cluster)>>,
    /// This thread's connections to services that rules ask.
    pub(crate) services: Rc<Services>,
    /// Where requests that are over are put, where a log of them is kept.
    pub(crate) desk: Option<Rc<Desk>>,
}

struct Current {
    version: u64,
    state: Pinned,
}

/// A state that requests hold without touching a counter that other threads share.
pub(crate) type Pinned = Rc<Arc<State>>;

impl Worker {
    pub(crate) fn new(shared: Arc<Shared>, thread: usize) -> Rc<Self> {
        let version = shared.version();
        let state = Rc::new(Arc::clone(&shared.state()));
        let notes = Arc::clone(&shared);
        let services = Services::new(denied(&state.proxy));
        let services = Rc::new(services.noting(move |policy| notes.passed_over(policy)));
        let current = RefCell::new(Current { version, state });
        let desk = shared.log().map(|intake| Desk::new(Arc::clone(intake)));
        Rc::new(Self {
            shared,
            thread,
            current,
            clusters: RefCell::default(),
            services,
            desk,
        })
    }

    /// The state for a request that begins now.
    pub(crate) fn state(&self) -> Pinned {
        let version = self.shared.version();
        let mut current = self.current.borrow_mut();
        if current.version != version {
            current.version = version;
            current.state = Rc::new(Arc::clone(&self.shared.state()));
            drop(current);
            self.forget();
            return Rc::clone(&self.current.borrow().state);
        }
        Rc::clone(&current.state)
    }

    /// Lets go of the connections to backends that no state has any more.
    pub(crate) fn forget(&self) {
        self.clusters
            .borrow_mut()
            .retain(|_, (backend, _)| backend.strong_count() > 0);
        let state = Rc::clone(&self.current.borrow().state);
        self.services.update(&denied(&state.proxy));
    }

    /// This thread's connections to a backend.
    ///
    /// # Errors
    /// [`BadTls`], which a backend was checked for when it was built.
    pub(crate) fn cluster(&self, backend: &Arc<Backend>) -> Result<Cluster, BadTls> {
        if let Some((_, cluster)) = self.clusters.borrow().get(&backend.id) {
            return Ok(cluster.clone());
        }
        let cluster = Cluster::new(backend.settings.clone())?;
        let kept = (Arc::downgrade(backend), cluster.clone());
        self.clusters.borrow_mut().insert(backend.id, kept);
        Ok(cluster)
    }

    pub(crate) fn in_flight(&self) -> &InFlight {
        self.shared.in_flight_of(self.thread)
    }
}

/// What upstreams and services must not be reached at.
fn denied(proxy: &ProxyItem) -> Denied {
    Denied {
        ranges: proxy.denied_cidrs.clone(),
        loopback: proxy.deny_loopback,
    }
}
