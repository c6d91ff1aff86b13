//! Kubernetes tokens: whose they are, says the API server, and in which namespaces their bearer may read the log.
//!
//! - `api`: requests to the API server
//! - `believed`: what it said a moment ago

mod api;
mod believed;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dragoman_logbook::store::Store;
use dragoman_logbook::web::{Door, Refusal, Viewer};
use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::{Mutex, Semaphore};

use api::{ApiServer, Fault, User};
use believed::Believed;

/// The most namespaces that a token without a right to all is asked about, by name.
const NAMESPACES: u32 = 1000;
/// How long the list of the log's namespaces is used.
const LISTED: Duration = Duration::from_secs(30);
/// Tokens that are reviewed at once; whoever comes then waits.
const REVIEWS: usize = 8;
/// Questions about one token at once.
const QUESTIONS: usize = 8;
/// How long a review may take in all, waiting for its turn included.
const PATIENCE: Duration = Duration::from_secs(15);

/// The door for Kubernetes tokens: it opens to the namespaces in which their bearer may `get llmroutes/log`, or to all.
///
/// There is no asking the API server "which namespaces?" (a SelfSubjectRulesReview is a hint, and of one namespace), so it is asked about all of them at once, and
/// else about each that the log has requests of.
pub(super) struct Kubernetes {
    api: ApiServer,
    store: Store,
    believed: Believed,
    turns: Semaphore,
    listed: Mutex<Option<(Instant, Vec<String>)>>,
    /// Whether the API server did not answer last time.
    away: AtomicBool,
}

impl Kubernetes {
    /// Asks the API server at `url` with what is in `directory`: the files `token` and `ca.crt` of a ServiceAccount. Both are read again as they change.
    pub(super) fn new(url: &str, directory: PathBuf, store: Store) -> Self {
        Self {
            api: ApiServer::new(url, directory),
            store,
            believed: Believed::default(),
            turns: Semaphore::new(REVIEWS),
            listed: Mutex::default(),
            away: AtomicBool::new(false),
        }
    }

    async fn look(&self, token: &str) -> Result<Viewer, Refusal> {
        let known = |token| self.believed.find(token, Instant::now());
        if let Some(said) = known(token) {
            return said;
        }
        let Ok(_turn) = self.turns.acquire().await else {
            return Err(away());
        };
        // Somebody with the same token may have had a turn before.
        if let Some(said) = known(token) {
            return said;
        }
        let asked = Instant::now();
        let said = self.review(token).await;
        self.believed.note(token, &said, asked);
        said
    }

    async fn review(&self, token: &str) -> Result<Viewer, Refusal> {
        let Some(user) = self.told(self.api.user(token).await)? else {
            return Err(Refusal::Unknown);
        };
        if self.told(self.api.may_read(&user, None).await)? {
            return Ok(Viewer::All);
        }
        let names = self.namespaces().await?;
        let user = &user;
        let asked = stream::iter(names.iter().cloned()).map(|name| async move {
            let may = self.api.may_read(user, Some(&name)).await?;
            Ok::<_, Fault>(may.then_some(name))
        });
        let theirs = asked.buffered(QUESTIONS).try_collect::<Vec<_>>().await;
        let theirs: Vec<String> = self.told(theirs)?.into_iter().flatten().collect();
        if theirs.is_empty() {
            return Err(nothing(user));
        }
        Ok(Viewer::Namespaces(theirs))
    }

    /// What the log has requests of, as it was a moment ago.
    async fn namespaces(&self) -> Result<Vec<String>, Refusal> {
        let mut listed = self.listed.lock().await;
        if let Some((at, names)) = &*listed
            && at.elapsed() < LISTED
        {
            return Ok(names.clone());
        }
        let at = Instant::now();
        let names = self.store.namespaces(NAMESPACES).await.map_err(|fault| {
            tracing::warn!(%fault, "the log's namespaces cannot be listed");
            Refusal::Away("the log's database is away; ask again in a moment".into())
        })?;
        if names.len() == NAMESPACES as usize {
            tracing::warn!(
                most = NAMESPACES,
                "the log has requests of more namespaces than a token is asked about; of these, the first by name count"
            );
        }
        *listed = Some((at, names.clone()));
        Ok(names)
    }

    /// Tells our own log, once, that the API server is away, and why; strangers hear only that.
    fn told<T>(&self, said: Result<T, Fault>) -> Result<T, Refusal> {
        let was = self.away.swap(said.is_err(), Ordering::Relaxed);
        match said {
            Ok(said) => {
                if was {
                    tracing::info!("the API server reviews tokens again");
                }
                Ok(said)
            }
            Err(fault) => {
                if !was {
                    tracing::warn!(%fault, "Kubernetes tokens cannot be reviewed for now");
                }
                Err(away())
            }
        }
    }
}

impl Door for Kubernetes {
    fn open<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Viewer, Refusal>> {
        async move {
            let looked = tokio::time::timeout(PATIENCE, self.look(token)).await;
            looked.unwrap_or_else(|_| self.told(Err(Fault::Late)))
        }
        .boxed()
    }
}

fn away() -> Refusal {
    Refusal::Away(
        "the API server of Kubernetes does not say whose token this is; ask again in a moment, or use the admin token"
            .into(),
    )
}

fn nothing(user: &User) -> Refusal {
    let name = user.name();
    Refusal::Nothing(format!(
        "{name} may read the log of no namespace that has requests in it: bind a Role that grants `get` on `llmroutes/log` (apiGroups: [dragoman.dev]) there"
    ))
}
