//! The keys of all issuers that have a URL, fetched by a thread of their own, so that no request does.
//!
//! The thread exists once the first policy names a URL, and ends with the [`KeySets`].

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Instant;

use dragoman_config::UpstreamUrl;
use parking_lot::Mutex;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Notify, mpsc, watch};

use super::fetch::fetch;
use super::key_set::KeySet;
use crate::upstream::Denied;

/// One per process. Sets that no policy uses are forgotten.
#[derive(Debug)]
pub struct KeySets {
    sets: Mutex<Sets>,
    /// What must not be called; none: nobody has said it yet, and nothing is.
    denied: watch::Sender<Option<Denied>>,
}

#[derive(Debug, Default)]
struct Sets {
    known: HashMap<UpstreamUrl, Weak<KeySet>>,
    /// To the thread.
    fetched: Option<mpsc::UnboundedSender<Fetching>>,
}

#[derive(Debug)]
struct Fetching {
    set: Weak<KeySet>,
    wake: Arc<Notify>,
}

impl Default for KeySets {
    fn default() -> Self {
        Self {
            sets: Mutex::default(),
            denied: watch::Sender::new(None),
        }
    }
}

impl KeySets {
    /// Says which addresses must not be called. Until it is said, none is.
    pub fn deny(&self, denied: Denied) {
        self.denied.send_replace(Some(denied));
    }

    /// The set behind a URL, which is fetched for as long as somebody holds it.
    pub(super) fn get(&self, url: &UpstreamUrl) -> Arc<KeySet> {
        let mut sets = self.sets.lock();
        if let Some(set) = sets.known.get(url).and_then(Weak::upgrade) {
            return set;
        }
        sets.known.retain(|_, set| set.strong_count() > 0);
        let set = Arc::new(KeySet::new(url.clone()));
        sets.known.insert(url.clone(), Arc::downgrade(&set));
        let fetching = Fetching {
            set: Arc::downgrade(&set),
            wake: Arc::clone(&set.wake),
        };
        if sets.fetched.is_none() {
            sets.fetched = self.start();
        }
        if let Some(fetched) = &sets.fetched {
            // The thread ends with its sender alone.
            let _ = fetched.send(fetching);
        }
        set
    }

    fn start(&self) -> Option<mpsc::UnboundedSender<Fetching>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let denied = self.denied.subscribe();
        let thread = std::thread::Builder::new().name("jwks".into());
        match thread.spawn(move || run(receiver, denied)) {
            Ok(_) => Some(sender),
            Err(fault) => {
                tracing::error!(%fault, "no thread to fetch issuers' keys with");
                None
            }
        }
    }
}

fn run(mut sets: mpsc::UnboundedReceiver<Fetching>, denied: watch::Receiver<Option<Denied>>) {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default());
    match runtime {
        Ok(runtime) => runtime.block_on(async {
            while let Some(fetching) = sets.recv().await {
                tokio::task::spawn_local(again_and_again(fetching, denied.clone()));
            }
        }),
        Err(fault) => tracing::error!(%fault, "no runtime to fetch issuers' keys with"),
    }
}

async fn again_and_again(fetching: Fetching, mut denied: watch::Receiver<Option<Denied>>) {
    loop {
        let Ok(denied) = denied.wait_for(Option::is_some).await.map(|it| it.clone()) else {
            return;
        };
        let Some(set) = fetching.set.upgrade() else {
            return;
        };
        set.begins(Instant::now());
        let fetched = fetch(&set.url, denied.unwrap_or_default()).await;
        let wait = set.ends(fetched, Instant::now());
        drop(set);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = fetching.wake.notified() => {}
        }
    }
}
