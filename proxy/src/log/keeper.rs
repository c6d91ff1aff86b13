//! The thread that keeps the log: rows are made on it, and go to a database within this process, or to the logbook of a cluster.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use dragoman_logbook::fault::Fault;
use dragoman_logbook::replay::Replies;
use dragoman_logbook::ship::remote::Remote;
use dragoman_logbook::spool::Spool;
use dragoman_logbook::store::{self, Store};
use dragoman_logbook::writer::{self, Sink, Writer};
use tokio::sync::{oneshot, watch};

use super::clerk::{Clerk, Intake};
use super::lock;
use super::replays::Replays;
use crate::state::Shared;
use crate::trace::settings::Settings;
use crate::trace::{Exporting, Tracer};

/// The database and the spool, within the folder.
const DATABASE: &str = "requests.db";
const SPOOL: &str = "spool";
/// What the spool may hold, in bytes: of a log of one's own, and of a pod's, whose volume has 1 GiB. Ten minutes of a thousand requests a second take 700 MiB without bodies.
const LARGEST_SPOOL: u64 = 1 << 30;
const LARGEST_SPOOL_OF_A_POD: u64 = 896 << 20;
/// How often what is over its time is forgotten.
const KEEPS: Duration = Duration::from_mins(10);
/// How long the database, or the logbook, may take for what is left at the end.
const LAST: Duration = Duration::from_secs(5);
/// And the collector of traces.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// Where a log of one's own is kept, and how long.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder, which is made if need be.
    pub folder: PathBuf,
    /// How long a request is kept.
    pub retention: Duration,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum KeeperFault {
    /// The folder cannot be used.
    #[error(
        "{path}: {fault}; name a folder of its own that can be written to (--data), or keep none (--no-request-log)"
    )]
    Folder {
        /// What of it.
        path: PathBuf,
        /// Why not.
        fault: io::Error,
    },
    /// The database cannot be used.
    #[error("{path}: {fault}")]
    Database {
        /// Its file.
        path: PathBuf,
        /// Why not.
        fault: Fault,
    },
    /// There is no thread for it.
    #[error("no thread for the request log: {0}")]
    Thread(io::Error),
}

/// A log that is kept.
#[derive(Debug)]
pub struct Keeper {
    intake: Arc<Intake>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
    /// Held as long as the folder is this process's.
    _lock: Option<File>,
}

impl Keeper {
    /// Keeps a log of one's own, in a folder.
    ///
    /// # Errors
    /// [`KeeperFault`].
    pub async fn local(
        options: &Options,
        traces: Option<Box<Settings>>,
        shared: &Arc<Shared>,
    ) -> Result<(Self, Store), KeeperFault> {
        let folder = &options.folder;
        let lock = lock(folder).map_err(at(folder))?;
        let path = folder.join(DATABASE);
        let kept = store::Options {
            retention: options.retention,
            ..store::Options::default()
        };
        let in_database = |fault| KeeperFault::Database {
            path: path.clone(),
            fault,
        };
        let store = Store::open(&format!("sqlite:{}", path.display()), &kept);
        let store = store.map_err(in_database)?;
        store.ready().await.map_err(in_database)?;
        let spool = spool(folder, LARGEST_SPOOL)?;
        let keeps = store.clone();
        let beside = |intake: Arc<Intake>| {
            intake.open();
            keeps.keep(KEEPS)
        };
        let keeper = Self::start(
            store.clone(),
            Some(spool),
            beside,
            Some(lock),
            traces,
            shared,
        );
        Ok((keeper.await?, store))
    }

    /// Ships rows, once it is known where to. In `folder`, if there is one, they wait while the way is barred; otherwise in memory alone.
    ///
    /// # Errors
    /// [`KeeperFault`].
    pub async fn shipping(
        remote: Remote,
        folder: Option<&Path>,
        traces: Option<Box<Settings>>,
        shared: &Arc<Shared>,
    ) -> Result<Self, KeeperFault> {
        let (lock, spool) = match folder {
            Some(folder) => (
                Some(lock(folder).map_err(at(folder))?),
                Some(spool(folder, LARGEST_SPOOL_OF_A_POD)?),
            ),
            None => (None, None),
        };
        let way = remote.clone();
        let beside = |intake: Arc<Intake>| async move {
            way.directed().await;
            intake.open();
        };
        Self::start(remote, spool, beside, lock, traces, shared).await
    }

    /// Starts the thread, which does something `beside` keeping the log.
    async fn start<S: Sink + Replies, B: Future<Output = ()> + Send + 'static>(
        sink: S,
        spool: Option<Spool>,
        beside: impl FnOnce(Arc<Intake>) -> B + Send + 'static,
        lock: Option<File>,
        traces: Option<Box<Settings>>,
        shared: &Arc<Shared>,
    ) -> Result<Self, KeeperFault> {
        let (stop, stopped) = oneshot::channel();
        let (made, intake) = oneshot::channel();
        let shared = Arc::clone(shared);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(KeeperFault::Thread)?;
        let work = async move {
            let replays = Replays::start(sink.clone());
            let (writer, _) = Writer::start(sink, spool, writer::Options::default());
            let (tracer, exporting) = traces.map(Tracer::new).unzip();
            let (clerk, intake) = Clerk::new(shared, writer.clone(), replays, tracer);
            let (over, is_over) = watch::channel(false);
            let exporting = tokio::spawn(async move {
                if let Some(exporting) = exporting {
                    Exporting::run(exporting, is_over).await;
                }
            });
            let intake = Arc::new(intake);
            tokio::spawn(beside(Arc::clone(&intake)));
            if made.send(intake).is_ok() {
                clerk.run(stopped).await;
                let _ = over.send(true);
                let last = tokio::time::timeout(LAST_SPANS, exporting);
                let (stored, _) = tokio::join!(writer.flush(LAST), last);
                if !stored {
                    tracing::warn!(
                        "the request log lost its last rows: nobody took them in time, and there is no spool with room"
                    );
                }
            }
        };
        let thread = std::thread::Builder::new().name("log".into());
        let thread = thread.spawn(move || {
            runtime.block_on(work);
            runtime.shutdown_background();
        });
        let thread = thread.map_err(KeeperFault::Thread)?;
        let gone = |_| KeeperFault::Thread(io::ErrorKind::BrokenPipe.into());
        Ok(Self {
            intake: intake.await.map_err(gone)?,
            stop,
            thread,
            _lock: lock,
        })
    }

    /// Where finished requests are handed over.
    #[must_use]
    pub fn intake(&self) -> Arc<Intake> {
        Arc::clone(&self.intake)
    }

    /// Stores what was handed over, and ends. Blocks until then.
    pub fn finish(self) {
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

fn spool(folder: &Path, most: u64) -> Result<Spool, KeeperFault> {
    let folder = folder.join(SPOOL);
    Spool::open(&folder, most).map_err(at(&folder))
}

fn at(path: &Path) -> impl Fn(io::Error) -> KeeperFault + use<> {
    let path = path.to_owned();
    move |fault| KeeperFault::Folder {
        path: path.clone(),
        fault,
    }
}
