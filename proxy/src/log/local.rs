//! The logbook within this process: SQLite and spool in a folder of its own.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use dragoman_logbook::fault::Fault;
use dragoman_logbook::spool::Spool;
use dragoman_logbook::store::{self, Store};
use dragoman_logbook::writer::{self, Writer};
use tokio::sync::oneshot;

use super::clerk::{Clerk, Intake};
use super::lock;
use crate::state::Shared;

/// The database and the spool, within the folder.
const DATABASE: &str = "requests.db";
const SPOOL: &str = "spool";
/// What the spool may hold, in bytes.
const LARGEST_SPOOL: u64 = 1 << 30;
/// How often what is over its time is forgotten.
const KEEPS: Duration = Duration::from_mins(10);
/// How long the database may take for what is left at the end.
const LAST: Duration = Duration::from_secs(5);

/// Where the log is kept, and how long.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder, which is made if need be.
    pub folder: PathBuf,
    /// How long a request is kept.
    pub retention: Duration,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LocalFault {
    /// Another process keeps its log there.
    #[error(
        "{0} is another process's; give each its own (--data), or keep no log (--no-request-log)"
    )]
    Taken(PathBuf),
    /// The folder cannot be used.
    #[error(
        "{path}: {fault}; name a folder that can be written to (--data), or keep no log (--no-request-log)"
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
pub struct Local {
    intake: Arc<Intake>,
    store: Store,
    writer: Writer,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
    /// Held as long as the folder is this process's.
    _lock: File,
}

impl Local {
    /// Opens the folder, and starts the thread that keeps the log.
    ///
    /// # Errors
    /// [`LocalFault`].
    pub async fn start(options: &Options, shared: &Arc<Shared>) -> Result<Self, LocalFault> {
        let folder = &options.folder;
        let lock = lock(folder).map_err(at(folder))?;
        let path = folder.join(DATABASE);
        let kept = store::Options {
            retention: options.retention,
            ..store::Options::default()
        };
        let in_database = |fault| LocalFault::Database {
            path: path.clone(),
            fault,
        };
        let store = Store::open(&format!("sqlite:{}", path.display()), &kept);
        let store = store.map_err(in_database)?;
        store.ready().await.map_err(in_database)?;
        let spool = folder.join(SPOOL);
        let spool = Spool::open(&spool, LARGEST_SPOOL).map_err(at(&spool))?;
        let (stop, stopped) = oneshot::channel();
        let (made, parts) = oneshot::channel();
        let (sink, keeper, shared) = (store.clone(), store.clone(), Arc::clone(shared));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(LocalFault::Thread)?;
        let work = async move {
            let (writer, _) = Writer::start(sink, Some(spool), writer::Options::default());
            tokio::spawn(keeper.keep(KEEPS));
            let (clerk, intake) = Clerk::new(shared, writer.clone());
            if made.send((writer.clone(), intake)).is_ok() {
                clerk.run(stopped).await;
                if !writer.flush(LAST).await {
                    tracing::warn!(
                        "the request log lost its last rows: neither database nor spool took them in time"
                    );
                }
            }
        };
        let thread = std::thread::Builder::new().name("log".into());
        let thread = thread.spawn(move || {
            runtime.block_on(work);
            runtime.shutdown_background();
        });
        let thread = thread.map_err(LocalFault::Thread)?;
        let gone = || LocalFault::Thread(io::ErrorKind::BrokenPipe.into());
        let (writer, intake) = parts.await.map_err(|_| gone())?;
        Ok(Self {
            intake: Arc::new(intake),
            store,
            writer,
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

    /// Where it is kept.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// How the writer is doing.
    #[must_use]
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Stores what was handed over, and ends. Blocks until then.
    pub fn finish(self) {
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> LocalFault + use<> {
    let path = path.to_owned();
    move |fault| LocalFault::Folder {
        path: path.clone(),
        fault,
    }
}
