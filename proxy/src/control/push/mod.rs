//! The push client: config from the operator, over one stream that is dialled again whenever it ends.
//!
//! The wire is described in [`dragoman_config::wire`]. While no operator answers, the proxy serves what it has; a
//! restarted container begins with the snapshot of its last config.

mod backoff;
mod dial;
mod lines;
mod message;
mod reports;
mod session;
mod snapshot;
mod store;
mod trust;
mod unreadable;
mod url;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use dragoman_config::ObjectKey;
use dragoman_config::wire::{Hello, LONGEST_HELLO, Up};
use dragoman_logbook::ship::remote::Remote;
use tokio::sync::watch;

use self::backoff::Backoff;
use self::session::{End, Progress};
use self::snapshot::Snapshot;
use self::store::Store;
use self::trust::Trust;
pub use self::url::{BadUrl, OperatorUrl};
use super::publish::Publisher;

/// Where config comes from, and who asks for it.
#[derive(Clone, Debug)]
pub struct Source {
    /// The operator's URL.
    pub url: OperatorUrl,
    /// The LLMProxy that this process belongs to.
    pub proxy: ObjectKey,
    /// The pod's name.
    pub pod: String,
    /// File with the ServiceAccount token.
    pub token_file: PathBuf,
    /// File with the authorities that sign the operator's certificate.
    pub ca_file: PathBuf,
    /// Memory-backed directory for the last config.
    pub snapshot: Option<PathBuf>,
}

/// A client of the operator's stream.
#[derive(Debug)]
pub struct Client {
    source: Source,
    publisher: Publisher,
    progress: Progress,
    backoff: Backoff,
    /// The last fault that was logged: each is told once, not once a dial.
    told: Option<String>,
}

impl Client {
    /// A client that has begun with the snapshot, if there is one: then the proxy is ready now. Must be called within
    /// a runtime, which writes further snapshots.
    #[must_use]
    pub fn new(source: Source, publisher: Publisher) -> Self {
        let snapshot = source
            .snapshot
            .as_deref()
            .map(|at| Snapshot::new(at, source.proxy.clone()));
        let mut progress = Progress {
            store: Store::default(),
            trust: Trust::default(),
            refused: BTreeMap::new(),
            snapshots: None,
            remote: Remote::new(),
            all: true,
        };
        if let Some(snapshot) = snapshot {
            match snapshot.read() {
                Ok(Some(store)) => {
                    progress.refused = session::publish(&store, &publisher);
                    publisher.shared().set_ready(true);
                    tracing::info!(digest = store.digest(), "serving from the snapshot");
                    progress.store = store;
                    progress.all = false;
                }
                Ok(None) => {}
                Err(fault) => tracing::warn!(%fault, "the snapshot is ignored"),
            }
            let (stores, latest) = watch::channel(progress.store.clone());
            progress.snapshots = Some(stores);
            tokio::spawn(session::write_snapshots(snapshot, latest));
        }
        Self {
            source,
            publisher,
            progress,
            backoff: Backoff::default(),
            told: None,
        }
    }

    /// Where rows of the request log go: a sink that leads to the logbook that the operator names, with the ticket that it gave last. Until it names one, rows wait.
    #[must_use]
    pub fn sink(&self) -> Remote {
        self.progress.remote.clone()
    }

    /// Follows the operator for ever.
    pub async fn run(mut self) {
        loop {
            let wait = self.stream().await;
            tokio::time::sleep(wait).await;
        }
    }

    /// One stream, and how long to wait for the next.
    async fn stream(&mut self) -> Duration {
        self.progress.store.forget_foreign();
        let (hello, all) = self.hello();
        let Source {
            url,
            token_file,
            ca_file,
            ..
        } = &self.source;
        let stream = match dial::dial(url, token_file, ca_file, &self.progress.trust, &hello).await
        {
            Ok(stream) => stream,
            Err(fault) => {
                let leaderless = fault.is_leaderless();
                // Perhaps it knows less than the operator that we heard from last, and claims are what it could not read.
                self.progress.all |= fault.is_misunderstood();
                self.tell(format!("no config from the operator: {fault}"));
                return if leaderless {
                    self.backoff.without_leader(rand::random())
                } else {
                    self.backoff.after_failure(rand::random())
                };
            }
        };
        tracing::info!(operator = %stream.at, "connected to the operator");
        let (end, synced) = session::follow(stream, &mut self.progress, &self.publisher, all).await;
        // Goodbye is an invitation to come again.
        let welcome = synced || matches!(end, End::Goodbye);
        match end {
            End::Goodbye => tracing::info!("the operator said goodbye; dialling again"),
            End::Closed => self.tell("the operator closed the stream; dialling again".into()),
            End::Broken(fault) => self.tell(format!("{fault}; dialling again")),
            End::Silent => {
                self.tell("the operator answered and sent nothing; dialling again".into())
            }
            End::Diverged => {
                self.tell("config and the operator's digest differ; asking for all of it".into());
            }
        }
        if welcome {
            self.told = None;
            self.backoff.after_success(rand::random())
        } else {
            self.backoff.after_failure(rand::random())
        }
    }

    /// The first line, and whether it asks for everything. Longer than an operator reads it may not be, so then it
    /// claims nothing.
    fn hello(&self) -> (Bytes, bool) {
        let claim = |items| {
            lines::line(&Up::Hello(Hello {
                proxy: self.source.proxy.to_string(),
                pod: self.source.pod.clone(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                items,
            }))
        };
        if !self.progress.all {
            let hello = claim(self.progress.store.hashes());
            if hello.len() <= LONGEST_HELLO {
                return (hello, false);
            }
        }
        (claim(BTreeMap::new()), true)
    }

    fn tell(&mut self, fault: String) {
        if self.told.as_ref() != Some(&fault) {
            tracing::warn!("{fault}");
            self.told = Some(fault);
        }
    }
}
